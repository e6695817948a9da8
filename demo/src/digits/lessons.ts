// What the user has corrected: drawings with their right labels, which join the training set.
import { ArrayDataset } from 'everygrad/data';
import { pixels, side } from '../lab/models.ts';

export interface Example {
  /** (784), 0 to 255 */
  image: Uint8Array<ArrayBuffer>;
  label: number;
}

/** Each drawing is taken where it is and a pixel beside, so often in all. */
const shifts = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => [dx, dy] as const));
/** A lesson mixes them with so many examples of the training set, lest those be forgotten. */
const mixed = 400;

const shifted = (image: Uint8Array, dx: number, dy: number): Uint8Array =>
  Uint8Array.from({ length: pixels }, (_, i) => {
    const [x, y] = [(i % side) - dx, Math.floor(i / side) - dy];
    return x >= 0 && x < side && y >= 0 && y < side ? image[y * side + x]! : 0;
  });

/** The examples and the user's own, those several times. */
export function withOwn(base: ArrayDataset, own: readonly Example[]): ArrayDataset {
  if (own.length === 0) return base;
  const copies = own.flatMap(({ image }) => shifts.map(([dx, dy]) => shifted(image, dx, dy)));
  const inputs = new Uint8Array((base.length + copies.length) * pixels);
  inputs.set(base.inputs as Uint8Array);
  for (const [i, copy] of copies.entries()) inputs.set(copy, (base.length + i) * pixels);
  const labels = own.flatMap(({ label }) => shifts.map(() => label));
  const { inputShape, inputDType, targetShape, targetDType, scale, name } = base;
  return new ArrayDataset({
    ...{ inputShape, inputDType, targetShape, targetDType, scale, name, classes: 10 },
    inputs,
    targets: Int32Array.from([...base.targets, ...labels]),
  });
}

/** A short set for learning what was corrected last; `round` chooses which others are among it. */
export function lesson(base: ArrayDataset, own: readonly Example[], round: number): ArrayDataset {
  const n = Math.min(mixed, base.length);
  const at = base.length > n ? (round * n) % (base.length - n) : 0;
  return withOwn(base.slice(at, at + n), own.slice(-12));
}
