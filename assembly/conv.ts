// Convolutions by plain loops.
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

export function conv2d_f32(args: usize, thread: i32, threads: i32): void {
  const g = changetype<ConvArgs>(args);
  const filters = g.filters, depth = g.channels / g.groups, count = filters / g.groups;
  const rows = g.batch * g.outHeight;
  for (let row = shareOf(rows, thread, threads), end = shareOf(rows, thread + 1, threads); row < end; row++) {
    const n = row / g.outHeight, oy = row - n * g.outHeight;
    for (let ox = 0; ox < g.outWidth; ox++) {
      const out = g.out + (<usize>(row * g.outWidth + ox) * filters << 2);
      memory.fill(out, 0, <usize>filters << 2);
      for (let ky = 0; ky < g.kh; ky++) {
        const y = oy * g.sh + ky * g.dh - g.top;
        if (<u32>y >= <u32>g.height) continue;
        for (let kx = 0; kx < g.kw; kx++) {
          const x = ox * g.sw + kx * g.dw - g.left;
          if (<u32>x >= <u32>g.width) continue;
          let p = g.a + (<usize>((n * g.height + y) * g.width + x) * g.channels << 2);
          for (let group = 0; group < g.groups; group++) {
            let w = g.b + (<usize>(ky * g.kw + kx) * depth * filters + group * count << 2);
            for (let c = 0; c < depth; c++) {
              addScaled(out + (<usize>(group * count) << 2), load<f32>(p), w, count);
              p += 4;
              w += <usize>filters << 2;
            }
          }
        }
      }
    }
  }
}

/** to[0..n] += x * from[0..n]. */
// @ts-ignore: decorator
@inline function addScaled(to: usize, x: f32, from: usize, n: i32): void {
  for (let i: usize = 0, end = <usize>n << 2; i < end; i += 4) {
    store<f32>(to + i, load<f32>(to + i) + x * load<f32>(from + i));
  }
}

export function conv2dInput_f32(args: usize, thread: i32, threads: i32): void {
  const g = changetype<ConvArgs>(args);
  const filters = g.filters, depth = g.channels / g.groups, count = filters / g.groups;
  const rows = g.batch * g.height;
  for (let row = shareOf(rows, thread, threads), end = shareOf(rows, thread + 1, threads); row < end; row++) {
    const n = row / g.height, y = row - n * g.height;
    for (let x = 0; x < g.width; x++) {
      const out = g.out + (<usize>(row * g.width + x) * g.channels << 2);
      memory.fill(out, 0, <usize>g.channels << 2);
      for (let ky = 0; ky < g.kh; ky++) {
        const down = y + g.top - ky * g.dh, oy = down / g.sh;
        if (down < 0 || oy * g.sh != down || oy >= g.outHeight) continue;
        for (let kx = 0; kx < g.kw; kx++) {
          const across = x + g.left - kx * g.dw, ox = across / g.sw;
          if (across < 0 || ox * g.sw != across || ox >= g.outWidth) continue;
          const p = g.a + (<usize>((n * g.outHeight + oy) * g.outWidth + ox) * filters << 2);
          for (let c = 0; c < g.channels; c++) {
            const group = c / depth, first = <usize>(group * count) << 2;
            const w = g.b + (<usize>((ky * g.kw + kx) * depth + c - group * depth) * filters << 2);
            let total: f32 = 0;
            for (let i = first, last = first + (<usize>count << 2); i < last; i += 4) {
              total += load<f32>(p + i) * load<f32>(w + i);
            }
            const at = out + (<usize>c << 2);
            store<f32>(at, load<f32>(at) + total);
          }
        }
      }
    }
  }
}

export function conv2dFilter_f32(args: usize, thread: i32, threads: i32): void {
  const g = changetype<ConvArgs>(args);
  const filters = g.filters, depth = g.channels / g.groups, count = filters / g.groups;
  const rows = g.kh * g.kw * depth;
  for (let row = shareOf(rows, thread, threads), end = shareOf(rows, thread + 1, threads); row < end; row++) {
    const tap = row / depth, c = row - tap * depth, ky = tap / g.kw, kx = tap - ky * g.kw;
    const out = g.out + (<usize>row * filters << 2);
    memory.fill(out, 0, <usize>filters << 2);
    const top = ky * g.dh - g.top, left = kx * g.dw - g.left;
    const y0 = firstInside(g.sh, top), y1 = lastInside(g.sh, top, g.height, g.outHeight);
    const x0 = firstInside(g.sw, left), x1 = lastInside(g.sw, left, g.width, g.outWidth);
    for (let n = 0; n < g.batch; n++) {
      for (let oy = y0; oy < y1; oy++) {
        for (let ox = x0; ox < x1; ox++) {
          const y = oy * g.sh + top, x = ox * g.sw + left;
          const p = g.a + (<usize>((n * g.height + y) * g.width + x) * g.channels + c << 2);
          const q = g.b + (<usize>((n * g.outHeight + oy) * g.outWidth + ox) * filters << 2);
          for (let group = 0; group < g.groups; group++) {
            const first = <usize>(group * count) << 2;
            addScaled(out + first, load<f32>(p + (<usize>(group * depth) << 2)), q + first, count);
          }
        }
      }
    }
  }
}
