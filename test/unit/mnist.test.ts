// mnist(): small made-up files everywhere (fetch is replaced), the real files from disk and over loopback HTTP.

import * as assert from 'uvu/assert';
import { type MnistOptions, mnist } from '../../src/data/mnist.js';
import { DataError, FormatError, OptionError, StorageError } from '../../src/errors.js';
import { cache, hasFiles, runtime, sha256 } from '../../src/platform.js';
import { temporaryCache } from '../helpers/cache.js';
import { environment } from '../helpers/environment.js';
import { rejectsWith } from '../helpers/errors.js';
import { gzip } from '../helpers/gzip.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const test = suite('mnist');
test.after(await temporaryCache());

type Files = Record<string, Uint8Array>;

const size = (n: number) => [0, 0, n >> 8, n & 255];
const images = (n: number, height = 3, width = 2) =>
  Uint8Array.from([
    ...[0, 0, 8, 3, ...size(n), ...size(height), ...size(width)],
    ...Array.from({ length: n * height * width }, (_, i) => i & 255),
  ]);
const labels = (values: number[]) => Uint8Array.from([0, 0, 8, 1, ...size(values.length), ...values]);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i % 10);

function small(changes: Files = {}): Files {
  return {
    'train-images-idx3-ubyte': images(24),
    'train-labels-idx1-ubyte': labels(upTo(24)),
    't10k-images-idx3-ubyte': images(7),
    't10k-labels-idx1-ubyte': labels(upTo(7)),
    ...changes,
  };
}

let bases = 0;

/** Loads from an address that exists for this call only; gives the result or error and the files asked for. */
async function load(
  files: Files,
  options: MnistOptions = {},
  base = `https://${Date.now()}-${bases++}.invalid/d`,
) {
  const original = globalThis.fetch;
  const asked: string[] = [];
  globalThis.fetch = (async (input: string | URL) => {
    const name = String(input).slice(base.length + 1);
    asked.push(name);
    const body = files[name];
    return body ? new Response(body.slice()) : new Response('', { status: 404 });
  }) as typeof fetch;
  try {
    const result = await mnist(base, { cache: false, ...options }).catch((e: unknown) => e);
    return { result: result as Awaited<ReturnType<typeof mnist>>, error: result, asked, base };
  } finally {
    globalThis.fetch = original;
  }
}

async function refused(files: Files, type: typeof DataError, pattern: RegExp, options?: MnistOptions) {
  const { error } = await load(files, options);
  await rejectsWith(Promise.reject(error), type, pattern);
}

test('the last part of the train files is for validation; images stay uint8', async () => {
  const { result } = await load(small());
  const { train, validation, test: held } = result;
  assert.equal([train.length, validation.length, held.length], [20, 4, 7]);
  assert.equal([train.inputShape, train.inputDType, train.scale, train.classes], [[6], 'uint8', 1 / 255, 10]);
  assert.equal([...validation.targets], [0, 1, 2, 3]);
  assert.equal([...validation.inputs.subarray(0, 6)], [120, 121, 122, 123, 124, 125]);
});

test('packed files and the spelling with a dot are found', async () => {
  const plain = small();
  const packed: Files = {};
  const dotted: Files = {};
  for (const [name, bytes] of Object.entries(plain)) {
    packed[`${name}.gz`] = await gzip(bytes);
    dotted[name.replace('-idx', '.idx')] = bytes;
  }
  const { result: expected } = await load(plain);
  for (const files of [packed, dotted]) {
    const { result } = await load(files);
    assert.equal(result.train.inputs, expected.train.inputs);
    assert.equal(result.test.targets, expected.test.targets);
  }
});

test('progress names the file and ends with all of it', async () => {
  const last = new Map<string, number>();
  await load(small(), { onProgress: ({ file, loaded }) => last.set(file, loaded) });
  assert.equal(
    [...last],
    Object.entries(small()).map(([name, bytes]) => [name, bytes.length]),
  );
});

test('fetched files are kept, and fetched again when the kept ones fail a checksum', async () => {
  if (!(await cache.put('test/mnist', new Uint8Array(1)))) {
    return skip(
      'fetched files are kept',
      `${runtime().name} has no cache folder or Cache API that can be written`,
    );
  }
  const first = await load(small(), { cache: true });
  const again = await load({}, { cache: true }, first.base);
  assert.equal(again.asked, []);
  assert.equal(again.result.train.inputs, first.result.train.inputs);
  const name = 'train-labels-idx1-ubyte';
  const other = small({ [name]: labels(upTo(24).reverse()) });
  const sums = { [name]: await sha256(other[name] as Uint8Array) };
  const replaced = await load(other, { cache: true, sha256: sums }, first.base);
  assert.ok(replaced.asked.includes(name));
  assert.ok(!replaced.asked.includes('train-images-idx3-ubyte'));
  assert.is(replaced.result.train.targets[0], 3);
});

test('a damaged file is not kept', async () => {
  const name = 't10k-labels-idx1-ubyte';
  const broken = await load(small({ [name]: labels(upTo(7)).subarray(0, 12) }), { cache: true });
  assert.instance(broken.error, FormatError);
  const again = await load(small(), { cache: true }, broken.base);
  assert.is(again.result.test.length, 7);
});

test('checksums', async () => {
  const name = 't10k-images-idx3-ubyte';
  const right = await sha256(images(7));
  assert.is((await load(small(), { sha256: { [name]: right.toUpperCase() } })).result.test.length, 7);
  const wrong = { sha256: { [name]: right.replace(/./, 'x') } };
  await refused(small(), FormatError, new RegExp(`\\[${name}\\] SHA-256 is ${right}, expected x`), wrong);
});

test('files that do not fit each other', async () => {
  const trainLabels = 'train-labels-idx1-ubyte';
  await refused(small({ [trainLabels]: labels(upTo(23)) }), DataError, /24 images and 23 labels/);
  const eleven = upTo(24);
  eleven[17] = 10;
  await refused(
    small({ [trainLabels]: labels(eleven) }),
    DataError,
    /label 10 at index 17 is out of range .*0 to 9/,
  );
  await refused(small({ [trainLabels]: images(24) }), DataError, /labels uint8 of 24,3,2/);
  await refused(small({ 't10k-images-idx3-ubyte': images(7, 5, 5) }), DataError, /6 pixels, test images 25/);
  const none = { 't10k-images-idx3-ubyte': images(0), 't10k-labels-idx1-ubyte': labels([]) };
  await refused(small(none), DataError, /0 images/);
});

test('missing files, pages instead of files, unknown options, abort', async () => {
  await refused({}, StorageError, /there is no train-images-idx3-ubyte.gz, .*four IDX files/);
  const page = new TextEncoder().encode('<html>index</html>');
  await refused({ 'train-images-idx3-ubyte.gz': page }, FormatError, /ubyte.gz\] not an IDX file/);
  await refused(small(), OptionError, /unknown option chache/, { chache: true } as never);
  const reason = new Error('enough');
  assert.is((await load(small(), { signal: AbortSignal.abort(reason) })).error, reason);
  const stop = new AbortController();
  const { error, asked } = await load(small(), {
    signal: stop.signal,
    onProgress: ({ file }) => file.startsWith('train-labels') && stop.abort(reason),
  });
  assert.is(error, reason);
  assert.ok(!asked.some((name) => name.startsWith('t10k')));
});

// Counts of the digits 0 to 9 in the published files.
const trainCounts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
const testCounts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];

function checkReal({ train, validation, test: held }: Awaited<ReturnType<typeof mnist>>) {
  assert.equal([train.length, validation.length, held.length], [50_000, 10_000, 10_000]);
  const count = (...sets: (typeof train)[]) =>
    Array.from({ length: 10 }, (_, d) =>
      sets.reduce((n, s) => n + s.targets.filter((t) => t === d).length, 0),
    );
  assert.equal(count(train, validation), trainCounts);
  assert.equal(count(held), testCounts);
  assert.equal([...train.targets.subarray(0, 5)], [5, 0, 4, 1, 9]);
  assert.equal([...held.targets.subarray(0, 5)], [7, 2, 1, 0, 4]);
  let sum = 0;
  for (const { inputs } of [train, validation]) {
    for (let i = 0; i < inputs.length; i++) sum += inputs[i] as number;
  }
  // The mean that everyone normalises by: 0.1307.
  assert.is((sum / (60_000 * 784 * 255)).toFixed(4), '0.1307');
}

const realTests = ['the real files from disk', 'the real files over HTTP, then from the cache'] as const;

/** The folder of the real files, or the reason why there is none. */
async function findReal(): Promise<{ folder: string } | { reason: string }> {
  if (!hasFiles) return { reason: `${runtime().name} reads no files from disk` };
  const { access } = await import('node:fs/promises');
  const { fileURLToPath } = await import('node:url');
  const folder =
    process.env.EVERYGRAD_MNIST ?? fileURLToPath(new URL('../shared/data/mnist', environment.root));
  return access(folder).then(
    () => ({ folder }),
    () => ({ reason: `there is no folder ${folder}; set EVERYGRAD_MNIST` }),
  );
}

const real = await findReal();
if ('reason' in real) {
  for (const name of realTests) skip(name, real.reason);
} else {
  test(realTests[0], async () => checkReal(await mnist(real.folder)));

  test(realTests[1], async () => {
    const { createServer } = await import('node:http');
    const { readFile } = await import('node:fs/promises');
    let requests = 0;
    const server = createServer((request, response) => {
      requests++;
      readFile(`${real.folder}${request.url?.replace('/mnist', '')}`).then(
        (body) => response.writeHead(200, { 'content-length': body.length }).end(body),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as { port: number };
    try {
      const address = `http://127.0.0.1:${port}/mnist/`;
      const last = new Map<string, [number, number | undefined]>();
      checkReal(
        await mnist(address, { onProgress: ({ file, loaded, total }) => last.set(file, [loaded, total]) }),
      );
      assert.is(last.size, 4);
      for (const [file, [loaded, total]] of last) assert.is(loaded, total, file);
      const asked = requests;
      checkReal(await mnist(address));
      assert.is(requests, asked);
    } finally {
      server.closeAllConnections?.();
      await new Promise((done) => server.close(done));
    }
  });
}

test.run();
