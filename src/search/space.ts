// What is searched: a range or a list for each hyperparameter.
import { OptionError } from '../errors.js';
import { exponential, logarithm } from '../exact.js';
import type { RandomStream } from '../philox.js';

/** What a choice may be of: what JSON gives back as it was. */
export type Scalar = number | string | boolean;

/** One hyperparameter: numbers from 0 to 1 become values, and values numbers. */
export interface Dimension<T extends Scalar = Scalar> {
  readonly kind: 'uniform' | 'logUniform' | 'integer' | 'choice';
  /** Bounds, or the values of a choice. Two searches with the same texts search the same. */
  readonly of: readonly T[];
  /** The value at u, from 0, below 1. */
  at(u: number): T;
  /** Coordinates from 0 to 1 for a model of the function; a choice has one for each of its values. */
  coordinates(value: T): number[];
  /** Values of a grid with `points` points where there is a range. */
  grid(points: number): T[];
}

/** What is searched: a dimension for each hyperparameter, by name. */
export type Space = Readonly<Record<string, Dimension<never> | Dimension>>;

/** One value for each hyperparameter of a space. */
export type Values<S extends Space> = { [K in keyof S]: S[K] extends Dimension<infer T> ? T : never };

function checkRange(kind: string, from: number, to: number, right: boolean, rule: string): void {
  if (Number.isFinite(from) && Number.isFinite(to) && from < to && right) return;
  throw new OptionError({
    where: `search.${kind}`,
    problem: `the range is ${from} to ${to}`,
    hint: rule,
    values: { from, to },
  });
}

/** Points at equal distances, both ends included; the middle if it is one. */
const evenly = (points: number): number[] =>
  points === 1 ? [0.5] : Array.from({ length: points }, (_, i) => i / (points - 1));

/** Any number in the range, all equally likely. Errors: OptionError. */
export function uniform(from: number, to: number): Dimension<number> {
  checkRange('uniform', from, to, true, 'two finite numbers, the second larger');
  const value = (t: number): number => from + t * (to - from);
  return {
    kind: 'uniform',
    of: [from, to],
    at: value,
    coordinates: (v) => [(v - from) / (to - from)],
    grid: (points) => evenly(points).map(value),
  };
}

/** A number whose logarithm is equally likely in the range: for learning rates and the like. Errors: OptionError. */
export function logUniform(from: number, to: number): Dimension<number> {
  checkRange('logUniform', from, to, from > 0, 'two finite numbers above 0, the second larger');
  const [low, high] = [logarithm(from), logarithm(to)];
  const value = (t: number): number => Math.min(to, Math.max(from, exponential(low + t * (high - low))));
  return {
    kind: 'logUniform',
    of: [from, to],
    at: value,
    coordinates: (v) => [(logarithm(v) - low) / (high - low)],
    grid: (points) => evenly(points).map(value),
  };
}

/** A whole number in the range, both ends included. Errors: OptionError. */
export function integer(from: number, to: number): Dimension<number> {
  const whole = Number.isSafeInteger(from) && Number.isSafeInteger(to);
  checkRange('integer', from, to, whole, 'two whole numbers, the second larger');
  const count = to - from + 1;
  return {
    kind: 'integer',
    of: [from, to],
    at: (u) => from + Math.min(count - 1, Math.floor(u * count)),
    coordinates: (v) => [(v - from) / (to - from)],
    grid: (points) => [
      ...new Set(evenly(Math.min(points, count)).map((t) => from + Math.round(t * (to - from)))),
    ],
  };
}

/** One of the values, each equally likely. Errors: OptionError without values or with one of them twice. */
export function choice<const T extends readonly Scalar[]>(...values: T): Dimension<T[number]> {
  const wrong = values.find((v) => !['number', 'string', 'boolean'].includes(typeof v) || Number.isNaN(v));
  if (values.length === 0 || wrong !== undefined || new Set(values).size !== values.length) {
    throw new OptionError({
      where: 'search.choice',
      problem: `the values are ${JSON.stringify(values)}`,
      hint: 'at least one number, text or truth value, each of them once',
      values: { values },
    });
  }
  return {
    kind: 'choice',
    of: values,
    at: (u) => values[Math.min(values.length - 1, Math.floor(u * values.length))]!,
    coordinates: (v) => (values.length === 1 ? [] : values.map((other) => Number(other === v))),
    grid: () => [...values],
  };
}

/** Throws OptionError for a space that is none. */
export function checkSpace(space: Space): void {
  const entries = Object.entries((space as Space | undefined) ?? {});
  const wrong = entries.find(([, d]) => typeof (d as Dimension | undefined)?.coordinates !== 'function');
  if (entries.length > 0 && !wrong) return;
  throw new OptionError({
    where: 'search',
    problem: wrong ? `${wrong[0]} is ${JSON.stringify(wrong[1])}` : 'the space has no dimension',
    hint: 'as in { lr: logUniform(1e-4, 1), hidden: integer(10, 200), activation: choice("relu", "tanh") }',
    values: { name: wrong?.[0] },
  });
}

const dimensionsOf = (space: Space): [string, Dimension][] => Object.entries(space) as [string, Dimension][];

/** The values at a point of the unit cube. */
export const valuesAt = <S extends Space>(space: S, point: readonly number[]): Values<S> =>
  Object.fromEntries(dimensionsOf(space).map(([name, d], i) => [name, d.at(point[i]!)])) as Values<S>;

/** The coordinates of values for a model of the function. */
export const coordinatesOf = <S extends Space>(space: S, values: Values<S>): Float64Array =>
  Float64Array.from(
    dimensionsOf(space).flatMap(([name, d]) => d.coordinates(values[name as keyof S] as Scalar)),
  );

/** All combinations of a grid, the last dimension running fastest. */
export function gridOf<S extends Space>(space: S, points: number): Values<S>[] {
  let rows: Record<string, Scalar>[] = [{}];
  for (const [name, d] of dimensionsOf(space)) {
    rows = rows.flatMap((row) => d.grid(points).map((v) => ({ ...row, [name]: v })));
  }
  return rows as Values<S>[];
}

/** A text that is the same for spaces that search the same. */
export const signatureOf = (space: Space): string =>
  JSON.stringify(dimensionsOf(space).map(([name, { kind, of }]) => [name, kind, ...of]));

/** A random point of the unit cube; 48 bits for each coordinate. */
export const randomPoint = (random: RandomStream, dimensions: number): number[] =>
  Array.from({ length: dimensions }, () => random.uniform() + random.uniform() * 2 ** -24);
