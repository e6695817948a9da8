// Results and gradients against PyTorch's, made by make.sh: every op of the table, functions made of ops, losses,
// optimizers, and the training of small networks.
// @suite devices=wasm,webgpu timeout=1200
import * as assert from 'uvu/assert';
import { type DType, type HostArray, isFloat, type Shape } from '../../src/dtype.js';
import { Engine } from '../../src/engine.js';
import { vjp } from '../../src/grad.js';
import type { Tensor } from '../../src/graph.js';
import { compile, configure, engine, gradients, loss, nn, opTable, tensor } from '../../src/index.js';
import { type Context, inference } from '../../src/nn/module.js';
import type { EpochReport } from '../../src/train/fit.js';
import { environment } from '../helpers/environment.js';
import { suite } from '../helpers/suite.js';
import { thinned } from '../helpers/thin.js';
import { dataTensor, type Float, weights } from '../ops/cases.js';
import { evaluateAll, largest, report } from '../ops/evaluate.js';
import { gradientTolerance } from '../ops/tolerances.js';
import { fingerprint, type GoldenCase, goldenCases, keptElements, specsAs } from './cases.js';
import json from './ops.json';
import { length, losses, made } from './schedules.js';
import { batch, materials, type Network, networks, normBatches, optimizers, steps } from './trajectories.js';

interface Kept {
  readonly shape: Shape;
  readonly sum: number;
  readonly some: readonly number[];
}
interface Golden {
  readonly fingerprint: number;
  readonly y: Kept;
  readonly gradients?: readonly (Kept | null)[];
}
const golden = json as unknown as {
  readonly without: Readonly<Record<string, string>>;
  readonly cases: Readonly<Record<string, Golden>>;
  readonly schedules: Readonly<Record<string, number[]>>;
  readonly runningStatistics: {
    readonly steps: readonly { mean: number[]; variance: number[] }[];
    readonly used: number[];
  };
  readonly trajectories: Readonly<Record<string, { losses: number[]; weights: number[][] }>>;
};

const test = suite('golden');

test('there are numbers for every op, from the very inputs that are tested', () => {
  const found: string[] = [];
  for (const { name } of opTable) {
    if (name in golden.without) console.log(`no golden numbers for ${name}: ${golden.without[name]}`);
    else if (!goldenCases.some((c) => c.op === name)) found.push(`${name} has no samples`);
  }
  for (const c of goldenCases) {
    if (c.op in golden.without) continue;
    const known = golden.cases[c.key];
    if (!known) found.push(`missing golden: ${c.key}`);
    else if (known.fingerprint !== fingerprint(c)) found.push(`the inputs of ${c.key} have changed`);
  }
  const keys = new Set(goldenCases.map((c) => c.key));
  for (const key of Object.keys(golden.cases))
    if (!keys.has(key)) found.push(`${key} is not a case any more`);
  if (found.length > 0) found.push('run test/golden/make.sh');
  report(found);
});

/** A result and what PyTorch has for it. */
interface Pair {
  readonly what: string;
  readonly op: string;
  readonly tensor: Tensor;
  readonly wanted: Kept;
}

function pairsOf(c: GoldenCase, float: Float): Pair[] {
  const known = golden.cases[c.key];
  if (!known) return [];
  const xs = specsAs(c, float).map((spec, i) => dataTensor(c.values[i]!, spec));
  const y = c.record(xs, float);
  const pairs: Pair[] = [{ what: c.key, op: c.op, tensor: y, wanted: known.y }];
  if (!known.gradients) return pairs;
  const floats = xs.filter((x) => isFloat(x.dtype));
  const found = vjp(y, floats, dataTensor(weights(y.size, 0), y));
  for (const [i, g] of found.entries()) {
    const wanted = known.gradients[i];
    if (g && wanted) pairs.push({ what: `${c.key}, gradient ${i}`, op: c.op, tensor: g, wanted });
    // PyTorch has zeros for ceil, floor and sign, which have no gradient here.
    else if (g || wanted?.some.some((v) => v !== 0))
      throw new Error(`${c.key}, gradient ${i}: ${g} here, ${wanted} in PyTorch`);
  }
  return pairs;
}

/** Part of the largest element by which results may differ. */
function tolerance(op: string, dtype: DType, device: string): number {
  if (dtype === 'float64') return 1e-11;
  if (!isFloat(dtype)) return 0;
  if (device !== 'webgpu') return 5e-6;
  // Functions made of several of WGSL's own.
  return opTable.some(({ name }) => name === op) ? gradientTolerance(op, 'webgpu') : 2e-4;
}

function compare(actual: HostArray, { wanted, tensor: t, op }: Pair, device: string): string | null {
  if (`${t.shape}` !== `${wanted.shape}`) return `shape (${t.shape}) instead of (${wanted.shape})`;
  const part = tolerance(op, t.dtype, device);
  const allowed = part * Math.max(1, largest(actual));
  for (const [i, at] of keptElements(actual.length).entries()) {
    const error = Math.abs(actual[at]! - wanted.some[i]!);
    if (!(error <= allowed))
      return `element ${at} is ${actual[at]} instead of ${wanted.some[i]}, allowed ${allowed}`;
  }
  const sum = Array.from(actual).reduce((a, b) => a + b, 0);
  if (Math.abs(sum - wanted.sum) <= allowed * actual.length) return null;
  return `the sum is ${sum} instead of ${wanted.sum}`;
}

for (const device of environment.devices) {
  const runs: ['reference' | 'wasm' | 'webgpu', Float][] =
    device === 'webgpu'
      ? [['webgpu', 'float32']]
      : [
          ['reference', 'float64'],
          ['wasm', 'float64'],
          ['wasm', 'float32'],
        ];
  for (const [name, float] of runs) {
    test(`${name} ${float}: results and gradients`, async () => {
      const own = await Engine.create({ device: name });
      const pairs = thinned('numbers of PyTorch', goldenCases, (c) => c.op).flatMap((c) => pairsOf(c, float));
      const values = await evaluateAll(
        own,
        pairs.map((p) => p.tensor),
      );
      own.dispose();
      const found = pairs.flatMap((p, i) => {
        const result = values[i]!;
        const text = 'error' in result ? result.error : compare(result, p, name);
        return text ? [`${p.what}: ${text}`] : [];
      });
      console.log(`${name} ${float}: ${pairs.length} results compared with PyTorch`);
      report(found);
    });
  }
}

test('learning-rate schedules, step by step', () => {
  const found: string[] = [];
  assert.equal(Object.keys(golden.schedules), Object.keys(made));
  for (const [name, wanted] of Object.entries(golden.schedules)) {
    const schedule = made[name]!();
    for (let step = 0; step < length; step++) {
      const factor = schedule.factor({ step, epoch: step, epochs: length, stepsPerEpoch: 1 });
      if (!(Math.abs(factor - wanted[step]!) <= 1e-12))
        found.push(`${name}: ${factor} instead of ${wanted[step]} at step ${step}`);
      schedule.afterEpoch?.({ epoch: step + 1, trainLoss: losses[step]! } as EpochReport);
    }
  }
  report(found);
});

/** Losses of each step and weights after the last. */
async function train(network: Network): Promise<{ losses: number[]; weights: HostArray[] }> {
  const { layers, inputs, targets } = materials(network);
  const { sizes } = network;
  const model = nn.sequential(
    ...layers.flatMap(({ weight, bias }, i) => {
      const layer = nn.linear(sizes[i]!, sizes[i + 1]!, {
        weightInit: (shape) => tensor(Float32Array.from(weight), { shape }),
        biasInit: (shape) => tensor(Float32Array.from(bias), { shape }),
      });
      return i + 1 < layers.length ? [layer, nn[network.activation]()] : [layer];
    }),
  );
  const parameters = model.parameters();
  const optimizer = optimizers[network.optimizer]!();
  const lossOf = loss[network.loss]();
  const step = compile((x: Tensor, y: Tensor) => {
    const value = lossOf(model.forward(x, inference()), y);
    optimizer.update(parameters, gradients(value, parameters));
    return value;
  });
  const x = tensor(Float32Array.from(inputs), { shape: [batch, sizes[0]!] });
  const y =
    network.loss === 'crossEntropy'
      ? tensor(Int32Array.from(targets))
      : tensor(Float32Array.from(targets), { shape: [batch, sizes.at(-1)!] });
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const value = await step(x, y);
    losses.push(await value.item());
    (value as Tensor & Disposable)[Symbol.dispose]();
  }
  const result = { losses, weights: await Promise.all(parameters.map((p) => p.data())) };
  step.dispose();
  optimizer.dispose();
  for (const p of parameters) p.dispose();
  return result;
}

for (const device of environment.devices) {
  test(`${device}: running statistics of a batch norm`, async () => {
    await configure({ device });
    const { shape, inputs, momentum } = normBatches();
    const norm = nn.batchNorm(shape.at(-1)!, { momentum });
    const training: Context = { ...inference(), training: true };
    const step = compile((x: Tensor) => norm.forward(x, training));
    const found: string[] = [];
    const check = (what: string, actual: HostArray, wanted: readonly number[]): void => {
      const worst = Math.max(...Array.from(actual, (v, i) => Math.abs(v - wanted[i]!)));
      if (!(worst <= 5e-6 * Math.max(1, largest(wanted)))) found.push(`${what} differs by up to ${worst}`);
    };
    for (const [i, values] of inputs.entries()) {
      const y = await step(tensor(Float32Array.from(values), { shape }));
      (y as Tensor & Disposable)[Symbol.dispose]();
      const wanted = golden.runningStatistics.steps[i]!;
      check(`mean after batch ${i}`, await norm.runningMean.data(), wanted.mean);
      check(`variance after batch ${i}`, await norm.runningVariance.data(), wanted.variance);
    }
    const last = tensor(Float32Array.from(inputs.at(-1)!), { shape });
    check('use', await norm.forward(last, inference()).data(), golden.runningStatistics.used);
    step.dispose();
    norm.dispose();
    report(found);
  });

  test(`${device}: ${steps} steps of each optimizer and of training`, async () => {
    await configure({ device });
    const found: string[] = [];
    for (const [name, network] of Object.entries(networks)) {
      const wanted = golden.trajectories[name];
      if (!wanted) {
        found.push(`missing golden: ${name}, run test/golden/make.sh`);
        continue;
      }
      const { losses, weights: last } = await train(network);
      assert.is(last.length, wanted.weights.length);
      for (const [what, a, b] of [
        ['losses', losses, wanted.losses] as const,
        ...last.map((w, i) => [`parameter ${i}`, w, wanted.weights[i]!] as const),
      ]) {
        const worst = Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i]!)));
        // Rounding errors of ten steps; Adam divides by gradients' own size and so keeps the relative ones.
        if (!(worst <= 2e-5 * Math.max(1, largest(b))))
          found.push(`${name}: ${what} differ by up to ${worst}`);
      }
    }
    const current = await engine();
    current.clearPlans();
    for (const [name, { pieces }] of Object.entries(current.stats()))
      assert.is(pieces, 0, `memory left on ${name}`);
    report(found);
  });
}

test.run();
