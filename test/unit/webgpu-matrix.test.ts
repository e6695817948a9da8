// Products by matrix units, which no adapter here has: their shaders, and those that broadcast in subgroups, go through
// Dawn's compiler, and run with loops in place of the units; the trial that lets a kernel be used takes right ones and
// refuses wrong ones.
// @suite devices=webgpu runtimes=node24,deno

import * as assert from 'uvu/assert';
import type { Memory, Operand, Step } from '../../src/backend/backend.js';
import { createWebgpuBackend } from '../../src/backend/webgpu/index.js';
import { type LowerOptions, lowerSteps } from '../../src/backend/webgpu/lower.js';
import { loadShaders, shaders } from '../../src/backend/webgpu/shaders.js';
import { tryOut } from '../../src/backend/webgpu/trials.js';
import { type Capabilities, type Variant, variants } from '../../src/backend/webgpu/variants.js';
import { type MatrixUnit, subgroupSize, unitFor } from '../../src/backend/webgpu/variants-product.js';
import type { DType } from '../../src/dtype.js';
import type { Attributes } from '../../src/graph.js';
import { samplesOf } from '../../src/ops/conv-samples.js';
import type { KernelOp, Sample, ShaderCall } from '../../src/ops/define.js';
import { packedSample } from '../../src/ops/half-products.js';
import {
  conv2d,
  conv2dFilterGradient,
  conv2dFilterGradientHalf,
  conv2dHalf,
  conv2dInputGradient,
  conv2dInputGradientHalf,
  matmul,
  matmulHalf,
} from '../../src/ops/index.js';
import { getGpu } from '../../src/platform-gpu.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import { extra, product, VariantRunner } from '../helpers/variants.js';
import {
  chainOf,
  handMade,
  instruction,
  kernelResult,
  operand,
  result,
  unlessAbsent,
} from '../helpers/webgpu.js';

const test = suite('webgpu matrix units');
let runner: VariantRunner | undefined;
/** Dawn crashes when this is collected while one of its devices lives. */
let nullGpu: GPU | undefined;

const add = handMade('add', ['float32', 'float32'], 'float32', 'a + b', (a, b) => a! + b!);
const relu = handMade('relu', ['float32'], 'float32', 'max(a, 0.0)', (a) => Math.max(a!, 0));

const feature = 'chromium-experimental-subgroup-matrix';
const floats: MatrixUnit = { componentType: 'f32', resultComponentType: 'f32', M: 8, N: 8, K: 8 };
const halves: MatrixUnit = { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 };
type Base = Pick<Capabilities, 'features'> & Pick<Capabilities['device'], 'limits'>;

/** An adapter with these units and subgroups of 32. */
function withUnits(
  { features, limits }: Base,
  subgroupMatrixConfigs: readonly MatrixUnit[],
  sizes: { subgroupMinSize?: number; subgroupMaxSize?: number } = {},
): Capabilities {
  const info: unknown = {
    vendor: '',
    subgroupMinSize: 32,
    subgroupMaxSize: 32,
    ...sizes,
    subgroupMatrixConfigs,
  };
  const device = { limits, adapterInfo: info as GPUAdapterInfo };
  return { software: false, subgroup: 32, features: [...features, feature], device, verdicts: {}, tuned: {} };
}

/** What gpu/matrix_units.wgsl has, for 16 columns, in loops: an invocation has every 32nd vector of a product. */
const loops = `
var<private> own_lane: u32;
alias Left = u32;
alias Right = u32;
alias Product = array<vec4f, {{UM}}u / 8u>;
fn load_left(at: u32) -> Left {
  return at;
}
fn load_right(at: u32) -> Right {
  return at;
}
fn multiply(left: Left, right: Right, sum: Product) -> Product {
  var own = sum;
  for (var k = 0u; k < {{UK}}u; k++) {
//#for v UM/8
    let r{{v}} = own_lane / 4u + {{v}}u * 8u;
    own[{{v}}] += f32(tile0[left + k * SPAN0 + r{{v}} / 4u][r{{v}} % 4u]) * vec4f(tile1[right + k * SPAN1 + own_lane % 4u]);
//#end
  }
  return own;
}
fn put_product(at: u32, sum: Product) {
//#for v UM/8
  products[at + own_lane + {{v}}u * 32u] = sum[{{v}}];
//#end
}
`;

/** Has `f` run on a backend that says that it has units, and has loops for them. */
async function emulated(units: readonly MatrixUnit[], f: () => Promise<void>): Promise<void> {
  const { backend } = runner!;
  const { features, device } = backend.capabilities;
  const base = { features, limits: device.limits };
  const before = { matmul_matrix: shaders.matmul_matrix!, matrix_units: shaders.matrix_units! };
  shaders.matrix_units = loops;
  shaders.matmul_matrix = before.matmul_matrix
    .replace(/^(enable (subgroups|chromium)|diagnostic|@builtin\(subgroup).*\n/gm, '')
    .replace(
      '{{tile_begin}}',
      '{{tile_begin}}\nlet subgroup = thread / {{SIZE}}u;\nlet lane = thread % {{SIZE}}u;\nown_lane = lane;',
    );
  Object.defineProperty(backend, 'capabilities', { configurable: true, get: () => withUnits(base, units) });
  try {
    await f();
  } finally {
    delete (backend as { capabilities?: unknown }).capabilities;
    Object.assign(shaders, before);
  }
}

const matrixRows = (table: string): Variant[] =>
  extra[table]!.filter(({ name }) => name.startsWith('matrix'));

/** Has a table be this row alone while `f` runs. */
async function alone(
  table: string,
  { when: _, trial: __, ...row }: Variant,
  f: () => Promise<void>,
): Promise<void> {
  const before = variants[table]!;
  variants[table] = [row];
  try {
    await f();
  } finally {
    variants[table] = before;
  }
}

const convolutions = samplesOf([[[2, 9, 8, 4], [3, 3, 4, 12], { stride: 2, padding: 1 }]]);
const tables: Record<string, [KernelOp<Attributes>, KernelOp<Attributes>, readonly Sample[]]> = {
  product: [
    matmul.definition,
    matmulHalf.definition,
    [
      product([70, 45], [45, 67]),
      product([40, 132], [68, 40], true, true),
      product([2, 36, 300], [1, 300, 8]),
    ],
  ],
  conv2d: [conv2d.definition, conv2dHalf.definition, convolutions.conv],
  conv2dInput: [conv2dInputGradient.definition, conv2dInputGradientHalf.definition, convolutions.input],
  conv2dFilter: [conv2dFilterGradient.definition, conv2dFilterGradientHalf.definition, convolutions.filter],
};
const tableOf = (table: string): string => (table === 'product' ? 'subgroups' : table);
const rowsOf = (table: string): Variant[] => matrixRows(tableOf(table));
const isHalf = ({ trial }: Variant): boolean => trial![0] === 1;

for (const [table, [op, half, samples]] of Object.entries(tables)) {
  // Convolutions fill the same tiles: one kind is enough.
  const rows = rowsOf(table).filter(({ name }) => table === 'product' || name === 'matrix 64x64x32');
  for (const row of rows) {
    test(`${table}, ${row.name}, with loops for units: edges, fours, batches, an epilogue`, async () => {
      // 16 columns, as the loops have it.
      const units = [
        { ...floats, M: 16, N: 16 },
        { ...halves, M: 8 },
      ];
      if (runner!.slow) return skip(`${table}, ${row.name}`, 'this adapter compiles too slowly');
      await emulated(units, async () => {
        if (!row.needs!(runner!.backend.capabilities))
          return skip(`${table}, ${row.name}`, 'this adapter has not the memory, or no halves');
        await alone(table, row, async () => {
          // Large tiles, and halves, take long to compile.
          const [first, last] = row.name.includes('128') ? [0, 1] : isHalf(row) ? [1, 2] : [0, 3];
          for (const sample of samples.slice(first, last)) {
            const what = `${table} ${row.name} ${JSON.stringify(sample)}`;
            await (isHalf(row)
              ? runner!.check(half, runner!.packed(sample), what, { chain: true })
              : runner!.check(op, sample, what, { chain: true }));
          }
        });
      });
    });
  }
}

/** The shaders of a step, with a bias and a relu after it, on an adapter that nobody has. */
function textsOf(op: KernelOp<Attributes>, { inputs, attributes }: Sample, c: Capabilities): string[] {
  const memory: Memory = { bytes: 2 ** 30 };
  let offset = 0;
  const place = ({ shape, dtype = 'float32' }: { shape: readonly number[]; dtype?: DType }): Operand => {
    const operand: Operand = { shape: [...shape], dtype, memory, offset };
    offset += 2 ** 20;
    return operand;
  };
  const operands = inputs.map(place);
  const output = place(op.infer(operands, attributes));
  const after = place(output);
  const { shape } = output;
  const bias = operand(place({ shape: shape.slice(-1) }));
  const instructions = [instruction(add, shape, kernelResult, bias), instruction(relu, shape, result(0))];
  const site = { inputs: operands, output, attributes };
  const step: Step = {
    kernel: { op, site, inputs: operands, output },
    chain: chainOf(shape, instructions, [1, after]),
  };
  const options: LowerOptions = {
    ...c,
    ...{ maxBuffers: 16, mostBound: 2 ** 30, scratch: () => ({ bytes: 2 ** 30 }), fill: () => {} },
  };
  return lowerSteps([step], options).map(({ text }) => text);
}

test('shaders with matrix units and with broadcasts in subgroups go through the compiler of Dawn', async () => {
  const name = "shaders of subgroups in Dawn's compiler";
  if (!environment.runtime.startsWith('node')) return skip(name, 'only Node has the package with it');
  const { create } = await import('webgpu');
  // The null backend has every feature, and compiles without a GPU.
  nullGpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const adapter = (await nullGpu.requestAdapter())!;
  const wanted = ['subgroups', 'shader-f16', 'subgroup-size-control', feature] as GPUFeatureName[];
  assert.equal(
    wanted.filter((f) => !adapter.features.has(f)),
    [],
  );
  const device = await adapter.requestDevice({ requiredFeatures: wanted });
  const errorOf = async (code: string): Promise<string> => {
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code });
    const error = await device.popErrorScope();
    if (error) return error.message;
    const compute = { module, entryPoint: 'main' };
    const problem = await device
      .createComputePipelineAsync({ layout: 'auto', compute })
      .then(() => '', String);
    // It has less memory for workgroups than GPUs that have matrix units, and tells of that last.
    return problem.includes('workgroup storage') ? '' : problem;
  };
  const kinds = [
    { units: [floats], sizes: {} },
    { units: [halves], sizes: { subgroupMinSize: 16, subgroupMaxSize: 64 } },
    { units: [{ ...halves, M: 8 }], sizes: {} },
    { units: [{ ...halves, N: 8, K: 8 }], sizes: {} },
  ];
  const limits = { maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024 };
  const names = new Set<string>();
  let last = '';
  for (const { units, sizes } of kinds) {
    const c = withUnits(
      { features: ['subgroups', 'shader-f16', 'subgroup-size-control'], limits },
      units,
      sizes,
    );
    for (const [table, [op, half, samples]] of Object.entries(tables)) {
      const rows = [
        ...rowsOf(table),
        ...extra[tableOf(table)]!.filter(({ name }) => /^subgroup /.test(name)),
      ];
      for (const row of rows.filter(({ needs }) => needs!(c))) {
        names.add(row.name);
        await alone(table, row, async () => {
          for (const sample of samples) {
            for (const kind of row.trial!) {
              const texts = kind ? textsOf(half, packedSample(sample), c) : textsOf(op, sample, c);
              for (const text of texts) {
                const error = await errorOf(text);
                assert.is(error, '', `${table} ${row.name} ${JSON.stringify(units)}: ${error}`);
                if (text.includes('subgroupMatrixMultiply')) last = text;
              }
            }
          }
        });
      }
    }
  }
  const onTrial = extra.subgroups!.filter(({ trial }) => trial).map(({ name }) => name);
  assert.equal([...names].sort(), onTrial.sort());
  // And it does look.
  assert.match(await errorOf(last.replaceAll('col_major', 'column_major')), /template|no matching/i);
  assert.match(
    await errorOf(last.replace('workgroup_size(THREADS)', 'workgroup_size(48)')),
    /maxSubgroupSize/,
  );
  device.destroy();
});

test('units are chosen by type: floats are never rounded to halves, sums are float32', () => {
  const base = {
    features: ['shader-f16'],
    limits: { maxComputeWorkgroupStorageSize: 0, maxComputeInvocationsPerWorkgroup: 0 },
  };
  const c = (...units: MatrixUnit[]) => withUnits(base, units);
  const narrow = { ...halves, resultComponentType: 'f16' };
  assert.is(unitFor(false, c(halves, narrow)), undefined);
  assert.is(unitFor(true, c(narrow)), undefined);
  assert.is(unitFor(false, c(halves, floats)), floats);
  assert.is(unitFor(true, c(floats, narrow, halves)), halves);
  assert.is(unitFor(true, c(narrow, floats)), floats);
  assert.is(unitFor(true, { ...c(halves, floats), features: [] }), floats);
  assert.is(unitFor(true, c({ ...halves, K: 48 }, { ...halves, M: 64 }, { ...halves, N: 12 })), undefined);
  assert.is(unitFor(true, { features: ['shader-f16'], device: { limits: base.limits } }), undefined);
  const sized = (subgroupMinSize: number, subgroupMaxSize: number, ...more: string[]) =>
    subgroupSize(withUnits({ ...base, features: more }, [], { subgroupMinSize, subgroupMaxSize }));
  assert.equal(sized(32, 32), { SIZE: 32, SIZED: 0 });
  assert.is(sized(32, 64), undefined);
  assert.equal(sized(32, 64, 'subgroup-size-control'), { SIZE: 32, SIZED: 1 });
  assert.equal(sized(8, 16, 'subgroup-size-control'), { SIZE: 16, SIZED: 1 });
});

/** An ordinary kernel, changed. */
const changed = (name: string, change: (call: ShaderCall) => ShaderCall): Variant => ({
  name,
  trial: [0],
  needs: () => true,
  calls: (call, c) => ordinary().calls(call, c).map(change),
});
/** Where compiling takes long, one that is made for that. */
const ordinary = (): Variant => (runner!.slow ? extra.direct![0]! : extra.subgroups!.at(-1)!);
const constants =
  (more: Record<string, number>) =>
  (call: ShaderCall): ShaderCall => ({
    ...call,
    constants: { ...call.constants, ...more },
  });

/** Operands rounded to eleven bits, as TensorFloat-32 does. */
const rounding = `
fn rounded(v: vec4f) -> vec4f {
  return bitcast<vec4f>(bitcast<vec4u>(v) & vec4u(0xffffe000u));
}
`;

const wrong: Record<string, readonly [Variant, RegExp]> = {
  'misses terms': [changed('short', constants({ K: 44 })), /^element \d+ of .* is .*, not/],
  'writes nothing': [
    changed('lazy', (call) => ({ ...call, workgroups: [0, 1, 1] })),
    /^element 0 of .* is NaN, not/,
  ],
  'misses its last tiles': [
    changed('early', (call) => ({ ...call, workgroups: [1, 1, 1] })),
    /^element \d+ of .* is NaN, not/,
  ],
  'does not compile': [changed('broken', (call) => ({ ...call, shader: 'broken' })), /does not compile/],
  'does not exist': [changed('absent', (call) => ({ ...call, shader: 'nowhere' })), /no shader/],
  'is less precise': [
    changed('rounded', (call) => ({ ...call, shader: 'matmul_rounded' })),
    /^element \d+ of .* is .*, not/,
  ],
};

test('a trial refuses a kernel that is wrong, or less precise, and takes one that is right', async () => {
  const { backend, slow } = runner!;
  shaders.matmul_rounded = shaders.matmul!.replace('{{tiles}}', '{{tiles_rounded}}');
  shaders.tiles_rounded = `${shaders.tiles!.replaceAll('Cell(unit', 'rounded(unit')}${rounding}`;
  shaders.broken = shaders[slow ? 'matmul_direct' : 'matmul']!.replace('fn main', 'fun main');
  await hardware(async () => {
    assert.is(
      await tryOut(
        backend,
        changed('right', (call) => call),
        ordinary(),
      ),
      '',
    );
    for (const [what, [variant, expected]] of Object.entries(wrong)) {
      if (slow && variant.name === 'rounded')
        skip(`a trial that ${what}`, 'this adapter compiles too slowly');
      else assert.match(await tryOut(backend, variant, ordinary()), expected, what);
    }
  });
  delete shaders.matmul_rounded;
  delete shaders.tiles_rounded;
  delete shaders.broken;
});

/** Has `f` run on a backend that says that it is a GPU with subgroups. */
async function hardware(f: () => Promise<void>): Promise<void> {
  const { backend } = runner!;
  const c: Capabilities = { ...backend.capabilities, software: false, subgroup: 4 };
  Object.defineProperty(backend, 'capabilities', { configurable: true, get: () => c });
  try {
    await f();
  } finally {
    delete (backend as { capabilities?: unknown }).capabilities;
  }
}

test('a variant is in the table once its trial went well, and never otherwise', async () => {
  const { backend, slow } = runner!;
  const sample = product([64, 20], [20, 68]);
  const uses = { right: 0, wrong: 0 };
  const counted = (variant: Variant, key: keyof typeof uses): Variant => ({
    ...variant,
    calls: (call, c) => {
      if (call.constants.M === 64) uses[key]++;
      return variant.calls(call, c);
    },
  });
  const bad = counted(changed('bad', constants({ K: 17 })), 'wrong');
  const good = counted(
    changed('good', (call) => call),
    'right',
  );
  const unfit: Variant = { ...changed('unfit', (call) => call), needs: () => false };
  const before = variants.subgroups!;
  variants.subgroups = [unfit, bad, good, ordinary()];
  try {
    await hardware(async () => {
      // Two at a time: one trial for both.
      const run = () => runner!.check(matmul.definition, sample, 'a product', { chain: true });
      if (slow) await run();
      else await Promise.all([run(), run()]);
      assert.match(backend.verdicts.bad!, /^element/);
      assert.is(backend.verdicts.good, '');
      assert.not('unfit' in backend.verdicts);
      assert.is(uses.wrong, 0);
      assert.ok(uses.right > 0);
    });
  } finally {
    variants.subgroups = before;
    delete backend.verdicts.bad;
    delete backend.verdicts.good;
  }
});

test('the experimental feature is asked for where the adapter has it, and a device comes without it', async () => {
  const gpu = (await getGpu()) as GPU;
  const asked: string[][] = [];
  const withFeature = (has: boolean) => async (options?: GPURequestAdapterOptions) => {
    const adapter = (await Object.getPrototypeOf(gpu).requestAdapter.call(gpu, options)) as GPUAdapter;
    const { limits, info } = adapter;
    const requestDevice = async (descriptor: GPUDeviceDescriptor): Promise<GPUDevice> => {
      const features = [...descriptor.requiredFeatures!] as string[];
      asked.push(features);
      if (features.includes(feature)) throw new TypeError('not on this driver');
      return adapter.requestDevice(descriptor);
    };
    return {
      limits,
      info,
      features: new Set([...adapter.features, ...(has ? [feature] : [])]),
      requestDevice,
    };
  };
  for (const has of [true, false]) {
    asked.length = 0;
    Object.defineProperty(gpu, 'requestAdapter', { configurable: true, value: withFeature(has) });
    try {
      const made = await createWebgpuBackend();
      assert.not(made.features.includes(feature));
      made.dispose();
    } finally {
      delete (gpu as { requestAdapter?: unknown }).requestAdapter;
    }
    assert.equal(
      asked.map((list) => list.includes(feature)),
      has ? [true, false] : [false],
    );
  }
});

runner = await unlessAbsent(
  'webgpu matrix units',
  async () => new VariantRunner(await createWebgpuBackend()),
);
if (runner) {
  await loadShaders(runner.backend, () => ['matmul_matrix']);
  test.after(() => runner!.backend.dispose());
  test.run();
}
