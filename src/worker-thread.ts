// Inside the worker: models by number, trained and used on behalf of another thread.
import { expose, transfer } from 'comlink';
import { ArrayDataset, type ArrayDatasetOptions } from './data/index.js';
import { configure, type EngineOptions } from './engine.js';
import { StateError } from './errors.js';
import type { Module } from './nn/module.js';
import { onHostMessage, type Post } from './platform.js';
import { tensor } from './tensor.js';
import type { EarlyStoppingOptions } from './train/early-stopping.js';
import { weightsFromBytes, weightsToBytes } from './train/files.js';
import { evaluate, type FitResult, fit, predict } from './train/fit.js';
import {
  buildLoss,
  buildModel,
  buildOptimizer,
  buildSchedule,
  type LossSpec,
  type ModelSpec,
  type OptimizerSpec,
  type ScheduleSpec,
} from './train/spec.js';
import type { Totals } from './train/step.js';
import { keepErrors } from './worker-errors.js';

/** A data set as plain data; its arrays can be transferred. */
export type LabData = ArrayDatasetOptions;

export interface LabFitOptions extends EarlyStoppingOptions {
  loss: LossSpec;
  optimizer: OptimizerSpec;
  schedule?: ScheduleSpec;
  batchSize?: number;
  epochs?: number;
  seed?: number;
  accumulate?: number;
  validation?: LabData;
}

let post: Post = () => undefined;

/** The calls that a trainer answers. */
export class Lab {
  readonly #models = new Map<number, Module>();
  readonly #running = new Map<number, AbortController>();
  #next = 1;

  /** Chooses device, build and threads. */
  async configure(options: EngineOptions): Promise<void> {
    await configure(options);
  }

  /** Makes a model and gives its number. */
  async create(spec: ModelSpec, seed = 0): Promise<number> {
    const model = await buildModel(spec).initialize(seed);
    const id = this.#next++;
    this.#models.set(id, model);
    return id;
  }

  #model(id: number): Module {
    const model = this.#models.get(id);
    if (model) return model;
    throw new StateError({
      where: 'trainer',
      problem: `there is no model ${id}`,
      hint: 'create() gives its number; it is gone after dispose()',
    });
  }

  /** Trains; progress comes as events. */
  async fit(
    id: number,
    data: LabData,
    { loss, optimizer, schedule, validation, ...options }: LabFitOptions,
  ): Promise<FitResult> {
    const model = this.#model(id);
    const stop = new AbortController();
    this.#running.set(id, stop);
    const rule = buildOptimizer(optimizer);
    try {
      return await fit(model, new ArrayDataset(data), {
        ...options,
        ...(validation ? { validation: new ArrayDataset(validation) } : {}),
        loss: buildLoss(loss),
        optimizer: rule,
        ...(schedule ? { schedule: buildSchedule(schedule) } : {}),
        signal: stop.signal,
        onProgress: (report) => post({ event: 'progress', model: id, report }),
        onEpoch: (report) => post({ event: 'epoch', model: id, report }),
      });
    } finally {
      this.#running.delete(id);
      rule.dispose();
    }
  }

  /** Ends a running fit at its next batch; what was learned stays. */
  stop(id: number): void {
    this.#running.get(id)?.abort();
  }

  async evaluate(id: number, data: LabData, loss: LossSpec = ['crossEntropy']): Promise<Totals> {
    return evaluate(this.#model(id), new ArrayDataset(data), { loss: buildLoss(loss) });
  }

  /** Outputs for inputs of the given shape, row-major. */
  async predict(
    id: number,
    inputs: Float32Array,
    shape: readonly number[],
  ): Promise<{ data: Float32Array; shape: readonly number[] }> {
    const output = await predict(this.#model(id), tensor(inputs, { shape }));
    const data = (await output.data()) as Float32Array<ArrayBuffer>;
    return transfer({ data, shape: output.shape }, [data.buffer]);
  }

  /** The weights as a safetensors file. */
  async save(id: number): Promise<Uint8Array> {
    return weightsToBytes(this.#model(id));
  }

  async load(id: number, bytes: Uint8Array): Promise<void> {
    await weightsFromBytes(this.#model(id), bytes);
  }

  /** Forgets a model and frees its memory. */
  dispose(id: number): void {
    this.stop(id);
    this.#model(id).dispose();
    this.#models.delete(id);
  }
}

keepErrors();
const listeners = new Set<(event: MessageEvent) => void>();
onHostMessage((message, answer) => {
  post = answer;
  for (const listener of listeners) listener({ data: message } as MessageEvent);
});
expose(new Lab(), {
  postMessage: (message: unknown, transfers?: Transferable[]) => post(message, transfers),
  addEventListener: (_: string, listener: (event: MessageEvent) => void) => listeners.add(listener),
  removeEventListener: (_: string, listener: (event: MessageEvent) => void) => listeners.delete(listener),
} as never);
