// All ops, and the table that tests, coverage and docs are made from.
import type { Attributes } from '../graph.js';
import * as alongs from './along.js';
import * as arithmetic from './arithmetic.js';
import * as casts from './cast.js';
import * as columns from './columns.js';
import * as convolutions from './conv.js';
import * as byteConvolutions from './conv-int8.js';
import * as crossEntropies from './cross-entropy.js';
import type { OpDefinition } from './define.js';
import * as dropouts from './dropout.js';
import * as gathers from './gather.js';
import * as halves from './half.js';
import * as halfProducts from './half-products.js';
import * as bytes from './int8.js';
import * as products from './matmul.js';
import * as moment from './moments.js';
import * as movements from './movement.js';
import * as pools from './pool.js';
import * as randoms from './random.js';
import * as recurrences from './recurrent.js';
import * as reductions from './reduce.js';
import * as resizes from './resize.js';
import * as rowNorms from './row-norm.js';
import * as scans from './scan.js';
import * as softmaxes from './softmax.js';
import * as sorts from './sort.js';

export * from './activations.js';
export * from './along.js';
export * from './arithmetic.js';
export * from './attention.js';
export * from './cast.js';
export * from './columns.js';
export * from './compositions.js';
// The one that takes short cuts for common exponents, over the op of the same name.
export { pow } from './compositions.js';
export * from './conv.js';
export { conv2dInt8 } from './conv-int8.js';
export * from './cross-entropy.js';
export * from './dropout.js';
export type { TensorLike } from './elementwise.js';
export * from './gather.js';
export { fromHalf, toHalf } from './half.js';
export * from './half-products.js';
export { dequantizeRows, matmulInt8, type QuantizedRows, quantizeByRow, quantizeRows } from './int8.js';
export * from './matmul.js';
export { moments, pairSums } from './moments.js';
export * from './movement.js';
export { batchNorm, groupNorm, instanceNorm, type Normalized, type NormOptions, normalize } from './norm.js';
export * from './pad-edges.js';
export * from './pool.js';
export * from './random.js';
export {
  gruSequence,
  lstmSequence,
  rnnReluSequence,
  rnnTanhSequence,
  type SequenceOptions,
  type SequenceResult,
} from './recurrent.js';
export * from './reduce.js';
export * from './resize.js';
export * from './row-norm.js';
export * from './scan.js';
export * from './softmax.js';
export * from './sort.js';
export type { Pair, PoolOptions } from './window.js';
export { withGradient } from './with-gradient.js';

/** A function, so that bundlers leave out what nobody uses. */
const modules = (): object[] => [
  arithmetic,
  casts,
  products,
  reductions,
  movements,
  gathers,
  softmaxes,
  randoms,
  convolutions,
  crossEntropies,
  dropouts,
  alongs,
  sorts,
  scans,
  resizes,
  recurrences,
  pools,
  moment,
  columns,
  rowNorms,
  halves,
  halfProducts,
  bytes,
  byteConvolutions,
];

/** Every op that has an entry, found by its recorder's `definition`. */
export const opTable: readonly OpDefinition<Attributes>[] = /* @__PURE__ */ modules()
  .flatMap((m): unknown[] => Object.values(m))
  .filter((f): f is { definition: OpDefinition<Attributes> } => typeof f === 'function' && 'definition' in f)
  .map((f) => f.definition);
/** Every op that has an entry, found by its recorder's `definition`. Marked as pure, so that apps need not load it. */
