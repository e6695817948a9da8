// The scheduler's fusion, with no backend; and all passes together on random graphs.
import * as assert from 'uvu/assert';
import type { Backend } from '../../src/backend/backend.js';
import { takesEpilogue } from '../../src/backend/wasm/epilogue.js';
import { sameShape } from '../../src/dtype.js';
import { type Tensor, Variable } from '../../src/graph.js';
import * as ops from '../../src/ops/index.js';
import { cutWith } from '../../src/schedule/cut.js';
import { dot, explain } from '../../src/schedule/explain.js';
import { membersOf } from '../../src/schedule/fuse.js';
import { type OpTensor, rootOf } from '../../src/schedule/graph.js';
import { countOps, makePlan, type Plan, planParts } from '../../src/schedule/plan.js';
import { type GraphOptions, input, randomGraph } from '../helpers/graphs.js';
import { fakeBackend, replay } from '../helpers/plans.js';
import { suite } from '../helpers/suite.js';

const test = suite('fuse');
const cut = cutWith(planParts);
const owned = (shape: readonly number[], name: string): Variable =>
  new Variable(shape, 'float32', () => ops.zeros(shape), name);
const cpu = fakeBackend('wasm', { rates: { overhead: 1e-6, flopsPerSecond: 4e10, bytesPerSecond: 1e10 } });

/** Whether the groups can run one after the other in some order, and in the plan's. */
function checkGroups(plan: Plan, backends: readonly Backend[], seed: number): void {
  const at = new Map<Tensor, number>(
    plan.groups.flatMap((g, i) => membersOf(g).map((t): [Tensor, number] => [t, i])),
  );
  for (const t of plan.graph.ops) assert.ok(at.has(t), `seed ${seed}: ${t} is computed`);
  for (const [i, group] of plan.groups.entries()) {
    const { kernel, chain, prologue } = group;
    const members = membersOf(group);
    const backend = backends.find((b) => b.name === group.backend)!;
    for (const t of members) {
      for (const root of t.source.inputs.map(rootOf)) {
        const made = at.get(root);
        if (made !== undefined) assert.ok(made <= i, `seed ${seed}: ${t} is computed before ${root}`);
      }
    }
    assert.is(
      new Set(chain.map((t) => `${t.shape}`)).size,
      chain.length > 0 ? 1 : 0,
      'chains share one shape',
    );
    assert.ok(chain.every((t) => t.source.op.kind === 'elementwise'));
    if (kernel && chain.length > 0) {
      assert.ok(sameShape(kernel.shape, chain[0]!.shape));
      if (backend.fusesEpilogue)
        assert.ok(kernel.source.op.kind === 'kernel' && kernel.source.op.webgpu.epilogue);
      else assert.ok(backend.takesEpilogue?.(kernel, chain));
    }
    if (prologue) {
      assert.ok(
        backend.fusesEpilogue && kernel?.source.op.kind === 'kernel' && kernel.source.op.webgpu.prologue,
      );
      assert.ok(prologue.every((t) => sameShape(t.shape, prologue[0]!.shape)));
      assert.ok(prologue.includes(rootOf(kernel.source.inputs[0]!) as OpTensor));
      const outside = chain.flatMap((t) => t.source.inputs.map(rootOf));
      assert.not.ok(
        prologue.some((t) => outside.includes(t)),
        `seed ${seed}: what is gone is read`,
      );
    }
    if (members.length > 1) {
      const inside = new Set<Tensor>(members);
      const read = members.flatMap((t) => t.source.inputs.map(rootOf));
      const bound = new Set(read.filter((t) => t.source.kind !== 'constant' && !inside.has(t)));
      const stored = members.filter((t) => plan.inPlace.has(t) || plan.slots.get(group.backend)!.has(t));
      const count = bound.size + stored.length;
      assert.ok(count <= backend.maxOperands, `seed ${seed}: ${count} operands in a step`);
    }
  }
}

const kinds: readonly GraphOptions[] = [
  { ops: 25, variables: 0 },
  { ops: 25, variables: 4 },
  { ops: 12, variables: 2, training: true },
];

test('fuse, order and memory: 600 random graphs, every byte followed', () => {
  let [fused, prologues] = [0, 0];
  for (let seed = 1; seed <= 600; seed++) {
    const maxOperands = 3 + (seed % 6);
    const backends =
      seed % 2 === 0
        ? [fakeBackend('wasm', { maxOperands, takesEpilogue })]
        : [
            fakeBackend('webgpu', {
              maxOperands,
              fusesEpilogue: true,
              alignment: 256,
              supports: (op) => (op.name.length + seed) % 3 > 0,
            }),
            fakeBackend('wasm', { maxOperands, takesEpilogue }),
          ];
    const keepFeeds = seed % 4 < 2;
    const share = seed % 3 === 0 && cut;
    const plan = makePlan(randomGraph(seed, kinds[seed % kinds.length]!), { backends, share, keepFeeds });
    checkGroups(plan, backends, seed);
    assert.equal(replay(plan, keepFeeds), [], `seed ${seed}`);
    for (const [name, bytes] of plan.arenaBytes)
      assert.ok(bytes >= plan.liveBytes.get(name)!, `seed ${seed}`);
    fused += plan.groups.filter((g) => membersOf(g).length > 1).length;
    prologues += plan.groups.filter((g) => g.prologue).length;
  }
  assert.ok(fused > 600, `only ${fused} fused steps`);
  assert.ok(prologues > 20, `only ${prologues} kernels with a chain before them`);
});

test('dot: a box for each step, an arrow for each value that is read, a dashed one for a new value', () => {
  const total = new Variable([4], 'float32', null, 'a "total"');
  const y = ops.add(total, ops.sum(input([3, 4]), 0));
  const plan = makePlan(
    { outputs: [], assignments: new Map([[total, y]]) },
    { backends: [cpu], share: false, keepFeeds: true },
  );
  const text = dot(planParts, plan);
  assert.match(text, /^digraph plan \{\n[\s\S]*\n\}\n$/);
  assert.match(text, /s0 \[shape=box, .*label="0 sum \(4\)"\];/);
  assert.match(text, /s0 -> s1 \[label="\(4\)"\];/);
  const [, name] = /(v\d+) \[shape=ellipse, .*label="a \\"total\\" \(4\)"\];/.exec(text)!;
  assert.ok(text.includes(`s1 -> ${name} [style=dashed];`));
});

test('fuse: two chains that need a value of each other do not become two groups that wait for each other', () => {
  const [x, z] = [input([4, 5]), input([5], 1)];
  const doubled = ops.mul(x, 2);
  const next = ops.add(z, 1);
  const wide = ops.add(doubled, ops.mul(x, next));
  const narrow = ops.add(ops.mul(ops.sum(doubled, 0), 3), next);
  const options = { backends: [fakeBackend('wasm')], share: false, keepFeeds: true } as const;
  const plan = makePlan({ outputs: [wide, narrow], assignments: new Map() }, options);
  assert.is(countOps(plan).wasm, 7);
  assert.equal(replay(plan, true), []);
});

const opsOf = (outputs: readonly Tensor[], options = {}, assignments = new Map<Variable, Tensor>()) => {
  const backends = [fakeBackend('webgpu', { fusesEpilogue: true, maxOperands: 8, ...options })];
  const plan = makePlan({ outputs, assignments }, { backends, share: false, keepFeeds: true });
  assert.equal(replay(plan, true), []);
  return { plan, ops: explain(planParts, plan).map((row) => row.ops) };
};

test('fuse: a reduction computes what it reads where the backend can, and stores it if others need it', () => {
  const [x, y] = [owned([64, 100], 'x'), owned([64, 100], 'y')];
  const difference = ops.sub(x, y);
  const loss = ops.mean(ops.square(difference));
  const alone = opsOf([loss]);
  assert.equal(alone.ops, ['sub square sum div']);
  const apart = opsOf([loss], { fusesEpilogue: false });
  assert.equal(apart.ops, ['sub square', 'sum', 'div']);
  // Nothing but the loss.
  const bytes = (plan: Plan): number => plan.arenaBytes.get('webgpu')!;
  assert.is(bytes(alone.plan), 16);
  assert.is(bytes(apart.plan), 64 * 100 * 4 + 16);

  const gradient = ops.mul(difference, 2 / 6400);
  const both = opsOf([loss, gradient]);
  assert.equal(both.ops, ['sub square mul sum div']);
  assert.is(opsOf([loss, gradient], { maxOperands: 3 }).ops.length, 3, 'too many operands');
  assert.equal(opsOf([ops.sum(difference, 0), ops.sum(difference, 1)]).ops, ['sub sum', 'sum']);

  const rows = ops.reshape(difference, [6400, 1]);
  assert.equal(opsOf([ops.max(rows, 0)]).ops, ['sub max'], 'through a view');
  assert.equal(opsOf([ops.sum(rows, 1)]).ops, ['sub', 'sum'], 'where nothing becomes less');
});

test('fuse: halves are written by the chain that makes them', () => {
  const [x, y] = [input([7, 9]), input([7, 9], 1)];
  const product = ops.mul(x, y);
  assert.equal(opsOf([ops.toHalf(product)]).ops, ['mul toHalf']);
  assert.equal(opsOf([ops.toHalf(product), ops.tanh(product)]).ops, ['mul tanh toHalf']);
});

test('fuse: no way leads out of a reduction and back in, and none is kept waiting by its own chain', () => {
  const x = input([8, 16]);
  const centred = ops.sub(x, input([16], 1));
  // The sum's own chain needs a product of what the chain before it makes.
  const product = ops.sum(ops.matmul(centred, centred, { transA: true }), 0);
  assert.equal(opsOf([ops.add(ops.sum(centred, 0), product)]).ops, ['sub', 'matmul', 'sum', 'sum add']);
  const first = ops.sum(ops.relu(x), 0);
  const later = ops.sum(ops.matmul(input([8, 8], 2), x), 0);
  assert.equal(opsOf([ops.add(first, later)]).ops, ['relu', 'matmul', 'sum', 'sum add']);
});

test('fuse: a variable that is read before a reduction and written behind it gets a copy', () => {
  const total = owned([16], 'total');
  const next = ops.add(ops.sum(ops.mul(input([8, 16]), total), 0), total);
  const { ops: names } = opsOf([], {}, new Map([[total, next]]));
  assert.equal(names, ['mul sum add', 'broadcastTo']);
  // What the chain before it stores goes element by element, and needs none.
  const weights = owned([8, 16], 'weights');
  const updated = ops.sub(weights, ops.mul(input([8, 16]), 0.1));
  const step = opsOf([ops.sum(ops.square(updated))], {}, new Map([[weights, updated]]));
  assert.equal(step.ops, ['mul sub square sum']);
});

test('fuse: a matmul takes its bias and activation along where the backend can', () => {
  const y = ops.relu(ops.add(ops.matmul(input([8, 4]), input([4, 16], 1)), input([16], 2)));
  const planOn = (fusesEpilogue: boolean): Plan =>
    makePlan(
      { outputs: [y], assignments: new Map() },
      { backends: [fakeBackend('webgpu', { fusesEpilogue })], share: false, keepFeeds: true },
    );
  assert.equal(
    explain(planParts, planOn(true)).map((row) => row.ops),
    ['matmul add relu'],
  );
  assert.equal(
    explain(planParts, planOn(false)).map((row) => row.ops),
    ['matmul', 'add relu'],
  );
});

test('fuse: two chains that would wait for one another stay apart', () => {
  // Numbers and vectors of one element are different index spaces. Each chain alone could run as one step.
  const x = input([]);
  const y = input([1], 1);
  const minus = ops.neg(x);
  const grown = ops.exp(y);
  const first = ops.add(minus, ops.exp(ops.reshape(grown, [])));
  const second = ops.add(ops.neg(ops.reshape(minus, [1])), grown);
  const plan = makePlan(
    { outputs: [first, second], assignments: new Map() },
    { backends: [cpu], share: false, keepFeeds: true },
  );
  assert.equal(replay(plan, true), []);
  assert.is(plan.groups.length, 3);
});

test('fuse: two chains that would each have to wait for the other stay apart', () => {
  // first: a4 and c4 with their sum, second: b5 and d5 with theirs; a goes into b, and d into c.
  const a = ops.neg(input([4]));
  const b = ops.exp(ops.pad(a, [[0, 1]]));
  const d = ops.neg(input([5], 1));
  const c = ops.exp(ops.slice(d, [0], [4]));
  const outputs = [ops.add(a, c), ops.add(b, d)];
  const plan = makePlan(
    { outputs, assignments: new Map() },
    { backends: [cpu], share: false, keepFeeds: true },
  );
  assert.equal(replay(plan, true), []);
  assert.ok(plan.groups.some((g) => membersOf(g).length === 3));
});

test.run();
