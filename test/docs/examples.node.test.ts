// Every example of demo/examples runs from the command line, in its shortened form, and what it claims holds.
// @suite devices=wasm timeout=1200
import * as assert from 'uvu/assert';
import { data } from '../../src/index.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const { mkdtemp, readdir, readFile, rm } = await import('node:fs/promises');
const { tmpdir } = await import('node:os');
const { join } = await import('node:path');
const { fileURLToPath } = await import('node:url');
const { execFile } = await import('node:child_process');
const { promisify } = await import('node:util');

const test = suite('examples');
const examples = new URL('demo/examples/', environment.root);

/** The table at an example's end: what, the figure of this run, the reference. */
class Table {
  readonly rows: { what: string; here: string; reference: string }[];

  constructor(readonly text: string) {
    const lines = text.trimEnd().split('\n');
    const head = lines.findLastIndex((line) => /^ +here +reference$/.test(line));
    assert.ok(head >= 0, `there is no table in:\n${text}`);
    const columns = ['here', 'reference'].map((name) => lines[head]!.indexOf(name)) as [number, number];
    this.rows = lines.slice(head + 1).map((line) => ({
      what: line.slice(0, columns[0]).trim(),
      here: line.slice(columns[0], columns[1]).trim(),
      reference: line.slice(columns[1]).trim(),
    }));
    for (const row of this.rows) assert.ok(row.here && row.reference, `a row without figures: ${row.what}`);
  }

  #row(what: string) {
    const found = this.rows.filter((row) => row.what.startsWith(what));
    assert.is(found.length, 1, `${found.length} rows begin with '${what}' in:\n${this.text}`);
    return found[0]!;
  }

  /** The first number of a row's figure. */
  here(what: string): number {
    return firstNumber(this.#row(what).here);
  }

  /** The first number of its reference. */
  reference(what: string): number {
    return firstNumber(this.#row(what).reference);
  }

  /** Both are the same but for the last digits that are printed. */
  agrees(what: string, tolerance: number): void {
    const [here, reference] = [this.here(what), this.reference(what)];
    assert.ok(Math.abs(here - reference) <= tolerance, `${what}: ${here}, should be ${reference}`);
  }
}

function firstNumber(text: string): number {
  const found = /-?\d[\d,]*(\.\d+)?(e[-+]\d+)?/.exec(text);
  assert.ok(found, `no number in '${text}'`);
  return Number(found![0].replaceAll(',', ''));
}

const less = (a: number, b: number, what: string): void =>
  assert.ok(a < b, `${what}: ${a} is not below ${b}`);

interface Example {
  /** Asserts what the example shows. */
  claim(table: Table): void;
  /** Takes a second or less, and so runs in every runtime. */
  cheap?: true;
  /** Files that it draws. */
  pictures?: readonly string[];
}

const promised: Readonly<Record<string, Example>> = {
  '01-perceptron.mjs': {
    cheap: true,
    claim(table) {
      less(table.here('mistakes until'), table.reference('mistakes until') + 1, 'mistakes');
      less(0, table.here('mistakes until'), 'there is something to learn');
      less(249, table.here('mistakes on XOR'), 'XOR is not learned');
    },
  },
  '02-linear-regression.mjs': {
    cheap: true,
    claim(table) {
      for (const what of ['first weight', 'second weight', 'bias']) table.agrees(what, 1e-4);
      less(Math.abs(table.here('first weight') - 2), 0.03, 'distance from the truth');
    },
  },
  '03-logistic-regression.mjs': {
    cheap: true,
    claim(table) {
      for (const what of ['first weight', 'second weight', 'bias']) table.agrees(what, 1e-3);
      table.agrees('accuracy', 1);
    },
  },
  '04-credit-approval.mjs': {
    claim(table) {
      const [logistic, network] = ['logistic', 'network'].map((what) => table.here(what)) as [number, number];
      less(table.reference('logistic') + 10, logistic, 'more than the largest class');
      less(logistic, network, 'the network finds what is not linear');
      less(network, table.reference('network'), 'not more than can be known');
    },
  },
  '05-xor.mjs': {
    cheap: true,
    claim(table) {
      assert.match(table.text, /\noutputs with weights set by hand +0 1 1 0 /);
      table.agrees('one layer: cross-entropy', 1e-3);
      less(table.here('one layer: right'), 4, 'a line');
      assert.is(table.here('two layers'), 4);
    },
  },
  '06-backpropagation.mjs': {
    cheap: true,
    claim(table) {
      assert.is(table.rows.length, 11);
      for (const { what, reference } of table.rows) {
        table.agrees(what, 1e-6);
        // What others have printed, to their last digit.
        const printed = /; (-?[\d.]+)/.exec(reference)![1]!;
        const digits = printed.split('.')[1]?.length ?? 0;
        const distance = Math.abs(table.here(what) - Number(printed));
        less(distance, 0.6 * 10 ** -digits + 3e-8, `${what}, printed as ${printed}`);
      }
    },
  },
  '07-gradient-descent.mjs': {
    claim(table) {
      less(table.here('full batch') + 20, table.here('mini-batches of 100'), 'steps count, not epochs');
      less(table.here('mini-batches of 100') + 10, table.here('mini-batches of 10:'), 'smaller batches');
      less(80, table.here('single examples'), 'single examples learn, too');
    },
  },
  '08-slow-neuron.mjs': {
    cheap: true,
    claim(table) {
      for (const [start, published] of [
        ['near start (0.6, 0.9)', 0.09],
        ['far start (2, 2)', 0.2],
      ] as const) {
        less(Math.abs(table.here(`quadratic, ${start}: after 300`) - published), 0.005, 'the printed output');
        table.agrees(`cross-entropy, ${start}: after 300`, 2e-4);
      }
      const early = 'far start (2, 2): after 50';
      less(0.9, table.here(`quadratic, ${early}`), 'slow where it is badly wrong');
      less(table.here(`cross-entropy, ${early}`), 0.2, 'fast where it is badly wrong');
    },
  },
  '09-decision-surfaces.mjs': {
    pictures: ['decision-surfaces.png'],
    claim(table) {
      assert.is(table.rows.length, 15);
      for (const set of ['clouds', 'xor', 'ring', 'moons', 'spirals']) {
        const line = table.reference(`${set}, one layer`);
        less(table.here(`${set}, one layer`), line + 0.1, `${set}: a line`);
        if (set === 'xor' || set === 'ring') less(95, table.here(`${set}, two layers`), `${set}: two layers`);
      }
      less(97, table.here('moons, three layers'), 'three layers');
    },
  },
  '10-universal-approximation.mjs': {
    claim(table) {
      const steps = [10, 50, 250].map((n) => `${n} steps by hand`);
      for (const what of steps) less(table.here(what), table.reference(what) + 2e-4, what);
      less(table.here(steps[1]!), table.here(steps[0]!) / 2, 'more steps');
      less(table.here(steps[2]!), table.here(steps[1]!) / 2, 'more steps');
      const units = [2, 4, 8, 16].map((n) => table.here(`${n} units learned`));
      for (let i = 1; i < units.length; i++) less(units[i]!, units[i - 1]!, 'more units');
    },
  },
  '11-depth-and-width.mjs': {
    cheap: true,
    claim(table) {
      less(table.here('spirals, one hidden layer') + 15, table.here('spirals, three hidden layers'), 'depth');
      for (const form of ['spirals', 'zigzag']) {
        const parameters = table.rows.filter(({ what }) => what.startsWith(form)).map(({ what }) => what);
        const [first, second] = parameters.map((what) => /(\d+) parameters/.exec(what)![1]);
        assert.is(first, second, `${form}: equally many parameters`);
      }
      assert.is(table.here('zigzag, six hidden layers'), 0);
      less(table.reference('zigzag, one hidden layer') - 1, table.here('zigzag, one hidden layer'), 'width');
    },
  },
  '12-digits.mjs': {
    claim(table) {
      for (const what of ['quadratic cost', 'cross-entropy, test', 'cross-entropy with L2'])
        less(table.here(what), 15, what);
      assert.is(table.here('the same, saved and loaded'), table.here('cross-entropy with L2'));
    },
  },
  '13-overfitting.mjs': {
    pictures: ['overfitting.svg'],
    claim(table) {
      less(99, table.here('plain: right of the images learned'), 'by heart');
      const loss = 'loss on new images at the end';
      less(table.reference(`plain: ${loss}`), table.here(`plain: ${loss}`), 'it was better earlier');
      less(table.here(`L2: ${loss}`), table.reference(`L2: ${loss}`) * 0.9, 'L2');
      less(table.here('plain: right of new images') + 1, table.here('L2: right of new images'), 'L2');
      less(table.here('early stopping: epochs'), table.reference('early stopping: epochs'), 'early stopping');
      for (const variant of ['plain', 'L2', 'L1', 'dropout', 'early stopping'])
        less(80, table.here(`${variant}: right of new images`), variant);
    },
  },
  '14-lenet.mjs': {
    claim(table) {
      assert.is(table.here('LeNet-5: parameters'), 60_000);
      assert.is(table.here('with batch norm: parameters'), table.reference('with batch norm: parameters'));
      less(table.here('LeNet-5: test error'), 35, 'LeNet-5');
      less(table.here('with batch norm: test error'), 35, 'with batch norm');
    },
  },
  '15-alexnet.mjs': {
    claim(table) {
      assert.is(table.here('parameters'), 60_965_224);
      const { here, reference } = table.rows.find(({ what }) => what.startsWith('outputs of'))!;
      assert.ok(reference.startsWith(here), `${here} is not ${reference}`);
      less(table.here('loss after the steps'), table.here('67 x 67 pixels') - 0.05, 'the steps lead down');
    },
  },
  '16-autoencoder.mjs': {
    pictures: ['autoencoder.png'],
    claim(table) {
      const code = 'squared error of an image';
      less(table.here(code), table.reference(code), 'better than the best linear code');
      table.agrees('squared error with noise', 3);
      less(table.here('squared error, noise taken out'), table.here('squared error with noise') / 4, 'noise');
    },
  },
  '17-adding-problem.mjs': {
    claim(table) {
      less(0.12, table.here('simple RNN'), 'the simple network forgets');
      less(table.here('LSTM'), 0.01, 'the LSTM remembers');
      less(table.here('GRU'), 0.01, 'the GRU remembers');
    },
  },
  '18-character-text.mjs': {
    claim(table) {
      for (const what of ['simple RNN', 'GRU', 'LSTM']) {
        less(table.here(what), table.here('pairs of characters') / 2, `${what}: more than pairs`);
        less(table.reference(what), table.here(what), `${what}: not less than the entropy`);
      }
      assert.match(table.text, /\nlstm writes: [a-z. ]{88}\n/);
    },
  },
  '19-multi-task.mjs': {
    claim(table) {
      const parameters = 'parameters of the network for both';
      less(table.here(parameters), 0.51 * table.reference(parameters), 'parameters');
      less(table.reference('digits right') - 5, table.here('digits right'), 'digits');
      less(table.here('mean square error of the slant'), 0.02, 'slant'); // its variance is 0.056
    },
  },
  '20-fine-tuning.mjs': {
    claim(table) {
      less(table.reference('frozen features') + 1, table.here('frozen features'), 'what was learned helps');
      less(table.here('numbers that'), table.reference('numbers that'), 'less is learned');
    },
  },
  '21-inside-a-network.mjs': {
    pictures: ['filters.png', 'maps-1-Conv2d.png', 'maps-2-relu.png', 'maps-6-maxPool2d.png', 'liked.png'],
    claim(table) {
      assert.match(table.text, /^gradients are right$/m);
      const weight = table.here('d loss / d weight');
      table.agrees('d loss / d weight', 1e-3 * Math.abs(weight));
      less(0, Math.abs(weight), 'a gradient that is none shows nothing');
      less(8, table.here('images made for an output'), 'the network sees in them what they were made for');
      less(0.8, table.here('accuracy on'), 'accuracy');
      less(Math.abs(table.here('mean F1') - table.here('accuracy on')), 0.05, 'F1 and accuracy');
    },
  },
};

test('each is promised something here, and listed in the index', async () => {
  const files = (await readdir(examples)).filter((name) => /^\d/.test(name)).sort();
  assert.equal(files, Object.keys(promised));
  assert.equal([...(await indexFigures()).keys()], files);
});

/** Rows of the index: an example's own figure, in words. */
async function indexFigures(): Promise<Map<string, string>> {
  const index = await readFile(new URL('README.md', examples), 'utf8');
  const rows = index.matchAll(/^\| \[[\w-]+\]\(([\w-]+\.mjs)\) \|[^|]+\| ([^|]+) \|/gm);
  return new Map([...rows].map(([, name, figure]) => [name!, figure!]));
}

/** A picture that shows something: a PNG of more than one colour. */
async function checkPicture(file: string): Promise<void> {
  if (file.endsWith('.svg')) {
    const drawn = (await readFile(file, 'utf8')).match(/<path [^>]*stroke/g) ?? [];
    return assert.ok(drawn.length >= 10, `${file} has ${drawn.length} lines`);
  }
  const { data: pixels } = await data.decodePng(new Uint8Array(await readFile(file)), { file });
  assert.ok(new Set(pixels).size > 8, `${file} shows nothing`);
}

const chosen = Object.entries(promised).filter(([, { cheap }]) => cheap || environment.runtime === 'node24');
const others = Object.keys(promised).filter((name) => !chosen.some(([one]) => one === name));
if (others.length > 0) skip('examples', `those that take longer run in node24 alone: ${others.join(', ')}`);

for (const [name, { claim, pictures = [] }] of chosen) {
  test(name, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'everygrad-example-'));
    try {
      const run = environment.runtime === 'deno' ? ['run', '-A'] : [];
      const program = fileURLToPath(new URL(name, examples));
      const command = [...run, program, '--quick', '--out', folder];
      const { stdout } = await promisify(execFile)(process.execPath, command, {
        cwd: folder,
        timeout: 600_000,
      });
      const table = new Table(stdout);
      claim(table);
      // The index has the figures of the whole form; some examples have only one.
      if (!(await readFile(new URL(name, examples), 'utf8')).includes('quick')) {
        const said = (await indexFigures()).get(name)!.match(/-?\d+(\.\d+)?/g)!;
        const shown = table.rows.map(({ here }) => here.split(' ')[0]);
        for (const figure of said)
          assert.ok(shown.includes(figure), `${figure} of the index is not in:\n${stdout}`);
      }
      for (const picture of pictures) await checkPicture(join(folder, picture));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

test.run();
