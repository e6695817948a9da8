// infer/...: examples per second of a model that is used, its input and output in device memory; b1 is one at a time.
import { prepare } from '../compile.js';
import { configure, type EngineOptions } from '../engine.js';
import { Variable } from '../graph.js';
import { alexnet, lenet } from '../nn/models.js';
import type { Module } from '../nn/module.js';
import { inference } from '../nn/module.js';
import { add, zeros } from '../ops/index.js';
import { RandomStream } from '../philox.js';
import { countOps } from '../schedule/plan.js';
import { tensor } from '../tensor.js';
import { predict } from '../train/fit.js';
import {
  type Bench,
  backendNames,
  checkError,
  describeEngine,
  freshEngine,
  type Measurement,
  type PlacementCase,
  summary,
  timedRounds,
  type Workload,
} from './rounds.js';

interface Case {
  readonly name: string;
  readonly batch: number;
  readonly size: number;
  readonly channels: number;
  model(inputSize: number): Module;
  /** Size of the one image with which the outputs are compared with the reference's, which takes its time. */
  readonly checkedSize: number;
}

const lenetCase = (batch: number): Case => ({
  name: `infer/lenet_b${batch}`,
  ...{ batch, size: 28, channels: 1, checkedSize: 28 },
  model: (inputSize) => lenet({ inputSize }),
});

const cases: readonly Case[] = [
  lenetCase(1),
  lenetCase(128),
  {
    name: 'infer/alexnet_b1',
    ...{ batch: 1, size: 227, channels: 3, checkedSize: 67 },
    model: (inputSize) => alexnet({ inputSize }),
  },
];

const tolerance = 1e-4;

function images(batch: number, size: number, channels: number) {
  const random = new RandomStream(1, 0);
  const values = Float32Array.from({ length: batch * size * size * channels }, () => random.uniform());
  return tensor(values, { shape: [batch, size, size, channels] });
}

/** The outputs of the network with its first weights, which a seed decides, for one image. */
async function outputs({ model: make, checkedSize, channels }: Case): Promise<ArrayLike<number>> {
  const model = await make(checkedSize).initialize(1);
  const result = await predict(model, images(1, checkedSize, channels));
  model.dispose();
  return result.data();
}

async function run(bench: Case, options: EngineOptions, seconds: number): Promise<Measurement> {
  await configure({ device: 'reference' });
  const expected = Array.from(await outputs(bench));
  const engine = await freshEngine(options);
  const found = await outputs(bench);
  const scale = Math.sqrt(expected.reduce((sum, v) => sum + v * v, 0) / expected.length);
  const error = expected.reduce((most, v, i) => Math.max(most, Math.abs(v - found[i]!)), 0) / scale;
  checkError(bench.name, 'an output', error, tolerance);

  const { prepared, settle, amount, dispose } = await open(bench);
  try {
    const rates = await timedRounds(prepared, settle, amount, seconds);
    const backend = backendNames(countOps(prepared.plan));
    return { backend, ...summary(rates, 'samples/s'), engine: describeEngine(engine) };
  } finally {
    prepared.dispose();
    dispose();
  }
}

/** The network with input and output in device memory. */
async function open({ model: make, batch, size, channels }: Case): Promise<Workload> {
  const model = await make(size).initialize(1);
  const x = new Variable([batch, size, size, channels], 'float32', () => images(batch, size, channels), 'x');
  const classes = model.forward(x, inference()).shape;
  const y = new Variable(classes, 'float32', () => zeros(classes), 'y');
  /** Reading it waits for all runs without a large copy. */
  const runs = new Variable([], 'int32', () => zeros([], 'int32'), 'runs');
  const prepared = await prepare(() => {
    y.assign(model.forward(x, inference()));
    runs.assign(add(runs, 1));
  }, []);
  const dispose = (): void => {
    model.dispose();
    for (const v of [x, y, runs]) v.dispose();
  };
  return { prepared, feeds: [], amount: batch, settle: () => runs.item(), dispose };
}

export const inferenceBenches: readonly Bench[] = cases.map((bench) => ({
  name: bench.name,
  run: (options, seconds) => run(bench, options, seconds),
}));

export const inferencePlacements: readonly PlacementCase[] = cases.map((bench) => ({
  name: bench.name,
  unit: 'samples/s',
  open: () => open(bench),
}));
