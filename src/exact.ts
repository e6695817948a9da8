// Elementary functions on the host by + - * / and sqrt alone, so that every engine gives the same bits: for learning rates,
// first weights and distorted images, which decide what a network becomes. Math.cos, Math.log and Math.pow differ between engines.

/** Sum of the series whose k-th term (k from 1) is the one before times `ratio(k)`, until a term adds nothing. */
function series(first: number, ratio: (k: number) => number): number {
  let [total, term] = [first, first];
  for (let k = 1; k < 60; k++) {
    term *= ratio(k);
    if (total + term === total) break;
    total += term;
  }
  return total;
}

/** cos(pi t); exact for multiples of 1/2. */
export function cosPi(t: number): number {
  let x = Math.abs(t);
  x -= 2 * Math.floor(x / 2);
  if (x > 1) x = 2 - x; // cos(2 pi - a) = cos(a)
  if (x > 0.5) return -cosPi(1 - x);
  if (x > 0.25) {
    // sin of what is left to a right angle
    const a = Math.PI * (0.5 - x);
    return series(a, (k) => (-a * a) / (2 * k * (2 * k + 1)));
  }
  const a = Math.PI * x;
  return series(1, (k) => (-a * a) / (2 * k * (2 * k - 1)));
}

/** Natural logarithm of a normal number > 0. */
export function logarithm(x: number): number {
  let [m, exponent] = [x, 0];
  for (; m >= 1.5; m /= 2) exponent++;
  for (; m < 0.75; m *= 2) exponent--;
  const s = (m - 1) / (m + 1);
  // 2 artanh(s) = 2 (s + s^3/3 + s^5/5 + ...)
  let [total, power] = [0, s];
  for (let k = 1; k < 60; k += 2) {
    total += power / k;
    power *= s * s;
  }
  return 2 * total + exponent * Math.LN2;
}

/** x to a whole power n >= 0, by squaring. */
export function wholePower(x: number, n: number): number {
  let [result, base] = [1, x];
  for (let left = n; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result *= base;
    base *= base;
  }
  return result;
}

/** The number > 0 whose n-th power is x > 0, n >= 1: halves the interval until it has no middle. */
export function root(x: number, n: number): number {
  let [low, high] = x < 1 ? [x, 1] : [1, x];
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (wholePower(middle, n) < x) low = middle;
    else high = middle;
  }
  return high;
}

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
