// The measured cost model, on backends whose time is made up.
import * as assert from 'uvu/assert';
import type { Backend, Program, Step } from '../../src/backend/backend.js';
import { dtypes, sizeOf } from '../../src/dtype.js';
import { Tensor } from '../../src/graph.js';
import * as ops from '../../src/ops/index.js';
import { type CostStore, costStore } from '../../src/schedule/cost-store.js';
import { cutWith, factorAt, MeasuredCosts } from '../../src/schedule/costs.js';
import { needed } from '../../src/schedule/graph.js';
import { place } from '../../src/schedule/place.js';
import { makePlan, planParts } from '../../src/schedule/plan.js';
import { fakeBackend } from '../helpers/plans.js';
import { suite } from '../helpers/suite.js';

const test = suite('costs');

// A clock that only the backends move.
let time = 0;
const realNow = performance.now;
test.before.each(() => {
  time = 0;
  performance.now = () => time * 1000;
});
test.after.each(() => {
  performance.now = realNow;
});

/** What is measured on a backend: how often each op was run. */
type Counts = Map<string, number>;

/** A backend whose steps take overhead + flops / rate seconds, whatever its first rates say. */
function timedBackend(
  name: 'wasm' | 'webgpu',
  overhead: number,
  flopsPerSecond: number,
  counts: Counts,
): Backend {
  const seconds = ({ kernel, chain }: Step): number => {
    const { op, site } = kernel ?? chain!.instructions[0]!;
    counts.set(op.name, (counts.get(op.name) ?? 0) + 1);
    return overhead + op.cost(site).flops / flopsPerSecond;
  };
  return {
    ...fakeBackend(name, { rates: { transferOverhead: 1e-4 } }),
    allocate: (bytes) => ({ bytes }),
    free: () => {},
    write: () => {
      time += 1e-6;
    },
    read: async (_memory, _offset, { shape, dtype }) => {
      time += name === 'webgpu' ? 3e-4 : 0;
      return new dtypes[dtype].array(sizeOf(shape));
    },
    compile: (steps) => ({ steps: steps.length, list: steps }) as Program,
    run: (program) => {
      for (const step of (program as Program & { list: Step[] }).list) time += seconds(step);
    },
    release: () => {},
  };
}

/** A store in memory. */
function memoryStore(): CostStore & { texts: Map<string, string> } {
  const texts = new Map<string, string>();
  return {
    texts,
    get: async (key) => texts.get(key),
    put: async (key, text) => void texts.set(key, text),
  };
}

const input = (shape: readonly number[], index = 0): Tensor =>
  new Tensor({ kind: 'input', index }, shape, 'float32');

const product = (n: number) => {
  const y = ops.tanh(ops.matmul(input([n, n]), input([n, n], 1)));
  return needed({ outputs: [y], assignments: new Map() });
};

const near = (found: number, expected: number, part: number, what: string): void =>
  assert.ok(Math.abs(found - expected) <= part * expected, `${what}: ${found}, not ${expected}`);

test('ops are measured within the time that is given, and only once', async () => {
  const counts: Counts = new Map();
  // The first rates of both are the same; one is 10 times as fast as they say, the other 100 times as slow.
  const [gpu, host] = [timedBackend('webgpu', 5e-6, 1e11, counts), timedBackend('wasm', 5e-7, 1e8, counts)];
  const costs = new MeasuredCosts([gpu, host], planParts, 'test', null);
  const graph = product(128);
  const [matmul] = graph.ops;
  await costs.measure(graph);
  assert.ok(time < 0.3, `measuring took ${time} s`);
  near(costs.seconds(matmul!, gpu), 5e-6 + (2 * 128 ** 3) / 1e11, 0.02, 'matmul on the GPU');
  near(costs.seconds(matmul!, host), 5e-7 + (2 * 128 ** 3) / 1e8, 0.02, 'matmul on the host');
  near(costs.transfer({ shape: [1], dtype: 'float32' }, true), 3e-4, 0.1, 'a read');
  near(costs.transfer({ shape: [1], dtype: 'float32' }, false), 1e-6, 0.1, 'a write');
  const [before, measured] = [time, counts.get('matmul')];
  await costs.measure(graph);
  assert.is(time, before);
  assert.is(counts.get('matmul'), measured);
  // A size that was not measured: by what is known of the family.
  const [larger] = product(192).ops;
  await costs.measure(product(192));
  assert.is(time, before, 'its family is known');
  near(costs.seconds(larger!, gpu), 5e-6 + (2 * 192 ** 3) / 1e11, 0.5, 'a larger matmul on the GPU');
  near(costs.seconds(larger!, host), (2 * 192 ** 3) / 1e8, 0.5, 'a larger matmul on the host');
});

test('what takes less than a way to the GPU is not measured', async () => {
  const counts: Counts = new Map();
  const costs = new MeasuredCosts(
    [timedBackend('webgpu', 5e-6, 1e11, counts), timedBackend('wasm', 5e-7, 1e9, counts)],
    planParts,
    'test',
    null,
  );
  await costs.measure(product(8));
  assert.is(counts.size, 0);
});

test('slow ops do not make it longer: what is too slow is left to the first rates', async () => {
  const counts: Counts = new Map();
  const [gpu, host] = [timedBackend('webgpu', 5e-6, 1e6, counts), timedBackend('wasm', 5e-7, 1e8, counts)];
  const costs = new MeasuredCosts([gpu, host], planParts, 'test', null);
  await costs.measure(product(128)); // 4 s on this GPU
  assert.ok(time < 4.5, `${time}`);
  const [matmul] = product(128).ops;
  assert.ok(costs.seconds(matmul!, gpu) > costs.seconds(matmul!, host), 'one look is enough to know');
});

test('kept between runs, by machine, backends and version; damaged ones are measured anew', async () => {
  const counts: Counts = new Map();
  const pair = () => [timedBackend('webgpu', 5e-6, 1e11, counts), timedBackend('wasm', 5e-7, 1e8, counts)];
  const store = memoryStore();
  await new MeasuredCosts(pair(), planParts, 'test', store).measure(product(128));
  const measured = counts.get('matmul')!;
  assert.ok(measured > 0);
  const again = new MeasuredCosts(pair(), planParts, 'test', store);
  await again.measure(product(128));
  assert.is(counts.get('matmul'), measured);
  near(again.seconds(product(128).ops[0]!, pair()[0]!), 5e-6 + (2 * 128 ** 3) / 1e11, 0.02, 'kept');
  await new MeasuredCosts(pair(), planParts, 'another', store).measure(product(128));
  assert.ok(counts.get('matmul')! > measured);
  for (const key of store.texts.keys()) {
    assert.match(key, /^costs \d+\.\d+\.\d+ (test|another) made of numbers, made of numbers$/);
    store.texts.set(key, key.includes('another') ? '{' : '{"key":"of others"}');
  }
  const before = counts.get('matmul')!;
  await new MeasuredCosts(pair(), planParts, 'test', store).measure(product(128));
  assert.ok(counts.get('matmul')! > before);
});

test('profiles correct it', async () => {
  const counts: Counts = new Map();
  const [gpu, host] = [timedBackend('webgpu', 5e-6, 1e11, counts), timedBackend('wasm', 5e-7, 1e9, counts)];
  const store = memoryStore();
  const costs = new MeasuredCosts([gpu, host], planParts, 'test', store);
  await costs.measure(product(128));
  const graph = product(128);
  const request = { outputs: graph.outputs, assignments: new Map() };
  const plan = makePlan(request, { backends: [host], share: false, keepFeeds: true });
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

test('small networks stay at the host, large ones go to the GPU, and the crossover is where the measured times cross', async () => {
  const counts: Counts = new Map();
  const [gpu, host] = [timedBackend('webgpu', 1e-5, 1e12, counts), timedBackend('wasm', 1e-6, 4e9, counts)];
  const costs = new MeasuredCosts([gpu, host], planParts, 'test', null);
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

test('factorAt: a line between what was measured, the nearest beyond', () => {
  assert.is(factorAt({}, 1), 0);
  assert.is(factorAt({ '-10': 1, '-6': 3 }, 2 ** -12), 1);
  assert.is(factorAt({ '-10': 1, '-6': 3 }, 2 ** -8), 2);
  assert.is(factorAt({ '-10': 1, '-6': 3 }, 1), 3);
});

test('the store gives back what was put there', async () => {
  performance.now = realNow;
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
