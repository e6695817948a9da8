// Surfaces as images: orange below zero, blue above, in the theme's own shades.
import { colour, onTheme } from '../shell.ts';
import { side } from './network.ts';
import type { Points } from './points.ts';

const shades = 256;
/** RGBA words from -1 to 1. */
let palette = new Uint32Array(shades);

type Rgb = readonly [number, number, number];
const rgb = (name: string): Rgb => {
  const [r = 0, g = 0, b = 0] = (colour(name).match(/[\d.]+/g) ?? []).map(Number);
  return [r, g, b];
};

function makePalette(): void {
  const [low, middle, high] = [rgb('a'), rgb('panel'), rgb('b')];
  palette = Uint32Array.from({ length: shades }, (_, i) => {
    const at = (2 * i) / (shades - 1) - 1;
    const strength = Math.abs(at) ** 0.85 * 0.62;
    const end = at < 0 ? low : high;
    const [r, g, b] = middle.map((m, c) => Math.round(m + (end[c]! - m) * strength)) as [
      number,
      number,
      number,
    ];
    return 0xff000000 | (b << 16) | (g << 8) | r;
  });
}
makePalette();
onTheme(makePalette);

const shade = (value: number): number =>
  palette[Math.max(0, Math.min(shades - 1, Math.round(((value + 1) / 2) * (shades - 1))))]!;

const image = new ImageData(side, side);
const words = new Uint32Array(image.data.buffer);

/** Draws a surface into a canvas of the grid's own size. */
export function paint(canvas: HTMLCanvasElement, values: Float32Array): void {
  if (canvas.width !== side) canvas.width = canvas.height = side;
  for (let i = 0; i < values.length; i++) words[i] = shade(values[i]!);
  canvas.getContext('2d')!.putImageData(image, 0, 0);
}

const small = document.createElement('canvas');

/** Draws a surface, smoothed, with the points on it: those of training filled, those of testing as rings. */
export function paintSurface(
  canvas: HTMLCanvasElement,
  values: Float32Array | null,
  train: Points,
  test: Points | null,
): void {
  const context = canvas.getContext('2d')!;
  const { width } = canvas;
  if (values) {
    paint(small, values);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = 'high';
    context.drawImage(small, 0, 0, width, width);
  } else {
    context.fillStyle = colour('sunk');
    context.fillRect(0, 0, width, width);
  }
  if (test && test !== train) dots(context, test, width, true);
  dots(context, train, width, false);
}

function dots(context: CanvasRenderingContext2D, { xy, labels }: Points, width: number, ring: boolean): void {
  const few = labels.length < 60 ? 2 : 1;
  const radius = few * Math.max(1.5, width / (ring ? 130 : 105));
  const colours = [colour('a'), colour('b')];
  const edge = colour('panel');
  context.lineWidth = width / 320;
  for (let i = 0; i < labels.length; i++) {
    context.beginPath();
    context.arc(((xy[2 * i]! + 1) / 2) * width, ((1 - xy[2 * i + 1]!) / 2) * width, radius, 0, 2 * Math.PI);
    const own = colours[labels[i]!]!;
    if (ring) {
      context.strokeStyle = own;
      context.globalAlpha = 0.65;
      context.stroke();
      context.globalAlpha = 1;
    } else {
      context.fillStyle = own;
      context.fill();
      context.strokeStyle = edge;
      context.stroke();
    }
  }
}
