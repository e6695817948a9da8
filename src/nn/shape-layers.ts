// Layers that change shapes: other image sizes, padding, reshape.
import { type Shape, showShape, sizeOf } from '../dtype.js';
import { checkOptionNames, OptionError, ShapeError } from '../errors.js';
import * as ops from '../ops/index.js';
import type { EdgeMode } from '../ops/pad-edges.js';
import type { ResizeOptions } from '../ops/resize.js';
import { Lambda } from './layers.js';

/** Options of `upsample`. */
export interface UpsampleOptions extends ResizeOptions {
  /** Factor of each size; the result is cut to whole numbers. */
  scale?: number | readonly number[];
  /** The sizes themselves, one for each axis between batch and channels. */
  size?: readonly number[];
}

/**
 * (batch, ...sizes, channels) at other sizes, as PyTorch's Upsample: `nn.upsample({ scale: 2, mode: 'bilinear' })`. Errors:
 * OptionError here, ShapeError in the forward pass.
 */
export function upsample(options: UpsampleOptions): Lambda {
  const { scale, size, ...others } = options;
  checkOptionNames('upsample', options, ['scale', 'size', 'mode', 'alignCorners']);
  const scales = typeof scale === 'number' ? [scale] : (scale ?? []);
  if ((scale === undefined) === (size === undefined) || !scales.every((s) => s > 0 && Number.isFinite(s))) {
    throw new OptionError({
      where: 'upsample',
      problem: `scale is ${JSON.stringify(scale)}, size is ${JSON.stringify(size)}`,
      hint: 'either a scale > 0 (or one for each axis) or a size',
      values: { scale, size },
    });
  }
  const scaleOf = (axis: number): number =>
    typeof scale === 'number' ? scale : (scales[axis] ?? Number.NaN);
  return new Lambda('upsample', (x) => {
    const sizes = x.shape.slice(1, -1);
    return ops.resize(x, size ?? sizes.map((d, i) => Math.floor(d * scaleOf(i))), others);
  });
}

/** Options of `pad`. */
export interface PadOptions {
  /** 'constant' where not said. */
  mode?: 'constant' | EdgeMode;
  /** For 'constant'; 0 where not said. */
  value?: number;
}

/**
 * Puts values around (batch, ...): `nn.pad([[1, 1], [2, 2]])` adds a row above and below images (batch, height, width,
 * channels) and two columns on both sides. Axes that are not named stay. Errors: OptionError for another mode, ShapeError in
 * the forward pass.
 */
export function pad(amounts: readonly (readonly [number, number])[], options: PadOptions = {}): Lambda {
  const { mode = 'constant', value = 0 } = options;
  checkOptionNames('pad', options, ['mode', 'value']);
  if (!['constant', 'reflect', 'replicate'].includes(mode)) {
    throw new OptionError({
      where: 'pad',
      problem: `mode is ${String(mode)}`,
      hint: "'constant', 'reflect' or 'replicate'",
      values: { mode },
    });
  }
  return new Lambda('pad', (x) => {
    if (amounts.length >= x.rank) {
      throw new ShapeError({
        where: 'pad',
        problem: `amounts ${JSON.stringify(amounts)} do not fit ${showShape(x.shape)}`,
        hint: 'at most one [before, after] for each axis after the batch',
        values: { amounts, shape: x.shape },
      });
    }
    const all = x.shape.map((_, i): readonly [number, number] => amounts[i - 1] ?? [0, 0]);
    return mode === 'constant' ? ops.pad(x, all, value) : ops.padEdges(x, all, mode);
  });
}

/** (batch, ...) becomes (batch, ...shape); one size may be -1. Errors: ShapeError in the forward pass. */
export const reshape = (shape: Shape): Lambda =>
  new Lambda('reshape', (x) => {
    const own = sizeOf(x.shape.slice(1));
    const known = shape.reduce((n, d) => (d === -1 ? n : n * d), 1);
    // The batch may be empty, so -1 is worked out from one example.
    const whole = shape.map((d) => (d === -1 ? own / known : d));
    if (x.rank > 0 && sizeOf(whole) === own && whole.every((d) => Number.isInteger(d) && d >= 0)) {
      return ops.reshape(x, [x.shape[0]!, ...whole]);
    }
    throw new ShapeError({
      where: 'reshape',
      problem: `an example of ${showShape(x.shape)} has ${own} elements, it does not fit ${showShape(shape)}`,
      hint: 'the shape is that of an example, without the batch; one size may be -1',
      values: { input: x.shape, shape },
    });
  });
