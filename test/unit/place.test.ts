// The scheduler's placement, with no backend.
import * as assert from 'uvu/assert';
import type { Backend, BackendName } from '../../src/backend/backend.js';
import { DeviceError, OptionError } from '../../src/errors.js';
import type { Tensor } from '../../src/graph.js';
import { hostBytes } from '../../src/ops/define.js';
import * as ops from '../../src/ops/index.js';
import { RandomStream } from '../../src/philox.js';
import { cutWith } from '../../src/schedule/cut.js';
import { explain } from '../../src/schedule/explain.js';
import { type NeededGraph, needed, type OpTensor, rootOf } from '../../src/schedule/graph.js';
import { Network } from '../../src/schedule/mincut.js';
import { overrideOf } from '../../src/schedule/overrides.js';
import { place, siteOf } from '../../src/schedule/place.js';
import { countOps, makePlan, planParts } from '../../src/schedule/plan.js';
import { input, randomGraph } from '../helpers/graphs.js';
import { fakeBackend, replay } from '../helpers/plans.js';
import { suite } from '../helpers/suite.js';

const test = suite('place');
const cut = cutWith(planParts);

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

test.run();
