// The convolution kernels in single precision: which way each takes.
import { ConvArgs } from './conv-args';
import { depthwise, depthwiseFilter, depthwiseInput, depthwiseScratchBytes } from './conv-depthwise';
import { convFilter, convFilterScratchBytes } from './conv-filter';
import { convInputPatches, convInputPatchesScratchBytes, convPatches, convPatchesScratchBytes } from './conv-patches';

/** Scratch bytes that the kernels need for each thread; those in double precision need none. */
export function conv2dScratchBytes(channels: i32, filters: i32, kh: i32, kw: i32, groups: i32): i32 {
  return max(depthwiseScratchBytes(filters), convPatchesScratchBytes(channels, filters, kh, kw, groups));
}
export function conv2dInputScratchBytes(channels: i32, filters: i32, kh: i32, kw: i32, groups: i32): i32 {
  return max(depthwiseScratchBytes(filters), convInputPatchesScratchBytes(channels, filters, kh, kw, groups));
}
export function conv2dFilterScratchBytes(
  batch: i32, outHeight: i32, outWidth: i32, filters: i32, kh: i32, sh: i32, dh: i32, groups: i32,
): i32 {
  return convFilterScratchBytes(batch, outHeight, outWidth, filters, kh, sh, dh, groups);
}

/** With many filters for each channel, a group is a matrix product worth the name. */
// @ts-ignore: decorator
@inline function isDepthwise(g: ConvArgs): bool {
  return g.groups == g.channels && g.groups > 1 && g.filters < 8 * g.channels;
}

export function conv2d_f32(args: usize, thread: i32, threads: i32): void {
  const g = changetype<ConvArgs>(args);
  if (isDepthwise(g)) depthwise(g, thread, threads);
  else convPatches(g, thread, threads);
}
export function conv2dInput_f32(args: usize, thread: i32, threads: i32): void {
  const g = changetype<ConvArgs>(args);
  if (isDepthwise(g)) depthwiseInput(g, thread, threads);
  else convInputPatches(g, thread, threads);
}
export function conv2dFilter_f32(args: usize, thread: i32, threads: i32): void {
  const g = changetype<ConvArgs>(args);
  if (isDepthwise(g)) depthwiseFilter(g, thread, threads);
  else convFilter(g, thread, threads);
}
