// The scheduler's passes with no backend: placement, fusion, order, memory.
import * as assert from 'uvu/assert';
import type { Backend, BackendName } from '../../src/backend/backend.js';
import { takesEpilogue } from '../../src/backend/wasm/epilogue.js';
import { sameShape } from '../../src/dtype.js';
import { DeviceError, OptionError } from '../../src/errors.js';
import { gradients } from '../../src/grad.js';
import { Tensor, traced, Variable } from '../../src/graph.js';
import { hostBytes } from '../../src/ops/define.js';
import * as ops from '../../src/ops/index.js';
import { RandomStream } from '../../src/philox.js';
import { cutWith } from '../../src/schedule/cut.js';
import { dot, explain } from '../../src/schedule/explain.js';
import { membersOf } from '../../src/schedule/fuse.js';
import { type NeededGraph, needed, type OpTensor, rootOf } from '../../src/schedule/graph.js';
import { Network } from '../../src/schedule/mincut.js';
import { overrideOf } from '../../src/schedule/overrides.js';
import { place, siteOf } from '../../src/schedule/place.js';
import { countOps, makePlan, type Plan, planParts } from '../../src/schedule/plan.js';
import { type GraphOptions, randomGraph } from '../helpers/graphs.js';
import { fakeBackend, replay } from '../helpers/plans.js';
import { suite } from '../helpers/suite.js';

const test = suite('schedule');
const cut = cutWith(planParts);

const input = (shape: readonly number[], index = 0): Tensor =>
  new Tensor({ kind: 'input', index }, shape, 'float32');
const owned = (shape: readonly number[], name: string): Variable =>
  new Variable(shape, 'float32', () => ops.zeros(shape), name);

// placement ----------------------------------------------------------------------------------------------------------

/** Seconds of a whole assignment of backends, by the cost model in the words of docs: written anew here. */
class CostModel {
  readonly #ops: { seconds: Record<'first' | 'host', number> }[];
  readonly #values: { maker: number | 'host'; users: (number | 'host')[]; seconds: number }[] = [];
  /** Ops and variables that may be on either side. */
  readonly nodes: number;

  constructor(graph: NeededGraph, first: Backend, host: Backend) {
    const node = new Map<Tensor, number>([...graph.ops, ...graph.variables].map((t, i) => [t, i]));
    this.nodes = node.size;
    const seconds = (t: OpTensor, b: Backend): number => {
      if (!b.supports(t.source.op, siteOf(t))) return Number.POSITIVE_INFINITY;
      const { flops, bytes } = t.source.op.cost(siteOf(t));
      return b.rates.overhead + flops / b.rates.flopsPerSecond + bytes / b.rates.bytesPerSecond;
    };
    this.#ops = graph.ops.map((t) => ({ seconds: { first: seconds(t, first), host: seconds(t, host) } }));
    for (const value of [...graph.ops, ...graph.variables, ...graph.feeds]) {
      if (value.source.kind === 'constant') continue;
      const users: (number | 'host')[] = graph.ops
        .filter((t) => t.source.inputs.some((i) => rootOf(i) === value))
        .map((t) => node.get(t)!);
      if (graph.outputs.some((t) => rootOf(t) === value)) users.push('host');
      for (const [variable, t] of graph.assignments) if (t === value) users.push(node.get(variable)!);
      const crossing = first.rates.transferOverhead + hostBytes(value) / first.rates.transferBytesPerSecond;
      this.#values.push({ maker: node.get(value) ?? 'host', users, seconds: crossing });
    }
  }

  /** `onFirst`: a bit for each node. */
  seconds(onFirst: number): number {
    const side = (n: number | 'host'): 'first' | 'host' =>
      n !== 'host' && (onFirst >> n) & 1 ? 'first' : 'host';
    let total = 0;
    for (const [i, { seconds }] of this.#ops.entries()) total += seconds[side(i)];
    for (const { maker, users, seconds } of this.#values) {
      if (users.some((u) => side(u) !== side(maker))) total += seconds;
    }
    return total;
  }
}

test('place: as good as the best of all assignments, on 1,000 random graphs', () => {
  const random = new RandomStream(5, 0);
  let [mixed, checked] = [0, 0];
  for (let seed = 1; checked < 1000; seed++) {
    const graph = needed(randomGraph(seed, { ops: 7, variables: seed % 3 }));
    if (graph.ops.length + graph.variables.length > 11 || graph.ops.length === 0) continue;
    checked++;
    const rate = (low: number): number => low * 10 ** (3 * random.uniform());
    const missing =
      random.uniform() < 0.3 ? graph.ops[random.integer(graph.ops.length)]!.source.op.name : null;
    const first = fakeBackend('webgpu', {
      rates: {
        overhead: rate(1e-8),
        flopsPerSecond: rate(1e8),
        bytesPerSecond: rate(1e8),
        transferOverhead: rate(1e-9),
        transferBytesPerSecond: rate(1e8),
      },
      supports: (op) => op.name !== missing,
    });
    const host = fakeBackend('wasm', {
      rates: { overhead: rate(1e-8), flopsPerSecond: rate(1e8), bytesPerSecond: rate(1e8) },
    });
    const model = new CostModel(graph, first, host);
    let best = Number.POSITIVE_INFINITY;
    for (let bits = 0; bits < 2 ** model.nodes; bits++) best = Math.min(best, model.seconds(bits));
    const placed = place(graph, [first, host], cut);
    const opBits = graph.ops.reduce((n, t, i) => n | (placed.get(t)!.backend === 'webgpu' ? 1 << i : 0), 0);
    // The variables live wherever that is best.
    let chosen = Number.POSITIVE_INFINITY;
    for (let homes = 0; homes < 2 ** graph.variables.length; homes++) {
      chosen = Math.min(chosen, model.seconds(opBits | (homes << graph.ops.length)));
    }
    assert.ok(chosen <= best * (1 + 1e-9), `seed ${seed}: ${chosen} s, the best is ${best} s`);
    if (new Set([...placed.values()].map((p) => p.backend)).size === 2) mixed++;
  }
  console.log(`place: ${mixed} of ${checked} graphs are shared by both backends`);
  assert.ok(mixed > 100, `${mixed}`);
});

test('cut: as good as the best of all cuts, on 1,000 random networks', () => {
  const random = new RandomStream(6, 0);
  for (let n = 0; n < 1000; n++) {
    const count = 2 + random.integer(9);
    const capacities = Array.from({ length: count }, () => new Float64Array(count));
    const network = new Network();
    const nodes = capacities.map(() => network.node());
    const edges = random.integer(4 * count);
    for (let e = 0; e < edges; e++) {
      const [from, to] = [random.integer(count), random.integer(count)];
      // Some cost nothing, some everything, the others what they cost; parallel edges add up.
      const kind = random.uniform();
      const capacity = kind < 0.1 ? 0 : kind < 0.2 ? Number.POSITIVE_INFINITY : random.uniform() ** 4;
      // An edge that may not be cut must leave a cut that may.
      if (capacity === Number.POSITIVE_INFINITY && (from === 0 || to === 1)) continue;
      network.edge(nodes[from]!, nodes[to]!, capacity);
      capacities[from]![to]! += capacity;
    }
    const costOf = (bits: number): number => {
      let total = 0;
      for (let a = 0; a < count; a++)
        for (let b = 0; b < count; b++)
          if ((bits >> a) & 1 && !((bits >> b) & 1)) total += capacities[a]![b]!;
      return total;
    };
    let best = Number.POSITIVE_INFINITY;
    for (let bits = 0; bits < 2 ** count; bits++)
      if (bits & 1 && !(bits & 2)) best = Math.min(best, costOf(bits));
    const side = network.sourceSide(nodes[0]!, nodes[1]!);
    const found = costOf(nodes.reduce((bits, node, i) => bits | (side.has(node) ? 1 << i : 0), 0));
    assert.ok(side.has(nodes[0]!) && !side.has(nodes[1]!));
    assert.ok(Math.abs(found - best) <= 1e-9 * (1 + best), `network ${n}: ${found}, the best is ${best}`);
  }
});

const gpu = fakeBackend('webgpu', {
  rates: { overhead: 1e-5, flopsPerSecond: 1e12, bytesPerSecond: 1e11, transferOverhead: 1e-4 },
});
const cpu = fakeBackend('wasm', { rates: { overhead: 1e-6, flopsPerSecond: 4e10, bytesPerSecond: 1e10 } });

test('place: small products stay on the host, large ones go to the GPU', () => {
  const where = (n: number): BackendName => {
    const y = ops.matmul(input([n, n]), input([n, n], 1));
    const plan = makePlan(
      { outputs: [y], assignments: new Map() },
      { backends: [gpu, cpu], share: cut, keepFeeds: true },
    );
    return plan.groups[0]!.backend;
  };
  assert.is(where(8), 'wasm');
  assert.is(where(64), 'wasm');
  assert.is(where(2048), 'webgpu');
  const crossings = [8, 32, 128, 512, 1024, 2048].map(where).filter((b, i, all) => i > 0 && b !== all[i - 1]);
  assert.equal(crossings, ['webgpu'], 'one crossover');
});

test('place: without sharing the first backend takes all that it can, and the plan says why', () => {
  const picky = fakeBackend('webgpu', { supports: (op) => op.name !== 'tanh' });
  const y = ops.exp(ops.tanh(ops.neg(input([4]))));
  const plan = makePlan(
    { outputs: [y], assignments: new Map() },
    { backends: [picky, cpu], share: false, keepFeeds: true },
  );
  assert.equal(
    explain(planParts, plan).map(({ ops, backend, why }) => [ops, backend, why]),
    [
      ['neg', 'webgpu', 'chosen by the device option'],
      ['tanh', 'wasm', 'the only backend with a kernel for it'],
      ['exp', 'webgpu', 'chosen by the device option'],
    ],
  );
  assert.equal(countOps(plan), { webgpu: 2, wasm: 1 });
  assert.equal(replay(plan, true), []);
});

test('place: ops that the user places himself', () => {
  const [a, b] = [
    ops.matmul(input([8, 8]), input([8, 8], 1)),
    ops.matmul(input([4, 8], 2), input([8, 4], 3)),
  ];
  const picky = fakeBackend('webgpu', { supports: (op) => op.name !== 'tanh' });
  const override = overrideOf(
    { 'matmul (8,8)': 'webgpu', exp: 'webgpu', tanh: 'webgpu', neg: 'wasm' },
    planParts,
    OptionError,
  );
  for (const share of [false, cut] as const) {
    const plan = makePlan(
      { outputs: [ops.neg(a), b, ops.exp(ops.tanh(input([3], 4)))], assignments: new Map() },
      { backends: [picky, cpu], share, keepFeeds: true, override },
    );
    const rows = explain(planParts, plan).map(
      ({ ops: o, shape, backend, why }) => `${o} ${shape} ${backend}: ${why}`,
    );
    const chosen = 'chosen by the placement option';
    for (const row of [
      `matmul (8,8) webgpu: ${chosen}`,
      `neg (8,8) wasm: ${chosen}`,
      `exp (3) webgpu: ${chosen}`,
      'tanh (3) wasm: the only backend with a kernel for it',
    ])
      assert.ok(rows.includes(row), `${row} is not in ${rows.join(', ')}`);
    assert.is(plan.placements.get(b)!.backend, share ? 'wasm' : 'webgpu');
    assert.equal(replay(plan, true), []);
  }
  assert.throws(
    () => overrideOf({ matmul: 'gpu' as 'webgpu' }, planParts, OptionError),
    (e: unknown) => e instanceof OptionError && /'gpu' is no backend for matmul/.test(e.message),
  );
});

test('place: an op that no backend has names itself', () => {
  const none = fakeBackend('wasm', { supports: () => false });
  const request = { outputs: [ops.tanh(input([2, 3]))], assignments: new Map() };
  assert.throws(
    () => makePlan(request, { backends: [none], share: false, keepFeeds: true }),
    (e: unknown) =>
      e instanceof DeviceError &&
      e.message === '[tanh] no backend has a kernel for float32(2,3) (backends in use: wasm)',
  );
});

// fusion, order, memory on random graphs -----------------------------------------------------------------------------

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

// order --------------------------------------------------------------------------------------------------------------

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

// memory -------------------------------------------------------------------------------------------------------------

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
