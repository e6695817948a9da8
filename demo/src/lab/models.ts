// The models of the digits page and of the page that looks inside, as layers by name.
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

export type ModelName = keyof typeof models;
export const modelNames = Object.keys(models) as ModelName[];

/** Pixels along a side of an image. */
export const side = 28;
export const pixels = side * side;
