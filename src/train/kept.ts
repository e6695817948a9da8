// What fit keeps of a training that goes well, so that one that goes wrong can be explained: values from a second ago.
import { type HostArray, isFloat } from '../dtype.js';
import type { Variable } from '../graph.js';
import type { Module } from '../nn/module.js';
import { read } from '../tensor.js';
import type { TrainingPass } from './step.js';

/** Values are copied this often at most, in milliseconds, and not at all if they are larger, in bytes. */
const [keepEvery, keepAtMost] = [1000, 2 ** 26];

/** A sum of zeros is 0 unless there is a NaN or an infinity. Without a branch it takes as long as reading. */
function allFinite(values: HostArray): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
}

/** Values of all that a step changes, and where in the training they are from. */
export class Kept {
  epoch = 1;
  /** Batches of that epoch that were done. */
  batch = 0;
  values: ReadonlyMap<Variable, HostArray> = new Map();
  /** Learning rates of the steps since, where a schedule sets them. */
  rates: number[] = [];
  #at = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly model: Module,
    private readonly training: TrainingPass,
  ) {}

  /** Copies the values if it is time, and they are finite. */
  async update(epoch: number, batch: number): Promise<void> {
    if (performance.now() - this.#at < keepEvery || this.training.accumulates) return;
    const { optimizer, step } = this.training;
    const variables = [...this.model.namedVariables().values(), ...optimizer.state(), step].filter(
      (v) => v.storage,
    );
    if (variables.reduce((n, v) => n + v.size * 4, 0) > keepAtMost) return;
    const values = await read(variables);
    this.#at = performance.now();
    if (!values.every((v, i) => !isFloat(variables[i]!.dtype) || allFinite(v))) return;
    this.values = new Map(variables.map((v, i) => [v, values[i]!]));
    [this.epoch, this.batch] = [epoch, batch];
    this.rates.length = 0;
  }
}
