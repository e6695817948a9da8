// The error function to the last bits: its Taylor series, and beyond 1 the continued fraction of erfc.

export function referenceErf(x: number): number {
  const z = Math.abs(x);
  if (!(z < 6)) return Number.isNaN(x) ? x : Math.sign(x);
  if (z < 1) {
    let term = x;
    let total = x;
    for (let n = 1; n < 30; n++) {
      term *= -(x * x) / n;
      total += term / (2 * n + 1);
    }
    return total * 1.1283791670955126;
  }
  let fraction = z;
  for (let n = 300; n >= 1; n--) fraction = z + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z * z) / (fraction * 1.772453850905516));
}
