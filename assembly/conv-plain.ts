// Convolutions by plain loops, in double precision: for gradient checks.
import { ConvArgs } from './conv-args';
import { shareOf } from './split';

/** First and last (exclusive) i < n with 0 <= i * step + from < size. */
// @ts-ignore: decorator
@inline function firstInside(step: i32, from: i32): i32 {
  return from >= 0 ? 0 : (-from + step - 1) / step;
}
// @ts-ignore: decorator
@inline function lastInside(step: i32, from: i32, size: i32, n: i32): i32 {
  return from >= size ? 0 : min(n, (size - 1 - from) / step + 1);
}

export function conv2d_f64(args: usize, thread: i32, threads: i32): void {
  const g = changetype<ConvArgs>(args);
  const filters = g.filters, depth = g.channels / g.groups, count = filters / g.groups;
  const rows = g.batch * g.outHeight;
  for (let row = shareOf(rows, thread, threads), end = shareOf(rows, thread + 1, threads); row < end; row++) {
    const n = row / g.outHeight, oy = row - n * g.outHeight;
    for (let ox = 0; ox < g.outWidth; ox++) {
      const out = g.out + (<usize>(row * g.outWidth + ox) * filters << 3);
      memory.fill(out, 0, <usize>filters << 3);
      for (let ky = 0; ky < g.kh; ky++) {
        const y = oy * g.sh + ky * g.dh - g.top;
        if (<u32>y >= <u32>g.height) continue;
        for (let kx = 0; kx < g.kw; kx++) {
          const x = ox * g.sw + kx * g.dw - g.left;
          if (<u32>x >= <u32>g.width) continue;
          let p = g.a + (<usize>((n * g.height + y) * g.width + x) * g.channels << 3);
          for (let group = 0; group < g.groups; group++) {
            let w = g.b + (<usize>(ky * g.kw + kx) * depth * filters + group * count << 3);
            for (let c = 0; c < depth; c++) {
              addScaled(out + (<usize>(group * count) << 3), load<f64>(p), w, count);
              p += 8;
              w += <usize>filters << 3;
            }
          }
        }
      }
    }
  }
}

/** to[0..n] += x * from[0..n]. */
// @ts-ignore: decorator
@inline function addScaled(to: usize, x: f64, from: usize, n: i32): void {
  for (let i: usize = 0, end = <usize>n << 3; i < end; i += 8) {
    store<f64>(to + i, load<f64>(to + i) + x * load<f64>(from + i));
  }
}

export function conv2dInput_f64(args: usize, thread: i32, threads: i32): void {
  const g = changetype<ConvArgs>(args);
  const filters = g.filters, depth = g.channels / g.groups, count = filters / g.groups;
  const rows = g.batch * g.height;
  for (let row = shareOf(rows, thread, threads), end = shareOf(rows, thread + 1, threads); row < end; row++) {
    const n = row / g.height, y = row - n * g.height;
    for (let x = 0; x < g.width; x++) {
      const out = g.out + (<usize>(row * g.width + x) * g.channels << 3);
      memory.fill(out, 0, <usize>g.channels << 3);
      for (let ky = 0; ky < g.kh; ky++) {
        const down = y + g.top - ky * g.dh, oy = down / g.sh;
        if (down < 0 || oy * g.sh != down || oy >= g.outHeight) continue;
        for (let kx = 0; kx < g.kw; kx++) {
          const across = x + g.left - kx * g.dw, ox = across / g.sw;
          if (across < 0 || ox * g.sw != across || ox >= g.outWidth) continue;
          const p = g.a + (<usize>((n * g.outHeight + oy) * g.outWidth + ox) * filters << 3);
          for (let c = 0; c < g.channels; c++) {
            const group = c / depth, first = <usize>(group * count) << 3;
            const w = g.b + (<usize>((ky * g.kw + kx) * depth + c - group * depth) * filters << 3);
            let total: f64 = 0;
            for (let i = first, last = first + (<usize>count << 3); i < last; i += 8) {
              total += load<f64>(p + i) * load<f64>(w + i);
            }
            const at = out + (<usize>c << 3);
            store<f64>(at, load<f64>(at) + total);
          }
        }
      }
    }
  }
}

export function conv2dFilter_f64(args: usize, thread: i32, threads: i32): void {
  const g = changetype<ConvArgs>(args);
  const filters = g.filters, depth = g.channels / g.groups, count = filters / g.groups;
  const rows = g.kh * g.kw * depth;
  for (let row = shareOf(rows, thread, threads), end = shareOf(rows, thread + 1, threads); row < end; row++) {
    const tap = row / depth, c = row - tap * depth, ky = tap / g.kw, kx = tap - ky * g.kw;
    const out = g.out + (<usize>row * filters << 3);
    memory.fill(out, 0, <usize>filters << 3);
    const top = ky * g.dh - g.top, left = kx * g.dw - g.left;
    const y0 = firstInside(g.sh, top), y1 = lastInside(g.sh, top, g.height, g.outHeight);
    const x0 = firstInside(g.sw, left), x1 = lastInside(g.sw, left, g.width, g.outWidth);
    for (let n = 0; n < g.batch; n++) {
      for (let oy = y0; oy < y1; oy++) {
        for (let ox = x0; ox < x1; ox++) {
          const y = oy * g.sh + top, x = ox * g.sw + left;
          const p = g.a + (<usize>((n * g.height + y) * g.width + x) * g.channels + c << 3);
          const q = g.b + (<usize>((n * g.outHeight + oy) * g.outWidth + ox) * filters << 3);
          for (let group = 0; group < g.groups; group++) {
            const first = <usize>(group * count) << 3;
            addScaled(out + first, load<f64>(p + (<usize>(group * depth) << 3)), q + first, count);
          }
        }
      }
    }
  }
}
