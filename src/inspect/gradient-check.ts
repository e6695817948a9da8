// Gradients checked by finite differences, in double precision.
import type { HostArray, Shape } from '../dtype.js';
import { engine } from '../engine.js';
import { OptionError } from '../errors.js';
import { vjp } from '../grad.js';
import { constant, type Tensor } from '../graph.js';
import { checkLoss, type Loss } from '../loss/index.js';
import {
  type Context,
  type Module,
  type Parameter,
  RandomSource,
  trainableParameters,
} from '../nn/module.js';
import { add, zeros } from '../ops/index.js';
import { RandomStream } from '../philox.js';
import { read } from '../tensor.js';
import { core } from '../train/core.js';
import { PureGraph, placeOf } from '../train/pure-graph.js';
import type { TensorBatch } from './explain-non-finite.js';

/** Options of `gradientCheck`. */
export interface GradientCheckOptions {
  /** 'float64' where not said; 'float32' computes as training does, with wider steps and a wider tolerance. */
  precision?: 'float64' | 'float32';
  /** Elements that are checked of each parameter, drawn by the seed; 20 where not said. */
  elements?: number;
  /** The greatest error that passes; 1e-5, for float32 0.02. */
  tolerance?: number;
  /** Dropout and its like are on; no where not said. */
  training?: boolean;
  /** First weights if there are none, elements, dropout; 0 where not said. */
  seed?: number;
}

/** One element of a parameter. */
export interface CheckedElement {
  parameter: string;
  element: number[];
  /** By the chain rule, and by differences. */
  analytic: number;
  numeric: number;
  error: number;
}

/** What `gradientCheck` found. */
export interface GradientCheckResult {
  passed: boolean;
  /** How many elements were checked. */
  checked: number;
  worst: CheckedElement;
  parameters: { name: string; shape: Shape; worst: CheckedElement }[];
}

/**
 * Compares the gradients of a loss by the parameters with central differences (L(w + h) - L(w - h)) / 2h of single
 * elements. An error is |analytic - numeric|, less what rounding of L may make of it (4 epsilon |L| / 2h), divided by
 * max(|analytic|, |numeric|, 1e-3 times the largest gradient of all). In float64 h is 1e-5 times max(1, |w|), in float32 1e-2; an element that does not pass is tried once more with a tenth of
 * it, as a kink (ReLU at 0) may lie between. All is computed as a function of copies: nothing is changed. Random numbers
 * stay the same through all evaluations. Errors: OptionError, StateError without a trainable parameter, and what the
 * forward pass raises.
 */
export async function gradientCheck(
  model: Module,
  loss: Loss,
  { inputs, targets }: TensorBatch,
  options: GradientCheckOptions = {},
): Promise<GradientCheckResult> {
  const { precision = 'float64', elements = 20, training = false, seed = 0 } = options;
  const double = precision === 'float64';
  const { tolerance = double ? 1e-5 : 0.02 } = options;
  if (!(double || precision === 'float32') || !(elements >= 1) || !(tolerance > 0)) {
    throw new OptionError({
      where: 'gradientCheck',
      problem: `precision is ${String(precision)}, elements ${elements}, tolerance ${tolerance}`,
      hint: "'float64' or 'float32', a whole number >= 1, a number > 0",
      values: { precision, elements, tolerance },
    });
  }
  await model.initialize(seed);
  const parameters = trainableParameters('gradientCheck', model);
  const pure = PureGraph.trace(
    core(),
    (x, y) => {
      const penalties: Tensor[] = [];
      const random = new RandomSource(seed, constant(0, 'int32'));
      const context: Context = { training, random, penalties };
      const value = checkLoss('gradientCheck', loss(model.forward(x!, context), y!));
      const total = penalties.reduce((sum, p) => add(sum, p), value);
      const found = vjp(total, parameters, constant(1, total.dtype));
      return [total, ...found.map((g, i) => g ?? zeros(parameters[i]!.shape))];
    },
    [inputs, targets],
    { double },
  );
  const { outputs, variables } = pure.graph;
  const given = [...(await read([inputs, targets])), ...(await read(variables))];
  const kinds = [inputs, targets, ...variables].map(({ dtype }) => dtype);
  const feeds = given.map(
    (v, i): HostArray => (double && kinds[i] === 'float32' ? Float64Array.from(v) : v.slice()),
  );
  const e = await engine();
  const [whole, lossOnly] = [await pure.prepare(e, outputs), await pure.prepare(e, [outputs[0]!])];
  try {
    const [[lossValue], ...gradients] = (await whole.run(feeds)) as [HostArray & [number], ...HostArray[]];
    const rounding = 4 * Math.abs(lossValue) * (double ? Number.EPSILON : 2 ** -23);
    let largest = 0;
    for (const g of gradients) for (const v of g) largest = Math.max(largest, Math.abs(v));
    const valueWith = async (at: number, index: number, value: number): Promise<number> => {
      const array = feeds[at]!;
      const before = array[index]!;
      array[index] = value;
      const [result] = await lossOnly.run(feeds);
      array[index] = before;
      return result![0]!;
    };
    const check = async (p: Parameter, i: number, index: number, h: number): Promise<CheckedElement> => {
      const at = 2 + variables.indexOf(p);
      const analytic = gradients[i]![index]!;
      // A parameter that plays no part in the loss has no place among the arguments.
      const w = at >= 2 ? feeds[at]![index]! : 0;
      const step = h * Math.max(1, Math.abs(w));
      const round = double ? (v: number) => v : Math.fround;
      const [high, low] = [round(w + step), round(w - step)];
      const apart = at >= 2 ? (await valueWith(at, index, high)) - (await valueWith(at, index, low)) : 0;
      const numeric = apart / (high - low);
      const scale = Math.max(Math.abs(analytic), Math.abs(numeric), 1e-3 * largest, Number.MIN_VALUE);
      const error = Math.max(0, Math.abs(analytic - numeric) - rounding / (high - low)) / scale;
      return {
        ...{ parameter: p.name, element: placeOf(index, p.shape), analytic, numeric },
        error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error,
      };
    };
    const result: GradientCheckResult['parameters'] = [];
    const h = double ? 1e-5 : 1e-2;
    let checked = 0;
    for (const [i, p] of parameters.entries()) {
      const order = new RandomStream(seed, i).permutation(p.size).subarray(0, elements);
      let worst: CheckedElement | null = null;
      for (const index of order) {
        let found = await check(p, i, index, h);
        if (found.error > tolerance) {
          const again = await check(p, i, index, h / 10);
          if (again.error < found.error) found = again;
        }
        checked++;
        if (!worst || found.error > worst.error) worst = found;
      }
      if (worst) result.push({ name: p.name, shape: p.shape, worst });
    }
    const worst = result.map((r) => r.worst).reduce((a, b) => (b.error > a.error ? b : a));
    return { passed: worst.error <= tolerance, checked, worst, parameters: result };
  } finally {
    whole.dispose();
    lossOnly.dispose();
  }
}
