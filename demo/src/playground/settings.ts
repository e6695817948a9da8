// All that the playground can be set to, and how it is written in the address.

export const dataNames = ['circle', 'xor', 'gauss', 'spiral', 'points'] as const;
export const featureNames = ['x', 'y', 'xx', 'yy', 'xy'] as const;
export const activationNames = ['tanh', 'relu', 'sigmoid', 'gelu', 'silu', 'identity'] as const;
export const lossNames = ['crossEntropy', 'squared', 'huber', 'hinge'] as const;
export const optimizerNames = ['sgd', 'momentum', 'adam', 'rmsProp', 'adagrad'] as const;
export const penaltyNames = ['none', 'l1', 'l2'] as const;
export const learningRates = [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3] as const;
export const batchSizes = [1, 5, 10, 20, 30, 50, 100] as const;
export const penaltyRates = [0.0001, 0.001, 0.003, 0.01, 0.03, 0.1] as const;
export const dropoutRates = [0, 0.1, 0.2, 0.3, 0.5] as const;
/** Steps in a frame; 0 for as many as there is time for. */
export const speeds = { slow: 1, medium: 10, fast: 0 } as const;
export const speedNames = ['slow', 'medium', 'fast'] as const;
export const mostLayers = 6;
export const mostUnits = 8;
export const mostPoints = 400;

export type DataName = (typeof dataNames)[number];
export type FeatureName = (typeof featureNames)[number];

/** A point of the user's own: where, from -1 to 1, and of which class. */
export type Point = readonly [x: number, y: number, label: 0 | 1];

export interface Settings {
  data: DataName;
  noise: number;
  features: readonly FeatureName[];
  layers: readonly number[];
  activation: (typeof activationNames)[number];
  loss: (typeof lossNames)[number];
  optimizer: (typeof optimizerNames)[number];
  lr: number;
  penalty: (typeof penaltyNames)[number];
  rate: number;
  dropout: number;
  batch: number;
  seed: number;
  speed: (typeof speedNames)[number];
  points: readonly Point[];
}

export const defaults: Settings = {
  data: 'circle',
  noise: 10,
  features: ['x', 'y'],
  layers: [6, 4],
  activation: 'tanh',
  loss: 'crossEntropy',
  optimizer: 'adam',
  lr: 0.01,
  penalty: 'none',
  rate: 0.001,
  dropout: 0,
  batch: 20,
  seed: 1,
  speed: 'medium',
  points: [],
};

type Parser<T> = (text: string) => T | undefined;

const oneOf =
  <T extends string>(names: readonly T[]): Parser<T> =>
  (text) =>
    names.find((name) => name === text);
const between =
  (least: number, most: number, whole = false): Parser<number> =>
  (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    return value >= least && value <= most && (!whole || Number.isInteger(value)) ? value : undefined;
  };
/** The nearest of the values that can be chosen, for a number within their bounds. */
const near =
  (values: readonly number[]): Parser<number> =>
  (text) => {
    const value = between(values[0]!, values.at(-1)!)(text);
    if (value === undefined) return undefined;
    return values.reduce((best, v) => (Math.abs(v - value) < Math.abs(best - value) ? v : best));
  };
const listOf =
  <T>(item: Parser<T>, least: number, most: number, separator = ','): Parser<T[]> =>
  (text) => {
    const items = text === '' ? [] : text.split(separator).map(item);
    const right = items.filter((v) => v !== undefined);
    return right.length === items.length && items.length >= least && items.length <= most ? right : undefined;
  };
const point: Parser<Point> = (text) => {
  const found = listOf(between(-1, 1), 3, 3, '_')(text);
  if (!found) return undefined;
  const [x, y, label] = found as [number, number, number];
  return label === 0 || label === 1 ? [x, y, label] : undefined;
};

const parsers: { [K in keyof Settings]: Parser<Settings[K]> } = {
  data: oneOf(dataNames),
  noise: between(0, 50, true),
  features: (text) => {
    const found = listOf(oneOf(featureNames), 1, featureNames.length)(text);
    return found && featureNames.filter((name) => found.includes(name));
  },
  layers: listOf(between(1, mostUnits, true), 0, mostLayers),
  activation: oneOf(activationNames),
  loss: oneOf(lossNames),
  optimizer: oneOf(optimizerNames),
  lr: near(learningRates),
  penalty: oneOf(penaltyNames),
  rate: near(penaltyRates),
  dropout: near(dropoutRates),
  batch: near(batchSizes),
  seed: between(0, 2 ** 31 - 1, true),
  speed: oneOf(speedNames),
  points: listOf(point, 0, mostPoints, ';'),
};

const keys = Object.keys(defaults) as (keyof Settings)[];

/** Settings from the part of an address after #; what cannot be understood is left out, and listed. */
export function parse(hash: string): { settings: Settings; ignored: string[] } {
  const settings: Settings = { ...defaults };
  const ignored: string[] = [];
  for (const [key, text] of new URLSearchParams(hash.replace(/^#/, ''))) {
    const known = keys.find((k) => k === key);
    const value = known && parsers[known](text);
    if (value === undefined) ignored.push(`${key}=${text.slice(0, 40)}`);
    else Object.assign(settings, { [key]: value });
  }
  return { settings, ignored };
}

/** The same as text; what is as at first is left out. */
export function format(settings: Settings): string {
  const written = keys
    .map((key) => [key, text(settings[key])] as const)
    .filter(([key, value]) => value !== text(defaults[key]));
  return written.map(([key, value]) => `${key}=${value}`).join('&');
}

const text = (value: Settings[keyof Settings]): string =>
  Array.isArray(value)
    ? value.map((v) => (Array.isArray(v) ? v.join('_') : String(v))).join(Array.isArray(value[0]) ? ';' : ',')
    : String(value);
