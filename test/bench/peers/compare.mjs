// Whether competitors compute the same: loops in float64 for products, otherwise they are compared with each other.
import { matrix } from './numbers.mjs';

/** Compared where `sample` takes its elements from: all products of the chain, row by row, for few enough rows. */
export function referenceOf({ kind, m, n, transposed, products }) {
  // A row of (C' B) needs all of C: only one transposed product is short enough.
  if (kind !== 'gemm' || (transposed && products > 1)) return undefined;
  const [a, b] = [matrix(1, m, n, n), matrix(2, n, n, n)];
  const step = Math.ceil((m * n) / 2000) | 1;
  const rows = new Map();
  const expected = [];
  for (let i = 0; i < m * n; i += step) {
    const row = Math.floor(i / n);
    // Other rows are left to the comparison of competitors, or this would take longer than the measurement.
    if (row % Math.ceil(m / 8) !== 0) {
      expected.push(Number.NaN);
      continue;
    }
    if (!rows.has(row)) {
      const first = Float64Array.from({ length: n }, (_, k) =>
        transposed ? a[k * n + row] : a[row * n + k],
      );
      rows.set(row, chain(first, b, n, products));
    }
    expected.push(rows.get(row)[i % n]);
  }
  return expected;
}

function chain(row, b, n, products) {
  let x = row;
  for (let p = 0; p < products; p++) {
    const y = new Float64Array(n);
    for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) y[j] += x[k] * b[k * n + j];
    x = y;
  }
  return x;
}

/** What is wrong with a competitor's numbers, relative to the root mean square; undefined if nothing is. */
export function compare(found, expected, tolerance) {
  if (found.length !== expected.length) return `gives ${found.length} numbers, not ${expected.length}`;
  const known = expected.filter((x) => !Number.isNaN(x));
  const scale = Math.sqrt(known.reduce((sum, x) => sum + x * x, 0) / known.length);
  let worst = 0;
  for (const [i, x] of expected.entries()) {
    if (Number.isNaN(x)) continue;
    const error = Math.abs(found[i] - x) / scale;
    if (!(error <= worst)) worst = error;
  }
  return worst <= tolerance ? undefined : `differs by ${worst.toPrecision(2)}`;
}
