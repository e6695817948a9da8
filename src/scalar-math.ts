// Elementary functions of single numbers, from + - * / alone, so that every engine gives the same bits: Math.exp and
// its like differ between engines in their last place.

/** exp(x) for any x, within a few units in the last place: 2^k times the Taylor series of the rest. */
export function exponential(x: number): number {
  if (!(x > -746)) return x <= -746 ? 0 : Number.NaN;
  if (x > 710) return Number.POSITIVE_INFINITY;
  const k = Math.floor(x / Math.LN2 + 0.5);
  // ln 2 in two parts, the first with zeros at its end, so that k times it is exact.
  const r = x - k * 0.6931471803691238 - k * 1.9082149292705877e-10;
  let term = 1;
  let sum = 1;
  for (let n = 1; n <= 18; n++) {
    term *= r / n;
    sum += term;
  }
  // Step by step, as 2^k alone may overflow or vanish where the product does not.
  for (let n = 0; n < k; n++) sum *= 2;
  for (let n = 0; n > k; n--) sum /= 2;
  return sum;
}

/** Sine and cosine of an angle in [-2 pi, 2 pi], to about 1e-15. */
export function sineAndCosine(angle: number): { sine: number; cosine: number } {
  // An eighth of the angle by series, then doubled three times.
  const x = angle / 8;
  const square = x * x;
  let sine = x;
  let term = x;
  for (let n = 1; n <= 9; n++) {
    term *= -square / (2 * n * (2 * n + 1));
    sine += term;
  }
  let cosine = 1;
  term = 1;
  for (let n = 1; n <= 9; n++) {
    term *= -square / ((2 * n - 1) * 2 * n);
    cosine += term;
  }
  for (let n = 0; n < 3; n++) {
    [sine, cosine] = [2 * sine * cosine, cosine * cosine - sine * sine];
  }
  return { sine, cosine };
}
