// Reductions, and conversions to halves, that compute what they read by a chain: against the two one after the other on the
// same device, and against the reference, on awkward sizes, outputs poisoned first; and how many dispatches that takes.
// @suite devices=webgpu runtimes=node24,deno

import * as assert from 'uvu/assert';
import type { Chain, Instruction, Operand, Step } from '../../src/backend/backend.js';
import { createWebgpuBackend, type WebgpuBackend } from '../../src/backend/webgpu/index.js';
import { type DType, dtypes, type Shape, sizeOf } from '../../src/dtype.js';
import { Engine } from '../../src/engine.js';
import { gradients } from '../../src/grad.js';
import { Tensor, traced, Variable } from '../../src/graph.js';
import type { KernelOp } from '../../src/ops/define.js';
import * as ops from '../../src/ops/index.js';
import { RandomStream } from '../../src/philox.js';
import { Interpreter } from '../helpers/interpret.js';
import { suite } from '../helpers/suite.js';
import {
  Arena,
  chainOf,
  type HandMade,
  handMade,
  instruction,
  kernelResult,
  operand,
  result,
  scalar,
  unlessAbsent,
} from '../helpers/webgpu.js';
import '../../src/tensor.js';

const test = suite('webgpu reductions');
let backend: WebgpuBackend | undefined;
const random = new RandomStream(11, 0);

const axpy = handMade(
  'axpy',
  ['float32', 'float32', 'float32'],
  'float32',
  'a + b * c',
  (a, b, c) => a! + b! * c!,
);
const squared = handMade('squared', ['float32'], 'float32', 'a * a', (a) => a! * a!);
const root = handMade('root', ['float32'], 'float32', 'power(abs(a), 0.5)', (a) => Math.sqrt(Math.abs(a!)));
const above = handMade('above', ['float32', 'float32'], 'bool', 'a > b', (a, b) => Number(a! > b!));
const count = handMade('count', ['bool'], 'int32', 'i32(a)', (a) => a!);
const triple = handMade('triple', ['int32'], 'int32', 'a * 3i', (a) => 3 * a!);
const halve = handMade('halve', ['float32'], 'float32', 'a * 0.5', (a) => 0.5 * a!);

/** A chain over a shape of rows: what it reads, and its ops; the first of these is stored as well where that is asked for. */
interface Case {
  readonly name: string;
  readonly dtype: DType;
  readonly made: readonly HandMade[];
  readonly chain: (x: Operand, row: Operand, column: Operand, shape: Shape) => Instruction[];
}

const cases: readonly Case[] = [
  {
    name: 'x + row * column, squared',
    dtype: 'float32',
    made: [axpy, squared],
    chain: (x, row, column, shape) => [
      instruction(axpy, shape, operand(x), operand(row), operand(column)),
      instruction(squared, shape, result(0)),
    ],
  },
  {
    name: 'root of x + 2 row, with functions of math.wgsl',
    dtype: 'float32',
    made: [axpy, root],
    chain: (x, row, _, shape) => [
      instruction(axpy, shape, operand(x), operand(row), scalar(2)),
      instruction(root, shape, result(0)),
    ],
  },
  {
    name: 'whether x is above its column, as a whole number',
    dtype: 'int32',
    made: [above, count, triple],
    chain: (x, _, column, shape) => [
      instruction(above, shape, operand(x), operand(column)),
      instruction(count, shape, result(0)),
      instruction(triple, shape, result(1)),
    ],
  },
];

/** Sizes outside of the axis, along it and inside of it: few and many outputs, trees, rows, and parts. */
const views: readonly (readonly [number, number, number])[] = [
  [1, 37, 1],
  [3, 100, 1],
  [5, 9, 7],
  [1, 130, 33],
  [70, 6, 1],
  [1, 1, 40],
  [2, 5, 8500],
  [1, 20_001, 1],
  [1, 8200, 6],
];

const kinds: readonly (readonly [string, KernelOp])[] = Object.entries({
  ...{ sum: ops.sum, prod: ops.prod, max: ops.max, min: ops.min, argmax: ops.argmax, argmin: ops.argmin },
}).map(([name, { definition }]) => [name, definition]);

type View = (typeof views)[number];

/** What a run leaves: the reduction, what its own chain makes of it, what the chain before it stores. */
type Results = readonly ArrayLike<number>[];

/** Runs a chain, a reduction, and for floats a chain behind it; in one step or, with the value in memory, in two. */
async function run(
  kind: KernelOp,
  { dtype, chain }: Case,
  view: View,
  values: number[][],
  fused: boolean,
): Promise<Results> {
  const [outer, , inner] = view;
  const arena = new Arena(backend!, 2 ** 22);
  try {
    const [x, row, column] = [view, [inner], [outer, view[1], 1]].map((shape, i) =>
      arena.put(values[i]!, shape),
    );
    const attributes = { start: 1, end: 2, keepDims: false };
    const input = { shape: [...view], dtype };
    const output = kind.infer([input], attributes);
    const instructions = chain(x!, row!, column!, view);
    const own = arena.poisoned(output.shape, output.dtype);
    const after = arena.poisoned(output.shape);
    // In the place of what is read, element by element.
    const stored = { ...x!, dtype: instructions[0]!.site.output.dtype };
    const before: Chain = { ...chainOf(view, instructions, [0, stored]), result: instructions.length - 1 };
    const inMemory = arena.poisoned(view, dtype);
    const kernel = {
      op: kind,
      site: { inputs: [input], output, attributes },
      inputs: fused ? [] : [inMemory],
      output: own,
    };
    const behind =
      output.dtype === 'float32' &&
      chainOf(output.shape, [instruction(halve, output.shape, kernelResult)], [0, after]);
    const last: Step = { kernel, chain: behind || null };
    if (fused) await arena.run({ ...last, prologue: before });
    else {
      const { result: at, ...alone } = before;
      await arena.run(
        { kernel: null, chain: { ...alone, stores: [...alone.stores, { instruction: at!, to: inMemory }] } },
        last,
      );
    }
    return [await arena.read(own), await arena.read(stored), behind ? await arena.read(after) : []];
  } finally {
    arena.free();
  }
}

/** The reduction in double precision. */
function reference(
  kind: KernelOp,
  { dtype, made, chain }: Case,
  view: View,
  values: number[][],
): Float64Array {
  const [outer, reduce, inner] = view;
  const names = ['x', 'row', 'column'].map((name): Operand => ({ ...placeholder, name }) as Operand);
  const instructions = chain(names[0]!, names[1]!, names[2]!, view);
  const computed = Float64Array.from({ length: sizeOf(view) }, (_, i) => {
    const places = [i, i % inner, Math.floor(i / inner)];
    const results: number[] = [];
    instructions.forEach(({ inputs }, at) => {
      const args = inputs.map((from) => {
        if (from.kind === 'constant') return from.value;
        if (from.kind === 'instruction') return results[from.index]!;
        const which = from.kind === 'operand' ? names.indexOf(from.operand) : 0;
        return Math.fround(values[which]![places[which]!]!);
      });
      results.push(made[at]!.scalar(...args));
    });
    return results.at(-1)!;
  });
  const out = new Float64Array(outer * inner);
  const attributes = { start: 1, end: 2, keepDims: false };
  const inputs = [{ shape: [outer, reduce, inner], dtype: dtype === 'int32' ? dtype : ('float64' as const) }];
  kind.reference({ inputs, output: kind.infer(inputs, attributes), attributes, values: [computed], out });
  return out;
}
const placeholder = { memory: { bytes: 0 }, offset: 0, shape: [], dtype: 'float32' as const };

const bits = (values: ArrayLike<number>): number[] => [...new Uint32Array(Float32Array.from(values).buffer)];

for (const [j, c] of cases.entries()) {
  test(`${c.name}: with a chain before it, stores and a chain behind it`, async () => {
    let same = 0;
    const chosen = views.filter((view, i) => (i + j) % 2 === 0 || view[1] > 8000);
    for (const view of chosen) {
      const i = views.indexOf(view);
      // Of six kinds one each; a product of many is 0 or infinite.
      const turn = (i + 2 * j) % kinds.length;
      const [name, kind] = kinds[kinds[turn]![0] === 'prod' && view[1] > 40 ? 0 : turn]!;
      backend!.variants = i % 2 ? 'hardware' : 'software';
      const [outer, reduce, inner] = view;
      const values = [sizeOf(view), inner, outer * reduce].map((n) =>
        Array.from({ length: n }, () => 2 * random.uniform() - 1),
      );
      const [fused, apart] = [
        await run(kind, c, view, values, true),
        await run(kind, c, view, values, false),
      ];
      const what = `${name} of ${c.name} over (${view})`;
      assert.equal(bits(fused[1]!), bits(apart[1]!), `${what}: what is stored`);
      const exact = c.dtype === 'int32' || !['sum', 'prod'].includes(name);
      const equal = [0, 2].every((k) => `${bits(fused[k]!)}` === `${bits(apart[k]!)}`);
      if (exact) assert.ok(equal, `${what}: not the bits of one after the other`);
      if (equal) same++;
      const expected = reference(kind, c, view, values);
      // Sums are of squares and roots: nothing cancels.
      const near = (a: number, e: number): boolean =>
        Math.abs(a - e) <= 2 ** -24 * (reduce + 16) * (1 + Math.abs(e));
      for (const [k, factor] of [
        [0, 1],
        [2, 0.5],
      ] as const) {
        [...Array.from(fused[k]!).entries()].forEach(([at, a]) => {
          const e = factor * expected[at]!;
          if (name.startsWith('arg') ? a !== e : !near(a, e))
            assert.unreachable(`${what}: element ${at} is ${a}, not ${e}`);
        });
      }
    }
    console.log(
      `${same} of ${chosen.length} have the bits of the chain and the reduction one after the other`,
    );
  });
}

// whole steps --------------------------------------------------------------------------------------------------------

const data = (shape: Shape, dtype: DType = 'float32'): Tensor => {
  const values = new dtypes[dtype].array(
    Array.from({ length: sizeOf(shape) }, () => 2 * random.uniform() - 1),
  );
  return new Tensor({ kind: 'data', data: values }, shape, dtype);
};
const owned = (shape: Shape, name: string): Variable => {
  const initial = data(shape);
  return new Variable(shape, 'float32', () => initial, name);
};

/** Compares a step's outputs and variables with the reference; gives the number of dispatches and the arena's bytes. */
async function step(
  make: () => readonly Tensor[],
  variables: readonly Variable[] = [],
): Promise<{ dispatches: number; bytes: number }> {
  const engine = await Engine.create({ device: 'webgpu' });
  try {
    const gpu = engine.backends.get('webgpu') as WebgpuBackend;
    const compile = gpu.compile.bind(gpu);
    let dispatches = 0;
    gpu.compile = async (steps) => {
      const program = await compile(steps);
      dispatches += program.commands.length;
      return program;
    };
    const { result: outputs, assignments } = traced(make);
    const executable = await engine.prepare({ outputs, assignments });
    await engine.run(executable, [], []);
    const interpreter = new Interpreter();
    const wanted = interpreter.step({ outputs, assignments });
    const compare = (actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void => {
      Array.from(actual).forEach((a, at) => {
        const e = expected[at]!;
        if (!(Math.abs(a - e) <= 1e-5 * (1 + Math.abs(e))))
          assert.unreachable(`${what}: element ${at} is ${a}, not ${e}`);
      });
    };
    for (const [i, values] of wanted.entries()) compare(await executable.read(i), values, `output ${i}`);
    for (const v of variables) compare((await engine.evaluate([v]))[0]!, interpreter.variable(v), v.name);
    const bytes = executable.plan.arenaBytes.get('webgpu')!;
    executable.dispose();
    return { dispatches, bytes };
  } finally {
    for (const v of variables) v.dispose();
    engine.dispose();
  }
}

test('the mean of squared differences, and with its gradient, is one dispatch', async () => {
  const [prediction, target] = [owned([60, 30], 'prediction'), owned([60, 30], 'target')];
  const loss = () => ops.mean(ops.square(ops.sub(prediction, target)));
  const alone = await step(() => [loss()], [prediction, target]);
  assert.is(alone.dispatches, 1);
  assert.is(alone.bytes, 256, 'the loss is all that lies in the arena');
});

test('the gradient of a bias, and its update with it, is one dispatch, and stores the gradient that others need', async () => {
  const [bias, pre, dy] = [owned([13], 'bias'), owned([50, 13], 'pre'), owned([50, 13], 'dy')];
  const { dispatches } = await step(() => {
    const dz = ops.mul(dy, ops.sub(1, ops.square(ops.tanh(pre))));
    bias.assign(ops.sub(bias, ops.mul(ops.sum(dz, 0), 0.1)));
    return [dz];
  }, [bias, pre, dy]);
  assert.is(dispatches, 1);
});

test('a loss and its gradient down to the weights', async () => {
  const [w, b] = [owned([20, 13], 'w'), owned([13], 'b')];
  const [x, target] = [data([50, 20]), data([50, 13])];
  const { dispatches } = await step(() => {
    const y = ops.sigmoid(ops.add(ops.matmul(x, w), b));
    const loss = ops.mean(ops.square(ops.sub(y, target)));
    const [dw, db] = gradients(loss, [w, b]);
    w.assign(ops.sub(w, ops.mul(dw!, 0.1)));
    b.assign(ops.sub(b, ops.mul(db!, 0.1)));
    return [loss];
  }, [w, b]);
  // The product with the loss's squares and the gradient, three reductions and products with updates behind them.
  assert.ok(dispatches <= 5, `${dispatches} dispatches`);
});

test('gradients of broadcasts: two axes apart, all, several of one value', async () => {
  const x = owned([6, 10, 4], 'x');
  const { dispatches } = await step(() => {
    const y = ops.tanh(ops.mul(x, 3));
    return [ops.sum(y, [0, 2]), ops.max(y), ops.mean(ops.abs(y), 1, { keepDims: true })];
  }, [x]);
  assert.ok(dispatches <= 5, `${dispatches} dispatches`);
});

test('a chain that ends in halves writes them itself, and what others need as well', async () => {
  for (const [i, view] of (
    [
      [1, 37, 1],
      [5, 9, 7],
      [2, 6, 100],
    ] as const
  ).entries()) {
    const c = cases[i % 2]!;
    const [outer, reduce, inner] = view;
    const values = [sizeOf(view), inner, outer * reduce].map((n) =>
      Array.from({ length: n }, () => 300 * random.uniform() - 150),
    );
    const { definition } = ops.toHalf;
    const [fused, apart] = [
      await run(definition, c, view, values, true),
      await run(definition, c, view, values, false),
    ];
    assert.equal([...Array.from(fused[0]!)], [...Array.from(apart[0]!)], `${c.name} over (${view})`);
    assert.equal(bits(fused[1]!), bits(apart[1]!), 'what is stored');
  }
  const x = owned([33, 5], 'x');
  const { dispatches } = await step(
    () => [ops.fromHalf(ops.toHalf(ops.mul(ops.tanh(x), 0.25)), [33, 5])],
    [x],
  );
  assert.is(dispatches, 2);
});

backend = await unlessAbsent('webgpu reductions', () => createWebgpuBackend());
if (backend) {
  test.after(() => backend!.dispose());
  test.run();
}
