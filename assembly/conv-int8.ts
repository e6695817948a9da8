// Convolutions of whole numbers of 8 bits: patches of positions in a row of the output are packed side by side, each a
// row over k as int8.ts has them, and multiplied with the filters, which are such rows too.
import { productOfRows } from './int8';
import { address, shareOf, word } from './split';

/** Bytes of patches, if more than two positions: they stay in L1 or L2 while the filters pass. */
const BLOCK: i32 = 65536;

/** Positions of a row that are packed at once. */
@inline
function positionsAtOnce(outWidth: i32, words: i32): i32 {
  return min(outWidth, max(2, BLOCK / max(words << 2, 1)));
}

/** Scratch bytes for each thread: patches, and a scale for each of them. */
export function convInt8ScratchBytes(outWidth: i32, words: i32): i32 {
  return (positionsAtOnce(outWidth, words) * ((words << 2) + 8) + 63) & -64;
}

/** Argument block, in words. */
const enum At {
  out, x, w, scaleX, scaleW,
  batch, height, width, channels, outHeight, outWidth, filters, kh, kw, sh, sw, top, left, dh, dw, groups,
  wordsX, wordsW, scratch, scratchBytes,
}

/** to[0..n] = from[0..n], bytes. */
@inline
function copyBytes(to: usize, from: usize, n: i32): void {
  for (; n >= 16; n -= 16) {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
  }
  for (; n >= 8; n -= 8) {
    store<u64>(to, load<u64>(from));
    to += 8;
    from += 8;
  }
  for (; n > 0; n--) store<u8>(to++, load<u8>(from++));
}

/** to[0..n] = 0, bytes; memory.fill costs more for so few. */
@inline
function clear(to: usize, n: i32): void {
  for (; n >= 8; n -= 8) {
    store<u64>(to, 0);
    to += 8;
  }
  for (; n > 0; n--) store<u8>(to++, 0);
}

/** The patch of one position: taps of `depth` channels from channel `first` on, zeros outside of the image. */
function packPatch(args: usize, to: usize, image: usize, oy: i32, ox: i32, first: i32, depth: i32): void {
  const width = word(args, At.width), channels = word(args, At.channels);
  const kw = word(args, At.kw), dw = word(args, At.dw);
  const x0 = ox * word(args, At.sw) - word(args, At.left);
  const end = to + (<usize>word(args, At.wordsW) << 2);
  // Neighbouring taps of all channels lie side by side in the image.
  const together = depth == channels && dw == 1 && x0 >= 0 && x0 + kw <= width;
  let y = oy * word(args, At.sh) - word(args, At.top);
  for (let ky = word(args, At.kh); ky > 0; ky--) {
    const row = image + <usize>(y * width) * channels + first;
    if (<u32>y >= <u32>word(args, At.height)) {
      clear(to, kw * depth);
      to += kw * depth;
    } else if (together) {
      copyBytes(to, row + <usize>(x0 * channels), kw * depth);
      to += kw * depth;
    } else {
      for (let kx = 0, x = x0; kx < kw; kx++) {
        if (<u32>x < <u32>width) copyBytes(to, row + <usize>(x * channels), depth);
        else clear(to, depth);
        to += depth;
        x += dw;
      }
    }
    y += word(args, At.dh);
  }
  clear(to, <i32>(end - to));
}

@inline
function convInt8<T>(args: usize, thread: i32, threads: i32): void {
  const outWidth = word(args, At.outWidth), outHeight = word(args, At.outHeight), filters = word(args, At.filters);
  const groups = word(args, At.groups), depth = word(args, At.channels) / groups, count = filters / groups;
  const words = word(args, At.wordsW), bytes = <usize>words << 2;
  const patches = address(args, At.scratch) + <usize>thread * address(args, At.scratchBytes);
  const wide = positionsAtOnce(outWidth, words);
  const scales = patches + <usize>wide * bytes;
  const ldc = <usize>filters * sizeof<T>();
  const rows = word(args, At.batch) * outHeight, end = shareOf(rows, thread + 1, threads);
  for (let at = shareOf(rows, thread, threads); at < end; at++) {
    const n = at / outHeight, oy = at - n * outHeight;
    const image = address(args, At.x) + <usize>n * (address(args, At.wordsX) << 2);
    const scale = load<T>(address(args, At.scaleX) + <usize>n * sizeof<T>());
    for (let ox = 0; ox < outWidth; ox += wide) {
      const positions = min(wide, outWidth - ox);
      for (let i = 0; i < positions; i++) store<T>(scales + <usize>i * sizeof<T>(), scale);
      for (let group = 0; group < groups; group++) {
        for (let i = 0; i < positions; i++) {
          packPatch(args, patches + <usize>i * bytes, image, oy, ox + i, group * depth, depth);
        }
        const f = group * count;
        const out = address(args, At.out) + <usize>(at * outWidth + ox) * ldc + <usize>f * sizeof<T>();
        const w = address(args, At.w) + <usize>f * bytes;
        const scaleW = address(args, At.scaleW) + <usize>f * sizeof<T>();
        productOfRows<T>(out, ldc, patches, scales, positions, w, scaleW, count, bytes);
      }
    }
  }
}

/** args: y, x (batch, words), w (filters, words), scales of both, the sizes of conv-args.ts, words of both, scratch. */
export function convInt8_f32(args: usize, thread: i32, threads: i32): void { convInt8<f32>(args, thread, threads); }
export function convInt8_f64(args: usize, thread: i32, threads: i32): void { convInt8<f64>(args, thread, threads); }
