// Numbers in bins.
const bins = 32;

/** Shares of values in bins of equal width from low to high; what is not finite is left out. */
export function histogramOf(values: Float32Array, low: number, high: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  const width = (high - low) / bins;
  let total = 0;
  for (const v of values) {
    if (!Number.isFinite(v)) continue;
    const bin = width > 0 ? Math.floor((v - low) / width) : 0;
    counts[Math.max(0, Math.min(bins - 1, bin))]!++;
    total++;
  }
  return counts.map((n) => n / Math.max(1, total));
}
