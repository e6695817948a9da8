// Argument block of the convolution kernels, as the host writes it: 22 words of 32 bits.
// x is (batch, height, width, channels), w (kh, kw, channels / groups, filters), y (batch, outHeight, outWidth, filters).

@unmanaged
export class ConvArgs {
  /** y, dx or dw; overwritten. */
  out: usize;
  /** x and w; dy and w; x and dy. */
  a: usize;
  b: usize;
  batch: i32;
  height: i32;
  width: i32;
  channels: i32;
  outHeight: i32;
  outWidth: i32;
  filters: i32;
  kh: i32;
  kw: i32;
  sh: i32;
  sw: i32;
  top: i32;
  left: i32;
  dh: i32;
  dw: i32;
  groups: i32;
  /** scratchBytes for each thread, thread 0 first. */
  scratch: usize;
  scratchBytes: u32;
  /** What becomes of y or dx: see epilogue.ts. Not there in double precision. */
  epilogue: usize;
}
