// Checkpoints of a training on its way: all that it needs to go on to the same weights as if nothing had happened.
import type { Dataset } from '../data/index.js';
import type { DType, HostArray } from '../dtype.js';
import { EverygradError, OptionError, StateError } from '../errors.js';
import type { Tensor, Variable } from '../graph.js';
import type { Module } from '../nn/module.js';
import { type Keep, openKeep } from '../platform-keep.js';
import { decodeSafetensors, encodeSafetensors, type SavedTensor } from '../safetensors.js';
import { read, tensor } from '../tensor.js';
import type { EarlyStopping } from './early-stopping.js';
import type { EpochReport } from './fit.js';
import type { Rates } from './rates.js';
import type { TrainingPass } from './step.js';

/** A running training, as a checkpoint sees it. */
export interface Course {
  readonly model: Module;
  readonly data: Dataset;
  readonly training: TrainingPass;
  readonly rates: Rates;
  readonly stopping: EarlyStopping;
  readonly epochs: EpochReport[];
  /** What must be the same when it goes on. */
  readonly settings: { batchSize: number; accumulate: number; seed: number; shuffle: boolean };
}

/** Where a training goes on, and who keeps its checkpoints. */
export interface Keeper {
  /** The epoch to go on with, how many of its batches are done, and the seconds that they took. */
  readonly epoch: number;
  readonly batches: number;
  readonly seconds: number;
  /** To be called after each step of the optimizer; true if it is time to save. */
  due(): boolean;
  save(epoch: number, batches: number, seconds: number): Promise<void>;
  /** Drops the checkpoint of a training that came to its end. */
  finish(): Promise<void>;
  /** Waits for what is being written. */
  settle(): Promise<void>;
}

/** Makes the keeper of a training, and brings back what an earlier one left. */
export type Checkpointing = (course: Course) => Promise<Keeper>;

/** Options of `checkpointed`. */
export interface CheckpointOptions {
  /** Names the training; one that is started with the same key goes on where the last one was. */
  key: string;
  /** Saves so often; 30 where neither is said. */
  everySeconds?: number;
  /** Saves after so many steps of the optimizer. */
  everySteps?: number;
  /** Asked after each step of the optimizer; true saves at once, as when a page is hidden. */
  when?: () => boolean;
  /** Hears, once, that the storage is full or forbidden; training goes on. A warning on the console where not said. */
  onWarning?: (error: EverygradError) => void;
}

/**
 * For `fit`: keeps the last checkpoint (parameters, buffers, the optimizer's state, the place in the epoch) in a file or,
 * in browsers, in IndexedDB, and goes on from it to the same weights as undisturbed, bit by bit in the plain build. A
 * training that came to its end drops it; one that its signal stopped saves itself.
 * Throws OptionError for options that are none, StateError for a checkpoint of another training.
 */
export function checkpointed(options: CheckpointOptions): Checkpointing {
  const { key, everySteps, everySeconds = everySteps === undefined ? 30 : undefined } = options;
  const wrong = Object.entries({ everySeconds, everySteps }).find(([, v]) => v !== undefined && !(v > 0));
  if (typeof key !== 'string' || key === '' || wrong) {
    throw new OptionError({
      where: 'checkpoint',
      problem: wrong ? `${wrong[0]} is ${wrong[1]}` : `key is ${JSON.stringify(key)}`,
      hint: 'e.g. { key: "digits", everySeconds: 30 } or { key: "digits", everySteps: 500 }',
    });
  }
  return async (course) => {
    const keeper = new CourseKeeper(course, { ...options, everySeconds, everySteps });
    await keeper.resume();
    return keeper;
  };
}

/** What a checkpoint holds besides tensors. */
interface Place {
  epoch: number;
  batches: number;
  seconds: number;
  examples: number;
  rates: readonly [number, number];
  epochs: EpochReport[];
  settings: string;
}

const kept = 'everygrad.course';

type Schedule = Omit<CheckpointOptions, 'everySeconds' | 'everySteps'> & {
  everySeconds: number | undefined;
  everySteps: number | undefined;
};

class CourseKeeper implements Keeper {
  epoch = 1;
  batches = 0;
  seconds = 0;
  #steps = 0;
  #saved = performance.now();
  #warned = false;
  #writing: Promise<void> = Promise.resolve();
  #keep: Keep | null = null;

  constructor(
    private readonly course: Course,
    private readonly options: Schedule,
  ) {}

  due(): boolean {
    const { everySteps, everySeconds, when } = this.options;
    this.#steps++;
    if (when?.()) return true;
    if (everySteps !== undefined && this.#steps % everySteps === 0) return true;
    return everySeconds !== undefined && performance.now() - this.#saved >= everySeconds * 1000;
  }

  async save(epoch: number, batches: number, seconds: number): Promise<void> {
    this.#saved = performance.now();
    const { training, rates, epochs } = this.course;
    await this.#ready();
    const variables = [...this.#variables()];
    const values = await read(variables.map(([, v]) => v));
    const tensors = new Map<string, SavedTensor>();
    for (const [i, [name, { dtype, shape }]] of variables.entries())
      tensors.set(name, { dtype, shape, data: values[i]! });
    for (const [i, data] of (this.course.stopping.best ?? []).entries())
      tensors.set(`best.${i}`, { dtype: dtypeOf(data), shape: [data.length], data });
    const place: Place = {
      ...{ epoch, batches, seconds, examples: training.examples },
      ...{ rates: rates.position, epochs, settings: this.#settings() },
    };
    const bytes = encodeSafetensors(tensors, { [kept]: JSON.stringify(place) });
    await this.#writing;
    this.#writing = this.#attempt(async (keep) => keep.put(this.options.key, bytes)).then(() => undefined);
  }

  async finish(): Promise<void> {
    await this.#writing;
    await this.#attempt((keep) => keep.remove(this.options.key));
  }

  settle(): Promise<void> {
    return this.#writing;
  }

  /** Brings back what was kept, if anything was. */
  async resume(): Promise<void> {
    const bytes = await this.#attempt((keep) => keep.get(this.options.key));
    const file = bytes && (await this.#attempt(async () => decodeSafetensors(bytes, { file: this.#name })));
    const text = file?.metadata[kept];
    if (!file || !text) return;
    const place = JSON.parse(text, revive) as Place;
    this.#check('was made with', place.settings, this.#settings());
    const { training, stopping, rates, epochs } = this.course;
    await this.#ready();
    const variables = this.#variables();
    const best = [...file.tensors.keys()].filter((name) => name.startsWith('best.'));
    const shapes = (entries: Iterable<[string, Pick<Tensor, 'shape'>]>): string =>
      [...entries].map(([name, { shape }]) => `${name} (${shape})`).join(', ');
    const weights = [...file.tensors].filter(([name]) => !best.includes(name));
    this.#check('holds', sorted(shapes(weights)), sorted(shapes(variables)));
    await Promise.all(
      [...variables].map(([name, v]) => {
        const { data, shape, dtype } = file.tensors.get(name)!;
        return v.assign(tensor(data, { shape, dtype }));
      }),
    );
    epochs.push(...place.epochs);
    rates.resume(place.rates, place.epochs);
    await stopping.resume(place.epochs, best.length > 0 ? best.map((b) => file.tensors.get(b)!.data) : null);
    training.examples = place.examples;
    Object.assign(this, { epoch: place.epoch, batches: place.batches, seconds: place.seconds });
  }

  /** The optimizer's variables exist when a step has been traced. */
  #ready(): Promise<void> {
    const { training, data, settings } = this.course;
    return training.ready(Math.min(settings.batchSize, data.length ?? settings.batchSize));
  }

  #check(verb: string, found: string, expected: string): void {
    if (found === expected) return;
    throw new StateError({
      where: this.#name,
      problem: `it is of another training: it ${verb} ${found}, this one has ${expected}`,
      hint: 'use another key, or the same model, data and options',
      values: { found, expected },
    });
  }

  get #name(): string {
    return `checkpoint ${this.options.key}`;
  }

  #settings(): string {
    const { settings, data } = this.course;
    return Object.entries({ ...settings, examples: data.length ?? 'unknown' })
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
  }

  #variables(): Map<string, Variable> {
    const { model, training } = this.course;
    const { optimizer, step, counters } = training;
    return new Map<string, Variable>([
      ...[...model.namedVariables()].map(([name, v]): [string, Variable] => [`model.${name}`, v]),
      ...optimizer.state().map((v, i): [string, Variable] => [`optimizer.${i}`, v]),
      ['step', step],
      ...counters.map((v, i): [string, Variable] => [`counter.${i}`, v]),
    ]);
  }

  /** Training goes on without storage; that is said once. */
  async #attempt<T>(use: (keep: Keep) => Promise<T>): Promise<T | undefined> {
    try {
      this.#keep ??= await openKeep();
      return await use(this.#keep);
    } catch (error) {
      if (!(error instanceof EverygradError)) throw error;
      if (!this.#warned) (this.options.onWarning ?? ((e) => console.warn(`everygrad: ${e.message}`)))(error);
      this.#warned = true;
      return undefined;
    }
  }
}

/** JSON has no NaN, which is the value of what was not measured. */
const revive = (key: string, value: unknown): unknown =>
  value === null && /Loss|Accuracy$/.test(key) ? Number.NaN : value;

const sorted = (list: string): string => list.split(', ').sort().join(', ');

const dtypeOf = (data: HostArray): DType =>
  data instanceof Float64Array ? 'float64' : data instanceof Int32Array ? 'int32' : 'float32';
