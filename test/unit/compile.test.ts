// Compiled functions: traced once for each combination of shapes, assignments, results, memory.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import {
  compile,
  configure,
  engine,
  gradients,
  memoryStats,
  randomUniform,
  StateError,
  type Tensor,
  tensor,
  type Variable,
  variable,
  zeros,
} from '../../src/index.js';
import { environment } from '../helpers/environment.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('compile');
const [device] = environment.devices;

test.before(async () => {
  await configure({ device: device! });
});

const numbers = async (t: Tensor): Promise<number[]> => Array.from(await t.data());
const dispose = (...results: readonly Tensor[]): void => {
  for (const t of results) (t as Variable).dispose();
};
const pieces = async (): Promise<number> =>
  Object.values(await memoryStats()).reduce((n, s) => n + s.pieces, 0);
/** Every number that must not grow in a loop. */
const memory = async (): Promise<string> => JSON.stringify(await memoryStats());

test('results have the form of what the function returns', async () => {
  const x = tensor([1, 2, 3]);
  const one = compile((t: Tensor) => t.mul(2));
  const list = compile((t: Tensor) => [t.add(1), t.sum()] as const);
  const named = compile((t: Tensor) => ({ twice: t.mul(2), total: t.sum() }));
  const nothing = compile((_: Tensor) => undefined);
  const a = await one(x);
  assert.equal(await numbers(a), [2, 4, 6]);
  const [b, c] = await list(x);
  assert.equal([await numbers(b), await c.item()], [[2, 3, 4], 6]);
  const { twice, total } = await named(x);
  assert.equal([await numbers(twice), total.shape, await total.item()], [[2, 4, 6], [], 6]);
  assert.is(await nothing(x), undefined);
  dispose(a, b, c, twice, total);
  for (const f of [one, list, named, nothing]) f.dispose();
});

test('traced once for each combination of shapes and dtypes', async () => {
  const traces: string[] = [];
  const f = compile((a: Tensor, b: Tensor) => {
    traces.push(`${a.shape} ${b.dtype}`);
    return a.sum().add(b.cast('float32').sum());
  });
  const call = async (a: Tensor, b: Tensor): Promise<number> => {
    const y = await f(a, b);
    const value = await y.item();
    dispose(y);
    return value;
  };
  const whole = (n: number): Tensor => tensor([n], { dtype: 'int32' });
  assert.is(await call(tensor([1, 2]), tensor([3])), 6);
  assert.is(await call(tensor([5, 6]), tensor([7])), 18);
  assert.is(await call(tensor([1, 2, 3]), tensor([4])), 10);
  assert.is(await call(tensor([1, 2]), whole(9)), 12);
  assert.is(await call(tensor([0, 1]), whole(1)), 2);
  assert.equal(traces, ['2 float32', '3 float32', '2 int32']);
  // Calls at the same time with new shapes trace once, too.
  const together = await Promise.all(Array.from({ length: 6 }, (_, i) => call(zeros([4]), tensor([i]))));
  assert.equal(together, [0, 1, 2, 3, 4, 5]);
  assert.is(traces.length, 4);
  f.dispose();
});

test('arguments may be data, variables, results, and what is not computed yet', async () => {
  const f = compile((t: Tensor) => t.mul(10));
  const v = variable(tensor([1, 2]));
  const first = await f(v);
  const second = await f(first);
  const third = await f(tensor([1, 2]).add(1));
  const fourth = await f(zeros([2]));
  assert.equal(await numbers(first), [10, 20]);
  assert.equal(await numbers(second), [100, 200]);
  assert.equal(await numbers(third), [20, 30]);
  assert.equal(await numbers(fourth), [0, 0]);
  dispose(first, second, third, fourth, v);
  f.dispose();
});

test('an argument that is returned, not used, or used as a view', async () => {
  const f = compile((a: Tensor, _unused: Tensor) => [a, a.reshape([2, 1]), a.reshape([2, 1]).sum(1)]);
  const results = await f(tensor([1, 2]), tensor([9]));
  assert.equal(await Promise.all(results.map(numbers)), [
    [1, 2],
    [1, 2],
    [1, 2],
  ]);
  assert.equal(
    results.map((t) => t.shape),
    [[2], [2, 1], [2]],
  );
  dispose(...results);
  f.dispose();
});

test('assignments: reads after them see the new value, and they last', async () => {
  const v = variable(tensor([1]), { name: 'v' });
  const seen: Tensor[] = [];
  const step = compile((x: Tensor) => {
    const before = v.mul(1);
    v.assign(v.add(x));
    const between = v.mul(10);
    v.assign(v.mul(2));
    const kept = [before, between, v.mul(1)];
    seen.push(...kept);
    return kept;
  });
  const first = await step(tensor([2]));
  assert.equal(await Promise.all(first.map(numbers)), [[1], [30], [6]]);
  const second = await step(tensor([4]));
  assert.equal(await Promise.all(second.map(numbers)), [[6], [100], [20]]);
  assert.is(seen.length, 3, 'traced once');
  assert.is(await v.item(), 20);
  assert.equal(await Promise.all(first.map(numbers)), [[1], [30], [6]], 'earlier results stay');
  dispose(...first, ...second, v);
  step.dispose();
});

test('swaps, chains of assignments, and a variable that is returned', async () => {
  const [a, b, c] = [tensor([1, 1]), tensor([2, 2]), tensor([3, 3])].map((t) => variable(t)) as [
    Variable,
    Variable,
    Variable,
  ];
  const values = async (): Promise<number[]> => Promise.all([a, b, c].map(async (v) => (await v.data())[0]!));
  const swap = compile(() => {
    const old = a.mul(1);
    a.assign(b);
    b.assign(old);
  });
  await swap();
  assert.equal(await values(), [2, 1, 3]);
  await swap();
  assert.equal(await values(), [1, 2, 3]);
  const turn = compile(() => {
    const old = a.mul(1);
    a.assign(b);
    b.assign(c);
    c.assign(old);
    return c;
  });
  const returned = await turn();
  assert.equal(await values(), [2, 3, 1]);
  await turn().then(dispose);
  assert.equal(await values(), [3, 1, 2]);
  assert.equal(await numbers(returned), [1, 1], 'a result is a copy, not the variable');
  const chain = compile(() => {
    a.assign(b);
    b.assign(a);
  });
  await chain();
  assert.equal(await values(), [1, 1, 2]);
  dispose(returned, a, b, c);
  for (const f of [swap, turn, chain]) f.dispose();
});

test('a view of an old value that is returned shows the old value', async () => {
  const v = variable(tensor([1, 2]));
  const f = compile(() => {
    const old = v.reshape([2, 1]);
    v.assign(v.add(1));
    return [old, v.reshape([1, 2])];
  });
  const results = await f();
  assert.equal(await Promise.all(results.map(numbers)), [
    [1, 2],
    [2, 3],
  ]);
  dispose(...results, v);
  f.dispose();
});

test('a variable that is updated by a product of itself', async () => {
  const m = variable(
    tensor([
      [1, 1],
      [1, 0],
    ]),
  );
  const square = compile(() => {
    m.assign(m.matmul(m));
  });
  for (let i = 0; i < 3; i++) await square();
  assert.equal(await numbers(m), [34, 21, 21, 13]);
  m.dispose();
  square.dispose();
});

test('training: a line through points', async () => {
  const x = tensor([[0], [1], [2], [3]]);
  const y = tensor([[1], [3], [5], [7]]);
  const [w, b] = [variable(tensor([[0]])), variable(tensor([0]))];
  const step = compile((inputs: Tensor, targets: Tensor) => {
    const loss = inputs.matmul(w).add(b).sub(targets).square().mean();
    const [dw, db] = gradients(loss, [w, b]) as [Tensor, Tensor];
    w.assign(w.sub(dw.mul(0.1)));
    b.assign(b.sub(db.mul(0.1)));
    return loss;
  });
  const losses: number[] = [];
  for (let i = 0; i < 150; i++) {
    const loss = await step(x, y);
    losses.push(await loss.item());
    dispose(loss);
  }
  assert.ok(losses[0]! > 10 && losses.at(-1)! < 1e-3, `${losses[0]} to ${losses.at(-1)}`);
  assert.ok(Math.abs((await w.item()) - 2) < 0.05);
  assert.ok(Math.abs((await b.item()) - 1) < 0.05);
  dispose(w, b);
  step.dispose();
});

test('100 calls take no memory after the first ones, and nothing is left', async () => {
  (await engine()).clearPlans();
  const before = await pieces();
  const v = variable(zeros([64, 64]));
  const step = compile((x: Tensor) => {
    v.assign(v.mul(0.5).add(x.matmul(x)));
    return [v.sum(), x.relu()];
  });
  const x = tensor(
    Float32Array.from({ length: 64 * 64 }, (_, i) => (i % 7) - 3),
    { shape: [64, 64] },
  );
  const call = async (): Promise<void> => dispose(...(await step(x)));
  await call();
  await call();
  const after = await memory();
  for (let i = 0; i < 100; i++) await call();
  assert.is(await memory(), after);
  v.dispose();
  step.dispose();
  await Promise.resolve(); // plans are freed when they are ready
  assert.is(await pieces(), before);
});

test('single evaluations of one structure take no memory after the first', async () => {
  (await engine()).clearPlans();
  const evaluate = (i: number): Promise<number> => tensor([i, 1]).mul(3).add(1).sum().item();
  await evaluate(0);
  const after = await memory();
  for (let i = 1; i < 50; i++) assert.is(await evaluate(i), 3 * i + 5);
  assert.is(await memory(), after);
});

test('disposed results, arguments and functions', async () => {
  const f = compile((t: Tensor) => t.add(1));
  const result = await f(tensor([1]));
  dispose(result);
  await rejectsWith(() => result.data(), StateError, '[result] result (1) was disposed (make a new one)');
  await rejectsWith(() => f(result), StateError, /was disposed/);
  const v = variable(tensor([1]), { name: 'weight' });
  const g = compile(() => v.mul(2));
  dispose(await g());
  v.dispose();
  await rejectsWith(() => g(), StateError, /\[weight\]/);
  f.dispose();
  // A function that was disposed is traced anew when it is called again.
  const again = await f(tensor([4]));
  assert.is(await again.item(), 5);
  dispose(again);
  f.dispose();
  g.dispose();
});

test('errors of tracing', async () => {
  const asynchronous = compile((async (t: Tensor) => t) as unknown as (t: Tensor) => Tensor);
  await rejectsWith(
    () => asynchronous(tensor([1])),
    StateError,
    '[compile] the function is asynchronous (a traced function records ops and returns tensors; read values outside of it)',
  );
  let inside: Promise<unknown> = Promise.resolve();
  const reading = compile((t: Tensor) => {
    inside = t.add(1).data();
    inside.catch(() => undefined);
    return t;
  });
  dispose(await reading(tensor([1])));
  await rejectsWith(
    () => inside,
    StateError,
    '[data] Tensor(1) float32 from input has no values: it is an argument of a function that is being compiled (return it from the function, and read it outside)',
  );
  // An error leaves no trace behind, and the next call tries again.
  const v = variable(tensor([1]));
  let wrong = true;
  const sometimes = compile((t: Tensor) => {
    v.assign(v.add(1));
    if (wrong) t.matmul(zeros([5, 5]));
    return t.add(v);
  });
  const failed = await sometimes(zeros([2, 3])).catch((e: Error) => e.message);
  assert.match(String(failed), /^\[matmul\] inner dimensions differ/);
  assert.is(await v.item(), 1);
  wrong = false;
  const fine = await sometimes(zeros([2, 3]));
  assert.equal(await numbers(fine), [2, 2, 2, 2, 2, 2]);
  dispose(fine, v);
  for (const f of [asynchronous, reading, sometimes]) f.dispose();
});

test('calls at the same time run one after the other', async () => {
  const v = variable(tensor([0]));
  const step = compile((x: Tensor) => {
    v.assign(v.add(x));
    return v.mul(1);
  });
  const results = await Promise.all(Array.from({ length: 10 }, (_, i) => step(tensor([i]))));
  assert.is(await v.item(), 45);
  const seen = (await Promise.all(results.map((t) => t.item()))).sort((a, b) => a - b);
  assert.equal(seen, [0, 1, 3, 6, 10, 15, 21, 28, 36, 45]);
  dispose(...results, v);
  step.dispose();
});

test('random numbers follow their step', async () => {
  const count = variable(tensor([0], { dtype: 'int32', shape: [] }));
  const draw = compile(() => {
    const u = randomUniform([5], { seed: 1, step: count });
    count.assign(count.add(1));
    return u;
  });
  const [first, second] = [await draw(), await draw()];
  assert.not.equal(await numbers(first), await numbers(second));
  const direct = randomUniform([5], { seed: 1, step: tensor([1], { dtype: 'int32', shape: [] }) });
  assert.equal(await numbers(second), await numbers(direct));
  dispose(first, second, count);
  draw.dispose();
});

test('explain says for each step what, where and why', async () => {
  const f = compile((a: Tensor, b: Tensor) => a.matmul(b).add(1).relu().sum());
  const rows = await f.explain(zeros([4, 3]), zeros([3, 2]));
  assert.equal(
    rows.flatMap((r) => r.ops.split(' ')),
    ['matmul', 'add', 'relu', 'sum'],
  );
  assert.ok(rows.every((r) => r.backend === device && r.why.length > 0 && r.estimatedMicroseconds > 0));
  assert.ok(rows.every((r) => r.measuredMicroseconds === null));
  assert.match(await f.dot(zeros([4, 3]), zeros([3, 2])), /^digraph/);
  f.dispose();
});

test('profile measures the steps by running them, with what they do', async () => {
  const count = variable(tensor(0));
  const f = compile((a: Tensor) => {
    count.assign(count.add(1));
    return a.matmul(a).sum();
  });
  const a = tensor([
    [1, 2],
    [3, 4],
  ]);
  const rows = await f.profile(a);
  assert.ok(rows.every((r) => r.measuredMicroseconds !== null));
  assert.is(rows.find((r) => r.ops === 'matmul')?.flops ?? 16, 16);
  assert.ok((await count.item()) > 1);
  const result = await f(a);
  assert.is(await result.item(), 54);
  dispose(result);
  f.dispose();
  count.dispose();
});

test('nothing is left in memory', async () => {
  const current = await engine();
  current.clearPlans();
  assert.is(await pieces(), 0);
  current.dispose();
});

test.run();
