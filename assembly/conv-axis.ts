// One axis of a convolution, of its forward pass or, by phases, of its gradient for the input.

/** One axis of it: output i reads source i * stride + base + t * apart at its tap t. */
@unmanaged
export class Axis {
  count: i32;
  /** Index of output i: first + i * step. */
  first: i32;
  step: i32;
  stride: i32;
  base: i32;
  apart: i32;
  taps: i32;
  /** Index in the filter of tap t: tap + t * tapStep. */
  tap: i32;
  tapStep: i32;
}

/** Bytes of an axis. */
// @ts-ignore: decorator
@inline export const AXIS: usize = 48;

export function forwardAxis(a: Axis, count: i32, stride: i32, base: i32, apart: i32, taps: i32): void {
  a.count = count, a.first = 0, a.step = 1;
  a.stride = stride, a.base = base, a.apart = apart, a.taps = taps;
  a.tap = 0, a.tapStep = 1;
}

/** Pixels phase, phase + stride, ... of `size`: the taps k for which stride divides phase + pad - k * dilation. */
export function phaseAxis(a: Axis, phase: i32, size: i32, stride: i32, pad: i32, dilation: i32, kernel: i32): void {
  let first = 0;
  while (first < kernel && (phase + pad - first * dilation) % stride != 0) first++;
  let next = first + 1;
  while (next < kernel && (phase + pad - next * dilation) % stride != 0) next++;
  const step = next - first;
  const taps = (kernel - first + step - 1) / step;
  a.count = (size - phase + stride - 1) / stride, a.first = phase, a.step = stride;
  // The last tap reads the first of the sources.
  a.tap = first + (taps - 1) * step, a.tapStep = -step, a.taps = taps;
  a.stride = 1, a.base = (phase + pad - a.tap * dilation) / stride;
  a.apart = taps > 1 ? step * dilation / stride : 1;
}
