// Which kernel of several the GPU takes for a product: measured once for each shape, on GPUs whose time is made up.
import * as assert from 'uvu/assert';
import type { Program, Step } from '../../src/backend/backend.js';
import { forgetTuned, rivalsOf, type TunedBackend, tune } from '../../src/backend/webgpu/tuning.js';
import { type Capabilities, choose, usable, variants } from '../../src/backend/webgpu/variants.js';
import { sizeOf } from '../../src/dtype.js';
import { DeviceError } from '../../src/errors.js';
import type { Attributes } from '../../src/graph.js';
import { samplesOf } from '../../src/ops/conv-samples.js';
import type { KernelOp, Sample, ShaderCall } from '../../src/ops/define.js';
import { conv2d, matmul, softmax } from '../../src/ops/index.js';
import { keyOf } from '../../src/ops/shader-calls.js';
import { FakeClock } from '../helpers/clock.js';
import { memoryStore } from '../helpers/cost-store.js';
import { suite } from '../helpers/suite.js';
import { extra, product } from '../helpers/variants.js';

const test = suite('tuning');

const [tile64, tile128, tile32] = ['64x64x16 by 4x4 double', '128x128x8 by 8x8 double', '32x32x32 by 4x4'];
const wide = '64x128x8 by 4x8 double';

const nvidia: Capabilities = {
  ...{ software: false, subgroup: 32, features: ['subgroups'], verdicts: {}, tuned: {} },
  device: {
    limits: { maxComputeWorkgroupStorageSize: 49_152, maxComputeInvocationsPerWorkgroup: 1024 },
    adapterInfo: {
      ...{ vendor: 'nvidia', architecture: 'hopper', device: '', description: '', isFallbackAdapter: false },
      ...{ subgroupMinSize: 32, subgroupMaxSize: 32 },
    } as GPUAdapterInfo,
  },
};

const sited = (op: KernelOp<Attributes>, { inputs, attributes }: Sample) => {
  const specs = inputs.map(({ shape, dtype = 'float32' }) => ({ shape, dtype }));
  return { op: op as KernelOp, site: { inputs: specs, output: op.infer(specs, attributes), attributes } };
};
const square = (n: number) => sited(matmul.definition, product([n, n], [n, n]));
const callOf = ({ op, site }: ReturnType<typeof sited>): ShaderCall => op.webgpu.calls(site)![0]!;

/** Seconds of a run of a kernel, by the name of its variant. */
type Times = Readonly<Record<string, number>>;

/** A GPU that takes so long; NaN is a kernel that its compiler refuses. What was not named takes a second. */
function gpu(times: Times, clock: FakeClock, { compiling = 0, description = 'a GPU' } = {}) {
  const profiled: string[] = [];
  let allocated = 0;
  const nameOf = ({ kernel }: Step): string => kernel!.op.name.replace(/^\w+ /, '');
  const secondsOf = (step: Step): number => {
    const calls = step.kernel!.op.webgpu.calls(step.kernel!.site)!;
    const products = calls.filter(({ shader }) => shader !== 'sum_parts').length;
    return (times[nameOf(step)] ?? 1) * products;
  };
  const backend: TunedBackend = {
    ...{ alignment: 256, description, pieceBytes: 2 ** 30, tuned: {} },
    get capabilities() {
      return { ...nvidia, tuned: backend.tuned };
    },
    bytesOf: ({ shape }) => 4 * sizeOf(shape),
    allocate(bytes) {
      allocated++;
      return { bytes } as ReturnType<TunedBackend['allocate']>;
    },
    free: () => void allocated--,
    async compile(steps) {
      await clock.sleep(compiling);
      const refused = steps.find((step) => Number.isNaN(times[nameOf(step)]));
      if (refused) throw new DeviceError({ where: nameOf(refused), problem: 'it does not compile' });
      return { steps: steps.length, list: steps } as unknown as Awaited<ReturnType<TunedBackend['compile']>>;
    },
    async profile(program) {
      const { list } = program as Program & { list: readonly Step[] };
      const seconds = list.map(secondsOf);
      profiled.push(...list.map(nameOf));
      await clock.sleep(seconds.reduce((a, b) => a + b, 0));
      return seconds;
    },
    release: () => {},
  };
  return { backend, profiled, open: () => allocated };
}

const choosing = { keyOf, usable, choose };
const core = { ...choosing, loadShaders: async () => {} };
const tiles = (calls: readonly ShaderCall[]): number[] =>
  ['EXTENT0', 'EXTENT1'].map((name) => calls[0]!.constants[name]!);

let before: typeof variants;
test.before(() => {
  before = { ...variants };
  Object.assign(variants, extra);
});
test.after(() => {
  for (const name of Object.keys(variants)) if (!(name in before)) delete variants[name];
  forgetTuned();
});
test.before.each(forgetTuned);

test('rivals: what may be the fastest, each once', () => {
  const names = (of: ReturnType<typeof sited>, c = nvidia): string[] =>
    rivalsOf(callOf(of), c, choosing).map(({ name }) => name);
  assert.equal(names(square(1024)), [tile128, wide, tile64, tile32]);
  assert.equal(names(square(512)), [wide, tile64, tile32]);
  const flat = (m: number) => sited(matmul.definition, product([m, 4096], [4096, 8192]));
  assert.equal(names(flat(2)), ['vectors']);
  assert.equal(names(flat(16)), ['16x64x32 by 4x4', tile32]);
  // Subgroups by broadcasts only where they are thought to be good, and only after their trial.
  const amd = { ...nvidia.device.adapterInfo, vendor: 'amd' } as GPUAdapterInfo;
  const others = { ...nvidia, device: { ...nvidia.device, adapterInfo: amd } };
  assert.equal(names(square(1024), others), [tile128, wide, tile64, tile32]);
  const tried = {
    ...others,
    verdicts: { 'subgroup 64x256x16 by 8x8': '', 'subgroup 32x256x16 by 8x4': 'wrong' },
  };
  assert.equal(names(square(1024), tried), ['subgroup 64x256x16 by 8x8', tile128, wide, tile64, tile32]);
  // A convolution as the product that it is: 12544 x 64, k 288.
  const [sample] = samplesOf([[[64, 14, 14, 32], [3, 3, 32, 64], { padding: 1 }]]).conv;
  const conv = sited(conv2d.definition, sample!);
  assert.equal(names(conv), [tile128, wide, tile64, tile32]);
  assert.equal(names(conv, { ...nvidia, software: true }), ['direct']);
});

test('the fastest is taken, and is remembered by this process and the next', async () => {
  const [clock, store] = [new FakeClock(), memoryStore()];
  const ops = [square(1024)];
  const call = callOf(ops[0]!);
  assert.equal(tiles(choose(call, nvidia)), [64, 128]);
  const times = { [tile128]: 3e-4, [wide]: 2e-4, [tile64]: 1e-4, [tile32]: 5e-4 };
  const first = gpu(times, clock);
  await tune(first.backend, ops, 'test 1', core, store, clock);
  assert.equal(tiles(choose(call, first.backend.capabilities)), [64, 64]);
  const found = first.backend.tuned[keyOf(call)]!;
  assert.is(found.seconds![tile64], 1e-4);
  await clock.sleep(1);
  assert.is(first.open(), 0, 'memory is given back');
  // A new device in this process, then a new process.
  for (const forget of [() => {}, forgetTuned]) {
    forget();
    const again = gpu({ ...times, [tile64]: 1 }, clock);
    await tune(again.backend, ops, 'test 1', core, store, clock);
    assert.equal(tiles(choose(call, again.backend.capabilities)), [64, 64]);
    assert.equal(again.profiled, []);
  }
  // Another runtime, another adapter; and what was kept is damaged.
  const other = gpu(times, clock);
  await tune(other.backend, ops, 'test 2', core, store, clock);
  const stranger = gpu(times, clock, { description: 'another GPU' });
  await tune(stranger.backend, ops, 'test 1', core, store, clock);
  for (const { profiled } of [other, stranger]) assert.ok(profiled.length > 0);
  const [key] = store.texts.keys();
  for (const text of ['{', 'null', `{"key":"${key}","tuned":{"a":null,"b":{"variant":3}}}`, '[]']) {
    forgetTuned();
    store.texts.set(key!, text);
    const { backend, profiled } = gpu(times, clock);
    await tune(backend, ops, 'test 1', core, store, clock);
    assert.ok(profiled.length > 0, text);
    assert.equal(tiles(choose(call, backend.capabilities)), [64, 64], text);
  }
});

test('what is hardly faster than the choice of the table is not taken', async () => {
  const clock = new FakeClock();
  const ops = [square(1024)];
  const { backend } = gpu({ [tile128]: 1e-3, [wide]: 1e-4, [tile64]: 0.95e-4, [tile32]: 1e-3 }, clock);
  await tune(backend, ops, 'test', core, null, clock);
  assert.equal(tiles(choose(callOf(ops[0]!), backend.capabilities)), [64, 128]);
});

test('kernels that do not compile are no rivals, the choice of the table included', async () => {
  const clock = new FakeClock();
  const call = callOf(square(1024));
  for (const [times, expected] of [
    [{ [tile64]: Number.NaN, [wide]: 1e-4, [tile128]: 2e-4, [tile32]: 2e-4 }, [64, 128]],
    [{ [wide]: Number.NaN, [tile64]: 1e-4, [tile128]: 2e-4, [tile32]: 2e-4 }, [64, 64]],
    [{ [wide]: Number.NaN, [tile64]: Number.NaN, [tile128]: Number.NaN, [tile32]: Number.NaN }, [64, 128]],
  ] as const) {
    forgetTuned();
    const { backend, open } = gpu(times, clock);
    await tune(backend, [square(1024)], 'test', core, null, clock);
    assert.equal(tiles(choose(call, backend.capabilities)), expected);
    await clock.sleep(1);
    assert.is(open(), 0);
  }
});

test('a compiler is not waited for longer than there is time', async () => {
  const clock = new FakeClock();
  const store = memoryStore();
  const { backend, profiled, open } = gpu({ [tile64]: 1e-4, [wide]: 2e-4 }, clock, { compiling: 60 });
  await tune(backend, [square(2048), square(1024)], 'test', core, store, clock);
  assert.ok(clock.now() < 0.6, `it took ${clock.now()} s`);
  assert.equal(profiled, []);
  assert.equal(tiles(choose(callOf(square(1024)), backend.capabilities)), [64, 128]);
  assert.is(open(), 1, 'as long as it compiles');
  await clock.sleep(100);
  assert.is(open(), 0);
  forgetTuned();
  const next = gpu({ [tile64]: 1e-4, [wide]: 2e-4 }, clock);
  await tune(next.backend, [square(1024)], 'test', core, store, clock);
  assert.equal(tiles(choose(callOf(square(1024)), next.backend.capabilities)), [64, 64]);
});

test('little products, other ops and shapes without rivals are not measured', async () => {
  const clock = new FakeClock();
  const { backend, profiled } = gpu({}, clock);
  const rows = sited(softmax.definition, { inputs: [{ shape: [4096, 4096] }], attributes: { axis: 1 } });
  await tune(backend, [square(128), rows], 'test', core, null, clock);
  assert.equal(profiled, []);
  const limited = gpu({}, clock);
  limited.backend.pieceBytes = 2 ** 20;
  await tune(limited.backend, [square(1024)], 'test', core, null, clock);
  assert.equal(limited.profiled, [], 'nor those whose operands do not fit into one piece');
});

test('no shape is begun when time is over, and those that had no turn keep the kernel of the table', async () => {
  const clock = new FakeClock();
  const store = memoryStore();
  const times = { [tile128]: 0.2, [wide]: 0.12, [tile64]: 0.06, [tile32]: 0.2 };
  const { backend, profiled } = gpu(times, clock);
  const [large, small] = [square(2048), square(1024)];
  await tune(backend, [small, large], 'test', core, store, clock);
  // The first rounds have used up the time: they decide.
  assert.equal(tiles(choose(callOf(large), backend.capabilities)), [64, 64], 'most work first');
  assert.is(profiled.length, 4);
  assert.ok(clock.now() < 0.6, `it took ${clock.now()} s`);
  assert.equal(tiles(choose(callOf(small), backend.capabilities)), [64, 128]);
  await tune(backend, [small, large], 'test', core, store, clock);
  assert.is(profiled.length, 4, 'within a process a shape keeps its kernel');
  forgetTuned();
  const next = gpu(times, clock);
  await tune(next.backend, [small, large], 'test', core, store, clock);
  assert.equal(tiles(choose(callOf(small), next.backend.capabilities)), [64, 64]);
});

test('clocks that tell tenths of milliseconds are enough', async () => {
  const clock = new FakeClock();
  const { backend } = gpu({ [tile128]: 9e-5, [wide]: 6e-5, [tile64]: 3e-5, [tile32]: 7e-5 }, clock);
  const exact = backend.profile;
  backend.profile = async (program) => (await exact(program)).map((s) => Math.floor(s * 1e4) / 1e4);
  await tune(backend, [square(1024)], 'test', core, null, clock);
  assert.equal(tiles(choose(callOf(square(1024)), backend.capabilities)), [64, 64]);
});

test.run();
