// The scheduler's order and memory, with no backend.
import * as assert from 'uvu/assert';
import { gradients } from '../../src/grad.js';
import { type Tensor, traced, Variable } from '../../src/graph.js';
import * as ops from '../../src/ops/index.js';
import { keyOf } from '../../src/ops/shader-calls.js';
import { explain } from '../../src/schedule/explain.js';
import { membersOf } from '../../src/schedule/fuse.js';
import { rootOf } from '../../src/schedule/graph.js';
import { siteOf } from '../../src/schedule/place.js';
import { makePlan, type Plan, planParts } from '../../src/schedule/plan.js';
import { input } from '../helpers/graphs.js';
import { fakeBackend, replay } from '../helpers/plans.js';
import { suite } from '../helpers/suite.js';

const test = suite('order and memory');
const owned = (shape: readonly number[], name: string): Variable =>
  new Variable(shape, 'float32', () => ops.zeros(shape), name);
const cpu = fakeBackend('wasm', { rates: { overhead: 1e-6, flopsPerSecond: 4e10, bytesPerSecond: 1e10 } });

const steps = (f: () => readonly Tensor[]): Plan => {
  const { result: outputs, assignments } = traced(f);
  const plan = makePlan({ outputs, assignments }, { backends: [cpu], share: false, keepFeeds: true });
  assert.equal(replay(plan, true), []);
  return plan;
};

test('order: all who read the old value come before the new one is written in its place', () => {
  const v = owned([3, 3], 'v');
  const plan = steps(() => {
    const early = ops.matmul(v, v);
    v.assign(ops.add(v, 1));
    const late = ops.matmul(v, early);
    return [early, late, ops.sum(early)];
  });
  assert.is(plan.inPlace.size, 1);
  const position = (name: string): number =>
    plan.groups.findIndex((g) => membersOf(g).some((t) => t.source.op.name === name));
  assert.ok(position('matmul') < position('add'));
});

test('order: an update reads and writes one memory without a copy, a product by itself needs one', () => {
  const v = owned([3, 3], 'v');
  const elementwise = steps(() => {
    v.assign(ops.sub(v, ops.mul(v, 0.1)));
    return [];
  });
  assert.is(elementwise.groups.length, 1);
  assert.is(elementwise.arenaBytes.get('wasm'), 0);
  const product = steps(() => {
    v.assign(ops.matmul(v, v));
    return [];
  });
  assert.equal(
    explain(planParts, product).map((row) => [row.ops, row.why]),
    [
      ['matmul', 'the only backend in use'],
      ['broadcastTo', 'copies a new value into its variable'],
    ],
  );
  // Kernels on trial concern products alone.
  const verdicts = { 'tiles A': '', 'tiles B': 'element 3 is NaN, not 1' };
  assert.equal(
    explain(planParts, product, [], new Map([['wasm', { verdicts }]])).map((row) => row.why),
    [
      'the only backend in use; kernels on trial: tiles A right, tiles B refused (element 3 is NaN, not 1)',
      'copies a new value into its variable',
    ],
  );
  // And those that were measured this shape.
  const { op } = product.graph.ops[0]!.source;
  const [call] = op.kind === 'kernel' ? op.webgpu.calls(siteOf(product.graph.ops[0]!))! : [];
  const tuned = { [keyOf(call!)]: { variant: 'tiles B', seconds: { 'tiles A': 3e-5, 'tiles B': 2.5e-5 } } };
  assert.equal(
    explain(planParts, product, [], new Map([['wasm', { tuned }]])).map((row) => row.why),
    [
      'the only backend in use; kernels measured: tiles B 25 us, tiles A 30 us',
      'copies a new value into its variable',
    ],
  );
});

test('order: two variables that swap', () => {
  const [a, b] = [owned([4], 'a'), owned([4], 'b')];
  const plan = steps(() => {
    const old = ops.neg(a);
    a.assign(ops.neg(b));
    b.assign(old);
    return [];
  });
  assert.equal(new Set(plan.inPlace.values()), new Set([a, b]));
});

test('order: a ring of three variables, and one value for two of them', () => {
  const [a, b, c] = [owned([4], 'a'), owned([4], 'b'), owned([4], 'c')];
  const ring = steps(() => {
    const [x, y, z] = [ops.matmul(ops.reshape(a, [2, 2]), ops.reshape(b, [2, 2])), ops.neg(b), ops.neg(c)];
    a.assign(y);
    b.assign(z);
    c.assign(ops.reshape(x, [4]));
    return [ops.sum(x)];
  });
  assert.is(ring.inPlace.size, 3);
  const shared = steps(() => {
    const x = ops.add(a, b);
    a.assign(x);
    b.assign(x);
    return [x];
  });
  assert.equal(new Set(shared.inPlace.values()), new Set([a, b]));
});

test('needed: a view of an old value that is returned becomes a copy', () => {
  const v = owned([2, 2], 'v');
  const plan = steps(() => {
    const old = ops.reshape(v, [4]);
    v.assign(ops.neg(v));
    return [old, ops.reshape(v, [4])];
  });
  const [old, fresh] = plan.graph.outputs;
  assert.ok(plan.slots.get('wasm')!.has(old!), 'the old value has a place of its own');
  assert.is(plan.inPlace.get(rootOf(fresh!)), v);
});

/** A step of SGD with momentum of a classifier, as users write it. */
function mlpStep(batch: number, sizes: readonly number[]): Plan {
  const [x, target] = [input([batch, sizes[0]!]), input([batch, sizes.at(-1)!], 1)];
  const parameters = sizes.slice(1).flatMap((n, i) => [owned([sizes[i]!, n], `w${i}`), owned([n], `b${i}`)]);
  const momenta = parameters.map((p) => owned(p.shape, `m ${p.name}`));
  return steps(() => {
    let h = x;
    for (let i = 0; i < parameters.length; i += 2) {
      h = ops.add(ops.matmul(h, parameters[i]!), parameters[i + 1]!);
      if (i + 2 < parameters.length) h = ops.relu(h);
    }
    const loss = ops.neg(ops.mean(ops.sum(ops.mul(ops.logSoftmax(h), target), 1)));
    for (const [i, g] of gradients(loss, parameters).entries()) {
      const m = ops.add(ops.mul(momenta[i]!, 0.9), g);
      momenta[i]!.assign(m);
      parameters[i]!.assign(ops.sub(parameters[i]!, ops.mul(m, 0.1)));
    }
    return [loss];
  });
}

test('memory: the arena of a training step is hardly larger than what lives at once', () => {
  for (const [batch, sizes] of [
    [10, [784, 100, 10]],
    [128, [784, 800, 800, 10]],
    [32, [64, 64, 64, 64, 64, 10]],
  ] as const) {
    const plan = mlpStep(batch, sizes);
    const [arena, live] = [plan.arenaBytes.get('wasm')!, plan.liveBytes.get('wasm')!];
    console.log(
      `memory: ${sizes.join('-')}, batch ${batch}: arena ${arena} bytes, live at once ${live} bytes`,
    );
    assert.ok(arena >= live && arena <= 1.1 * live, `${arena} bytes for ${live}`);
    assert.is(plan.inPlace.size, 4 * (sizes.length - 1), 'all parameters and momenta are updated in place');
  }
});

test.run();
