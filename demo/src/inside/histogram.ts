// Histograms as small pictures.
import { colour } from '../shell.ts';

const [width, height] = [256, 64];

/** Shares as bars; the highest is as high as the picture, a line marks zero where it lies within. */
export function histogram(
  canvas: HTMLCanvasElement,
  shares: readonly number[],
  low: number,
  high: number,
): void {
  if (canvas.width !== width) Object.assign(canvas, { width, height });
  const c = canvas.getContext('2d')!;
  c.clearRect(0, 0, width, height);
  // The root, so that a peak at zero leaves something to be seen of the others.
  const heights = shares.map(Math.sqrt);
  const most = Math.max(...heights, 1e-9);
  const step = width / shares.length;
  c.fillStyle = colour('accent');
  for (const [i, h] of heights.entries()) {
    const size = h > 0 ? Math.max(2, (h / most) * (height - 2)) : 0;
    c.fillRect(i * step + 0.5, height - size, step - 1.5, size);
  }
  if (!(low <= 0 && high >= 0 && high > low)) return;
  c.fillStyle = colour('a');
  c.fillRect(Math.min(width - 2, (-low / (high - low)) * width), 0, 1.5, height);
}
