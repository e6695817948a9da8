// The measured cost model, on backends whose time is made up.
import * as assert from 'uvu/assert';
import { type Tensor, Variable } from '../../src/graph.js';
import * as ops from '../../src/ops/index.js';
import { type CostStore, costStore } from '../../src/schedule/cost-store.js';
import { cutWith, MeasuredCosts } from '../../src/schedule/costs.js';
import { type NeededGraph, needed } from '../../src/schedule/graph.js';
import { place } from '../../src/schedule/place.js';
import { makePlan, planParts } from '../../src/schedule/plan.js';
import { FakeClock } from '../helpers/clock.js';
import { memoryStore } from '../helpers/cost-store.js';
import { input } from '../helpers/graphs.js';
import { suite } from '../helpers/suite.js';
import { type Speed, timedBackend } from '../helpers/timed-backends.js';

const test = suite('costs');

/** Seconds that measuring for one plan may take. */
const limit = 0.3;

/** A GPU and a host of these speeds, and costs that are measured on them. */
function machine(gpuSpeed: Partial<Speed>, hostSpeed: Partial<Speed>, store: CostStore | null = null) {
  const clock = new FakeClock();
  const runs = new Map<string, number>();
  const gpu = timedBackend('webgpu', clock, { overhead: 5e-6, flopsPerSecond: 1e11, ...gpuSpeed });
  const host = timedBackend('wasm', clock, { overhead: 5e-7, flopsPerSecond: 1e8, ...hostSpeed }, runs);
  const costs = (runtime = 'test') => new MeasuredCosts([gpu, host], planParts, runtime, store, clock);
  return { clock, runs, gpu, host, costs };
}

const graphOf = (...outputs: Tensor[]): NeededGraph => needed({ outputs, assignments: new Map() });
const product = (n: number): NeededGraph => graphOf(ops.tanh(ops.matmul(input([n, n]), input([n, n], 1))));

const near = (found: number, expected: number, part: number, what: string): void =>
  assert.ok(Math.abs(found - expected) <= part * expected, `${what}: ${found}, not ${expected}`);

for (const stamps of [false, true]) {
  const clockOf = stamps ? "by the GPU's clock" : "by the host's clock";

  test(`ops are measured within the time that is given, and only once, ${clockOf}`, async () => {
    // The first rates of both are the same; one is 10 times as fast as they say, the other 10 times as slow.
    const { clock, runs, gpu, host, costs: make } = machine({ stamps }, { flopsPerSecond: 1e9 });
    const costs = make();
    const graph = product(128);
    const [matmul] = graph.ops;
    await costs.measure(graph);
    assert.ok(clock.now() < limit, `measuring took ${clock.now()} s`);
    near(costs.seconds(matmul!, gpu), 5e-6 + (2 * 128 ** 3) / 1e11, 0.02, 'matmul on the GPU');
    near(costs.seconds(matmul!, host), 5e-7 + (2 * 128 ** 3) / 1e9, 0.02, 'matmul on the host');
    near(costs.transfer({ shape: [1], dtype: 'float32' }, true), 3e-4, 0.1, 'a read');
    near(costs.transfer({ shape: [1], dtype: 'float32' }, false), 1e-6, 0.1, 'a write');
    const [before, measured] = [clock.now(), runs.get('matmul')];
    await costs.measure(graph);
    assert.is(clock.now(), before);
    assert.is(runs.get('matmul'), measured);
    // A size that was not measured: by what is known of the family.
    const larger = product(192);
    await costs.measure(larger);
    assert.is(clock.now(), before, 'its family is known');
    near(costs.seconds(larger.ops[0]!, gpu), 5e-6 + (2 * 192 ** 3) / 1e11, 0.5, 'a larger matmul on the GPU');
    near(costs.seconds(larger.ops[0]!, host), (2 * 192 ** 3) / 1e9, 0.5, 'a larger matmul on the host');
  });

  test(`the budget holds on a GPU that does not answer, whatever is slow, ${clockOf}`, async () => {
    for (const [what, speed] of [
      ['its compiler', { compiling: 60 }],
      ['each wait', { waiting: 60 }],
      ['its steps', { flopsPerSecond: 1e3 }],
      ['each step that starts', { overhead: 5 }],
      ['each byte', { transfer: 1e-6 }],
    ] as const) {
      const { clock, gpu, host, costs: make } = machine({ stamps, ...speed }, { flopsPerSecond: 1e10 });
      const costs = make();
      const graph = product(256);
      await costs.measure(graph);
      assert.ok(clock.now() < limit, `${what} is slow: measuring took ${clock.now()} s`);
      near(costs.seconds(graph.ops[0]!, host), (2 * 256 ** 3) / 1e10, 0.02, `${what} is slow: the host`);
      if (what === 'its steps' || what === 'each step that starts')
        assert.ok(costs.seconds(graph.ops[0]!, gpu) > 5 * costs.seconds(graph.ops[0]!, host), what);
    }
  });
}

test('the budget holds on a slow host with many families; what had no turn has it with the next plan', async () => {
  const { clock, runs, host, costs: make } = machine({ stamps: true }, { flopsPerSecond: 1e8 });
  const costs = make();
  // Each family takes some 20 ms, measured several times.
  const x = input([100, 100]);
  const many = (): NeededGraph =>
    graphOf(
      ops.matmul(x, x),
      ops.sum(input([200, 10_000], 1), 0),
      ops.softmax(input([100, 1000], 2), 1),
      ops.cumsum(input([2000, 1000], 3), 1),
      ops.maxPool2d(input([4, 100, 100, 50], 4), 2),
      ops.conv2d(input([1, 10, 10, 10], 5), input([3, 3, 10, 10], 6)),
    );
  const named = ['matmul', 'sum', 'softmax', 'cumsum', 'maxPool', 'conv2d'];
  const measuredOf = (): string[] => named.filter((name) => runs.has(name));
  await costs.measure(many());
  assert.ok(clock.now() < limit, `measuring took ${clock.now()} s`);
  const first = measuredOf();
  assert.ok(first.length > 0 && first.length < named.length, first.join());
  const expected = costs.seconds(many().ops[0]!, host);
  assert.ok(expected > 0 && Number.isFinite(expected), 'what had no turn has a cost');
  for (let plan = 0; plan < 2; plan++) {
    const before = clock.now();
    await costs.measure(many());
    assert.ok(clock.now() - before < limit, `measuring took ${clock.now() - before} s`);
  }
  assert.ok(measuredOf().length > first.length, `${first} at first, then ${measuredOf()}`);
});

test('a host is measured with its threads, those that have yet to fetch kernels included', async () => {
  for (const [fetching, speed] of [
    [0.01, 2e9],
    [60, 1e9], // it is not waited for: as it is with one thread
  ] as const) {
    const { clock, host, costs: make } = machine({ stamps: true }, { flopsPerSecond: 1e9 });
    // What is asked for by a program comes later; then it is twice as fast.
    let arrived: Promise<void> | null = null;
    let isThere = false;
    const { compile, run } = host;
    host.compile = (steps) => {
      arrived ??= clock.sleep(fetching).then(() => {
        isThere = true;
      });
      return compile(steps);
    };
    host.ready = async () => void (await arrived);
    host.run = (program) => {
      const before = clock.now();
      run(program);
      if (isThere) clock.work((before - clock.now()) / 2);
    };
    const costs = make();
    const graph = product(128);
    await costs.measure(graph);
    assert.ok(clock.now() < limit, `measuring took ${clock.now()} s`);
    near(costs.seconds(graph.ops[0]!, host), (2 * 128 ** 3) / speed, 0.1, `threads after ${fetching} s`);
  }
});

test('families that were not measured are as much slower than the first rates as the others', async () => {
  const { host, costs: make } = machine({ stamps: true }, { flopsPerSecond: 1e8 });
  const costs = make();
  const scan = graphOf(ops.cumsum(input([100, 1000]), 1));
  const before = costs.seconds(scan.ops[0]!, host);
  await costs.measure(product(128)); // 100 times as slow as the host's rates say
  assert.ok(costs.seconds(scan.ops[0]!, host) > 20 * before);
});

test('what takes less than a way to the GPU is not measured', async () => {
  const { clock, runs, costs } = machine({}, { flopsPerSecond: 1e9 });
  await costs().measure(product(8));
  assert.is(runs.size, 0);
  assert.is(clock.now(), 0);
});

test('a chain costs what its steps read and write together, not what each op would by itself', async () => {
  const { gpu, host, costs: make } = machine({}, {});
  const costs = make();
  const weights = new Variable([1000, 1000], 'float32', () => ops.zeros([1000, 1000]), 'w');
  const gradient = input([1000, 1000]);
  let next: Tensor = weights;
  for (let i = 0; i < 8; i++) next = ops.add(ops.mul(next, 0.5), gradient);
  const graph = needed({ outputs: [], assignments: new Map([[weights, next]]) });
  const alone = graph.ops.reduce((n, t) => n + costs.seconds(t, host), 0);
  assert.is(graph.ops.length, 16);
  const plan = makePlan(
    { outputs: [], assignments: new Map([[weights, next]]) },
    { backends: [host], share: false, keepFeeds: true },
  );
  assert.is(plan.groups.length, 1);
  await costs.learn(plan, [Number.NaN]); // looks at the graph, learns nothing
  const together = plan.graph.ops.reduce((n, t) => n + costs.seconds(t, host), 0);
  // Each op by itself reads two tensors or one and writes one, the chain reads two and writes one: 40 against 3.
  near(together, 1e-6 + (3 * 4e6) / 1e10 + (32 * 1e6) / 1e10, 0.2, 'the chain');
  assert.ok(alone > 3 * together, `${alone} and ${together}`);
  assert.ok(gpu.rates.overhead > 0);
});

test('kept between runs, by machine, backends and version; damaged ones are measured anew', async () => {
  const store = memoryStore();
  const { runs, gpu, costs } = machine({}, {}, store);
  await costs().measure(product(128));
  const measured = runs.get('matmul')!;
  assert.ok(measured > 0);
  const again = costs();
  const graph = product(128);
  await again.measure(graph);
  assert.is(runs.get('matmul'), measured);
  near(again.seconds(graph.ops[0]!, gpu), 5e-6 + (2 * 128 ** 3) / 1e11, 0.02, 'kept');
  await costs('another').measure(product(128));
  assert.ok(runs.get('matmul')! > measured);
  for (const key of store.texts.keys()) {
    assert.match(key, /^costs of steps \d+\.\d+\.\d+ (test|another) made of numbers, made of numbers$/);
    store.texts.set(key, key.includes('another') ? '{' : '{"key":"of others"}');
  }
  const before = runs.get('matmul')!;
  await costs().measure(product(128));
  assert.ok(runs.get('matmul')! > before);
});

test('profiles correct it', async () => {
  const store = memoryStore();
  const { host, costs: make } = machine({}, { flopsPerSecond: 1e9 }, store);
  const costs = make();
  const graph = product(128);
  await costs.measure(graph);
  const plan = makePlan(
    { outputs: graph.outputs, assignments: new Map() },
    { backends: [host], share: false, keepFeeds: true },
  );
  const before = costs.seconds(graph.ops[0]!, host);
  // Measured as three times as slow, again and again.
  for (let i = 0; i < 12; i++)
    await costs.learn(
      plan,
      plan.groups.map(() => 3 * before),
    );
  near(costs.seconds(graph.ops[0]!, host), 3 * before, 0.02, 'corrected');
  await costs.learn(
    plan,
    plan.groups.map(() => Number.NaN),
  );
  near(costs.seconds(graph.ops[0]!, host), 3 * before, 0.02, 'nothing to learn from');
  assert.ok([...store.texts.values()].some((text) => text.includes('matmul')));
});

test('chains that ran in one dispatch share the time that the profile gives to the last of them', async () => {
  const { gpu, host, costs: make } = machine({}, {});
  const costs = make();
  const [a, b] = [ops.neg(input([1000])), ops.exp(input([3000], 1))];
  const plan = makePlan(
    { outputs: [a, b], assignments: new Map() },
    { backends: [gpu, host], share: false, keepFeeds: true },
  );
  for (let i = 0; i < 12; i++) await costs.learn(plan, [0, 4e-3]);
  const [first, second] = plan.graph.ops.map((t) => costs.seconds(t, gpu)) as [number, number];
  near(first + second, 4e-3, 0.02, 'both');
  assert.ok(first > 2e-4 && second > first, `${first} and ${second}`);
});

test('small networks stay at the host, large ones go to the GPU, and the crossover is where the measured times cross', async () => {
  const {
    gpu,
    host,
    costs: make,
  } = machine({ overhead: 1e-5, flopsPerSecond: 1e12 }, { overhead: 1e-6, flopsPerSecond: 4e9 });
  const costs = make();
  const sizes = [8, 16, 32, 64, 128, 256, 512];
  const placed: string[] = [];
  for (const n of sizes) {
    const graph = product(n);
    await costs.measure(graph);
    placed.push(place(graph, [gpu, host], cutWith(planParts), { costs }).get(graph.ops[0]!)!.backend);
  }
  const flops = (n: number): number => 2 * n ** 3;
  // Two inputs go there, one result comes back.
  const best = sizes.map((n) => (flops(n) / 4e9 > 3e-4 + flops(n) / 1e12 + 1e-5 ? 'webgpu' : 'wasm'));
  assert.equal(placed, best);
  assert.equal([...new Set(placed)], ['wasm', 'webgpu']);
});

test('a mixed placement is found where it is the best: products on the GPU, what moves much data for little work at the host', async () => {
  // The GPU multiplies 100 times as fast, each value that crosses is dear, and scans are slow there.
  const {
    clock,
    gpu,
    host,
    costs: make,
  } = machine(
    { overhead: 2e-4, flopsPerSecond: 1e12, transfer: 2e-9, stamps: true },
    { overhead: 1e-6, flopsPerSecond: 1e10 },
  );
  const costs = make();
  const n = 512;
  /** A large product with little to bring back, then many small ops that depend on one another. */
  const [a, b] = [input([n, n]), input([n, n], 1)];
  let small = ops.sum(ops.matmul(ops.matmul(ops.matmul(a, b), b), b), 1);
  for (let i = 0; i < 12; i++) small = ops.div(ops.cumsum(small, 0), 2);
  const graph = graphOf(small);
  await costs.measure(graph);
  assert.ok(clock.now() < limit);
  const placed = place(graph, [gpu, host], cutWith(planParts), { costs });
  const on = (name: string): string[] =>
    graph.ops.filter((t) => t.source.op.name === name).map((t) => placed.get(t)!.backend);
  assert.equal(on('matmul'), ['webgpu', 'webgpu', 'webgpu']);
  assert.equal([...new Set(on('cumsum'))], ['wasm']);
  // And that is less than with all on either of the two, by what the machine takes.
  const true_ = (where: (t: (typeof graph.ops)[number]) => string): number => {
    let seconds = 0;
    const crossing = (t: Tensor): number => 3e-4 + 2e-9 * 4 * t.size;
    for (const t of graph.ops) {
      const { flops } = t.source.op.cost(planParts.siteOf(t));
      seconds += where(t) === 'webgpu' ? 2e-4 + flops / 1e12 : 1e-6 + flops / 1e10;
    }
    for (const value of [...graph.feeds, ...graph.ops]) {
      const maker = graph.feeds.includes(value) ? 'wasm' : where(value as (typeof graph.ops)[number]);
      const users = graph.ops.filter((t) => t.source.inputs.includes(value)).map(where);
      if (graph.outputs.includes(value)) users.push('wasm');
      if (users.some((u) => u !== maker)) seconds += crossing(value);
    }
    return seconds;
  };
  const chosen = true_((t) => placed.get(t)!.backend);
  assert.ok(chosen < 0.5 * true_(() => 'wasm'), 'better than all at the host');
  assert.ok(chosen < 0.8 * true_(() => 'webgpu'), 'better than all on the GPU');
});

test('the store gives back what was put there', async () => {
  const key = 'costs test of the store';
  const text = `text ü ${crypto.randomUUID()}`;
  const kept = await costStore.put(key, text).then(
    () => true,
    () => false,
  );
  if (kept) assert.is(await costStore.get(key), text);
  else console.log('NOTE this runtime keeps nothing');
});

test.run();
