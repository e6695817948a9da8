// Images and the confusion matrix as text.
import { bold, dim, red } from './style.js';

const blocks = [' ', '\u2584', '\u2580', '\u2588'] as const;

/**
 * A grey image (side, side) of values from 0 to 255 as lines of half blocks, two pixels in each. `margin` pixels on
 * each edge are left out.
 */
export function drawImage(image: ArrayLike<number>, side: number, margin = 0): string[] {
  const isLit = (row: number, column: number): boolean =>
    row < side - margin && (image[row * side + column] as number) >= 96;
  const lines: string[] = [];
  for (let row = margin; row < side - margin; row += 2) {
    let line = '';
    for (let column = margin; column < side - margin; column++)
      line += blocks[(isLit(row, column) ? 2 : 0) + (isLit(row + 1, column) ? 1 : 0)];
    lines.push(line);
  }
  return lines;
}

/** Blocks of lines side by side, each padded to `width`. */
export function sideBySide(columns: readonly (readonly string[])[], width: number): string {
  const height = Math.max(0, ...columns.map((lines) => lines.length));
  const rows = Array.from({ length: height }, (_, i) =>
    columns
      .map((lines) => (lines[i] ?? '').padEnd(width))
      .join('')
      .trimEnd(),
  );
  return rows.join('\n');
}

/** counts[label][prediction], for classes named by their number. */
export function confusionMatrix(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  classes: number,
): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]![predictions[i]!]!++;
  return counts;
}

/** A row for each label, a column for each class that was read; hits are bold, misses stand out. */
export function drawMatrix(counts: readonly (readonly number[])[]): string {
  const largest = Math.max(...counts.flat());
  const width = Math.max(3, String(largest).length) + 2;
  const cell = (text: string): string => text.padStart(width);
  const head = counts.map((_, i) => cell(String(i))).join('');
  const rows = counts.map((row, label) => {
    const cells = row.map((n, read) => {
      if (n === 0) return dim(cell('\u00b7'));
      return label === read ? bold(cell(String(n))) : red(cell(String(n)));
    });
    return `${dim(`is ${label}`)}${cells.join('')}`;
  });
  return [dim(`    ${' '.repeat(width - 1)}read as`), dim(`    ${head}`), ...rows].join('\n');
}
