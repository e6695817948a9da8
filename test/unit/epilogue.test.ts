// Products that apply a chain to their own result: the kernels bit by bit against the ops one by one, and which chains
// become part of a product.
import * as assert from 'uvu/assert';
import { takesEpilogue } from '../../src/backend/wasm/epilogue.js';
import { createWasmBackend, type WasmBackend } from '../../src/backend/wasm/index.js';
import { sizeOf } from '../../src/dtype.js';
import { Executable } from '../../src/execute.js';
import { Tensor, Variable } from '../../src/graph.js';
import type { KernelOp, WasmCall } from '../../src/ops/define.js';
import * as ops from '../../src/ops/index.js';
import type { OpTensor } from '../../src/schedule/graph.js';
import { siteOf } from '../../src/schedule/place.js';
import { makePlan, type Plan } from '../../src/schedule/plan.js';
import { type Kernels, kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { fakeBackend, replay } from '../helpers/plans.js';
import { suite } from '../helpers/suite.js';
import { random, same, type Word, Zone } from '../helpers/zone.js';

const test = suite('epilogue');
const input = (shape: readonly number[], index = 0): Tensor =>
  new Tensor({ kind: 'input', index }, shape, 'float32');
const draw = (n: number) => Float32Array.from({ length: n }, () => 4 * random() - 2);

// the kernels --------------------------------------------------------------------------------------------------------

interface Parts {
  readonly bias?: boolean;
  readonly scale?: boolean;
  readonly shift?: boolean;
  readonly relu?: boolean;
  readonly residual?: boolean;
  /** Name of the last kernel. */
  readonly kernel?: string;
}

/** Each part alone, what networks have, and all of them. */
const combinations: readonly Parts[] = [
  { bias: true },
  { scale: true },
  { shift: true },
  { relu: true },
  { residual: true },
  { kernel: 'square_f32' },
  { bias: true, relu: true },
  { bias: true, scale: true, shift: true, relu: true },
  { bias: true, scale: true, shift: true, residual: true, relu: true },
  { bias: true, residual: true, kernel: 'square_f32' },
];

/** What the ops one by one make of a value. */
function apply(parts: Parts, x: number, rows: readonly number[], residual: number): number {
  const [bias, scale, shift] = rows as [number, number, number];
  let y = x;
  if (parts.bias) y = Math.fround(y + bias);
  if (parts.scale) y = Math.fround(y * scale);
  if (parts.shift) y = Math.fround(y + shift);
  if (parts.residual) y = Math.fround(y + residual);
  // max(-0, 0) is 0, and a NaN stays.
  if (parts.relu && !(y > 0) && !Number.isNaN(y)) y = 0;
  return parts.kernel ? Math.fround(y * y) : y;
}

const bits = new DataView(new ArrayBuffer(4));
const float = (x: number): number => {
  bits.setFloat32(0, x);
  return bits.getUint32(0);
};

/** Runs a product of random numbers with nothing behind it, then with each combination. */
function check(kernels: Kernels, zone: Zone, product: Tensor): void {
  const { op, inputs } = (product as OpTensor).source;
  const calls = (op as KernelOp).wasm.calls(siteOf(product as OpTensor)) as readonly WasmCall[];
  const [n, columns] = [product.size, product.shape.at(-1)!];
  const values = inputs.map((t) => draw(t.size));
  // Some rows of nothing: sums of 0 and -0.
  if (n > columns) values[0]!.fill(-0, 0, Math.min(values[0]!.length, 2 * columns));
  const rows = [draw(columns), draw(columns), draw(columns)];
  const residual = draw(n);
  const run = (parts: Parts | null): Float32Array => {
    zone.reset();
    const places = values.map((v) => zone.input(v));
    const other = zone.input(residual);
    const given = rows.map((row) => zone.input(row));
    const out = zone.output(4 * n);
    const { scratch } = calls.at(-1)!;
    const shared = scratch && 'shared' in scratch ? (scratch.shared ?? 0) : 0;
    const each =
      scratch && 'bytesFrom' in scratch
        ? kernels.exports[scratch.bytesFrom]!(...scratch.args)
        : scratch!.each;
    const memory = (zone.output(shared + 8 * each + 16) + 15) & ~15;
    const row = (is: boolean | undefined, i: number, none: number): Word[] =>
      is ? [given[i]!, 0xffffffff] : [zone.input(new Float32Array(4).fill(none)), 0];
    const end = (is: boolean | undefined): Word[] => (is ? [0, 0] : [float(-Infinity), float(-0)]);
    const description = (p: Parts): Word[] => [
      ...row(p.bias, 0, -0),
      ...row(p.scale, 1, 1),
      ...row(p.shift, 2, -0),
      Number(p.scale || p.shift || (p.relu && !p.residual)),
      ...end(p.relu && !p.residual),
      p.residual ? other - out : 0,
      ...end(p.relu && p.residual),
      p.kernel ? zone.index(p.kernel) : -1,
    ];
    const epilogue = parts ? zone.words(description(parts)) : 0;
    const words = ({ args }: WasmCall): Word[] =>
      args.map((a) => {
        if (typeof a === 'number') return a;
        if (a === 'output') return out;
        if (a === 'scratch') return memory;
        if (a === 'ownScratch') return memory + shared;
        if (a === 'scratchBytes') return each;
        if (a === 'epilogue') return epilogue;
        assert.ok('input' in a);
        return places[a.input]!;
      });
    for (const call of calls.slice(0, -1)) zone.call(call.kernel, zone.words(words(call)), 0, 1);
    return zone.run(calls.at(-1)!.kernel, words(calls.at(-1)!), Float32Array, out, n);
  };
  const plain = run(null);
  for (const parts of combinations) {
    const wanted = plain.map((x, i) =>
      apply(
        parts,
        x,
        rows.map((row) => row[i % columns]!),
        residual[i]!,
      ),
    );
    const shapes = inputs.map((t) => `${t.shape}`).join(' and ');
    same(`${op.name} of ${shapes}, ${JSON.stringify(parts)}`, run(parts), wanted);
  }
}

const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
const sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 17, 24, 30, 53] as const;

for (const build of kernelBuilds()) {
  test(`${build}: matrix products of all kinds`, async () => {
    const kernels = await loadKernels(build);
    const zone = new Zone(kernels, 1 << 23);
    const product = (m: number, n: number, k: number, transA: boolean, transB: boolean, batch?: number) => {
      const lead = batch ? [batch] : [];
      const a = input([...lead, ...(transA ? [k, m] : [m, k])]);
      const b = input([...lead, ...(transB ? [n, k] : [k, n])], 1);
      check(kernels, zone, ops.matmul(a, b, { transA, transB }));
    };
    for (const transA of [false, true]) {
      for (const transB of [false, true]) {
        for (let i = 0; i < 12; i++) product(pick(sizes), pick(sizes), pick(sizes), transA, transB);
        // dot products, one row, one column, several blocks of k and of columns
        for (const [m, n, k] of [
          [3, 40, 400],
          [40, 3, 400],
          [1, 70, 33],
          [70, 1, 33],
          [13, 300, 5],
          [9, 21, 800],
        ] as const)
          product(m, n, k, transA, transB);
        product(7, 10, 9, transA, transB, 3);
      }
    }
  });

  test(`${build}: convolutions and their gradients for the input, by each of their ways`, async () => {
    const kernels = await loadKernels(build);
    const zone = new Zone(kernels, 1 << 23);
    const conv = (x: number[], w: number[], options: ops.Conv2dOptions = {}): void => {
      const y = ops.conv2d(input(x), input(w, 1), options);
      check(kernels, zone, y);
      check(kernels, zone, ops.conv2dInputGradient(input(y.shape), input(w, 1), [x[1]!, x[2]!], options));
    };
    conv([2, 9, 7, 1], [3, 3, 1, 6], { padding: 1 });
    conv([3, 5, 5, 3], [2, 3, 3, 10], {
      padding: [
        [1, 0],
        [0, 2],
      ],
    });
    conv([2, 8, 8, 4], [3, 3, 4, 7], { stride: 2, padding: 1 });
    conv([1, 6, 9, 2], [1, 1, 2, 5], { stride: 3 }); // most of the input gets nothing
    conv([2, 6, 6, 6], [3, 3, 2, 9], { groups: 3, dilation: 2, padding: 2 });
    conv([1, 7, 7, 50], [3, 3, 50, 12]); // two blocks of taps and channels
    conv([2, 5, 5, 8], [1, 1, 8, 12]); // a matrix product
    conv([2, 7, 9, 6], [3, 3, 1, 6], { groups: 6, padding: 1 }); // depthwise
    conv([2, 7, 9, 6], [3, 3, 1, 12], { groups: 6, stride: 2 });
    conv([2, 9, 11, 16], [3, 3, 16, 20], { padding: 1 }); // Winograd
    conv([3, 10, 7, 32], [3, 3, 16, 32], { groups: 2, padding: 1 });
  });
}

// which chains -------------------------------------------------------------------------------------------------------

const planOn = (outputs: readonly Tensor[], assignments = new Map<Variable, Tensor>()): Plan =>
  makePlan(
    { outputs, assignments },
    {
      backends: [fakeBackend('wasm', { takesEpilogue, maxOperands: Infinity })],
      share: false,
      keepFeeds: true,
    },
  );
/** The ops of each step, in short. */
const stepsOf = ({ groups }: Plan): string[] =>
  groups.map(({ kernel, chain }) =>
    [...(kernel ? [kernel] : []), ...chain].map((t) => t.source.op.name).join(' '),
  );

const image = () => ops.conv2d(input([2, 6, 6, 3]), input([3, 3, 3, 8], 1), { padding: 1 });
const eight = (i: number): Tensor => input([8], 2 + i);

test('bias, batch norm in use, residual and activation become part of a convolution', () => {
  const normal = ops.normalize(ops.add(image(), eight(0)), eight(1), eight(2), { scale: eight(3) });
  const y = ops.relu(ops.add(normal, input([2, 6, 6, 8], 9)));
  assert.is(stepsOf(planOn([y])).at(-1), 'conv2d add mul add add relu');
  assert.equal(stepsOf(planOn([ops.sigmoid(ops.add(image(), eight(0)))])), ['conv2d add sigmoid']);
  const scaled = ops.mul(ops.matmul(input([4, 5]), input([5, 6], 1)), 0.5);
  assert.equal(stepsOf(planOn([ops.relu(scaled)])), ['matmul mul relu']);
});

test('chains that are none stay beside the product', () => {
  const product = ops.matmul(input([4, 5]), input([5, 8], 1));
  const sum = ops.add(product, eight(0));
  // somebody else needs the value between
  assert.equal(stepsOf(planOn([ops.relu(product), product])), ['matmul', 'relu']);
  assert.equal(stepsOf(planOn([ops.relu(sum), sum])), ['matmul add', 'relu']);
  // the product itself is an operand twice, or comes broadcast, or in another order
  assert.equal(stepsOf(planOn([ops.mul(product, product)])), ['matmul', 'mul']);
  assert.equal(stepsOf(planOn([ops.add(product, input([3, 4, 8], 2))])), ['matmul', 'add']);
  assert.equal(stepsOf(planOn([ops.mul(product, input([4, 1], 2))])), ['matmul', 'mul']);
  assert.equal(stepsOf(planOn([ops.mul(ops.relu(product), eight(0))])), ['matmul relu', 'mul']);
  assert.equal(stepsOf(planOn([ops.sub(product, eight(0))])), ['matmul', 'sub']);
});

test('a variable that may be where the result goes is not read behind the product', () => {
  const v = new Variable([4, 8], 'float32', null, 'v');
  const next = ops.add(ops.matmul(input([4, 5]), input([5, 8], 1)), v);
  assert.equal(stepsOf(planOn([], new Map([[v, next]]))), ['matmul', 'add']);
  const row = new Variable([1, 8], 'float32', null, 'row');
  const nextRow = ops.add(ops.matmul(input([1, 5]), input([5, 8], 1)), row);
  assert.equal(stepsOf(planOn([], new Map([[row, nextRow]]))), ['matmul', 'add']);
});

test('coefficients that are made beside the product are there before it', () => {
  const y = ops.normalize(image(), eight(1), eight(2), { scale: eight(3), shift: eight(4) });
  const plan = planOn([ops.relu(y)]);
  assert.is(stepsOf(plan).at(-1), 'conv2d mul add relu');
  assert.equal(replay(plan, true), []);
});

/** Outputs of a graph of constants on the WASM backend. */
async function compute(backend: WasmBackend, outputs: readonly Tensor[]): Promise<Float32Array[]> {
  const plan = makePlan(
    { outputs, assignments: new Map() },
    { backends: [backend], share: false, keepFeeds: true },
  );
  const executable = await Executable.compile(plan, new Map([[backend.name, backend]]));
  executable.writeHostFeeds();
  await executable.run();
  return Promise.all(outputs.map(async (_, i) => (await executable.read(i)) as Float32Array));
}

test('the same bits inside of the product as beside it', async () => {
  const data = (shape: readonly number[]): Tensor =>
    new Tensor({ kind: 'data', data: draw(sizeOf(shape)) }, shape, 'float32');
  const backend = await createWasmBackend({ threads: 1 });
  const x = data([3, 9, 7, 16]);
  const convolution = ops.conv2d(x, data([3, 3, 16, 24]), { padding: 1 });
  const biased = ops.add(convolution, data([24]));
  const scaled = ops.mul(biased, data([24]));
  const shifted = ops.add(scaled, data([24]));
  const summed = ops.add(shifted, data([3, 9, 7, 24]));
  const activated = ops.tanh(summed);
  const product = ops.mul(ops.matmul(data([5, 33]), data([33, 13])), 0.25);
  const [inside, small] = await compute(backend, [activated, ops.gelu(product)]);
  const all = await compute(backend, [convolution, biased, scaled, shifted, summed, activated]);
  same('convolution', inside!, all.at(-1)!);
  const half = await compute(backend, [product]);
  const gelu = await compute(backend, [
    ops.gelu(new Tensor({ kind: 'data', data: half[0]! }, [5, 13], 'float32')),
  ]);
  same('product', small!, gelu[0]!);
  backend.dispose();
});

test.run();
