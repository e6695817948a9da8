// The WGSL kernels against plain JavaScript, on random and awkward sizes.
// @suite devices=webgpu

import * as assert from 'uvu/assert';
import type { Operand } from '../../src/backend/backend.js';
import { createWebgpuBackend, type WebgpuBackend } from '../../src/backend/webgpu/index.js';
import { type HostArray, type Shape, sizeOf, stridesOf } from '../../src/dtype.js';
import {
  argReduceShader,
  fillShader,
  gatherShader,
  iotaShader,
  type MatmulSizes,
  matmulShader,
  type ReduceKind,
  randomNormalShader,
  randomUniformShader,
  reduceShader,
  type StridedCopy,
  scatterAddShader,
  softmaxShader,
  spread,
  stridedCopyShader,
} from '../../src/ops/shader-calls.js';
import { RandomStream, uniformInto } from '../../src/philox.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import {
  Arena,
  chainOf,
  handMade,
  instruction,
  kernelCall,
  kernelResult,
  operand,
  result,
  scalar,
  unlessAbsent,
} from '../helpers/webgpu.js';

const test = suite('webgpu kernels');
let backend: WebgpuBackend | undefined;
let arena: Arena;
let random = new RandomStream(1, 0);

const values = (n: number): Float32Array => Float32Array.from({ length: n }, () => 2 * random.uniform() - 1);

function assertClose(actual: HostArray, expected: ArrayLike<number>, tolerance: number, what: string): void {
  assert.is(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i] as number;
    const e = expected[i] as number;
    const near =
      Object.is(a, e) ||
      Math.abs(a - e) <= tolerance * (1 + Math.abs(e)) ||
      (Number.isNaN(a) && Number.isNaN(e));
    if (!near) assert.unreachable(`${what}: element ${i} is ${a}, not ${e}`);
  }
}

function product(s: MatmulSizes, a: Float32Array, b: Float32Array): Float32Array {
  const out = new Float32Array(s.batch * s.m * s.n);
  for (let i = 0; i < out.length; i++) {
    const column = i % s.n;
    const row = Math.floor(i / s.n) % s.m;
    const item = Math.floor(i / (s.n * s.m));
    let total = 0;
    for (let t = 0; t < s.k; t++) {
      const x = a[item * s.strideA + (s.transA ? t * s.m + row : row * s.k + t)]!;
      total += x * b[item * s.strideB + (s.transB ? column * s.k + t : t * s.n + column)]!;
    }
    out[i] = total;
  }
  return out;
}

/** Sizes of a product, with operands for it. */
function matmulCase(sizes: Partial<MatmulSizes> & { m: number; n: number; k: number }) {
  const { m, n, k, batch = 1 } = sizes;
  const s: MatmulSizes = { batch, transA: false, transB: false, strideA: m * k, strideB: k * n, ...sizes };
  const a = values(s.strideA ? batch * m * k : m * k);
  const b = values(s.strideB ? batch * k * n : k * n);
  return { s, a, b, shape: [batch, m, n], expected: product(s, a, b) };
}

async function checkMatmul(sizes: Partial<MatmulSizes> & { m: number; n: number; k: number }): Promise<void> {
  const { s, a, b, shape, expected } = matmulCase(sizes);
  const out = arena.poisoned(shape);
  const call = kernelCall(matmulShader(s), [arena.put(a), arena.put(b)], out, { epilogue: true });
  await arena.run({ kernel: call, chain: null });
  assertClose(await arena.read(out), expected, 1e-6 * (s.k + 8), `matmul ${JSON.stringify(sizes)}`);
}

const awkward: [number, number, number][] = [
  [1, 1, 1],
  [3, 5, 7],
  [4, 4, 4],
  [16, 64, 32],
  [17, 10, 33],
  [10, 100, 784],
  [784, 12, 10],
  [65, 130, 40],
  [1, 300, 64],
  [300, 1, 64],
  [5, 6, 0],
];

test('matmul: every transpose on awkward sizes', async () => {
  for (const [m, n, k] of awkward) {
    for (const transA of [false, true]) {
      for (const transB of [false, true]) await checkMatmul({ m, n, k, transA, transB });
    }
  }
});

/** Runs with the kernels for real GPUs, which software adapters take seconds to compile. */
async function onHardwareVariants(f: () => Promise<void>): Promise<void> {
  const { variants } = backend!;
  backend!.variants = 'hardware';
  try {
    await f();
  } finally {
    backend!.variants = variants;
  }
}

test('matmul: tiles in workgroup memory', () =>
  onHardwareVariants(async () => {
    for (const [m, n, k] of [
      [12, 16, 40],
      [11, 13, 33],
    ] as const) {
      for (const trans of [false, true]) await checkMatmul({ m, n, k, transA: trans, transB: trans });
    }
    await checkMatmul({ batch: 3, m: 12, n: 12, k: 40, strideB: 0 });
  }));

test('matmul: every tile, with edges', async () => {
  if (/swiftshader/i.test(backend!.description))
    return skip('matmul: every tile, with edges', 'this adapter compiles too slowly');
  await onHardwareVariants(async () => {
    for (const transA of [false, true]) {
      for (const transB of [false, true]) {
        for (const [m, n, k] of awkward) await checkMatmul({ m, n, k, transA, transB });
        await checkMatmul({ m: 513, n: 511, k: 19, transA, transB });
        await checkMatmul({ m: 512, n: 516, k: 20, transA, transB });
      }
    }
    await checkMatmul({ m: 1400, n: 1412, k: 36, transB: true });
  });
});

test('matmul: a large one', () => checkMatmul({ m: 513, n: 511, k: 19, transA: true }));

test('matmul: batches, one side shared or not', async () => {
  for (const [m, n, k] of [
    [3, 5, 7],
    [8, 12, 4],
  ] as const) {
    await checkMatmul({ batch: 3, m, n, k });
    await checkMatmul({ batch: 3, m, n, k, strideA: 0, transA: true });
    await checkMatmul({ batch: 3, m, n, k, strideB: 0, transB: true });
  }
});

const add = handMade('add', ['float32', 'float32'], 'float32', 'a + b', (a, b) => a! + b!);
const relu = handMade('relu', ['float32'], 'float32', 'select(a, 0.0, a < 0.0)', (a) => Math.max(a!, 0));

test('matmul: bias and relu in the epilogue, with and without the product itself', async () => {
  for (const [m, n, k] of [
    [10, 100, 30],
    [33, 10, 5],
    [9, 7, 6],
    [130, 68, 8],
  ] as const) {
    const { s, a, b, expected } = matmulCase({ m, n, k });
    for (const bias of [arena.put(values(n), [n]), arena.put(values(m), [m, 1]), arena.put([0.5], [])]) {
      const biases = await arena.read(bias);
      const chain = [
        instruction(add, [m, n], kernelResult, operand(bias)),
        instruction(relu, [m, n], result(0)),
      ];
      const after = Float32Array.from(expected, (v, i) => {
        const at = bias.shape.length === 0 ? 0 : bias.shape.length === 1 ? i % n : Math.floor(i / n);
        return Math.max(0, v + biases[at]!);
      });
      for (const keep of [true, false]) {
        const out = arena.poisoned([m, n]);
        const own = arena.poisoned([m, n]);
        const inputs = [arena.put(a), arena.put(b)];
        const spec = { shape: [m, n], dtype: 'float32' } as const;
        const kernel = kernelCall(matmulShader(s), inputs, keep ? own : null, { epilogue: true, spec });
        await arena.run({ kernel, chain: chainOf([m, n], chain, [1, out]) });
        const what = `bias of (${bias.shape}) on (${m},${n})`;
        assertClose(await arena.read(out), after, 1e-5, what);
        assert.is((await arena.read(own))[0] === 7777.25, !keep, what);
        if (keep) assertClose(await arena.read(own), expected, 1e-5, what);
      }
    }
  }
});

test('matmul: one tensor on both sides, and again in the epilogue', async () => {
  for (const n of [8, 5]) {
    const x = values(n * n);
    const a = arena.put(x, [n, n]);
    const out = arena.poisoned([n, n]);
    const s = matmulCase({ m: n, n, k: n }).s;
    const expected = product(s, x, x).map((v, i) => v + x[i]! + x[i % n]!);
    const firstRow = { ...a, shape: [n] };
    const kernel = kernelCall(matmulShader(s), [a, a], null, { epilogue: true, spec: out });
    const chain = chainOf(
      [n, n],
      [
        instruction(add, [n, n], kernelResult, operand(a)),
        instruction(add, [n, n], result(0), operand(firstRow)),
      ],
      [1, out],
    );
    await arena.run({ kernel, chain });
    assertClose(await arena.read(out), expected, 1e-5, `x x + x + x[0], n ${n}`);
  }
});

test('a chain after a kernel without epilogue goes through memory', async () => {
  const out = arena.poisoned([7]);
  const kernel = kernelCall(iotaShader(7, 2, 3, 'f32'), [], null, { spec: out });
  const chain = chainOf([7], [instruction(add, [7], kernelResult, scalar(0.5))], [0, out]);
  const before = backend!.stats();
  await arena.run({ kernel, chain });
  assert.equal([...(await arena.read(out))], [2.5, 5.5, 8.5, 11.5, 14.5, 17.5, 20.5]);
  assert.is(backend!.stats().bytes, before.bytes);
});

const reducers: Record<ReduceKind, (row: number[]) => number> = {
  sum: (row) => row.reduce((a, b) => a + b, 0),
  prod: (row) => row.reduce((a, b) => a * b, 1),
  max: (row) => row.reduce((a, b) => Math.max(a, b)),
  min: (row) => row.reduce((a, b) => Math.min(a, b)),
};
const views: [number, number, number][] = [
  [1, 5, 1],
  [7, 9, 1],
  [1, 100, 10],
  [3, 37, 29],
  [2, 3000, 1],
  [1, 128, 784],
  [300, 10, 1],
  [1, 9, 17000],
  [70000, 3, 1],
];

function rowsOf(x: ArrayLike<number>, [outer, reduce, inner]: [number, number, number]): number[][] {
  return Array.from({ length: outer * inner }, (_, i) =>
    Array.from(
      { length: reduce },
      (_, r) => x[Math.floor(i / inner) * reduce * inner + r * inner + (i % inner)]!,
    ),
  );
}

test('reduce: kinds, dtypes and shapes', async () => {
  for (const [outer, reduce, inner] of views) {
    const floats = values(outer * reduce * inner);
    const ints = Int32Array.from(floats, (v) => Math.round(v * 50));
    const [x, y] = [arena.put(floats), arena.put(ints, [ints.length], 'int32')];
    for (const [kind, reducer] of Object.entries(reducers) as [ReduceKind, (row: number[]) => number][]) {
      const view = { outer, reduce, inner };
      const shape = [outer, inner];
      const what = `${kind} of (${outer},${reduce},${inner})`;
      const actual = await arena.kernel(reduceShader(kind, view, 'f32'), [x], { shape, dtype: 'float32' });
      assertClose(actual, rowsOf(floats, [outer, reduce, inner]).map(reducer), 1e-5, what);
      if (kind === 'prod') continue;
      const whole = await arena.kernel(reduceShader(kind, view, 'i32'), [y], { shape, dtype: 'int32' });
      assertClose(whole, rowsOf(ints, [outer, reduce, inner]).map(reducer), 0, `${what} int32`);
    }
    if (reduce > 100) arena = fresh();
  }
});

test('reduce: NaN wins, infinities and -0 survive, nothing sums to 0', async () => {
  const x = arena.put([1, Number.NaN, -Infinity, -0, -2, Infinity, -1, -2, -3], [3, 3]);
  const out = { shape: [3], dtype: 'float32' } as const;
  const view = { outer: 3, reduce: 3, inner: 1 };
  const of = async (kind: ReduceKind) => [...(await arena.kernel(reduceShader(kind, view, 'f32'), [x], out))];
  assert.equal(await of('max'), [Number.NaN, Infinity, -1]);
  assert.equal(await of('min'), [Number.NaN, -2, -3]);
  const empty = arena.reserve([2, 0]);
  const none = { outer: 2, reduce: 0, inner: 1 };
  const two = { shape: [2], dtype: 'float32' } as const;
  assert.equal([...(await arena.kernel(reduceShader('sum', none, 'f32'), [empty], two))], [0, 0]);
  assert.equal([...(await arena.kernel(reduceShader('prod', none, 'f32'), [empty], two))], [1, 1]);
});

test('argmax and argmin: the first of equals, NaN wins', async () => {
  for (const [outer, reduce, inner] of views) {
    const floats = values(outer * reduce * inner).map((v) => Math.round(v * 4));
    const x = arena.put(floats);
    const shape = [outer, inner];
    for (const kind of ['argmax', 'argmin'] as const) {
      const view = { outer, reduce, inner };
      const actual = await arena.kernel(argReduceShader(kind, view, 'f32'), [x], { shape, dtype: 'int32' });
      const pick = kind === 'argmax' ? Math.max : Math.min;
      const expected = rowsOf(floats, [outer, reduce, inner]).map((row) =>
        row.indexOf(row.reduce((a, b) => pick(a, b))),
      );
      assertClose(actual, expected, 0, `${kind} of (${outer},${reduce},${inner})`);
    }
    if (reduce > 100) arena = fresh();
  }
  const special = arena.put([-Infinity, -Infinity, 1, Number.NaN, -0, 0], [3, 2]);
  const view = { outer: 3, reduce: 2, inner: 1 };
  const out = { shape: [3], dtype: 'int32' } as const;
  assert.equal([...(await arena.kernel(argReduceShader('argmax', view, 'f32'), [special], out))], [0, 1, 0]);
  assert.equal([...(await arena.kernel(argReduceShader('argmin', view, 'f32'), [special], out))], [0, 1, 0]);
});

test('softmax and its logarithm', async () => {
  for (const [rows, cols] of [
    [1, 1],
    [10, 10],
    [130, 3],
    [3, 257],
    [2, 1500],
  ] as const) {
    const x = values(rows * cols).map((v) => v * 30 + 60);
    for (const log of [false, true]) {
      const shape = [rows, cols];
      const actual = await arena.kernel(softmaxShader({ rows, cols, log }), [arena.put(x)], {
        shape,
        dtype: 'float32',
      });
      const expected = rowsOf(x, [rows, cols, 1]).flatMap((row) => {
        const top = Math.max(...row);
        const total = row.reduce((n, v) => n + Math.exp(v - top), 0);
        return row.map((v) => (log ? v - top - Math.log(total) : Math.exp(v - top) / total));
      });
      assertClose(actual, expected, 2e-5, `softmax (${rows},${cols}) log ${log}`);
    }
  }
});

async function checkCopy(copy: StridedCopy, source: Operand, target: Operand): Promise<void> {
  const from = await arena.read(source);
  const expected = Array.from(await arena.read(target));
  const own = stridesOf(copy.shape);
  for (let i = 0; i < sizeOf(copy.shape); i++) {
    const at = (offset: number, strides: readonly number[]): number =>
      copy.shape.reduce((n, d, axis) => n + (Math.floor(i / own[axis]!) % d) * strides[axis]!, offset);
    expected[at(copy.dstOffset, copy.dstStrides)] = from[at(copy.srcOffset, copy.srcStrides)]!;
  }
  const call = kernelCall(stridedCopyShader(copy), [source], target);
  await arena.run({ kernel: call, chain: null });
  assertClose(await arena.read(target), expected, 0, `copy ${JSON.stringify(copy)}`);
}

test('strided copies: transposes, slices, flips, broadcasts, many axes, any dtype', async () => {
  const plain = (shape: Shape) => ({ shape, dstStrides: stridesOf(shape), dstOffset: 0 });
  const to = (shape: Shape, dtype: 'float32' | 'bool' = 'float32') => arena.poisoned(shape, dtype);
  const x = arena.put(values(720), [720]);
  await checkCopy({ ...plain([5, 3]), srcStrides: [1, 5], srcOffset: 0 }, x, to([15]));
  await checkCopy({ ...plain([700]), srcStrides: [-1], srcOffset: 719 }, x, to([700]));
  await checkCopy({ ...plain([4, 6]), srcStrides: [0, 2], srcOffset: 3 }, x, to([24]));
  await checkCopy({ ...plain([]), srcStrides: [], srcOffset: 9 }, x, to([]));
  const [shape, axes] = [
    [2, 3, 2, 5, 3, 2, 2],
    [6, 1, 3, 0, 4, 2, 5],
  ] as const;
  const turned = axes.map((a) => stridesOf(shape)[a]!);
  await checkCopy({ ...plain(axes.map((a) => shape[a]!)), srcStrides: turned, srcOffset: 0 }, x, to([720]));
  const inner = { shape: [2, 3], dstStrides: [10, 2], dstOffset: 7, srcStrides: [3, 1], srcOffset: 1 };
  await checkCopy(inner, x, to([30]));
  const flags = arena.put([1, 0, 0, 1, 1, 0], [2, 3], 'bool');
  await checkCopy({ ...plain([3, 2]), srcStrides: [1, 3], srcOffset: 0 }, flags, to([3, 2], 'bool'));
});

test('fill and iota', async () => {
  const [seven, nine] = [
    { shape: [700], dtype: 'float32' },
    { shape: [9], dtype: 'int32' },
  ] as const;
  assertClose(
    await arena.kernel(fillShader(700, 0xbfc00000 | 0), [], seven),
    new Array(700).fill(-1.5),
    0,
    'fill',
  );
  const whole = await arena.kernel(iotaShader(9, 5, -2, 'i32'), [], nine);
  assert.equal([...whole], [5, 3, 1, -1, -3, -5, -7, -9, -11]);
  const steps = await arena.kernel(iotaShader(700, -2, 0.5, 'f32'), [], seven);
  assertClose(
    steps,
    Array.from({ length: 700 }, (_, i) => -2 + i / 2),
    0,
    'iota',
  );
});

test('gather, and scatter of equal indices in order', async () => {
  for (const [outer, axisSize, inner, count] of [
    [1, 3, 1, 5],
    [1, 10, 33, 40],
    [3, 4, 5, 7],
  ] as const) {
    const x = values(outer * axisSize * inner);
    const updates = values(outer * count * inner);
    const indices = Int32Array.from({ length: count }, () => random.integer(axisSize));
    const at = arena.put(indices, [count], 'int32');
    const view = { outer, axisSize, inner, count };
    const rows = { shape: [outer, count, inner], dtype: 'float32' } as const;
    const gathered = await arena.kernel(gatherShader(view), [arena.put(x), at], rows);
    const source = (i: number) =>
      (Math.floor(i / (inner * count)) * axisSize + indices[Math.floor(i / inner) % count]!) * inner +
      (i % inner);
    assertClose(
      gathered,
      Array.from(updates, (_, i) => x[source(i)]!),
      0,
      'gather',
    );
    const sums = new Float32Array(x.length);
    updates.forEach((v, i) => {
      sums[source(i)]! += v;
    });
    const all = { shape: [outer, axisSize, inner], dtype: 'float32' } as const;
    const added = await arena.kernel(scatterAddShader(view, 'f32'), [arena.put(updates), at], all);
    assertClose(added, sums, 0, 'scatter');
  }
  const two = arena.put([5, 6], [2]);
  const bad = arena.put([0, 2, -1], [3], 'int32');
  const view = { outer: 1, axisSize: 2, inner: 1, count: 3 };
  const out = { shape: [3], dtype: 'float32' } as const;
  assert.equal([...(await arena.kernel(gatherShader(view), [two, bad], out))], [5, Number.NaN, Number.NaN]);
});

test('random numbers: exactly those of src/philox.ts', async () => {
  for (const n of [1, 4, 1023, 4097]) {
    const draw = { n, keyLow: 0xdeadbeef, keyHigh: 0x89abcdef, stream: 0xffff0001 };
    const step = arena.put([123456789], [], 'int32');
    const out = { shape: [n], dtype: 'float32' } as const;
    const expected = uniformInto(
      new Float32Array(4 * Math.ceil(n / 4)),
      [draw.keyLow, draw.keyHigh],
      draw.stream,
      123456789,
    );
    const uniform = await arena.kernel(randomUniformShader(draw), [step], out);
    assertClose(uniform, expected.subarray(0, n), 0, `uniform ${n}`);
    const normal = Float32Array.from({ length: n }, (_, i) => {
      const pair = i - (i % 2);
      const angle = 2 * Math.PI * expected[pair + 1]!;
      return Math.sqrt(-2 * Math.log(1 - expected[pair]!)) * (i % 2 ? Math.sin(angle) : Math.cos(angle));
    });
    assertClose(await arena.kernel(randomNormalShader(draw), [step], out), normal, 2e-6, `normal ${n}`);
  }
});

test('long lines of workgroups are folded', () => {
  for (const n of [0, 1, 65535, 65536, 70001, 2 ** 24]) {
    const [x, y] = spread(n);
    assert.ok(x <= 65535 && y <= 65535 && x * y >= n && x * y < n + y, `${n}: ${x} x ${y}`);
  }
});

function fresh(): Arena {
  arena?.free();
  return new Arena(backend!, 2 ** 26);
}

backend = await unlessAbsent('webgpu kernels', () => createWebgpuBackend());
if (backend) {
  test.before.each(() => {
    random = new RandomStream(1, 0);
    arena = fresh();
  });
  test.after(() => {
    arena.free();
    backend!.dispose();
  });
  test.run();
}
