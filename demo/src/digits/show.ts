// What the digits page shows of a model: filters, confusions, the plan.
import type { PlanRow } from 'everygrad';
import { byId, colour } from '../shell.ts';
import { imageCanvas } from './pad.ts';

const rgb = (name: string): number[] => (colour(name).match(/[\d.]+/g) ?? []).map(Number);

/** Weights as images: orange below zero, blue above, each image by its own largest. */
export function showFilters(images: readonly Float32Array[], width: number): void {
  const [low, middle, high] = [rgb('a'), rgb('sunk'), rgb('b')];
  const canvases = images.map((image) => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = width;
    const most = image.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-9);
    const pixels = new ImageData(width, width);
    for (const [i, v] of image.entries()) {
      const size = Math.abs(v) / most;
      const end = v < 0 ? low : high;
      for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = middle[c]! + (end[c]! - middle[c]!) * size;
      pixels.data[4 * i + 3] = 255;
    }
    canvas.getContext('2d')!.putImageData(pixels, 0, 0);
    return canvas;
  });
  byId('filters').replaceChildren(...canvases);
}

export interface Confusion {
  image: ArrayLike<number>;
  label: number;
  taken: number;
  /** How sure the model is of its mistake. */
  sure: number;
}

/** The mistakes of which the model is most sure. */
export function showConfused(confusions: readonly Confusion[]): void {
  const items = confusions.slice(0, 8).map(({ image, label, taken }) => {
    const item = document.createElement('li');
    const canvas = imageCanvas(image, 28, 28);
    canvas.setAttribute('aria-hidden', 'true');
    item.append(canvas, `${label} taken for ${taken}`);
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
