// The command line as its users meet it: help, JSON lines, exit codes, messages, Ctrl-C. It runs from dist/.
// @suite timeout=1200
import * as assert from 'uvu/assert';
import { confusionMatrix, drawImage, drawMatrix, sideBySide } from '../../src/cli/drawing.js';
import { configure, load, nn, weightsSha256 } from '../../src/index.js';
import { everygrad, jsonLines, type Outcome } from '../helpers/command.js';
import { readFixture } from '../helpers/environment.js';
import { suite } from '../helpers/suite.js';

const test = suite('command line');
const fs = await import('node:fs/promises');
const { join } = await import('node:path');
const folder = await fs.mkdtemp(join((await import('node:os')).tmpdir(), 'everygrad-cli-'));
test.after(() => fs.rm(folder, { recursive: true, force: true }));

/** The plain build gives the same bits everywhere. */
const onWasm = ['--device', 'wasm', '--build', 'simd', '--threads', '1'];
const small = ['--train-size', '300', '--epochs', '2', ...onWasm];

test('--version and --help, for each command with examples', async () => {
  const { version } = JSON.parse(new TextDecoder().decode(await readFixture('package.json'))) as {
    version: string;
  };
  assert.equal(await everygrad(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
  for (const args of [
    [],
    ['train'],
    ['explain'],
    ['bisect'],
    ['reproduce'],
    ['doctor'],
    ['bench'],
    ['assets'],
  ]) {
    const { code, stdout } = await everygrad([...args, '--help']);
    assert.is(code, 0);
    assert.match(stdout, /Usage: everygrad/);
    assert.match(stdout, /Examples:\n {2}\$ everygrad/);
    assert.ok(
      stdout.split('\n').every((line) => line.length <= 100),
      'lines fit a terminal',
    );
  }
});

test('help, of a command and of one that is not there', async () => {
  for (const [args, same] of [
    [['help'], ['--help']],
    [
      ['help', 'doctor'],
      ['doctor', '--help'],
    ],
  ] as const)
    assert.equal(await everygrad(args), await everygrad(same));
  const wrong = await everygrad(['help', 'trian']);
  assert.match(wrong.stderr, /^error: unknown command 'trian'\n\(Did you mean train\?\)/);
  assert.equal(wrong, await everygrad(['trian']));
});

test('assets copies what pages load, all that it imports, and takes away what an earlier version left', async () => {
  const to = join(folder, 'public', 'everygrad');
  await fs.mkdir(join(to, 'chunks'), { recursive: true });
  const left = ['chunks/own.js', 'chunks/worker-chunk-AAAAAAAA.js'].map((name) => join(to, name));
  for (const path of left) await fs.writeFile(path, '');
  assert.match((await everygrad(['assets', to])).stdout, /^copied \d+ files/);
  const names = (await fs.readdir(to, { recursive: true })).map((name) => name.replaceAll('\\', '/'));
  for (const name of ['worker-thread.js', 'thread.js', 'LICENSES.txt', 'chunks/own.js', 'kernels/simd.wasm'])
    assert.ok(names.includes(name), name);
  assert.not(names.includes('chunks/worker-chunk-AAAAAAAA.js'));
  for (const name of names.filter((n) => n.endsWith('.js'))) {
    const text = await fs.readFile(join(to, name), 'utf8');
    for (const [path] of text.matchAll(/worker-\w+(-\w+)*-[A-Z\d]{8}\.js/g))
      if (!text.includes(`sourceMappingURL=${path}`)) assert.ok(names.includes(`chunks/${path}`), path);
  }
  const { code, stderr } = await everygrad(['assets', join(to, 'thread.js', 'below')]);
  assert.is(code, 1);
  assert.match(stderr, /the files cannot be copied/);
});

test('doctor --json tells what is there and what was chosen', async () => {
  const [report] = (await jsonLines(['doctor'])) as [
    {
      runtime: string;
      cores: number;
      wasm: { simd: boolean; relaxedSimd: boolean; build: string; threadCount: number };
      webgpu: { available: boolean; reason?: string };
      cache: string;
    },
  ];
  assert.match(report.runtime, /^(node|deno|bun) \d+\./);
  assert.ok(report.cores >= 1 && report.wasm.threadCount >= 1);
  assert.ok(report.wasm.simd);
  assert.match(report.wasm.build, report.wasm.relaxedSimd ? /^relaxed/ : /^simd/);
  assert.ok(report.webgpu.available || report.webgpu.reason);
  assert.type(report.cache, 'string');
});

test('explain: each step of the plan with backend and reason, measured on demand, as table, JSON and graph', async () => {
  const asked = ['explain', '--hidden', '20', '--batch', '8', ...onWasm];
  const steps = (await jsonLines([...asked, '--measure', '--json'])).filter(({ event }) => event === 'step');
  const products = steps.filter(({ ops }) => String(ops).includes('matmul'));
  assert.ok(products.length >= 5, 'forward and backward of two layers');
  for (const { backend, why, measuredMicroseconds } of steps) {
    assert.equal([backend, why], ['wasm', 'the only backend in use']);
    assert.ok((measuredMicroseconds as number) >= 0);
  }
  const { stdout } = await everygrad(asked);
  assert.match(stdout, /matmul/);
  assert.match(stdout, /memory on wasm: [\d,]+ bytes/);
  assert.match((await everygrad([...asked, '--dot'])).stdout, /^digraph plan/);
});

test('train --model: convolutional networks, with momentum where nothing is said', async () => {
  const tiny = ['--train-size', '40', '--epochs', '1', '--batch', '20', ...onWasm];
  const [start] = await jsonLines(['train', '--model', 'lenet', ...tiny]);
  assert.equal(
    [start!.model, start!.parameters, start!.lr, start!.momentum],
    ['lenet', 180_880, 0.015625, 0.9],
  );
  const done = (await jsonLines(['train', '--model', 'alexnet', '--input-size', '67', ...tiny])).at(-1)!;
  assert.is(done.event, 'done');
  assert.ok((done.testLoss as number) > 0);
});

test('bisect: two devices that agree, and a tolerance that nobody keeps', async () => {
  const asked = ['bisect', '--hidden', '12', '--steps', '3', '--against', 'reference', ...onWasm];
  const [report] = await jsonLines(asked);
  assert.equal([report!.agrees, report!.first, report!.steps], [true, null, 3]);
  const { difference } = report!.largest as { difference: number };
  assert.ok(difference > 0 && difference < 1e-4, `${difference}`);
  const { code, stdout } = await everygrad(asked);
  assert.is(code, 0);
  assert.match(stdout, /they agree in 3 steps\nlargest difference \d\.\d+e-\d+: \w+ \(/);
  const strict = await everygrad([...asked, '--tolerance', '0']);
  assert.is(strict.code, 1);
  assert.match(strict.stdout, /they differ: \w+ \(.*step 1: /);
});

test('train --json: a start, an object for each epoch, a result; the same seed gives the same bits', async () => {
  const lines = await jsonLines(['train', ...small, '--dropout', '0.1']);
  assert.equal(
    lines.map(({ event }) => event),
    ['start', 'epoch', 'epoch', 'done'],
  );
  const [start, first, second, done] = lines as [
    Record<string, unknown>,
    Record<string, number>,
    Record<string, number>,
    Record<string, unknown>,
  ];
  assert.equal([start.train, start.parameters, start.lr], [300, 79_510, 0.5]);
  assert.equal([first.epoch, second.epoch, done.epochs], [1, 2, 2]);
  for (const name of [
    'trainLoss',
    'trainAccuracy',
    'validationLoss',
    'validationAccuracy',
    'samplesPerSecond',
  ])
    assert.ok(first[name]! > 0, name);
  assert.ok(second.trainLoss! < first.trainLoss!);
  assert.ok((done.testAccuracy as number) > 0.1 && (done.testAccuracy as number) <= 1);
  assert.ok((done.seconds as number) > 0 && (done.samplesPerSecond as number) > 0);
  const ops = done.ops as Record<string, number>;
  assert.ok(ops.wasm! > 0 && ops.webgpu === 0);
  assert.match(done.weightsSha256 as string, /^[0-9a-f]{64}$/);
  const again = (await jsonLines(['train', ...small, '--dropout', '0.1'])).at(-1)!;
  assert.is(again.weightsSha256, done.weightsSha256);
  const other = (await jsonLines(['train', ...small, '--dropout', '0.1', '--seed', '2'])).at(-1)!;
  assert.is.not(other.weightsSha256, done.weightsSha256);
});

test('train --out saves weights that load back', async () => {
  const out = join(folder, 'new', 'weights.safetensors');
  const options = ['--hidden', '20,12', '--activation', 'relu', '--optimizer', 'adam', '--init', 'heNormal'];
  const done = (await jsonLines(['train', ...small, ...options, '--lambda', '0.1', '--out', out])).at(-1)!;
  assert.is(done.out, out);
  await configure({ device: 'wasm', threads: 1 });
  const model = nn.sequential(
    ...[nn.linear(784, 20), nn.relu(), nn.linear(20, 12), nn.relu(), nn.linear(12, 10)],
  );
  await load(model, out);
  assert.is(await weightsSha256(model), done.weightsSha256);
});

test('train: every loss and optimizer by name; schedules and patience', async () => {
  for (const loss of ['l1', 'huber', 'multiClassHinge', 'perceptron', 'binaryCrossEntropy']) {
    const how = ['--loss', loss, '--optimizer', 'adam', '--activation', 'relu'];
    const done = (await jsonLines(['train', ...small, ...how])).at(-1)!;
    assert.ok((done.testAccuracy as number) > 0.3, `${loss}: ${done.testAccuracy}`);
  }
  for (const name of ['adamW', 'amsGrad', 'adagrad', 'rmsProp', 'adadelta', 'lamb', 'lion']) {
    const [start, ...rest] = await jsonLines(['train', ...small, '--optimizer', name, '--lambda1', '0.01']);
    assert.equal([start!.optimizer, start!.lambda1], [name, 0.01]);
    const [first, second] = rest.map(({ trainLoss }) => trainLoss as number);
    assert.ok(second! < first!, `${name}: ${second} after ${first}`);
  }
  const more = ['--schedule', 'cosine', '--warm-up', '0.5', '--momentum', '0.5', '--nesterov'];
  const [start] = await jsonLines([
    'train',
    ...small,
    ...more,
    '--init',
    'orthogonal',
    '--activation',
    'selu',
  ]);
  assert.equal([start!.schedule, start!.warmUp, start!.nesterov], ['cosine', 0.5, true]);
  const patient = ['--patience', '2', '--epochs', '60', '--train-size', '200', ...onWasm];
  const lines = await jsonLines(['train', ...patient]);
  const accuracies = lines.filter((l) => l.event === 'epoch').map((l) => l.validationAccuracy as number);
  const best = accuracies.indexOf(Math.max(...accuracies));
  assert.is(accuracies.length, Math.min(60, best + 3), 'it ends two epochs after the best one');
  assert.is(lines.at(-1)!.stopped, true);
});

test('train without --json: settings, a line for each epoch, accuracy, matrix, misread digits', async () => {
  const { code, stdout } = await everygrad(['train', ...small, '--loss', 'quadratic', '--hidden', '0']);
  assert.is(code, 0);
  for (const part of [
    /digits, 300 to train/,
    /784-10, 7,850 parameters/,
    /wasm simd, 1 thread/,
    /\n +1\/2 .*\n +2\/2 /,
    /right, .* of 2,000 misread/,
    /read as\n/,
    /is 0 +\d/,
    /is \d, read as \d \(\d+%\)/,
  ])
    assert.match(stdout, part);
  assert.ok(!stdout.includes('\x1b'), 'no colours where nobody looks');
  assert.ok(
    stdout.split('\n').every((line) => line.length < 80),
    'lines fit a terminal',
  );
});

test('wrong use ends in one clear message and code 1', async () => {
  await fs.writeFile(join(folder, 'file'), 'not a folder');
  const cases: [string[], RegExp][] = [
    [['trian'], /unknown command 'trian'\n\(Did you mean train\?\)/],
    [['train', '--ephocs', '3'], /unknown option '--ephocs'\n\(Did you mean --epochs\?\)/],
    [['train', '--lr', 'banana'], /--lr.*'banana' is invalid\. It must be a number, more than 0/],
    [['train', '--epochs', '0'], /--epochs.*'0' is invalid\. It must be a whole number, at least 1/],
    [['train', '--hidden', '10,,3'], /--hidden.*'10,,3' is invalid/],
    [['train', '--activation', 'step'], /'step' is invalid\. Allowed choices are relu, /],
    [['train', '--threads', '1000'], /\[threads\] 1000 is not a number of threads \(.*1 to 64\)/],
    [['train', '--input-size', '99'], /\[--input-size\] mlp takes the images as they are/],
    [['train', '--model', 'vgg'], /Allowed choices are mlp, lenet, alexnet/],
    [['train', '--optimizer', 'adam', '--momentum', '0.9'], /\[--momentum\] adam has no momentum/],
    [['train', '--nesterov'], /\[--nesterov\] there is no momentum/],
    [['train', '--schedule', 'sometimes'], /Allowed choices are constant, cosine, /],
    [['train', '--patience', '0'], /--patience.*'0' is invalid/],
    [['reproduce', 'mnist-31'], /there is no row 'mnist-31' \(one of mnist-30-quadratic, /],
    [['train', '--data', join(folder, 'nowhere')], /nowhere.* there is no train-images-idx3-ubyte/],
    [['train', '--data', 'mnist'], /does not come with MNIST \(pass the folder/],
    [['train', '--out', join(folder, 'no', 'such', 'x')], /the folder cannot be written/],
    [['train', '--out', folder], /this is a folder/],
    [['train', '--out', join(folder, 'file', 'x')], /the folder cannot be written|is no folder/],
    [['train', '--out', ''], /--out.*It must not be empty/],
    [['train', '--data', ' '], /--data.*It must not be empty/],
    [['train', '--model', 'lenet', '--hidden', '30'], /\[--hidden\] the layers of lenet are what they are/],
    [['explain', '--model', 'alexnet', '--dropout', '0.1'], /\[--dropout\] the layers of alexnet/],
    [['bench', '--filter', 'nothing'], /no benchmark has 'nothing' in its name \(there are gemm\/64, /],
  ];
  const device = (args: string[]): string[] => (args[0] === 'train' ? ['--device', 'wasm'] : []);
  const outcomes: [string[], RegExp, Outcome][] = [];
  for (const [args, message] of cases) {
    const outcome = await everygrad([...args, ...device(args)], { env: { EVERYGRAD_MNIST: '' } });
    outcomes.push([args, message, outcome]);
  }
  for (const [args, message, { code, stdout, stderr }] of outcomes) {
    const name = args.join(' ');
    assert.is(code, 1, `${name}: ${stderr}`);
    assert.is(stdout, '', name);
    assert.match(stderr, /^error: /, name);
    assert.match(stderr, message, name);
    assert.ok(!/\n\s+at /.test(stderr), `${name}: no stack`);
  }
  const debugging = { env: { EVERYGRAD_DEBUG: '1' } };
  assert.match((await everygrad(['train', '--input-size', '99'], debugging)).stderr, /\n\s+at /);
});

test('a loss that is no number any more is an error', async () => {
  const args = ['train', ...small, '--activation', 'relu', '--lr', '1e30'];
  const { code, stderr } = await everygrad(args);
  assert.is(code, 1);
  assert.match(
    stderr,
    /^error: \[fit\] the loss became (NaN|Infinity) in epoch \d; first, in batch \d+ of epoch \d, .* \(use a smaller learning/,
  );
});

test('Ctrl-C stops, tests and saves what was reached', async () => {
  const out = join(folder, 'interrupted.safetensors');
  const args = ['train', '--epochs', '100000', '--train-size', '1000', ...onWasm, '--out', out, '--json'];
  const { code, stdout } = await everygrad(args, {
    onLine: (line, interrupt) => line.includes('"epoch":1,') && interrupt(),
  });
  assert.is(code, 130);
  const done = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>;
  assert.equal([done.event, done.stopped], ['done', true]);
  assert.ok((done.epochs as number) >= 1 && (done.testAccuracy as number) > 0.1);
  assert.ok((await fs.stat(out)).size > 79_510 * 4);
});

/** A small data set in the form of MNIST: a bright row of pixels tells the class. */
async function writeImages(place: string): Promise<void> {
  await fs.mkdir(place, { recursive: true });
  const word = (n: number): number[] => [n >> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255];
  for (const [name, count] of [
    ['train', 300],
    ['t10k', 100],
  ] as const) {
    const images = new Uint8Array(count * 784);
    for (let i = 0; i < count; i++)
      images.fill(255 - (i % 7), i * 784 + (i % 10) * 56, i * 784 + (i % 10) * 56 + 56);
    const labels = Array.from({ length: count }, (_, i) => i % 10);
    const head = [...word(0x803), ...word(count), ...word(28), ...word(28)];
    await fs.writeFile(
      join(place, `${name}-images-idx3-ubyte`),
      Buffer.concat([Uint8Array.from(head), images]),
    );
    await fs.writeFile(
      join(place, `${name}-labels-idx1-ubyte`),
      Uint8Array.from([...word(0x801), ...word(count), ...labels]),
    );
  }
}

test('reproduce: lists its rows, trains one with seeds, keeps what is done', async () => {
  const list = await jsonLines(['reproduce']);
  assert.equal(list[0], {
    row: 'mnist-30-quadratic',
    about: '784-30-10 sigmoid units, quadratic cost',
    published: 5.53,
  });
  const { stdout } = await everygrad(['reproduce']);
  assert.match(stdout, /\nmnist-100-l2 +2\.56 % /);
  const place = join(folder, 'images');
  await writeImages(place);
  const kept = join(folder, 'kept');
  const args = ['reproduce', 'mnist-30-crossentropy', '--data', place, '--cache', kept, ...onWasm];
  const [one] = await jsonLines([...args, '--seeds', '1']);
  const [row] = await jsonLines([...args, '--seeds', '3']);
  const { published, testError, reached, seeds } = row as unknown as {
    published: number;
    testError: { mean: number; min: number; max: number };
    reached: boolean;
    seeds: { testError: number; seconds: number }[];
  };
  assert.equal([row!.row, published, reached], ['mnist-30-crossentropy', 4.86, true]);
  assert.equal(testError, { mean: 0, min: 0, max: 0 });
  assert.is(seeds.length, 3);
  // The seconds of the first seed are those of the first run: it was not trained again.
  assert.equal(seeds[0], (one as unknown as { seeds: unknown[] }).seeds[0]);
  const again = await everygrad([...args, '--seeds', '3']);
  assert.match(
    again.stdout,
    /seed 3 {2}0\.00 % .*kept\)?\n.*published 4\.86 %, here 0\.00 % \(0\.00 to 0\.00, 3 seeds\).*: reached/,
  );
  await fs.writeFile(join(kept, 'mnist-30-crossentropy.json'), 'not JSON');
  const damaged = await everygrad(args);
  assert.is(damaged.code, 1);
  assert.match(
    damaged.stderr,
    /mnist-30-crossentropy\.json\] the kept results cannot be read: .* \(remove the file/,
  );
  // Data that is missing is an error before anything is trained.
  await fs.rm(join(place, 't10k-images-idx3-ubyte'));
  const gone = await everygrad(args);
  assert.is(gone.code, 1);
  assert.match(gone.stderr, /there is no t10k-images-idx3-ubyte/);
});

test('reproduce: networks with a schedule and distorted images, on a small data set', async () => {
  const place = join(folder, 'images-3');
  await writeImages(place);
  const rows = ['mnist-800-none', 'mnist-800-elastic', 'lenet', 'lenet-affine'];
  const args = ['reproduce', ...rows, '--data', place, '--cache', join(folder, 'kept-3'), '--seeds', '1'];
  const results = await jsonLines([...args, ...onWasm]);
  assert.equal(
    results.map(({ row }) => row),
    rows,
  );
  for (const { row, testError } of results) {
    const { mean } = testError as { mean: number };
    assert.ok(mean <= (row === 'lenet' ? 60 : 5), `${row}: ${mean} %`); // 3 epochs of 4 steps are few
  }
});

test('reproduce: Ctrl-C keeps the seeds that are done and a checkpoint of the one that is not', async () => {
  const place = join(folder, 'images-2');
  await writeImages(place);
  const kept = join(folder, 'kept-2');
  const cache = join(folder, 'cache-2');
  const env = { EVERYGRAD_CACHE: cache };
  const args = ['reproduce', 'mnist-800-affine', '--data', place, ...onWasm, '--cache'];
  const checkpoints = () => fs.readdir(join(cache, 'checkpoints')).catch(() => []);
  // Between two seeds there is nothing on its way: then once more.
  for (let tries = 0; tries < 10 && (await checkpoints()).length === 0; tries++) {
    let asked = false;
    const { code, stderr } = await everygrad([...args, kept, '--seeds', '400'], {
      env,
      onLine: (line, interrupt) => {
        if (!asked && line.includes('%')) setTimeout(interrupt, 200);
        asked ||= line.includes('%');
      },
    });
    assert.is(code, 130);
    assert.match(stderr, /goes on where this one was/);
  }
  assert.is((await checkpoints()).length, 1);
  const all = JSON.parse(await fs.readFile(join(kept, 'mnist-800-affine.json'), 'utf8')) as object;
  const seeds = Object.keys(Object.values(all)[0] as object).length;
  assert.ok(seeds >= 1 && seeds < 400);
  // The seed that was interrupted comes to what it comes to undisturbed, and leaves no checkpoint.
  const outcomes = async (folder: string): Promise<unknown[]> => {
    const [row] = await jsonLines([...args, folder, '--seeds', String(seeds + 1)], { env });
    return (row!.seeds as Record<string, unknown>[]).map(({ seconds, ...rest }) => rest);
  };
  const disturbed = await outcomes(kept);
  assert.equal(await checkpoints(), []);
  assert.equal(disturbed, await outcomes(join(folder, 'kept-4')));
});

test('bench --json: checked, then timed', async () => {
  const results = await jsonLines(['bench', '--filter', 'gemm/64', '--seconds', '0.05', ...onWasm]);
  assert.is(results.length, 1);
  const { name, backend, runtime, value, unit, best } = results[0]!;
  assert.equal([name, backend, unit], ['gemm/64', 'wasm', 'GFLOPS']);
  assert.match(runtime as string, /^(node|deno|bun) \d+\./);
  assert.ok((value as number) > 0 && (best as number) >= (value as number));
});

test('images as half blocks, and the confusion matrix', () => {
  const image = [0, 255, 0, 0, /**/ 255, 255, 0, 0, /**/ 0, 0, 200, 0, /**/ 0, 0, 0, 200];
  assert.equal(drawImage(image, 4), ['\u2584\u2588  ', '  \u2580\u2584']);
  assert.equal(drawImage(image, 4, 1), ['\u2580\u2584']);
  assert.equal(drawImage([255, 0, 0, 0, 255, 0, 0, 0, 255], 3), ['\u2580\u2584 ', '  \u2580']);
  assert.is(sideBySide([['ab', 'c'], ['d']], 4), 'ab  d\nc');
  const counts = confusionMatrix([0, 1, 1], [0, 1, 0], 2);
  assert.equal(counts, [
    [1, 0],
    [1, 1],
  ]);
  assert.equal(drawMatrix(counts).split('\n').slice(2), ['is 0    1    \u00b7', 'is 1    1    1']);
});

test.run();
