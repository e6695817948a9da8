// What the digits page shows of a model: filters, what it sees in a drawing, confusions, the plan.
import type { PlanRow } from 'everygrad';
import { greyImage, markedImage, signedImage } from '../lab/images.ts';
import type { Look } from '../lab/inspector.ts';
import { showMaps } from '../lab/maps.ts';
import { pixels, side } from '../lab/models.ts';
import { byId } from '../shell.ts';

/** Weights as images, each by its own largest. */
export function showFilters(images: readonly Float32Array[], width: number): void {
  byId('filters').toggleAttribute('data-few', images.length < 20);
  byId('filters').replaceChildren(...images.map((image) => signedImage(image, width, width)));
}

/** What the model gets, what in it counts, and what its layers make of it; null for nothing yet. */
export function showLook(image: Float32Array | null, look: Look | null): void {
  const grey = image ? image.map((v) => 255 * v) : new Float32Array(pixels);
  byId('seen').replaceChildren(greyImage(grey, side, side));
  byId('saliency').replaceChildren(markedImage(grey, look?.saliency ?? new Float32Array(pixels), side, side));
  // What has been through a unit: the others look much the same.
  showMaps(byId('maps'), look?.layers.filter(({ kind }) => kind === 'relu' || kind === 'maxPool2d') ?? []);
  byId('no-maps').hidden = look !== null;
}

export interface Confusion {
  image: ArrayLike<number>;
  label: number;
  taken: number;
  /** How sure the model is of its mistake. */
  sure: number;
}

/** The mistakes of which the model is most sure. Each can be put on the pad. */
export function showConfused(confusions: readonly Confusion[], onChoose: (c: Confusion) => void): void {
  const items = confusions.slice(0, 8).map((confusion) => {
    const { image, label, taken } = confusion;
    const item = document.createElement('li');
    const button = document.createElement('button');
    const canvas = greyImage(image, side, side);
    canvas.setAttribute('aria-hidden', 'true');
    button.type = 'button';
    button.title = 'Put it on the pad';
    button.append(canvas, `${label} taken for ${taken}`);
    button.addEventListener('click', () => onChoose(confusion));
    item.append(button);
    return item;
  });
  byId('confused').replaceChildren(...items);
  byId('no-confused').hidden = items.length > 0;
}

/** The rows of a plan as a table. */
export function showPlan(rows: readonly PlanRow[]): void {
  const counts = new Map<string, number>();
  const lines = rows.map((row) => {
    counts.set(row.backend, (counts.get(row.backend) ?? 0) + 1);
    const line = document.createElement('tr');
    const cell = (text: string, kind = ''): void => {
      const td = document.createElement('td');
      td.textContent = text;
      td.className = kind;
      line.append(td);
    };
    cell(String(row.step));
    cell(row.ops);
    cell(row.shape);
    const td = document.createElement('td');
    const badge = document.createElement('span');
    badge.className = `badge ${row.backend}`;
    badge.textContent = row.backend;
    td.append(badge);
    line.append(td);
    cell(row.estimatedMicroseconds.toFixed(1), 'number');
    cell(row.why);
    return line;
  });
  byId('plan').replaceChildren(...lines);
  byId('plan-sum').textContent = [...counts].map(([name, n]) => `${n} on ${name}`).join(', ');
}
