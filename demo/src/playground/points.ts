// The data sets of the playground: points in the square from -1 to 1, in two classes, the same for the same seed.
import type { FeatureName, Settings } from './settings.ts';

export interface Points {
  /** (n, 2) */
  xy: Float32Array<ArrayBuffer>;
  /** 0 or 1 */
  labels: Float32Array<ArrayBuffer>;
}

const count = 400;

/** Numbers from 0 to 1 from a seed (mulberry32). */
function uniform(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

type Maker = (random: () => number, label: number, part: number) => [number, number];

const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

const makers: Record<Exclude<Settings['data'], 'points'>, Maker> = {
  circle(random, label) {
    const radius = label === 1 ? 0.42 * random() : 0.62 + 0.24 * random();
    const angle = 2 * Math.PI * random();
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  },
  xor(random, label) {
    const [x, y] = [0.06 + 0.84 * random(), 0.06 + 0.84 * random()];
    const side = random() < 0.5 ? 1 : -1;
    return [x * side, y * side * (label === 1 ? 1 : -1)];
  },
  gauss(random, label) {
    const centre = label === 1 ? 0.4 : -0.4;
    return [centre + 0.16 * normal(random), centre + 0.16 * normal(random)];
  },
  spiral(_, label, part) {
    const radius = 0.04 + 0.84 * part;
    const angle = 1.75 * 2 * Math.PI * part + label * Math.PI;
    return [radius * Math.sin(angle), radius * Math.cos(angle)];
  },
};

const limit = (v: number): number => Math.min(1, Math.max(-1, v));

/** All points of the settings, half of them for training, half for testing. */
export function makePoints({ data, noise, seed, points }: Settings): { train: Points; test: Points } {
  const random = uniform(seed + 0x5eed);
  const all: [number, number, number][] = [];
  if (data === 'points') all.push(...points.map(([x, y, label]): [number, number, number] => [x, y, label]));
  else {
    for (let i = 0; i < count; i++) {
      const label = i % 2;
      const [x, y] = makers[data](random, label, Math.floor(i / 2) / (count / 2));
      const spread = noise / 260;
      all.push([limit(x + spread * normal(random)), limit(y + spread * normal(random)), label]);
    }
  }
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  // Of own points, which are few, all are trained on.
  const cut = data === 'points' ? all.length : all.length / 2;
  return { train: pack(all.slice(0, cut)), test: pack(data === 'points' ? all : all.slice(cut)) };
}

const pack = (all: readonly (readonly [number, number, number])[]): Points => ({
  xy: Float32Array.from(all.flatMap((point) => point.slice(0, 2))),
  labels: Float32Array.from(all, ([, , label]) => label),
});

/** What the network sees of a point. */
export const features: Record<FeatureName, { label: string; of(x: number, y: number): number }> = {
  x: { label: 'x₁', of: (x) => 2 * x },
  y: { label: 'x₂', of: (_, y) => 2 * y },
  xx: { label: 'x₁²', of: (x) => 4 * x * x - 1 },
  yy: { label: 'x₂²', of: (_, y) => 4 * y * y - 1 },
  xy: { label: 'x₁x₂', of: (x, y) => 4 * x * y },
};

/** (n, features) */
export function inputsOf(
  xy: Float32Array<ArrayBuffer>,
  names: readonly FeatureName[],
): Float32Array<ArrayBuffer> {
  const inputs = new Float32Array((xy.length / 2) * names.length);
  let at = 0;
  for (let i = 0; i < xy.length; i += 2)
    for (const name of names) inputs[at++] = features[name].of(xy[i]!, xy[i + 1]!);
  return inputs;
}

/** Centres of the fields of a square grid, row by row from the top. */
export function gridPoints(side: number): Float32Array<ArrayBuffer> {
  const xy = new Float32Array(side * side * 2);
  let at = 0;
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      xy[at++] = (2 * (column + 0.5)) / side - 1;
      xy[at++] = 1 - (2 * (row + 0.5)) / side;
    }
  }
  return xy;
}

/** An order at random, the same for the same seed and epoch. */
export function orderOf(n: number, seed: number, epoch: number): Int32Array {
  const random = uniform(seed * 7919 + epoch);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
