// What can be chosen on the digits page.
import type { Allowed } from '../address.ts';
import type { DeviceName } from '../lab/course.ts';
import { type ModelName, modelNames } from '../lab/models.ts';

export interface Choice {
  model: ModelName;
  examples: number;
  batch: number;
  lr: number;
  device: DeviceName;
}

export const defaults: Choice = { model: 'mlp', examples: 5000, batch: 32, lr: 0.001, device: 'auto' };

export const allowed: Allowed<Choice> = {
  model: modelNames,
  examples: [2000, 5000, 10000],
  batch: [16, 32, 64, 128],
  lr: [0.0003, 0.001, 0.003, 0.01],
  device: ['auto', 'wasm', 'webgpu'],
};
