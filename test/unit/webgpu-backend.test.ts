// The WebGPU backend: memory, generated chains, errors, losing the device.
// @suite devices=webgpu

import * as assert from 'uvu/assert';
import type { ChainInput, Instruction, Operand, Step } from '../../src/backend/backend.js';
import { literal } from '../../src/backend/webgpu/chain.js';
import { describeGpu } from '../../src/backend/webgpu/describe.js';
import { createWebgpuBackend, type WebgpuBackend } from '../../src/backend/webgpu/index.js';
import { fillTemplate } from '../../src/backend/webgpu/template.js';
import { broadcastStrides, type DType, type HostArray, sizeOf, stridesOf } from '../../src/dtype.js';
import { DeviceError, DTypeError } from '../../src/errors.js';
import { iotaShader } from '../../src/ops/shader-calls.js';
import { RandomStream } from '../../src/philox.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import {
  Arena,
  chainOf,
  type HandMade,
  handMade,
  instruction,
  kernelCall,
  operand,
  result,
  scalar,
} from '../helpers/webgpu.js';

const test = suite('webgpu backend');
let backend: WebgpuBackend;
let arena: Arena;

const f = Math.fround;
const add = handMade('add', ['float32', 'float32'], 'float32', 'a + b', (a, b) => f(a! + b!));
const neg = handMade('neg', ['float32'], 'float32', '-a', (a) => -a!);

const ops: HandMade[] = [
  add,
  neg,
  handMade('mul', ['float32', 'float32'], 'float32', '(a * b)', (a, b) => f(a! * b!)),
  handMade('max', ['float32', 'float32'], 'float32', 'max(a, b)', (a, b) => Math.max(a!, b!)),
  handMade('less', ['float32', 'float32'], 'bool', '(a < b)', (a, b) => Number(a! < b!)),
  handMade('where', ['bool', 'float32', 'float32'], 'float32', 'select(c, b, a)', (a, b, c) => (a ? b! : c!)),
  handMade('not', ['bool'], 'bool', '(!a)', (a) => 1 - a!),
  handMade('toFloat', ['int32'], 'float32', 'f32(a)', (a) => a!),
  handMade('fromByte', ['uint8'], 'float32', 'f32(a)', (a) => a!),
  handMade('addInt', ['int32', 'int32'], 'int32', 'a + b', (a, b) => (a! + b!) | 0),
  handMade('mulInt', ['int32', 'int32'], 'int32', 'a * b', (a, b) => Math.imul(a!, b!)),
  handMade('addByte', ['uint8', 'uint8'], 'uint8', 'a + b', (a, b) => (a! + b!) & 255),
  handMade('boolToByte', ['bool'], 'uint8', 'u32(a)', (a) => a!),
];

/** A random chain over a random shape, and what it must give, worked out element by element. */
class RandomChain {
  readonly shape: number[];
  readonly #random: RandomStream;
  readonly #operands: { at: Operand; values: number[] }[] = [];
  readonly #instructions: Instruction[] = [];
  readonly #results: { dtype: DType; values: number[] }[] = [];

  constructor(random: RandomStream) {
    this.#random = random;
    const sizes = [1, 2, 3, 4, 5, 8, 12];
    this.shape = Array.from({ length: random.integer(5) }, () => this.#pick(sizes));
    const count = 1 + random.integer(12);
    for (let i = 0; i < count; i++) this.#grow();
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random.integer(list.length)]!;
  }

  #value(dtype: DType): number {
    if (dtype === 'bool') return this.#random.integer(2);
    if (dtype === 'uint8') return this.#random.integer(256);
    if (dtype === 'int32') return this.#random.bits() | 0;
    return f(this.#pick([0, 1, -2.5, 1e-3, this.#random.uniform(), 4 * this.#random.uniform() - 2]));
  }

  /** An operand, constant or earlier result of the dtype, and its value at each element. */
  #input(dtype: DType): { input: ChainInput; values: number[] } {
    const n = sizeOf(this.shape);
    const earlier = this.#results.flatMap((r, index) => (r.dtype === dtype ? [{ r, index }] : []));
    const choice = this.#random.integer(4);
    if (choice > 0 && earlier.length > 0) {
      const { r, index } = this.#pick(earlier);
      return { input: result(index), values: r.values };
    }
    if (choice === 3) {
      const value = this.#value(dtype);
      return { input: scalar(value, dtype), values: new Array(n).fill(value) };
    }
    const known = this.#operands.filter(({ at }) => at.dtype === dtype);
    const fresh = this.#operands.length < 6 || known.length === 0;
    const { at, values } = fresh ? this.#operand(dtype) : this.#pick(known);
    const strides = broadcastStrides(at.shape, this.shape);
    const own = stridesOf(this.shape);
    const spread = Array.from(
      { length: n },
      (_, i) => values[this.shape.reduce((s, d, k) => s + (Math.floor(i / own[k]!) % d) * strides[k]!, 0)]!,
    );
    return { input: operand(at), values: spread };
  }

  #operand(dtype: DType): { at: Operand; values: number[] } {
    const full = this.#random.integer(2) === 0;
    const lead = full ? 0 : this.#random.integer(this.shape.length + 1);
    const shape = this.shape.slice(lead).map((d) => (full || this.#random.integer(2) ? d : 1));
    const values = Array.from({ length: sizeOf(shape) }, () => this.#value(dtype));
    const made = { at: arena.put(values, shape, dtype), values };
    this.#operands.push(made);
    return made;
  }

  #grow(): void {
    const made = this.#pick(ops);
    const inputs = made.inputs.map((dtype) => this.#input(dtype));
    this.#instructions.push(instruction(made, this.shape, ...inputs.map(({ input }) => input)));
    const n = sizeOf(this.shape);
    const values = Array.from({ length: n }, (_, i) => made.scalar(...inputs.map((x) => x.values[i]!)));
    this.#results.push({ dtype: made.output, values });
  }

  /** Stores the last result and some others, where it can be over an operand, and compares. */
  async check(what: string): Promise<void> {
    const last = this.#results.length - 1;
    const stored = [
      last,
      ...Array.from({ length: last }, (_, i) => i).filter(() => this.#random.integer(4) === 0),
    ];
    const free = this.#operands
      .filter(({ at }) => sizeOf(at.shape) === sizeOf(this.shape))
      .map(({ at }) => at);
    const stores = stored.slice(0, backend.maxOperands - this.#operands.length).map((index) => {
      const { dtype } = this.#results[index]!;
      const over = this.#random.integer(2) ? free.pop() : undefined;
      const to = over ? { ...over, shape: this.shape, dtype } : arena.poisoned(this.shape, dtype);
      return [index, to] as const;
    });
    const before = new Map<Operand, number[]>();
    for (const { at, values } of this.#operands) before.set(at, values);
    await arena.run({ kernel: null, chain: chainOf(this.shape, this.#instructions, ...stores) });
    for (const [index, to] of stores) {
      const { values, dtype } = this.#results[index]!;
      assertSame(await arena.read(to), values, `${what}: result ${index}, ${dtype} over (${this.shape})`);
    }
    for (const [at, values] of before) {
      if (stores.some(([, to]) => to.offset === at.offset)) continue;
      assertSame(await arena.read(at), values, `${what}: an operand (${at.shape}) that is only read`);
    }
  }
}

function assertSame(actual: HostArray, expected: readonly number[], what: string): void {
  assert.is(actual.length, expected.length, what);
  expected.forEach((e, i) => {
    const a = actual[i] as number;
    // A product and a sum may be fused into one rounding.
    const near = Object.is(a, e) || Math.abs(a - e) <= 1e-5 * Math.max(1, Math.abs(e)) || Number.isNaN(a + e);
    if (!near) assert.unreachable(`${what}: element ${i} is ${a}, not ${e}`);
  });
}

test('chains: 60 random ones, with broadcasting, all dtypes, stores over operands', async () => {
  for (let seed = 0; seed < 60; seed++) {
    arena.free();
    arena = new Arena(backend);
    await new RandomChain(new RandomStream(seed, 3)).check(`chain of seed ${seed}`);
  }
});

test('chains: long ones, more elements than a line of workgroups holds', async () => {
  const n = 65536 * 256 + 5;
  const [x, y] = [arena.memory, backend.allocate(4 * n)];
  const out: Operand = { shape: [n], dtype: 'int32', memory: y, offset: 0 };
  const one: Operand = { shape: [], dtype: 'int32', memory: x, offset: 0 };
  arena.set(one, [1]);
  const addInt = ops.find(({ op }) => op.name === 'addInt')!;
  const kernel = kernelCall(iotaShader(n, 0, 1, 'i32'), [], out);
  const chain = chainOf([n], [instruction(addInt, [n], operand(out), operand(one))], [0, out]);
  await arena.run({ kernel, chain: null }, { kernel: null, chain });
  const values = (await arena.read(out)) as Int32Array;
  assert.is(
    values.findIndex((v, i) => v !== i + 1),
    -1,
  );
  backend.free(y);
});

test('a shader of single elements after one of fours: what each needs is not mixed up', async () => {
  const [four, one, all] = [arena.put([1, 2, 3, 4]), arena.put([5]), arena.poisoned([4])];
  const [single, more] = [arena.poisoned([1]), arena.put([6])];
  const wide = chainOf([4], [instruction(add, [4], operand(four), operand(four))], [0, all]);
  const narrow = chainOf([1], [instruction(add, [1], operand(one), operand(more))], [0, single]);
  const two = chainOf([4], [instruction(add, [4], operand(four), operand(all))], [0, arena.poisoned([4])]);
  await arena.run(
    { kernel: null, chain: wide },
    { kernel: null, chain: two },
    { kernel: null, chain: narrow },
  );
  assert.equal([...(await arena.read(single))], [11]);
});

test('constants keep their bits: NaN, infinities, -0, the smallest and the largest', async () => {
  const values = [
    Number.NaN,
    Infinity,
    -Infinity,
    -0,
    0,
    3.4028234663852886e38,
    1.1754943508222875e-38,
    -0.1,
    1e21,
  ];
  for (const value of values) {
    const out = arena.poisoned([1]);
    const same = handMade('same', ['float32'], 'float32', 'a', (a) => a!);
    const chain = chainOf([1], [instruction(same, [1], scalar(value))], [0, out]);
    await arena.run({ kernel: null, chain });
    assert.ok(Object.is((await arena.read(out))[0], f(value)), `${value} as ${literal(value, 'float32')}`);
  }
  assert.is(literal(-(2 ** 31), 'int32'), 'i32(-2147483648)');
});

test('the logarithm of what is not positive is what C gives, on drivers that have it otherwise too', async () => {
  const values = [0, -0, -1, -Infinity, Number.NaN, Infinity, 1];
  const out = arena.poisoned([values.length]);
  const log = handMade('log', ['float32'], 'float32', 'logarithm(a)', (a) => Math.log(a!));
  const x = operand(arena.put(values));
  const chain = chainOf([values.length], [instruction(log, [values.length], x)], [0, out]);
  await arena.run({ kernel: null, chain });
  assert.equal(
    [...(await arena.read(out))],
    [-Infinity, -Infinity, Number.NaN, Number.NaN, Number.NaN, Infinity, 0],
  );
});

test('templates: loops over numbers and records, conditions with else, small sums', () => {
  const text =
    '//#for i 3\na{{i}}\n//#if i>1\nlast {{i%2}}\n//#else\nearly\n//#end\n//#end\n//#for r list\n{{r.x}}\n//#end';
  assert.is(fillTemplate(text, { list: [{ x: 'p' }, { x: 5 }] }), 'a0\nearly\na1\nearly\na2\nlast 0\np\n5');
  assert.throws(() => fillTemplate('{{missing}}', {}), /missing/);
});

test('values go to the GPU and back in every dtype; float64 is refused', async () => {
  for (const dtype of ['float32', 'int32', 'uint8', 'bool'] as const) {
    const values = dtype === 'bool' ? [1, 0, 1] : [1, 200, 3];
    const read = await arena.read(arena.put(values, [3], dtype));
    assert.equal([...read], values);
    assert.is(
      read.constructor,
      dtype === 'float32' ? Float32Array : dtype === 'int32' ? Int32Array : Uint8Array,
    );
  }
  const shared = new Float32Array(new SharedArrayBuffer(8));
  shared.set([1.5, 2.5]);
  const at = arena.reserve([2]);
  backend.write(at.memory, at.offset, shared, 'float32');
  assert.equal([...(await arena.read(at))], [1.5, 2.5]);
  assert.is((await arena.read(arena.reserve([0, 3]))).length, 0);
  const doubles = () => backend.write(at.memory, 0, new Float64Array(1), 'float64');
  assert.throws(doubles, (e: unknown) => e instanceof DTypeError);
  const spec = { shape: [1], dtype: 'float64' } as const;
  assert.not(backend.supports(add.op, { inputs: [spec, spec], output: spec, attributes: {} }));
});

test('copies keep their place among writes, runs and reads', async () => {
  const [a, b] = [arena.put([1, 2]), arena.put([0, 0])];
  backend.copy(a.memory, a.offset, b.memory, b.offset, 8);
  arena.set(a, [3, 4]);
  assert.equal([...(await arena.read(b))], [1, 2]);
  await arena.run({ kernel: null, chain: chainOf([2], [instruction(neg, [2], operand(b))], [0, a]) });
  backend.copy(a.memory, a.offset, b.memory, b.offset, 8);
  assert.equal([...(await arena.read(b))], [-1, -2]);
});

test('after the first step nothing is allocated; memory is counted and freed', async () => {
  const before = backend.stats();
  const extra = backend.allocate(1000);
  assert.is(backend.stats().bytes, before.bytes + 1000);
  assert.is(backend.stats().pieces, before.pieces + 1);
  const [x, y] = [arena.put([1, 2, 3, 4, 5]), arena.poisoned([5])];
  const chain = chainOf([5], [instruction(add, [5], operand(x), operand(x))], [0, y], [0, x]);
  const program = await backend.compile([{ kernel: null, chain }]);
  const step = async () => {
    arena.set(x, [1, 2, 3, 4, 5]);
    await backend.run(program);
    assert.equal([...(await arena.read(y))], [2, 4, 6, 8, 10]);
  };
  await step();
  const { systemAllocations } = backend.stats();
  for (let i = 0; i < 50; i++) await step();
  assert.is(backend.stats().systemAllocations, systemAllocations);
  for (let i = 0; i < 300; i++) await backend.run(program); // waits now and then, so it cannot run away
  backend.release(program);
  backend.free(extra);
  backend.free(extra);
  assert.equal(backend.stats(), { ...before, systemAllocations });
});

const deviceError = (pattern: RegExp) => (e: unknown) => e instanceof DeviceError && pattern.test(e.message);

async function rejects(work: () => unknown, pattern: RegExp): Promise<void> {
  let error: unknown;
  try {
    await work();
  } catch (e) {
    error = e;
  }
  assert.ok(deviceError(pattern)(error), `${error} does not match ${pattern}`);
}

test('what a plan may not do is named: overlaps, stores over what is broadcast', async () => {
  const x = arena.put([1, 2, 3, 4, 5, 6, 7, 8, 9].concat(new Array(200).fill(0)));
  const small = { ...x, shape: [3] };
  const later = { ...x, offset: x.offset + backend.alignment, shape: [64] };
  const wide = { ...x, shape: [128] };
  const overlap = chainOf(
    [64],
    [instruction(add, [64], operand(later), operand({ ...x, shape: [64] }))],
    [0, wide],
  );
  const run = (chain: typeof overlap) => () => backend.compile([{ kernel: null, chain }]);
  await rejects(run(overlap), /stores \(128\) from a chain over \(64\)/);
  const across = chainOf([128], [instruction(neg, [128], operand(wide))], [0, { ...later, shape: [128] }]);
  await rejects(run(across), /operands overlap/);
  const spread = chainOf([2, 3], [instruction(neg, [2, 3], operand(small))], [0, { ...x, shape: [2, 3] }]);
  await rejects(run(spread), /broadcasts the operand \(3\) that it overwrites/);
});

test('a shader that does not compile is named, with what the compiler says; the backend goes on', async () => {
  const broken = handMade('broken', ['float32'], 'float32', 'no_such_function(a)', (a) => a!);
  const out = arena.poisoned([3]);
  const chain = chainOf([3], [instruction(broken, [3], scalar(1))], [0, out]);
  const compile = () => backend.compile([{ kernel: null, chain }]);
  await rejects(compile, /\[broken\] its shader does not compile:[\s\S]*no_such_function/);
  await rejects(compile, /no_such_function/);
  assert.is((await arena.read(out))[0], 7777.25);
});

test('allocations that no adapter has are refused with their bytes', async () => {
  await rejects(() => backend.allocate(2 ** 50), /cannot allocate 1125899906842624 bytes/);
  const { maxStorageBufferBindingSize: limit } = backend.device.limits;
  const shape = [limit / 4 + 1];
  const out: Operand = { shape, dtype: 'float32', memory: arena.memory, offset: 0 };
  const compile = () =>
    backend.compile([{ kernel: kernelCall(iotaShader(4, 0, 1, 'f32'), [], out), chain: null }]);
  await rejects(compile, new RegExp(`${limit + 4} bytes is too large`));
});

test('an error of the device that nobody waits for comes once, with one of the next reads', async () => {
  const at = arena.put([1]);
  backend.copy(at.memory, at.offset, at.memory, 2 ** 30, 4);
  const problems: string[] = [];
  for (let tries = 0, after = 0; tries < 600 && after < 4; tries++) {
    await arena.read(at).catch((error: Error) => problems.push(error.message));
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (problems.length > 0) after++;
  }
  assert.is(problems.length, 1, problems.join('\n'));
  assert.match(problems[0]!, /a command was refused/);
  assert.equal([...(await arena.read(at))], [1]);
});

test('a lost device: read, run and compile say so, and so does the promise', async () => {
  const other = await createWebgpuBackend();
  const memory = other.allocate(16);
  const program = await other.compile([]);
  await other.run(program);
  other.device.destroy();
  const spec = { shape: [4], dtype: 'float32' } as const;
  await rejects(() => other.read(memory, 0, spec), /destroyed/);
  assert.ok(deviceError(/destroyed/)(await other.lost));
  await rejects(() => other.run(program), /destroyed/);
  await rejects(() => other.compile([]), /destroyed/);
  await rejects(() => other.allocate(4), /destroyed/);
  other.dispose();
});

test('pipelines are compiled all at once, and each is told of', async () => {
  const seen: { done: number; of: number }[] = [];
  const other = await createWebgpuBackend({ onCompile: (progress) => seen.push(progress) });
  const memory = other.allocate(1024);
  const at = (offset: number): Operand => ({ memory, offset, shape: [4], dtype: 'float32' });
  // Each reads what the one before writes, or they would be one dispatch.
  const steps = [2, 3, 5].map((n, i): Step => {
    const made = handMade(`times${n}`, ['float32'], 'float32', `a * ${n}.0`, (a) => n * a);
    const chain = chainOf([4], [instruction(made, [4], operand(at(256 * i)))], [0, at(256 * (i + 1))]);
    return { kernel: null, chain };
  });
  await other.compile(steps);
  assert.equal(seen, [
    { done: 1, of: 3 },
    { done: 2, of: 3 },
    { done: 3, of: 3 },
  ]);
  await other.compile(steps);
  assert.is(seen.length, 3, 'they are kept');
  other.dispose();
});

test('operands that cannot be bound are not supported; profiles have a time for each step', async () => {
  const other = await createWebgpuBackend();
  const made = handMade('twice', ['float32'], 'float32', 'a * 2.0', (a) => 2 * a);
  const spec = (size: number) => ({ shape: [size], dtype: 'float32' as const });
  const site = (size: number) => ({ inputs: [spec(size)], output: spec(size), attributes: {} });
  assert.ok(other.supports(made.op, site(1000)));
  assert.not.ok(other.supports(made.op, site(other.mostBound / 4 + 1)));
  const memory = other.allocate(1024);
  const at = (offset: number): Operand => ({ memory, offset, ...spec(4) });
  other.write(memory, 0, Float32Array.of(1, 2, 3, 4), 'float32');
  const step = (from: number, to: number): Step => ({
    kernel: null,
    chain: chainOf([4], [instruction(made, [4], operand(at(from)))], [0, at(to)]),
  });
  const program = await other.compile([step(0, 256), step(256, 512)]);
  const seconds = await other.profile(program);
  assert.is(seconds.length, 2);
  assert.ok(seconds.every((s) => s >= 0 && s < 60));
  assert.equal([...(await other.read(memory, 512, spec(4)))], [4, 8, 12, 16], 'it ran once');
  other.dispose();
});

test('the adapter is described', async () => {
  const found = await describeGpu();
  assert.ok(found.available);
  assert.ok(found.description.length > 3 && found.limits.maxBufferSize! >= 2 ** 28);
  assert.ok(backend.description.includes(found.description));
  assert.is(backend.variants, found.software ? 'software' : 'hardware');
  assert.ok(backend.maxOperands >= 8 && backend.alignment >= 256);
});

const found = await describeGpu();
if (found.available) {
  test.before(async () => {
    backend = await createWebgpuBackend();
  });
  test.before.each(() => {
    arena = new Arena(backend);
  });
  test.after.each(() => arena.free());
  test.after(() => backend.dispose());
} else {
  skip('webgpu backend', found.reason);
  const absent = suite('webgpu backend, absent');
  absent('without an adapter the reason is given', () => rejects(() => createWebgpuBackend(), /\[webgpu\] /));
  absent.run();
}
if (found.available) test.run();
