// All ops, and the table that tests, coverage and docs are made from.
import type { Attributes } from '../graph.js';
import * as arithmetic from './arithmetic.js';
import * as casts from './cast.js';
import type { OpDefinition } from './define.js';
import * as gathers from './gather.js';
import * as products from './matmul.js';
import * as movements from './movement.js';
import * as randoms from './random.js';
import * as reductions from './reduce.js';
import * as softmaxes from './softmax.js';

export * from './activations.js';
export * from './arithmetic.js';
export * from './cast.js';
export * from './compositions.js';
// The one that takes short cuts for common exponents, over the op of the same name.
export { pow } from './compositions.js';
export type { TensorLike } from './elementwise.js';
export * from './gather.js';
export * from './matmul.js';
export * from './movement.js';
export * from './random.js';
export * from './reduce.js';
export * from './softmax.js';

const modules = [arithmetic, casts, products, reductions, movements, gathers, softmaxes, randoms];

/** Every op that has an entry, found by its recorder's `definition`. */
export const opTable: readonly OpDefinition<Attributes>[] = modules
  .flatMap((m): unknown[] => Object.values(m))
  .filter((f): f is { definition: OpDefinition<Attributes> } => typeof f === 'function' && 'definition' in f)
  .map((f) => f.definition);
