// Pooling layers: images (batch, height, width, channels) and sequences (batch, length, channels).
import * as ops from '../ops/index.js';
import { type Lambda, lambda } from './layers.js';

/** Largest pixel of each window. */
export const maxPool2d = (kernel: ops.Pair, options?: ops.MaxPoolOptions): Lambda =>
  lambda('maxPool2d', (x) => ops.maxPool2d(x, kernel, options));

/** Mean of each window. */
export const avgPool2d = (kernel: ops.Pair, options?: ops.AvgPoolOptions): Lambda =>
  lambda('avgPool2d', (x) => ops.avgPool2d(x, kernel, options));

/** Root of the sum of squares of each window. */
export const lpPool2d = (kernel: ops.Pair, options?: ops.PoolOptions): Lambda =>
  lambda('lpPool2d', (x) => ops.lpPool2d(x, kernel, options));

/** Largest element of each window of a sequence. */
export const maxPool1d = (kernel: number, options?: Parameters<typeof ops.maxPool1d>[2]): Lambda =>
  lambda('maxPool1d', (x) => ops.maxPool1d(x, kernel, options));

/** Mean of each window of a sequence. */
export const avgPool1d = (kernel: number, options?: Parameters<typeof ops.avgPool1d>[2]): Lambda =>
  lambda('avgPool1d', (x) => ops.avgPool1d(x, kernel, options));

/** Mean over all positions: (batch, ..., channels) gives (batch, channels). */
export const globalAvgPool = (): Lambda => lambda('globalAvgPool', ops.globalAvgPool);

/** Largest over all positions: (batch, ..., channels) gives (batch, channels). */
export const globalMaxPool = (): Lambda => lambda('globalMaxPool', ops.globalMaxPool);
