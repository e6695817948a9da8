// What fit keeps of a training that goes well, so that one that goes wrong can be explained, and one that loses its GPU
// can go on: values from a moment ago.
import { type HostArray, isFloat } from '../dtype.js';
import { engine } from '../engine.js';
import type { Variable } from '../graph.js';
import type { Module } from '../nn/module.js';
import { read } from '../tensor.js';
import type { TrainingPass } from './step.js';

/** Without a GPU, values larger than this are not copied, in bytes. */
const keepAtMost = 2 ** 26;
/** Copies take at most this part of the time. */
const share = 0.02;

/** A sum of zeros is 0 unless there is a NaN or an infinity. Without a branch it takes as long as reading. */
function allFinite(values: HostArray): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
}

/** Values of all that a step changes, and where in the training they are from. */
export class Kept {
  epoch = 1;
  /** Batches of that epoch that were done, and their examples. */
  batch = 0;
  examples = 0;
  values: ReadonlyMap<Variable, HostArray> = new Map();
  /** Learning rates of the steps since, where a schedule sets them. */
  rates: number[] = [];
  /** The training waits for code of the user, and all batches up to its place are done. */
  parked = false;
  /** Brings a parked training to where it was, on a device that works. */
  rescue?: (error: unknown) => Promise<void>;
  rescued?: Promise<void>;
  #next = Number.NEGATIVE_INFINITY;

  constructor(
    readonly model: Module,
    readonly training: TrainingPass,
    private readonly everySeconds: number,
  ) {}

  /** Waits for code of the user, which may use the model, and find the GPU lost. */
  async park<T>(work: T): Promise<Awaited<T>> {
    this.parked = true;
    try {
      return await work;
    } finally {
      this.parked = false;
      await this.rescued;
    }
  }

  /** With a GPU, leaves a copy of what was learned at the host: storages keep what was read last. */
  async leave(): Promise<void> {
    if (!(await engine()).backends.has('webgpu')) return;
    const { model, training } = this;
    await read([...model.variables(), ...training.optimizer.state()].filter((v) => v.storage));
  }

  /** Copies the values if it is time, and they are finite. */
  async update(epoch: number, batch: number): Promise<void> {
    const start = performance.now();
    const { model, training } = this;
    if (start < this.#next || !training.startsStep) return;
    const variables = [...model.variables(), ...training.state()].filter((v) => v.storage);
    if (!(await engine()).backends.has('webgpu')) {
      if (training.accumulates || variables.reduce((n, v) => n + v.size * 4, 0) > keepAtMost) return;
    }
    const values = await read(variables);
    const end = performance.now();
    this.#next = this.everySeconds && end + Math.max(this.everySeconds * 1000, (end - start) / share);
    if (!values.every((v, i) => !isFloat(variables[i]!.dtype) || allFinite(v))) return;
    this.values = new Map(variables.map((v, i) => [v, values[i]!]));
    [this.epoch, this.batch, this.examples] = [epoch, batch, training.examples];
    this.rates.length = 0;
  }
}
