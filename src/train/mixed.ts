// Training in mixed precision (Micikevicius et al., "Mixed precision training", 2018): products of halves with sums in
// float32, activations kept for the gradient as halves, weights and updates in float32, and a loss that is scaled so that
// small gradients do not vanish.
import { OptionError } from '../errors.js';
import { gradients } from '../grad.js';
import { type Attributes, constant, Tensor, traced, Variable, withValuesAsRecorded } from '../graph.js';
import type { OpDefinition } from '../ops/define.js';
import {
  abs,
  add,
  conv2d,
  conv2dFilterGradient,
  conv2dFilterGradientHalf,
  conv2dHalf,
  conv2dInputGradient,
  conv2dInputGradientHalf,
  div,
  fromHalf,
  full,
  less,
  lessEqual,
  logicalAnd,
  matmul,
  matmulHalf,
  max,
  maximum,
  mul,
  reshape,
  toHalf,
  where,
  zeros,
} from '../ops/index.js';
import { isOp, rootOf } from '../schedule/graph.js';
import type { Precision } from './step.js';

/** Names and values where not said are those of PyTorch's GradScaler. */
export interface MixedPrecisionOptions {
  /** What the loss is multiplied by at first; 65536 where not said. */
  initialScale?: number;
  /** The scale grows after so many steps without overflow; 2000 where not said. */
  growthInterval?: number;
  /** By how much; 2 where not said. */
  growthFactor?: number;
  /** By how much it shrinks when a gradient overflows; 0.5 where not said. */
  backoffFactor?: number;
}

/** Products of fewer operations stay in float32; so do activations of fewer elements. */
const worthwhile = { flops: 2 ** 13, elements: 256 };

/** Largest finite float32. */
const largest = 3.4028234663852886e38;

/** A function, so that bundlers leave out what nobody uses. */
const halfProducts = (): ReadonlyMap<OpDefinition, typeof matmulHalf> =>
  new Map<OpDefinition, typeof matmulHalf>([
    [matmul.definition, matmulHalf],
    [conv2d.definition, conv2dHalf],
    [conv2dInputGradient.definition, conv2dInputGradientHalf],
    [conv2dFilterGradient.definition, conv2dFilterGradientHalf],
  ]);

const scalar = (name: string, value: number): Variable =>
  new Variable([], 'float32', () => (value === 0 ? zeros([]) : full([], value)), name);

/** Options of a training in mixed precision, and the scale of its loss; each training has one of its own. */
export class MixedPrecision implements Precision {
  readonly #scale: Variable;
  readonly #good = scalar('steps without overflow', 0);
  readonly #skipped = scalar('skipped steps', 0);
  readonly #options: Required<MixedPrecisionOptions>;
  /** Ids of the last op of the loss, and of the gradients, in the step that is recorded. */
  #loss = -1;
  #gradients = -1;

  constructor({
    initialScale = 65536,
    growthInterval = 2000,
    growthFactor = 2,
    backoffFactor = 0.5,
  }: MixedPrecisionOptions = {}) {
    const options = { initialScale, growthInterval, growthFactor, backoffFactor };
    const rules: Record<keyof MixedPrecisionOptions, [boolean, string]> = {
      initialScale: [initialScale >= 1 && Number.isFinite(initialScale), 'a number >= 1'],
      growthInterval: [Number.isInteger(growthInterval) && growthInterval >= 1, 'a whole number >= 1'],
      growthFactor: [growthFactor > 1 && Number.isFinite(growthFactor), 'a number > 1'],
      backoffFactor: [backoffFactor > 0 && backoffFactor < 1, 'a number above 0 and below 1'],
    };
    for (const [name, [right, hint]] of Object.entries(rules)) {
      if (right) continue;
      const value = options[name as keyof MixedPrecisionOptions];
      throw new OptionError({
        where: 'mixedPrecision',
        problem: `${name} is ${value}`,
        hint,
        values: { [name]: value },
      });
    }
    this.#options = options;
    this.#scale = scalar('loss scale', initialScale);
  }

  get state(): readonly Variable[] {
    return [this.#scale, this.#good, this.#skipped];
  }

  /** The scale of the loss now, and how many steps were skipped because a gradient overflowed. */
  async report(): Promise<{ scale: number; skipped: number }> {
    const [scale, skipped] = await Promise.all([this.#scale.item(), this.#skipped.item()]);
    return { scale, skipped };
  }

  /** Gradients of the scaled loss, unscaled; the update is left out where one of them is not finite. */
  step(loss: Tensor, parameters: readonly Variable[], update: (gradients: readonly Tensor[]) => void): void {
    this.#loss = loss.id;
    const found = gradients(mul(loss, this.#scale), parameters).map((g) => div(g, this.#scale));
    this.#gradients = constant(0).id;
    // The largest of a GPU's `max` is NaN where there is one; the larger of two is not.
    const finite = found.map((g) => lessEqual(max(abs(g)), largest)).reduce((a, b) => logicalAnd(a, b));
    const { assignments } = traced(() => update(found));
    for (const [v, value] of assignments) v.assign(where(finite, value, v));
    const { growthInterval, growthFactor, backoffFactor } = this.#options;
    const good = add(this.#good, 1);
    const grows = logicalAnd(lessEqual(growthInterval, good), less(this.#scale, 2 ** 24));
    const grown = where(grows, mul(this.#scale, growthFactor), this.#scale);
    this.#scale.assign(where(finite, grown, maximum(mul(this.#scale, backoffFactor), 1)));
    this.#good.assign(where(logicalAnd(finite, less(good, growthInterval)), good, 0));
    this.#skipped.assign(add(this.#skipped, where(finite, 0, 1)));
  }

  /** Records what `f` records with halves where they do; gives what stands for a tensor of `f`. */
  record(f: () => void): (t: Tensor) => Tensor {
    const { assignments } = traced(f);
    const twins = withValuesAsRecorded(() => this.#halved([...assignments.values()]));
    const twin = (t: Tensor): Tensor => twins.get(t) ?? t;
    for (const [v, value] of assignments) v.assign(twin(value));
    return twin;
  }

  /** Twins of all that `results` are made of, where they differ. */
  #halved(results: readonly Tensor[]): Map<Tensor, Tensor> {
    const products = halfProducts();
    const twins = new Map<Tensor, Tensor>();
    const twin = (t: Tensor): Tensor => twins.get(t) ?? t;
    const packed = new Map<Tensor, Tensor>();
    const unpacked = new Map<Tensor, Tensor>();
    const pack = (t: Tensor): Tensor => {
      const root = rootOf(twin(t));
      const made = packed.get(root) ?? toHalf(root);
      packed.set(root, made);
      return made;
    };
    /** An activation as the gradient finds it. */
    const kept = (t: Tensor): Tensor => {
      const root = rootOf(t);
      const own = isOp(root) && root.id <= this.#loss && root.dtype === 'float32';
      if (!own || root.size < worthwhile.elements) return twin(t);
      const made = unpacked.get(root) ?? fromHalf(pack(root), root.shape);
      unpacked.set(root, made);
      return root === t ? made : reshape(made, t.shape);
    };
    for (const t of everyOp(results)) {
      const { op, inputs, attributes, after } = t.source;
      const half = products.get(op);
      if (half && t.id <= this.#gradients && t.dtype === 'float32' && flopsOf(t) >= worthwhile.flops) {
        const [a, b] = inputs as [Tensor, Tensor];
        const shapes = { left: a.shape, right: b.shape };
        twins.set(t, half(pack(a), pack(b), { ...(attributes as Attributes), ...shapes }));
        continue;
      }
      const isGradient = t.id > this.#loss && t.id <= this.#gradients;
      const next = inputs.map((i) => (isGradient && op.kind !== 'view' ? kept(i) : twin(i)));
      if (next.every((i, n) => i === inputs[n]) && !after?.some((a) => twins.has(a))) continue;
      const source = { ...t.source, inputs: next, ...(after && { after: after.map(twin) }) };
      twins.set(t, new Tensor(source, t.shape, t.dtype));
    }
    return twins;
  }
}

const flopsOf = ({ source, shape, dtype }: ReturnType<typeof everyOp>[number]): number =>
  source.op.cost({ inputs: source.inputs, output: { shape, dtype }, attributes: source.attributes }).flops;

/** The ops that these are made of, in the order of recording. */
function everyOp(results: readonly Tensor[]) {
  const seen = new Set(results);
  for (const t of seen) {
    if (isOp(t)) for (const i of [...t.source.inputs, ...(t.source.after ?? [])]) seen.add(i);
  }
  return [...seen].filter(isOp).sort((a, b) => a.id - b.id);
}

/**
 * Mixed precision for `fit`: `fit(model, data, { precision: mixedPrecision(), ... })`. Large products and convolutions take
 * halves and sum in float32; activations wait for the gradient as halves; weights, their updates, the loss and all else
 * stay in float32. Activations beyond 65504 overflow. Throws OptionError for options that are none.
 */
export const mixedPrecision = (options?: MixedPrecisionOptions): MixedPrecision =>
  new MixedPrecision(options);
