// What can be chosen on the page about the inside.
import type { Allowed } from '../address.ts';
import { type Sickness, sicknesses } from '../lab/doses.ts';
import { type ModelName, modelNames } from '../lab/models.ts';

export interface Choice {
  sick: Sickness;
  dose: number;
  model: ModelName;
}

export const defaults: Choice = { sick: 'dead', dose: 1, model: 'lenet' };

export const allowed: Allowed<Choice> = { sick: sicknesses, dose: [0, 1, 2], model: modelNames };
