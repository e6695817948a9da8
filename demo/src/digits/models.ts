// The models of the digits page, as layers by name, and what its address says.
import type { ModelSpec } from 'everygrad/worker';

export const models = {
  mlp: {
    label: 'MLP',
    spec: [['linear', 784, 100], ['relu'], ['linear', 100, 10]],
    inputShape: [784],
  },
  lenet: {
    label: 'LeNet',
    spec: [
      ['conv2d', 1, 8, 5, { padding: 2 }],
      ['batchNorm', 8],
      ['relu'],
      ['maxPool2d', 2],
      ['conv2d', 8, 16, 5],
      ['relu'],
      ['maxPool2d', 2],
      ['flatten'],
      ['linear', 400, 64],
      ['relu'],
      ['linear', 64, 10],
    ],
    inputShape: [28, 28, 1],
  },
} as const satisfies Record<string, { label: string; spec: ModelSpec; inputShape: readonly number[] }>;

export interface Choice {
  model: keyof typeof models;
  examples: number;
  batch: number;
  lr: number;
}

export const defaults: Choice = { model: 'mlp', examples: 5000, batch: 32, lr: 0.001 };

const allowed: Record<keyof Choice, readonly (string | number)[]> = {
  model: Object.keys(models),
  examples: [2000, 5000, 10000],
  batch: [16, 32, 64, 128],
  lr: [0.0003, 0.001, 0.003, 0.01],
};

/** The choice that an address makes; what cannot be understood is left out, and listed. */
export function parse(hash: string): { choice: Choice; ignored: string[] } {
  const choice: Choice = { ...defaults };
  const ignored: string[] = [];
  for (const [key, text] of new URLSearchParams(hash.replace(/^#/, ''))) {
    const value = Object.hasOwn(allowed, key)
      ? allowed[key as keyof Choice].find((v) => String(v) === text)
      : undefined;
    if (value === undefined) ignored.push(`${key}=${text.slice(0, 40)}`);
    else Object.assign(choice, { [key]: value });
  }
  return { choice, ignored };
}

export const format = (choice: Choice): string =>
  (Object.keys(defaults) as (keyof Choice)[])
    .filter((key) => choice[key] !== defaults[key])
    .map((key) => `${key}=${choice[key]}`)
    .join('&');
