// The WASM backend: memory, programs, chains against a plain interpretation, threads, what goes wrong.
import * as assert from 'uvu/assert';
import type { Chain, ChainInput, Instruction, Operand, Step } from '../../src/backend/backend.js';
import { createWasmBackend, detectFeatures, type WasmBackend } from '../../src/backend/wasm/index.js';
import { broadcastStrides, type DType, dtypes, type HostArray, type Shape, sizeOf } from '../../src/dtype.js';
import { DeviceError, OptionError, StateError } from '../../src/errors.js';
import type { ElementwiseOp, KernelOp, WasmArgument } from '../../src/ops/define.js';
import { RandomStream } from '../../src/philox.js';
import { assetUrl, compileWasm, setAssetsUrl } from '../../src/platform.js';
import { rejectsWith } from '../helpers/errors.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import { opBase, place, read, runOnce, silently, unused } from '../helpers/wasm-backend.js';

const test = suite('wasm backend');

/** Backends by number of threads, on which even tiny programs use all of them. */
const backends = new Map<number, WasmBackend>();

test.before(async () => {
  const { threads, threadsWhyNot } = await detectFeatures();
  for (const count of threads ? [1, 2, 3] : [1]) {
    const backend = await createWasmBackend({ threads: count, build: 'simd' });
    await backend.ready();
    assert.is(backend.activeThreads, count);
    backend.rates.overhead = 1;
    backends.set(count, backend);
  }
  if (!threads) skip('wasm backend with threads', threadsWhyNot as string);
});

test.after(() => {
  for (const backend of backends.values()) backend.dispose();
});

const is =
  (type: new (...args: never[]) => Error) =>
  (error: Error): boolean =>
    error instanceof type;

const sum: KernelOp = {
  ...opBase,
  name: 'sum',
  kind: 'kernel',
  wasm: {
    calls: ({ inputs: [x] }) => [
      { kernel: 'sum_f32', args: ['output', { input: 0 }, x!.shape[0]!, x!.shape[1]!, 1] },
    ],
  },
  webgpu: unused,
};

/** Sum over the second axis, as a step. */
const sumStep = (x: Operand, output: Operand): Step => ({
  kernel: { op: sum, site: { inputs: [x], output, attributes: {} }, inputs: [x], output },
  chain: null,
});

interface Rule {
  kernel: string | null;
  from: DType[];
  to: DType;
  /** Of one element, in double precision; the result is rounded to `to`. */
  scalar(a: number, b: number, c: number): number;
}

const whole = (x: number) => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(x)));
const rules: Rule[] = [
  { kernel: 'add_f32', from: ['float32', 'float32'], to: 'float32', scalar: (a, b) => a + b },
  { kernel: 'sub_f32', from: ['float32', 'float32'], to: 'float32', scalar: (a, b) => a - b },
  { kernel: 'mul_f32', from: ['float32', 'float32'], to: 'float32', scalar: (a, b) => a * b },
  { kernel: 'maximum_f32', from: ['float32', 'float32'], to: 'float32', scalar: (a, b) => Math.max(a, b) },
  { kernel: 'neg_f32', from: ['float32'], to: 'float32', scalar: (a) => -a },
  { kernel: null, from: ['float32'], to: 'float32', scalar: (a) => a },
  { kernel: null, from: ['bool'], to: 'bool', scalar: (a) => a },
  { kernel: 'less_f32', from: ['float32', 'float32'], to: 'bool', scalar: (a, b) => Number(a < b) },
  {
    kernel: 'where_f32',
    from: ['bool', 'float32', 'float32'],
    to: 'float32',
    scalar: (a, b, c) => (a ? b : c),
  },
  {
    kernel: 'where_f64',
    from: ['bool', 'float64', 'float64'],
    to: 'float64',
    scalar: (a, b, c) => (a ? b : c),
  },
  { kernel: 'logicalAnd_bool', from: ['bool', 'bool'], to: 'bool', scalar: (a, b) => a & b },
  { kernel: 'sub_f64', from: ['float64', 'float64'], to: 'float64', scalar: (a, b) => a - b },
  { kernel: 'add_i32', from: ['int32', 'int32'], to: 'int32', scalar: (a, b) => (a + b) | 0 },
  { kernel: 'cast_f32_i32', from: ['float32'], to: 'int32', scalar: whole },
  { kernel: 'cast_i32_f32', from: ['int32'], to: 'float32', scalar: (a) => a },
  { kernel: 'cast_f32_f64', from: ['float32'], to: 'float64', scalar: (a) => a },
  { kernel: 'cast_f64_f32', from: ['float64'], to: 'float32', scalar: (a) => a },
  { kernel: 'cast_bool_f32', from: ['bool'], to: 'float32', scalar: (a) => a },
];

const opOf = (rule: Rule): ElementwiseOp => ({
  ...opBase,
  name: rule.kernel ?? 'pass',
  kind: 'elementwise',
  wasm: { kernel: () => rule.kernel },
  webgpu: unused,
});

/** A chain that names its tensors by number, so that it can be made on any backend. */
interface Recipe {
  shape: Shape;
  tensors: { shape: Shape; dtype: DType; values: number[] | null }[];
  instructions: { rule: Rule; inputs: ({ tensor: number } | ChainInput)[] }[];
  stores: { instruction: number; tensor: number }[];
}

function randomRecipe(random: RandomStream): Recipe {
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)] as T;
  const sizes = random.integer(3) ? [1, 2, 3, 7, 16, 33] : [1, 5, 129, 1000];
  const shape = Array.from({ length: random.integer(4) }, () => pick(sizes));
  while (sizeOf(shape) > 40_000) shape.pop();
  const recipe: Recipe = { shape, tensors: [], instructions: [], stores: [] };
  const value = (dtype: DType) => (dtype === 'bool' ? random.integer(2) : random.integer(2001) / 8 - 125);
  const input = (dtype: DType): { tensor: number } | ChainInput => {
    const what = random.integer(8);
    const earlier = recipe.instructions.flatMap(({ rule }, index) => (rule.to === dtype ? [index] : []));
    if (what < 4 && earlier.length) return { kind: 'instruction', index: pick(earlier) };
    if (what === 4) return { kind: 'constant', value: dtype === 'int32' ? 3 : value(dtype), dtype };
    const known = recipe.tensors.flatMap((t, index) => (t.dtype === dtype ? [index] : []));
    if (what === 5 && known.length) return { tensor: pick(known) };
    const full = random.integer(2) ? shape : shape.map((d) => (random.integer(2) ? d : 1));
    const own = random.integer(3) ? full : full.slice(random.integer(full.length + 1));
    const values = [...new dtypes[dtype].array(Array.from({ length: sizeOf(own) }, () => value(dtype)))];
    recipe.tensors.push({ shape: own, dtype, values });
    return { tensor: recipe.tensors.length - 1 };
  };
  for (let n = 1 + random.integer(12); n > 0; n--) {
    const rule = pick(rules);
    recipe.instructions.push({ rule, inputs: rule.from.map(input) });
  }
  const inPlace = recipe.tensors.flatMap((t, i) => (sizeOf(t.shape) === sizeOf(shape) ? [i] : []));
  for (let n = 1 + random.integer(3); n > 0; n--) {
    const instruction = n === 1 ? recipe.instructions.length - 1 : random.integer(recipe.instructions.length);
    const dtype = (recipe.instructions[instruction] as { rule: Rule }).rule.to;
    const { bytes } = dtypes[dtype];
    const place = inPlace.findIndex((i) => dtypes[recipe.tensors[i]!.dtype].bytes === bytes);
    let tensor = recipe.tensors.length;
    if (place >= 0 && random.integer(2)) [tensor] = inPlace.splice(place, 1) as [number];
    else recipe.tensors.push({ shape, dtype, values: null });
    recipe.stores.push({ instruction, tensor });
  }
  return recipe;
}

/** What each store receives: instruction by instruction, over whole arrays. */
function interpret({ shape, tensors, instructions, stores }: Recipe): number[][] {
  const results: HostArray[] = [];
  const size = sizeOf(shape);
  for (const { rule, inputs } of instructions) {
    const from = inputs.map((input): ((i: number) => number) => {
      if ('tensor' in input) {
        const t = tensors[input.tensor]!;
        const strides = broadcastStrides(t.shape, shape);
        return (i) => {
          let rest = i;
          let at = 0;
          for (let axis = shape.length - 1; axis >= 0; axis--) {
            at += (rest % shape[axis]!) * strides[axis]!;
            rest = Math.floor(rest / shape[axis]!);
          }
          return t.values![at]!;
        };
      }
      if (input.kind === 'constant') {
        const [value] = new dtypes[input.dtype].array([input.value]);
        return () => value as number;
      }
      const { index } = input as { index: number };
      return (i) => results[index]![i] as number;
    });
    const out = new dtypes[rule.to].array(size);
    for (let i = 0; i < size; i++) out[i] = rule.scalar(from[0]!(i), from[1]?.(i) ?? 0, from[2]?.(i) ?? 0);
    results.push(out);
  }
  return stores.map(({ instruction }) => [...results[instruction]!]);
}

/** Makes and runs a recipe; what the stores received. */
async function cook(backend: WasmBackend, recipe: Recipe): Promise<number[][]> {
  const operands = recipe.tensors.map(({ shape, dtype, values }) =>
    place(backend, shape, dtype, values ?? undefined),
  );
  const instructions = recipe.instructions.map(({ rule, inputs }): Instruction => {
    const from = inputs.map(
      (i): ChainInput => ('tensor' in i ? { kind: 'operand', operand: operands[i.tensor]! } : i),
    );
    const output = { shape: recipe.shape, dtype: rule.to };
    return { op: opOf(rule), site: { inputs: [], output, attributes: {} }, inputs: from };
  });
  const stores = recipe.stores.map(({ instruction, tensor }) => {
    const { memory, offset } = operands[tensor]!;
    const dtype = recipe.instructions[instruction]!.rule.to;
    return { instruction, to: { memory, offset, shape: recipe.shape, dtype } };
  });
  const chain: Chain = { shape: recipe.shape, instructions, stores };
  await runOnce(backend, [{ kernel: null, chain }]);
  const results = await Promise.all(stores.map(({ to }) => read(backend, to)));
  for (const { memory } of operands) backend.free(memory);
  return results;
}

test('chains agree with a plain interpretation, with any number of threads', async () => {
  const random = new RandomStream(1, 7);
  for (let n = 0; n < 300; n++) {
    const recipe = randomRecipe(random);
    const expected = interpret(recipe);
    for (const [threads, backend] of backends) {
      const results = await cook(backend, recipe);
      for (const [i, result] of results.entries()) {
        const bad = expected[i]!.findIndex((x, k) => !Object.is(x, result[k]));
        if (bad < 0) continue;
        const { instructions, stores } = recipe;
        const text = JSON.stringify({ shape: recipe.shape, instructions, stores });
        assert.unreachable(
          `recipe ${n}, ${threads} threads, store ${i}, element ${bad}: ${result[bad]} instead of ${expected[i]![bad]}: ${text}`,
        );
      }
    }
  }
});

test('programs of kernels and chains, again and again', async () => {
  for (const backend of backends.values()) {
    const before = backend.bytesTaken;
    const x = place(
      backend,
      [40, 30],
      'float32',
      Float32Array.from({ length: 1200 }, (_, i) => i % 7),
    );
    const rows = place(backend, [40], 'float32');
    const chain: Chain = {
      shape: [40],
      instructions: [
        {
          op: opOf(rules[0] as Rule),
          site: { inputs: [rows, rows], output: rows, attributes: {} },
          inputs: [
            { kind: 'operand', operand: rows },
            { kind: 'constant', value: 0.5, dtype: 'float32' },
          ],
        },
      ],
      stores: [{ instruction: 0, to: rows }],
    };
    const program = await backend.compile([sumStep(x, rows), { kernel: null, chain }]);
    assert.is(program.steps, 2);
    const grown = backend.stats().systemAllocations;
    const expected = Array.from({ length: 40 }, (_, r) => {
      let total = 0.5;
      for (let i = 0; i < 30; i++) total += (r * 30 + i) % 7;
      return total;
    });
    for (let n = 0; n < 2000; n++) await backend.run(program);
    assert.equal(await read(backend, rows), expected);
    assert.is(backend.stats().systemAllocations, grown);
    backend.release(program);
    backend.free(x.memory);
    backend.free(rows.memory);
    // Scratch memory stays for the next program.
    assert.ok(backend.bytesTaken - before <= 3 * 16384);
    assert.throws(() => backend.run(program), is(StateError));
    assert.throws(() => backend.write(x.memory, 0, new Float32Array(1), 'float32'), is(StateError));
  }
});

test('threads see memory that was added after they started', async () => {
  for (const backend of backends.values()) {
    const grown = backend.stats().systemAllocations;
    const filler = backend.allocate(40 * 2 ** 20);
    assert.ok(backend.stats().systemAllocations > grown);
    const x = place(backend, [3, 4], 'float32', new Float32Array(12).fill(2));
    const y = place(backend, [3], 'float32');
    await runOnce(backend, [sumStep(x, y)]);
    assert.equal(await read(backend, y), [8, 8, 8]);
    for (const memory of [filler, x.memory, y.memory]) backend.free(memory);
  }
});

test('memory: copy, parts, bounds, statistics', async () => {
  const backend = backends.get(1) as WasmBackend;
  const before = backend.stats();
  const a = backend.allocate(256);
  const b = backend.allocate(256);
  assert.is(backend.stats().pieces, before.pieces + 2);
  assert.is(backend.stats().bytes, before.bytes + 512);
  backend.write(a, 64, Float64Array.of(1, 2, 3), 'float64');
  backend.copy(a, 64, b, 128, 24);
  const got = await backend.read(b, 128, { shape: [3], dtype: 'float64' });
  assert.instance(got, Float64Array);
  assert.equal([...got], [1, 2, 3]);
  backend.write(b, 0, Float32Array.of(1.5, 2.5), 'float32');
  assert.equal([...got], [1, 2, 3], 'what was read is a copy');
  assert.throws(() => backend.write(a, 248, new Float32Array(3), 'float32'), is(DeviceError));
  assert.throws(
    () => backend.read(a, 0, { shape: [65], dtype: 'float32' }),
    /outside of a piece of 256 bytes/,
  );
  backend.free(a);
  backend.free(a);
  backend.free(b);
  assert.equal(backend.stats(), before);
});

test('too large requests end in an error, and the backend goes on', async () => {
  const backend = backends.get(1) as WasmBackend;
  const before = backend.stats();
  assert.throws(() => backend.allocate(2 ** 32), /out of memory: 4294967296 bytes.*4 GiB/);
  assert.throws(() => backend.allocate(2 ** 40), is(DeviceError));
  assert.equal(backend.stats(), before);
});

test('options are checked', async () => {
  const failing = (options: object, expected: new (...args: never[]) => Error) =>
    rejectsWith(createWasmBackend(options), expected);
  await failing({ threads: 0 }, OptionError);
  await failing({ threads: 1.5 }, OptionError);
  await failing({ build: 'fast' }, OptionError);
  if (!(await detectFeatures()).relaxedSimd) await failing({ build: 'relaxed', threads: 1 }, DeviceError);
});

test('what is not supported is said before it runs', async () => {
  const backend = backends.get(1) as WasmBackend;
  const spec = { shape: [2], dtype: 'float32' } as const;
  const site = { inputs: [spec], output: spec, attributes: {} };
  assert.ok(backend.supports(opOf(rules[0] as Rule), site));
  assert.ok(backend.supports(sum, { ...site, inputs: [{ shape: [2, 2], dtype: 'float32' }] }));
  assert.not(backend.supports({ ...sum, wasm: { calls: () => null } }, site));
  // A kernel that neither module has: not of this version.
  const x = place(backend, [2], 'float32');
  const missing: KernelOp = { ...sum, wasm: { calls: () => [{ kernel: 'no_such_kernel', args: [] }] } };
  const step = sumStep(x, x);
  const { error } = await silently(async () =>
    backend.compile([{ ...step, kernel: { ...step.kernel!, op: missing } }]),
  );
  assert.instance(error, DeviceError);
  assert.match((error as Error).message, /no kernel no_such_kernel/);
  backend.free(x.memory);
});

test('work that is not waited for happens in the order in which it was given', async () => {
  for (const backend of backends.values()) {
    const x = place(backend, [2, 100], 'float32', new Float32Array(200));
    const y = place(backend, [2], 'float32');
    const program = await backend.compile([sumStep(x, y)]);
    const got: unknown[] = [];
    const last = new Float32Array(200);
    for (let n = 0; n < 30; n++) {
      last.fill(n);
      backend.write(x.memory, 0, last, 'float32');
      void backend.run(program);
      got.push(backend.read(y.memory, 0, y));
    }
    backend.release(program);
    backend.free(x.memory);
    backend.free(y.memory);
    const sums = (await Promise.all(got)) as HostArray[];
    assert.equal(
      sums.map((s) => [...s]),
      Array.from({ length: 30 }, (_, n) => [100 * n, 100 * n]),
    );
  }
});

test('a kernel that fails on any thread is an error, then one thread goes on', async () => {
  const columns = 4096;
  // Half of the rows lie outside of the memory: the first ones, which are thread 0's, or the last ones.
  const addresses: WasmArgument[] = [2 ** 32 - 200 * columns, { input: 0, offset: 200 * columns }];
  for (const address of addresses) {
    for (const threads of backends.keys()) {
      const backend = await createWasmBackend({ threads, build: 'simd' });
      await backend.ready();
      backend.rates.overhead = 1;
      const x = place(backend, [100, columns], 'float32', new Float32Array(100 * columns).fill(1));
      const y = place(backend, [100], 'float32');
      const args: WasmArgument[] = ['output', address, 100, columns, 1];
      const broken: KernelOp = { ...sum, wasm: { calls: () => [{ kernel: 'sum_f32', args }] } };
      const step = sumStep(x, y);
      const program = await backend.compile([{ ...step, kernel: { ...step.kernel!, op: broken } }]);
      const { error } = await silently(async () => backend.run(program));
      assert.instance(error, DeviceError);
      assert.is(backend.activeThreads, 1);
      await runOnce(backend, [step]);
      assert.equal(await read(backend, y), new Array(100).fill(columns));
      backend.dispose();
    }
  }
});

test('without a worker file there is one thread, and no waiting', async () => {
  if (!backends.has(2)) return;
  const module = await compileWasm(assetUrl('kernels/simd-threads.wasm'));
  const folder = assetUrl('.');
  const { error, warnings } = await silently(async () => {
    setAssetsUrl(new URL('nowhere/', folder));
    const backend = await createWasmBackend({ threads: 3, build: 'simd', module });
    await backend.ready();
    assert.is(backend.activeThreads, 1);
    const x = place(backend, [2, 3], 'float32', new Float32Array(6).fill(1));
    const y = place(backend, [2], 'float32');
    await runOnce(backend, [sumStep(x, y)]);
    assert.equal(await read(backend, y), [3, 3]);
    backend.dispose();
  });
  setAssetsUrl(folder);
  assert.is(error, undefined);
  assert.is(warnings.length, 1);
  assert.match(warnings[0] as string, /continuing on one thread/);
});

test('a module of the wrong kind is named', async () => {
  if (!backends.has(2)) return;
  const module = await compileWasm(assetUrl('kernels/simd.wasm'));
  const { error } = await silently(() => createWasmBackend({ threads: 2, build: 'simd', module }));
  assert.instance(error, DeviceError);
  assert.match((error as Error).message, /pass a -threads build/);
});

test('a disposed backend refuses work', async () => {
  const backend = await createWasmBackend({ build: 'simd' });
  backend.dispose();
  backend.dispose();
  assert.throws(() => backend.allocate(4), is(StateError));
});

test.run();
