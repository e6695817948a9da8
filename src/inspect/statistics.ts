// Numbers about what goes on in the layers: values, gradients, updates; units that are dead, saturated or alike.
import { type HostArray, type Shape, showShape, sizeOf } from '../dtype.js';
import { engine } from '../engine.js';
import { ShapeError } from '../errors.js';
import { vjp } from '../grad.js';
import { constant, type Tensor } from '../graph.js';
import { checkLoss, type Loss } from '../loss/index.js';
import { type Context, inference, type Module, RandomSource, trainableParameters } from '../nn/module.js';
import { kindOf, type LayerCall, watchLayers } from '../nn/watch.js';
import { add, zeros } from '../ops/index.js';
import type { Optimizer } from '../optim/index.js';
import { read } from '../tensor.js';
import { core } from '../train/core.js';
import { PureGraph } from '../train/pure-graph.js';
import type { TensorBatch } from './explain-non-finite.js';

/** Of all elements of a tensor, computed in double precision. NaN and infinities are counted and left out of the others. */
export interface Statistics {
  count: number;
  mean: number;
  /** sqrt of the mean squared deviation from the mean. */
  std: number;
  min: number;
  max: number;
  /** Share of elements that are 0. */
  zeros: number;
  nonFinite: number;
}

/** mean = sum(x) / n, std = sqrt(sum((x - mean)^2) / n); NaN where there is no finite element. */
export function statisticsOf(values: HostArray): Statistics {
  const finite = Array.from(values as ArrayLike<number>).filter(Number.isFinite);
  const n = finite.length;
  const mean = finite.reduce((sum, v) => sum + v, 0) / n;
  const variance = finite.reduce((sum, v) => sum + (v - mean) * (v - mean), 0) / n;
  return {
    count: values.length,
    mean,
    std: Math.sqrt(variance),
    min: n > 0 ? finite.reduce((a, b) => Math.min(a, b)) : Number.NaN,
    max: n > 0 ? finite.reduce((a, b) => Math.max(a, b)) : Number.NaN,
    zeros: finite.filter((v) => v === 0).length / n,
    nonFinite: values.length - n,
  };
}

/** Bounds that the outputs of activations come near to when they saturate. */
const bounds: Readonly<Record<string, readonly [number, number]>> = {
  sigmoid: [0, 1],
  tanh: [-1, 1],
  softmax: [0, 1],
};

/** Whether a value lies within a hundredth of the range from a bound. */
const isNear = (v: number, [low, high]: readonly [number, number]): boolean =>
  v < low + (high - low) / 100 || v > high - (high - low) / 100;

/** Options of `activations`. */
export interface ActivationsOptions {
  /** Dropout and its like are on; no where not said. */
  training?: boolean;
  seed?: number;
}

const contextOf = ({ training = false, seed = 0 }: ActivationsOptions): Context =>
  training ? { training, random: new RandomSource(seed, constant(0, 'int32')) } : inference();

/** Paths of layers; one that is called more than once gets `(2)` and so on behind its later calls. */
function unique(paths: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return paths.map((path) => {
    const n = (seen.get(path) ?? 0) + 1;
    seen.set(path, n);
    return n === 1 ? path : `${path} (${n})`;
  });
}

/**
 * The outputs of all layers inside of a model for inputs (batch, ...), by path as in `0` or `encoder.2`, in the order of the
 * forward pass. They are tensors like any others: `await (await activations(model, x)).get('1').array()`, or `read`
 * several together.
 */
export async function activations(
  model: Module,
  inputs: Tensor,
  options: ActivationsOptions = {},
): Promise<Map<string, Tensor>> {
  await model.initialize(options.seed);
  const { calls } = watchLayers(core(), model, () => model.forward(inputs, contextOf(options)));
  const inner = calls.filter(({ path }) => path !== '');
  const paths = unique(inner.map(({ path }) => path));
  return new Map(inner.map(({ output }, i) => [paths[i]!, output]));
}

/** What a layer gives and gets. */
export interface LayerStatistics {
  path: string;
  /** As in `relu` or `Linear`. */
  kind: string;
  shape: Shape;
  activations: Statistics;
  /** Of the gradient of the loss by the layer's output. */
  gradients: Statistics;
  /** Share of outputs within 1% of the bounds of a sigmoid, tanh or softmax; null for others. */
  saturated: number | null;
}

/** What happens to a parameter. */
export interface ParameterStatistics {
  name: string;
  shape: Shape;
  values: Statistics;
  gradients: Statistics;
  /** Of what a step of the optimizer would add; null without an optimizer. */
  updates: Statistics | null;
  /** sqrt(sum(update^2) / sum(value^2)); about 1e-3 is usual. null without an optimizer. */
  updateRatio: number | null;
}

/** What `stepStatistics` gives. */
export interface StepStatistics {
  loss: number;
  layers: LayerStatistics[];
  parameters: ParameterStatistics[];
}

/** Options of `stepStatistics`. */
export interface StatisticsOptions extends ActivationsOptions {
  /** Whose next step is looked at. Its state is used and left as it is. */
  optimizer?: Optimizer;
}

/**
 * Activations, gradients and updates of one training step on a batch, layer by layer and parameter by parameter, without
 * doing the step. Errors: as in training.
 */
export async function stepStatistics(
  model: Module,
  loss: Loss,
  { inputs, targets }: TensorBatch,
  options: StatisticsOptions = {},
): Promise<StepStatistics> {
  const { training = true, seed = 0, optimizer } = options;
  await model.initialize(seed);
  const parameters = trainableParameters('stepStatistics', model);
  const e = await engine();
  let inner: LayerCall[] = [];
  const pure = PureGraph.trace(
    core(),
    (x, y) => {
      const penalties: Tensor[] = [];
      const random = new RandomSource(seed, constant(0, 'int32'));
      const context: Context = { training, random, penalties };
      const { result: output, calls } = watchLayers(core(), model, () => model.forward(x!, context));
      inner = calls.filter(({ path }) => path !== '');
      const value = checkLoss('stepStatistics', loss(output, y!));
      const total = penalties.reduce((sum, p) => add(sum, p), value);
      const outputs = inner.map((call) => call.output);
      const by = [...outputs, ...parameters];
      const found = vjp(total, by, constant(1, total.dtype)).map((g, i) => g ?? zeros(by[i]!.shape));
      optimizer?.update(parameters, found.slice(outputs.length));
      return [total, ...outputs, ...found];
    },
    [inputs, targets],
  );
  const { outputs: wanted, variables, assignments } = pure.graph;
  await e.initialize(variables);
  const state = await read(variables);
  const run = await pure.prepare(e, [...wanted, ...assignments.values()]);
  try {
    const values = await run.run([...(await read([inputs, targets])), ...state]);
    const lossValue = values.shift()![0]!;
    const [outputs, outputGradients, gradients] = [inner.length, inner.length, parameters.length].map((n) =>
      values.splice(0, n),
    ) as [HostArray[], HostArray[], HostArray[]];
    const next = new Map([...assignments.keys()].map((v, i) => [v, values[i]!]));
    const paths = unique(inner.map(({ path }) => path));
    return {
      loss: lossValue,
      layers: inner.map(({ layer, output }, i) => {
        const range = bounds[kindOf(layer)];
        const near = range && (outputs[i]! as Float32Array).filter((v) => isNear(v, range)).length;
        return {
          ...{ path: paths[i]!, kind: kindOf(layer), shape: output.shape },
          activations: statisticsOf(outputs[i]!),
          gradients: statisticsOf(outputGradients[i]!),
          saturated: near === undefined ? null : near / outputs[i]!.length,
        };
      }),
      parameters: parameters.map((p, i) => {
        const before = state[variables.indexOf(p)]!;
        const after = optimizer ? next.get(p) : undefined;
        const update = after && Float64Array.from(after, (v, k) => v - before[k]!);
        const length = (v: HostArray): number =>
          Math.sqrt((v as Float64Array).reduce((n, x) => n + x * x, 0));
        return {
          ...{
            name: p.name,
            shape: p.shape,
            values: statisticsOf(before),
            gradients: statisticsOf(gradients[i]!),
          },
          updates: update ? statisticsOf(update) : null,
          updateRatio: update ? length(update) / length(before) : null,
        };
      }),
    };
  } finally {
    run.dispose();
  }
}

/** Units of a layer that do no work. */
export interface IdleUnits {
  path: string;
  kind: string;
  units: number;
  /** Numbers of the units whose output is 0 for every example (and place). */
  dead: number[];
  /** Numbers of the units within 1% of a bound of their activation for at least `share` of the examples. */
  saturated: number[];
}

/**
 * Dead units (always 0, as behind a ReLU that never opens) and saturated ones (sigmoid, tanh) in the outputs of all layers
 * for inputs (batch, ...); a unit is an index of the last axis.
 * @param options.share of the examples for which a saturated unit is so; 0.95 where not said
 */
export async function idleUnits(
  model: Module,
  inputs: Tensor,
  { share = 0.95 }: { share?: number } = {},
): Promise<IdleUnits[]> {
  await model.initialize();
  const { calls } = watchLayers(core(), model, () => model.forward(inputs, inference()));
  const inner = calls.filter(({ path, output }) => path !== '' && output.rank > 0);
  const values = await read(inner.map(({ output }) => output));
  const paths = unique(inner.map(({ path }) => path));
  return inner.map(({ layer, output }, i) => {
    const units = output.shape.at(-1)!;
    const rows = sizeOf(output.shape) / units;
    const range = bounds[kindOf(layer)];
    const data = values[i]!;
    const countOf = (unit: number, isSo: (v: number) => boolean): number => {
      let n = 0;
      for (let row = 0; row < rows; row++) if (isSo(data[row * units + unit]!)) n++;
      return n;
    };
    const numbers = Array.from({ length: units }, (_, unit) => unit);
    return {
      ...{ path: paths[i]!, kind: kindOf(layer), units },
      dead: numbers.filter((unit) => countOf(unit, (v) => v === 0) === rows),
      saturated: range
        ? numbers.filter((unit) => countOf(unit, (v) => isNear(v, range)) >= share * rows)
        : [],
    };
  });
}

/**
 * Pearson's correlations of units over examples: (examples, ..., units) gives units x units numbers from -1 to 1, row-major,
 * r_ij = sum((x_i - m_i)(x_j - m_j)) / sqrt(sum((x_i - m_i)^2) sum((x_j - m_j)^2)). A unit that is constant has 0 with all
 * others and 1 with itself. Errors: ShapeError for fewer than two rows or no unit.
 */
export async function unitCorrelations(values: Tensor): Promise<{ units: number; data: Float64Array }> {
  const units = values.shape.at(-1) ?? 0;
  const rows = units > 0 ? sizeOf(values.shape) / units : 0;
  if (values.rank < 2 || rows < 2) {
    throw new ShapeError({
      where: 'unitCorrelations',
      problem: `values are ${showShape(values.shape)}`,
      hint: 'it takes (examples, ..., units) with at least two examples',
      values: { shape: values.shape },
    });
  }
  const data = await values.data();
  const centred = Array.from({ length: units }, (_, unit) => {
    const column = Float64Array.from({ length: rows }, (_row, row) => data[row * units + unit]!);
    const mean = column.reduce((a, b) => a + b, 0) / rows;
    return column.map((v) => v - mean);
  });
  const product = (a: Float64Array, b: Float64Array): number => a.reduce((n, v, i) => n + v * b[i]!, 0);
  const squares = centred.map((c) => product(c, c));
  const result = new Float64Array(units * units);
  for (let i = 0; i < units; i++) {
    result[i * units + i] = 1;
    for (let j = 0; j < i; j++) {
      const scale = Math.sqrt(squares[i]! * squares[j]!);
      const r = scale > 0 ? Math.max(-1, Math.min(1, product(centred[i]!, centred[j]!) / scale)) : 0;
      result[i * units + j] = r;
      result[j * units + i] = r;
    }
  }
  return { units, data: result };
}
