// Pooling layers: images (batch, height, width, channels) and sequences (batch, length, channels).
import { checkOptionNames } from '../errors.js';
import type { Tensor } from '../graph.js';
import * as ops from '../ops/index.js';
import { type Lambda, lambda } from './layers.js';

/** A layer with the options of all windows, and others. */
function pooling(name: string, op: (x: Tensor) => Tensor, options?: object, ...others: string[]): Lambda {
  checkOptionNames(name, options, ['stride', 'padding', 'ceilMode', ...others]);
  return lambda(name, op);
}

/** Largest pixel of each window. */
export const maxPool2d = (kernel: ops.Pair, options?: ops.MaxPoolOptions): Lambda =>
  pooling('maxPool2d', (x) => ops.maxPool2d(x, kernel, options), options, 'dilation');

/** Mean of each window. */
export const avgPool2d = (kernel: ops.Pair, options?: ops.AvgPoolOptions): Lambda =>
  pooling('avgPool2d', (x) => ops.avgPool2d(x, kernel, options), options, 'countIncludePad');

/** Root of the sum of squares of each window. */
export const lpPool2d = (kernel: ops.Pair, options?: ops.PoolOptions): Lambda =>
  pooling('lpPool2d', (x) => ops.lpPool2d(x, kernel, options), options);

/** Largest element of each window of a sequence. */
export const maxPool1d = (kernel: number, options?: Parameters<typeof ops.maxPool1d>[2]): Lambda =>
  pooling('maxPool1d', (x) => ops.maxPool1d(x, kernel, options), options, 'dilation');

/** Mean of each window of a sequence. */
export const avgPool1d = (kernel: number, options?: Parameters<typeof ops.avgPool1d>[2]): Lambda =>
  pooling('avgPool1d', (x) => ops.avgPool1d(x, kernel, options), options, 'countIncludePad');

/** Mean over all positions: (batch, ..., channels) gives (batch, channels). */
export const globalAvgPool = (): Lambda => lambda('globalAvgPool', ops.globalAvgPool);

/** Largest over all positions: (batch, ..., channels) gives (batch, channels). */
export const globalMaxPool = (): Lambda => lambda('globalMaxPool', ops.globalMaxPool);
