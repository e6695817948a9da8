// Handwritten-looking digits, drawn by the library: the data set that is always there.
// Only + - * / sqrt and floor, min, max touch the values, so every engine draws the same bits.
import { checkOptionNames, OptionError } from '../errors.js';
import { RandomStream, streams } from '../philox.js';
import { breathe } from '../platform.js';
import { ArrayDataset } from './dataset.js';
import { glyphs, type Stroke } from './glyphs.js';
import { checkCount } from './spec.js';

/** Options of `digits`. */
export interface DigitsOptions {
  /** Default 10,000. */
  train?: number;
  /** Default 2,000. */
  test?: number;
  /** Default 0. Image i of a set depends on the seed and i alone. */
  seed?: number;
}

/** Width and height of an image, in pixels. */
const side = 28;
/** Straight pieces per span between two points of a stroke. */
const pieces = 4;
/** Test images are numbered from here. */
const testStart = 2 ** 31;
/** A page gets its turn so often, in milliseconds. */
const breatheEvery = 10;

/**
 * Images (784), uint8, white on black, with scale 1/255, and labels 0 to 9, int32, in random order.
 * They are framed as in MNIST: the digit in 20 x 20 pixels, its centre of mass near the middle of 28 x 28.
 */
export async function digits(
  options: DigitsOptions = {},
): Promise<{ train: ArrayDataset; test: ArrayDataset }> {
  checkOptionNames('digits', options, ['train', 'test', 'seed']);
  const { train = 10_000, test = 2_000, seed = 0 } = options;
  return {
    train: await draw('digits.train', train, seed, 0),
    test: await draw('digits.test', test, seed, testStart),
  };
}

async function draw(name: string, count: number, seed: number, first: number): Promise<ArrayDataset> {
  checkCount(name, 'count', count);
  if (count > testStart) {
    throw new OptionError({ where: name, problem: `count is ${count}`, hint: `it is at most ${testStart}` });
  }
  const inputs = new Uint8Array(count * side * side);
  const targets = new Int32Array(count);
  let last = performance.now();
  for (let i = 0; i < count; i++) {
    if (i % 16 === 0 && performance.now() - last > breatheEvery) {
      await breathe();
      last = performance.now();
    }
    const random = new RandomStream(seed, streams.digits, first + i);
    const label = random.integer(10);
    targets[i] = label;
    drawDigit(label, random, inputs.subarray(i * side * side, (i + 1) * side * side));
  }
  return new ArrayDataset({
    name,
    inputs,
    inputShape: [side * side],
    inputDType: 'uint8',
    targets,
    targetShape: [],
    targetDType: 'int32',
    scale: 1 / 255,
    classes: 10,
  });
}

/** Around 0, in (-size, size), values near 0 more likely. */
const wobble = (random: RandomStream, size: number): number =>
  (random.uniform() + random.uniform() - 1) * size;
const between = (random: RandomStream, low: number, high: number): number =>
  low + random.uniform() * (high - low);

function drawDigit(label: number, random: RandomStream, image: Uint8Array): void {
  const styles = glyphs[label] as (typeof glyphs)[number];
  const glyph = styles[random.integer(styles.length)] as (typeof styles)[number];
  const lines = glyph.map((stroke) => flatten(jitter(stroke, random)));
  const bend = makeBend(random);
  for (const line of lines) bend(line);
  const radius = between(random, 0.75, 1.75);
  frame(lines, radius, random);
  const pen: Pen = {
    radius,
    taper: wobble(random, 0.3),
    soft: between(random, 0.9, 1.5),
    ink: between(random, 215, 255),
  };
  for (const line of lines) drawLine(line, pen, image);
}

/** The points of a stroke, 0 to 1, each moved a little; the two halves of a corner stay together. */
function jitter(stroke: Stroke, random: RandomStream): number[] {
  const points: number[] = [];
  for (let i = 0; i < stroke.length; i += 2) {
    const x = stroke[i] as number;
    const y = stroke[i + 1] as number;
    if (i > 0 && x === stroke[i - 2] && y === stroke[i - 1]) {
      points.push(points[i - 2] as number, points[i - 1] as number);
    } else {
      points.push(x / 100 + wobble(random, 0.08), y / 100 + wobble(random, 0.08));
    }
  }
  return points;
}

/** A Catmull-Rom spline through the points as straight pieces. */
function flatten(points: number[]): Float64Array {
  const spans = points.length / 2 - 1;
  const line = new Float64Array(2 * (spans * pieces + 1));
  const last = points.length - 2;
  for (let axis = 0; axis < 2; axis++) {
    const at = (i: number) => points[Math.max(0, Math.min(last, i)) + axis] as number;
    for (let span = 0; span < spans; span++) {
      const a = at(2 * span - 2);
      const b = at(2 * span);
      const c = at(2 * span + 2);
      const d = at(2 * span + 4);
      for (let piece = 0; piece < pieces; piece++) {
        const t = piece / pieces;
        const cubic = (3 * (b - c) + d - a) * t + (2 * a - 5 * b + 4 * c - d);
        line[2 * (span * pieces + piece) + axis] = 0.5 * ((cubic * t + (c - a)) * t + 2 * b);
      }
    }
    line[line.length - 2 + axis] = at(last);
  }
  return line;
}

/** The hand: a smooth displacement of second order, then slant, proportion and rotation. */
function makeBend(random: RandomStream): (line: Float64Array) => void {
  const [xx, xy, yy] = [wobble(random, 0.45), wobble(random, 0.45), wobble(random, 0.45)];
  const [zx, zy, zz] = [wobble(random, 0.45), wobble(random, 0.45), wobble(random, 0.45)];
  const narrow = between(random, 0.7, 1.2);
  const slant = 0.15 + wobble(random, 0.45);
  // Rotation by the angle whose half has this tangent: sine and cosine are fractions of it.
  const t = wobble(random, 0.17);
  const cos = (1 - t * t) / (1 + t * t);
  const sin = (2 * t) / (1 + t * t);
  return (line) => {
    for (let i = 0; i < line.length; i += 2) {
      const u = (line[i] as number) - 0.5;
      const v = (line[i + 1] as number) - 0.5;
      const y = v + zx * u * u + zy * u * v + zz * v * v;
      const x = (u + xx * u * u + xy * u * v + yy * v * v) * narrow - slant * y;
      line[i] = cos * x - sin * y;
      line[i + 1] = sin * x + cos * y;
    }
  };
}

/** Scales the lines to fit 20 x 20 pixels and moves their centre of mass near the middle of the image. */
function frame(lines: Float64Array[], radius: number, random: RandomStream): void {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  let [mass, massX, massY] = [0, 0, 0];
  for (const line of lines) {
    for (let i = 0; i < line.length; i += 2) {
      const x = line[i] as number;
      const y = line[i + 1] as number;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      if (i === 0) continue;
      const dx = x - (line[i - 2] as number);
      const dy = y - (line[i - 1] as number);
      const length = Math.sqrt(dx * dx + dy * dy);
      mass += length;
      massX += length * (x - dx / 2);
      massY += length * (y - dy / 2);
    }
  }
  const scale = (between(random, 18.5, 20.5) - 2 * radius) / Math.max(right - left, bottom - top);
  const shiftX = side / 2 + wobble(random, 1.5) - (massX / mass) * scale;
  const shiftY = side / 2 + wobble(random, 1.5) - (massY / mass) * scale;
  for (const line of lines) {
    for (let i = 0; i < line.length; i += 2) {
      line[i] = (line[i] as number) * scale + shiftX;
      line[i + 1] = (line[i + 1] as number) * scale + shiftY;
    }
  }
}

interface Pen {
  /** Half the width of a stroke, in pixels. */
  radius: number;
  /** By how much the radius grows from the start of a stroke to its end, as a fraction. */
  taper: number;
  /** Pixels over which the edge fades. */
  soft: number;
  /** Value of a pixel that is covered. */
  ink: number;
}

function drawLine(line: Float64Array, pen: Pen, image: Uint8Array): void {
  const count = line.length / 2 - 1;
  for (let i = 0; i < count; i++) {
    const radius = pen.radius * (1 + pen.taper * (i / count - 0.5));
    drawPiece(line, 2 * i, radius, pen, image);
  }
}

/** One straight piece with round ends: only the pixels around it are touched, the brighter value stays. */
function drawPiece(
  line: Float64Array,
  at: number,
  radius: number,
  { soft, ink }: Pen,
  image: Uint8Array,
): void {
  const ax = line[at] as number;
  const ay = line[at + 1] as number;
  const dx = (line[at + 2] as number) - ax;
  const dy = (line[at + 3] as number) - ay;
  const perLength2 = 1 / Math.max(dx * dx + dy * dy, 1e-12);
  const reach = radius + soft / 2;
  const reach2 = reach * reach;
  const firstX = Math.max(0, Math.floor(Math.min(ax, ax + dx) - reach));
  const lastX = Math.min(side - 1, Math.floor(Math.max(ax, ax + dx) + reach));
  const firstY = Math.max(0, Math.floor(Math.min(ay, ay + dy) - reach));
  const lastY = Math.min(side - 1, Math.floor(Math.max(ay, ay + dy) + reach));
  for (let row = firstY; row <= lastY; row++) {
    const py = row + 0.5 - ay;
    for (let column = firstX; column <= lastX; column++) {
      const px = column + 0.5 - ax;
      const along = Math.max(0, Math.min(1, (px * dx + py * dy) * perLength2));
      const x = px - along * dx;
      const y = py - along * dy;
      const distance2 = x * x + y * y;
      if (distance2 >= reach2) continue;
      const cover = Math.min(1, (reach - Math.sqrt(distance2)) / soft);
      const value = Math.floor(cover * ink + 0.5);
      if (value > (image[row * side + column] as number)) image[row * side + column] = value;
    }
  }
}
