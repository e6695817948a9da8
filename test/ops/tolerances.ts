// How far each backend may be from the reference in double precision, and why. What is not named is exact.
import type { BackendName } from '../../src/backend/backend.js';
import { type DType, isFloat, sizeOf } from '../../src/dtype.js';
import type { Site } from '../../src/ops/define.js';

/** |actual - expected| <= relative * |expected| + absolute; 0 and 0 means the very same number. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** In units in the last place: of the result, and of 1 (for results that are differences of larger numbers). */
type Ulps = readonly [relative: number, absolute: number];
type Rule = Ulps | ((site: Site) => Ulps);

/** Elements that go into one element of the result. */
const terms = ({ inputs, output }: Site): number =>
  Math.max(1, sizeOf(inputs[0]!.shape) / Math.max(1, sizeOf(output.shape)));
const inner = ({ inputs: [a], attributes }: Site): number => a!.shape.at(attributes.transA ? -2 : -1)!;

/**
 * k terms of size 2 (4 for products): partial sums grow like sqrt(k), and so do the roundings of k such sums, together k.
 * Some kernels add in several lanes and do better.
 */
const summing = (k: number): Ulps => [1 + Math.sqrt(k), k];
const summed: Rule = (site) => summing(terms(site));
const products: Rule = (site) => summing(Math.max(1, inner(site)));
/** Products that a convolution adds up for one element: a filter; all filters on an input; all positions. */
const volume = (shape: readonly number[]): number => Math.max(1, sizeOf(shape));
const filtered = ({ inputs: [, w] }: Site): Ulps => summing(volume(w!.shape.slice(0, 3)));
const spread = ({ inputs: [, w] }: Site): Ulps => summing(volume(w!.shape.toSpliced(2, 1)));
const collected = ({ inputs: [, dy] }: Site): Ulps => summing(volume(dy!.shape.slice(0, 3)));
/** On WASM, where Winograd's way adds up sums and differences of up to four elements in the place of each. */
const transformed =
  (rule: (site: Site) => Ulps): Rule =>
  (site) => {
    const [relative, absolute] = rule(site);
    return [relative, 4 * absolute];
  };
/** Each factor adds a rounding. */
const multiplied: Rule = (site) => [0.5 + terms(site), 0];
const added: Rule = [1, 4];
/** Two products of parts that are rounded, and a sum. */
const mixed: Rule = [1, 4];

/**
 * Recurrent networks: sums over H (or gates * H) and gates, whose errors, of some units in the last place each, go through
 * the steps with a factor of about 1.5 (the weights are that large).
 */
const recurrent =
  (ulps: number): Rule =>
  ({ inputs: [first, weights], output }) => {
    const steps = Math.max(1, first!.shape[0]! / 5);
    return [0, ulps * steps * Math.sqrt(weights!.shape[1]! + output.shape[2]!)];
  };
const recurrentRules = (ulps: number): Record<string, Rule> =>
  Object.fromEntries(
    ['rnnTanh', 'rnnRelu', 'gru', 'lstm'].flatMap((cell) =>
      ['Sequence', 'Gradient'].map((op) => [`${cell}${op}`, recurrent(ulps)]),
    ),
  );
/** As many elements as go into one mean or sum of a pair. */
const ofPair = ({ inputs, output }: Site): number =>
  (2 * sizeOf(inputs[0]!.shape)) / Math.max(1, sizeOf(output.shape));
/** Sums of k distances of up to 4 from the first element, and of their squares, divided by k. */
const statistics: Rule = (site) => [2 + Math.sqrt(ofPair(site)), 24];
/** Sums of k products of size 8. */
const pairs: Rule = (site) => [2 + Math.sqrt(ofPair(site)), 4 * ofPair(site)];
/** A sum over a window of k elements of size 2, times the rounded 1 / k. */
const averaged = ({ attributes: { kernel } }: Site): Ulps => [2, sizeOf(kernel as number[])];

/** The kernels' own polynomials, each within 2 ulp of its result; sin and cos of their argument's range. */
const wasm: Record<string, Rule> = {
  exp: [2, 0],
  log: [2, 0],
  sin: [2, 0.5],
  cos: [2, 0.5],
  tanh: [3, 0],
  sigmoid: [3, 0],
  // in double precision the reference itself is off by up to 4
  erf: ({ output }) => (output.dtype === 'float32' ? [3, 0] : [7, 0]),
  pow: [2, 0],
  sum: summed,
  prod: multiplied,
  matmul: products,
  conv2dInt8: [2, 0],
  matmulInt8: [2, 0], // the sum as a float, the product of the scales, the product of both
  dequantizeRows: [0.5, 0],
  conv2d: transformed(filtered),
  conv2dInputGradient: transformed(spread),
  conv2dFilterGradient: transformed(collected),
  scatterAdd: added,
  moments: statistics,
  pairSums: pairs,
  // sums over the row, a root, quotients; the gradient is r times differences of such, r up to 1 / sqrt(eps)
  rowNorm: (site) => [8 + Math.sqrt(site.output.shape.at(-1)!), 8],
  rowNormGradient: (site) => [0, 64 + 4 * site.output.shape.at(-1)!],
  windowSum: ({ attributes: { before, after } }) => [1, 4 * (1 + Number(before) + Number(after))],
  columnAffine: [2, 8], // a difference, times 2, of size 8
  columnAffinePair: [2, 16], // that and a product of size 4
  // a pixel takes from each of the windows that it is in
  maxPoolGradient: added,
  avgPool: averaged,
  avgPoolGradient: added,
  // exp of a difference of size 4, which is rounded; then a sum over the row and a quotient
  softmax: (site) => [8 + Math.sqrt(site.output.shape.at(-1)!), 0],
  logSoftmax: [2, 4],
  // as logSoftmax, of one element
  crossEntropyLogits: [2, 8],
  // as softmax, less 1 at the label
  crossEntropyLogitsGradient: (site) => [8 + Math.sqrt(site.output.shape.at(-1)!), 4],
  addAlongAxis: added,
  resample: mixed,
  resampleGradient: added,
  // a cosine of an angle of size 6, rounded, times a radius of up to 5; drawn in single precision for float64 too
  randomNormal: ({ output }) => [0, 15 * (unitOf('float32') / unitOf(output.dtype))],
  ...recurrentRules(1),
};

/** What WGSL asks of a GPU ("Accuracy of concrete floating point expressions"), with the steps of each expression. */
const webgpu: Record<string, Rule> = {
  div: [2.5, 0],
  reciprocal: [2.5, 0],
  sqrt: [5, 0], // 1 / inverseSqrt
  exp: [7, 0], // 3 + 2|x|
  log: [3, 4], // 2^-21 near 1
  sin: [0, 4096], // 2^-11
  cos: [0, 4096],
  tanh: [0, 84], // 1e-5
  sigmoid: [10, 0], // exp, sum, quotient
  erf: [8, 8], // exp for the larger half
  pow: [40, 0], // exp2(y log2(x)), the logarithm's 2^-21 times 3
  sum: summed,
  prod: multiplied,
  matmul: products,
  conv2dInt8: [2, 0],
  matmulInt8: [2, 0],
  dequantizeRows: [0.5, 0],
  conv2d: filtered,
  conv2dInputGradient: spread,
  conv2dFilterGradient: collected,
  scatterAdd: added,
  moments: (site) => [4 + Math.sqrt(ofPair(site)), 4], // two quotients
  pairSums: pairs,
  rowNorm: (site) => [16 + Math.sqrt(site.output.shape.at(-1)!), 16],
  rowNormGradient: (site) => [0, 128 + 8 * site.output.shape.at(-1)!],
  windowSum: ({ attributes: { before, after } }) => [1, 4 * (1 + Number(before) + Number(after))],
  columnAffine: [2, 8],
  columnAffinePair: [2, 16],
  maxPoolGradient: added,
  avgPool: (site) => [3, averaged(site)[1]], // a quotient
  avgPoolGradient: [3, 4],
  softmax: [20, 0], // exp of up to 4, sum, quotient
  logSoftmax: [4, 16], // exp, log
  crossEntropyLogits: [4, 24],
  crossEntropyLogitsGradient: [20, 4],
  addAlongAxis: added,
  cumsum: ({ inputs: [x], attributes }) => summing(x!.shape[attributes.axis as number]!),
  resample: mixed,
  resampleGradient: added,
  randomNormal: [8, 5 * 4096], // cos times a radius of up to 5
  ...recurrentRules(64), // tanh, as above
};

/** In single precision it is the reference in double precision, rounded; where it adds in place, at each step. */
const reference: Record<string, Rule> = { scatterAdd: added, addAlongAxis: added, resampleGradient: added };

const rules: Record<BackendName, Record<string, Rule>> = { reference, wasm, webgpu };

/** Tolerance of an op's result; `site` with the dtypes at hand. */
export function toleranceOf(name: string, site: Site, backend: BackendName): Tolerance {
  if (!isFloat(site.output.dtype)) return { relative: 0, absolute: 0 };
  const rule = rules[backend][name.replace(/Half$/, '')] ?? [0, 0];
  const [relative, absolute] = typeof rule === 'function' ? rule(unpacked(site)) : rule;
  const unit = unitOf(site.output.dtype);
  // Samples of packed halves are a pattern, not random: partial sums go further.
  const further = name.endsWith('Half') ? 2 : 1;
  return { relative: relative * unit, absolute: further * absolute * unit };
}

/** An op of packed halves as the one on float32 that it is like; its products are as exact. */
function unpacked(site: Site): Site {
  const { left, right } = site.attributes as { left?: number[]; right?: number[] };
  if (!left || !right) return site;
  return { ...site, inputs: [left, right].map((shape) => ({ shape, dtype: 'float32' })) };
}

/** Distance from 1 to the next number. */
export const unitOf = (dtype: DType): number => (dtype === 'float32' ? 2 ** -23 : 2 ** -52);

/** The first element that is out of tolerance, in words; null if there is none. */
export function difference(
  actual: ArrayLike<number>,
  wanted: ArrayLike<number>,
  { relative, absolute }: Tolerance,
  dtype: DType,
): string | null {
  if (actual.length !== wanted.length) return `${actual.length} elements instead of ${wanted.length}`;
  let worst = { excess: 0, text: null as string | null };
  for (let i = 0; i < wanted.length; i++) {
    const a = actual[i]!;
    // What is exact is exact after rounding to the dtype.
    const e = absolute === 0 && relative === 0 && dtype === 'float32' ? Math.fround(wanted[i]!) : wanted[i]!;
    if (a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    const allowed = relative * Math.abs(e) + absolute;
    const error = Math.abs(a - e);
    if (error <= allowed) continue;
    const excess = Number.isFinite(error) ? error / (allowed || 1) : Number.POSITIVE_INFINITY;
    if (worst.text === null || excess > worst.excess) {
      worst = { excess, text: `element ${i} is ${a} instead of ${e}, off by ${error}, allowed ${allowed}` };
    }
  }
  return worst.text;
}

/**
 * How far gradients in single precision may be from those in double precision, as a part of the largest. They are made of
 * several ops, so that all their roundings come together; WGSL's own functions are worse than that.
 */
export function gradientTolerance(name: string, backend: 'wasm' | 'webgpu'): number {
  const functions: Record<string, number> = { sin: 2e-3, cos: 2e-3, tanh: 1e-4, pow: 3e-5 };
  return (backend === 'webgpu' ? functions[name] : undefined) ?? 5e-6;
}
