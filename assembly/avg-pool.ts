// Average pooling; arguments as in pool.ts, without a second tensor and dilation, and
//   17 PB  18 PR (padding below, at the right)  19 whether padding counts
import { loadUpTo, storeUpTo } from './lanes';
import { address, shareOf, word } from './split';
import { counted, overWindows, Pooled } from './windows';

export function avgPool_f32(args: usize, thread: i32, threads: i32): void { overWindows<f32>(Pooled.mean, args, thread, threads); }
export function avgPool_f64(args: usize, thread: i32, threads: i32): void { overWindows<f64>(Pooled.mean, args, thread, threads); }

/** First window that has the pixel at `at` on an axis, and one past the last; `padding` is that before the image. */
@inline
function firstWindow(at: i32, kernel: i32, stride: i32, padding: i32): i32 {
  return max(0, at + padding - kernel + stride) / stride;
}

@inline
function endWindow(at: i32, stride: i32, padding: i32, windows: i32): i32 {
  return min((at + padding) / stride + 1, windows);
}

/** A unit is a row of pixels; each takes its part of every window that it is in, windows in order. `x` is dy. */
@inline
function avgPoolGradient<T>(args: usize, thread: i32, threads: i32): void {
  const h = word(args, 4);
  const w = word(args, 5);
  const oh = word(args, 7);
  const ow = word(args, 8);
  const kh = word(args, 9);
  const kw = word(args, 10);
  const sh = word(args, 11);
  const sw = word(args, 12);
  const padded = word(args, 19) != 0;
  const pixel = <usize>word(args, 6) * sizeof<T>();
  const units = word(args, 3) * h;
  const end = shareOf(units, thread + 1, threads);
  for (let unit = shareOf(units, thread, threads); unit < end; unit++) {
    const n = unit / h;
    const y = unit - n * h;
    const y0 = firstWindow(y, kh, sh, word(args, 13));
    const y1 = endWindow(y, sh, word(args, 13), oh);
    let dst = address(args, 0) + <usize>unit * w * pixel;
    for (let x = 0; x < w; x++) {
      const x0 = firstWindow(x, kw, sw, word(args, 14));
      const x1 = endWindow(x, sw, word(args, 14), ow);
      for (let at: usize = 0; at < pixel; at += 16) {
        const rest = <i32>(pixel - at);
        let sum = v128.splat<T>(0);
        for (let v = y0; v < y1; v++) {
          const high = counted(v * sh - word(args, 13), h, kh, word(args, 17), padded);
          let p = address(args, 1) + (<usize>(n * oh + v) * ow + x0) * pixel + at;
          for (let u = x0; u < x1; u++) {
            const part = <T>1 / <T>(high * counted(u * sw - word(args, 14), w, kw, word(args, 18), padded));
            sum = v128.add<T>(sum, v128.mul<T>(loadUpTo(p, rest), v128.splat<T>(part)));
            p += pixel;
          }
        }
        storeUpTo(dst + at, sum, rest);
      }
      dst += pixel;
    }
  }
}

export function avgPoolGradient_f32(args: usize, thread: i32, threads: i32): void { avgPoolGradient<f32>(args, thread, threads); }
export function avgPoolGradient_f64(args: usize, thread: i32, threads: i32): void { avgPoolGradient<f64>(args, thread, threads); }
