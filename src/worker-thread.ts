// Inside the worker: models by number, trained and used on behalf of another thread.
import { expose, transfer } from 'comlink';
import { ArrayDataset, type ArrayDatasetOptions } from './data/index.js';
import type { DType, HostArray, Shape } from './dtype.js';
import { configure, type EngineOptions } from './engine.js';
import { StateError } from './errors.js';
import type { Module } from './nn/module.js';
import { onHostMessage, type Post, readBytes, writeFileAtomic } from './platform.js';
import { holdLock } from './platform-life.js';
import { tensor } from './tensor.js';
import { type Checkpointing, type CheckpointOptions, checkpointed } from './train/checkpoints.js';
import { type ExplainOptions, explainTraining, type StepExplanation } from './train/explain.js';
import { weightsFromBytes, weightsToBytes } from './train/files.js';
import { evaluate, type FitOptions, type FitResult, fit, predict } from './train/fit.js';
import { type MixedPrecisionOptions, mixedPrecision } from './train/mixed.js';
import {
  fromTheStart,
  type OptimizerState,
  restoreState,
  stateFromBytes,
  trainedToBytes,
  valuesOf,
} from './train/optimizer-state.js';
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
import { modelInput, type Totals } from './train/step.js';
import { errorParts, keepErrors } from './worker-errors.js';

/** A data set as plain data; its arrays can be transferred. */
export type LabData = ArrayDatasetOptions;

/** The options of `fit` as plain data. */
export interface WorkerFitOptions
  extends Omit<
    FitOptions,
    | 'loss'
    | 'optimizer'
    | 'schedule'
    | 'validation'
    | 'checkpoint'
    | 'signal'
    | 'pause'
    | 'onEpoch'
    | 'onProgress'
    | 'precision'
  > {
  loss: LossSpec;
  optimizer: OptimizerSpec;
  schedule?: ScheduleSpec;
  /** Mixed precision with these options; float32 where not said. */
  precision?: MixedPrecisionOptions;
  validation?: LabData;
  checkpoint?: Omit<CheckpointOptions, 'onWarning' | 'when'>;
  /**
   * Keeps the optimizer's state (Adam's moments, say) for the next fit of this model, and goes on with what the last one
   * kept, if its optimizer was of the same name. `save` writes it beside the weights, `load` reads it.
   */
  keepOptimizer?: boolean;
}

/** The options of `explainTraining` as plain data. */
export interface WorkerExplainOptions extends Omit<ExplainOptions, 'loss' | 'optimizer'> {
  loss: LossSpec;
  optimizer: OptimizerSpec;
}

/** Outputs of a model (batch, ...), row-major. */
export interface Prediction {
  data: Float32Array;
  shape: Shape;
  /** For outputs (batch, classes): the class with the largest one in each row. */
  labels: Int32Array;
}

let post: Post = () => undefined;

/** One training: its end, its pauses, and whether a checkpoint is wanted now. */
class Run {
  readonly stop = new AbortController();
  #keeps = false;
  #paused: Promise<void> | null = null;
  #goOn: () => void = () => undefined;

  readonly paused = (): Promise<void> | null => this.#paused;

  pause(): void {
    this.#paused ??= new Promise((resolve) => {
      this.#goOn = resolve;
    });
  }

  resume(): void {
    this.#paused = null;
    this.#goOn();
  }

  end(): void {
    this.stop.abort();
    this.resume();
  }

  keep(): void {
    this.#keeps = true;
  }

  readonly keepsNow = (): boolean => {
    const keeps = this.#keeps;
    this.#keeps = false;
    return keeps;
  };
}

/** The calls that a trainer answers. */
export class Lab {
  readonly #models = new Map<number, Module>();
  readonly #runs = new Map<number, Run>();
  /** Of optimizers that are kept, by model: of one that runs, its variables. */
  readonly #states = new Map<number, OptimizerState>();
  #next = 1;

  /** Chooses device, build and threads. The lock is held while this thread lives. */
  async configure(options: EngineOptions, lock: string): Promise<void> {
    await configure(options);
    await holdLock(lock);
  }

  /** To be answered by any thread that lives. */
  isAlive(): true {
    return true;
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
      values: { id },
    });
  }

  /** Trains; progress comes as events of that call. */
  async fit(
    id: number,
    data: LabData,
    options: WorkerFitOptions,
    call: number,
    stopped = false,
  ): Promise<FitResult> {
    const model = this.#model(id);
    if (this.#runs.has(id)) {
      throw new StateError({
        where: 'trainer',
        problem: `model ${id} is being trained`,
        hint: 'wait for its fit() to end, or stop() it',
        values: { id },
      });
    }
    const { loss, optimizer, schedule, validation, checkpoint, precision, keepOptimizer, ...rest } = options;
    const rule = buildOptimizer(optimizer);
    const before = this.#states.get(id);
    const own: OptimizerState = {
      name: optimizer[0],
      get state() {
        return rule.state(); // grows with the first step
      },
    };
    const run = new Run();
    this.#runs.set(id, run);
    if (stopped) run.end();
    const checkpointing =
      checkpoint &&
      checkpointed({
        ...checkpoint,
        when: run.keepsNow,
        onWarning: (error) => post({ event: 'warning', model: id, call, report: errorParts(error) }),
      });
    const keeping: Checkpointing = async (course) => {
      if (before?.name === own.name) await restoreState(course, before);
      this.#states.set(id, own);
      return checkpointing ? checkpointing(course) : fromTheStart;
    };
    const start = keepOptimizer ? keeping : checkpointing;
    try {
      return await fit(model, new ArrayDataset(data), {
        ...rest,
        ...(validation ? { validation: new ArrayDataset(validation) } : {}),
        ...(schedule ? { schedule: buildSchedule(schedule) } : {}),
        ...(precision ? { precision: mixedPrecision(precision) } : {}),
        ...(start ? { checkpoint: start } : {}),
        loss: buildLoss(loss),
        optimizer: rule,
        signal: run.stop.signal,
        pause: run.paused,
        onProgress: (report) => post({ event: 'progress', model: id, call, report }),
        onEpoch: (report) => post({ event: 'epoch', model: id, call, report }),
      });
    } finally {
      if (this.#states.get(id) === own) {
        const state = await valuesOf(own.state).catch(() => null); // they may be lost with a GPU
        if (state) this.#states.set(id, { name: own.name, state });
        else this.#states.delete(id);
      } else if (!keepOptimizer) this.#states.delete(id);
      this.#runs.delete(id);
      rule.dispose();
    }
  }

  /** Halts a running fit at its next batch. */
  pause(id: number): void {
    this.#runs.get(id)?.pause();
  }

  /** Lets a paused fit go on. */
  resume(id: number): void {
    this.#runs.get(id)?.resume();
  }

  /** Ends a running fit at its next batch; what was learned stays. */
  stop(id: number): void {
    this.#runs.get(id)?.end();
  }

  /** Saves a checkpoint of a running fit that keeps some, after its next step. */
  keep(id: number): void {
    this.#runs.get(id)?.keep();
  }

  async evaluate(
    id: number,
    data: LabData,
    { loss = ['crossEntropy'], ...options }: { loss?: LossSpec; batchSize?: number } = {},
  ): Promise<Totals> {
    return evaluate(this.#model(id), new ArrayDataset(data), { ...options, loss: buildLoss(loss) });
  }

  /** The plan of a training step: which op runs where, and why. */
  async explain(
    id: number,
    data: LabData,
    { loss, optimizer, ...options }: WorkerExplainOptions,
  ): Promise<StepExplanation> {
    const rule = buildOptimizer(optimizer);
    try {
      const settings = { ...options, loss: buildLoss(loss), optimizer: rule };
      return await explainTraining(this.#model(id), new ArrayDataset(data), settings);
    } finally {
      rule.dispose();
    }
  }

  /** Outputs for inputs of the given shape, row-major; those of a data set are scaled as in training. */
  async predict(
    id: number,
    inputs: HostArray,
    shape: Shape,
    dtype?: DType,
    scale?: number,
  ): Promise<Prediction> {
    const values = tensor(inputs, dtype ? { shape, dtype } : { shape });
    const output = await predict(this.#model(id), dtype ? modelInput(values, scale ?? 1) : values);
    // A copy: the values may belong to the tensor.
    const data = ((await output.data()) as Float32Array<ArrayBuffer>).slice();
    const [rows = 0, classes = 0] = output.rank === 2 ? output.shape : [];
    const labels = Int32Array.from({ length: rows }, (_, i) => {
      const row = data.subarray(i * classes, (i + 1) * classes);
      return row.reduce((best, value, j) => (value > row[best]! ? j : best), 0);
    });
    return transfer({ data, shape: output.shape, labels }, [data.buffer]);
  }

  /** The weights, and the optimizer's state if that is kept, as a safetensors file: its bytes, also written to a path. */
  async save(id: number, path?: string, metadata?: Record<string, string>): Promise<Uint8Array> {
    const model = this.#model(id);
    const state = this.#states.get(id);
    const bytes = await (state
      ? trainedToBytes(model, state, metadata)
      : weightsToBytes(model, metadata ? { metadata } : {}));
    if (path !== undefined) await writeFileAtomic(path, bytes);
    return transfer(bytes, [bytes.buffer as ArrayBuffer]);
  }

  /** Weights, and the optimizer's state if it is there, from the bytes of a file, its path or its address. */
  async load(id: number, from: Uint8Array | string): Promise<void> {
    const model = this.#model(id);
    const bytes = typeof from === 'string' ? await readBytes(from) : from;
    await weightsFromBytes(model, bytes, typeof from === 'string' ? from : undefined);
    const state = stateFromBytes(bytes);
    if (state) this.#states.set(id, state);
    else this.#states.delete(id);
  }

  /** Forgets a model and frees its memory. */
  dispose(id: number): void {
    this.stop(id);
    this.#model(id).dispose();
    this.#models.delete(id);
    this.#states.delete(id);
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
