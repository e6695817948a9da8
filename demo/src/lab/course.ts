// One model in a worker, its training, and what is kept of it: a reload, another device or a worker that dies loses
// no more than the last two seconds.
import type { ArrayDataset } from 'everygrad/data';
import { type Trainer, trainer } from 'everygrad/worker';
import { Keep } from '../keep.ts';
import { type ModelName, models } from './models.ts';

export type DeviceName = 'auto' | 'wasm' | 'webgpu';

/** An epoch: its number and what it came to. */
export interface Row {
  epoch: number;
  trainLoss: number;
  testLoss: number;
  trainAccuracy: number;
  testAccuracy: number;
}

interface Record {
  weights: Uint8Array;
  epochs: number;
  history: Row[];
}

export interface CourseEvents {
  /** A sentence for the user. */
  onProblem(text: string): void;
}

export interface TrainOptions {
  validation: ArrayDataset;
  batchSize: number;
  lr: number;
  /** Without end where not said. */
  epochs?: number;
  /** Epochs are counted and drawn; yes where not said. */
  counts?: boolean;
  signal?: AbortSignal;
  onProgress?: (report: { epoch: number; loss: number; samplesPerSecond: number }) => void;
  onEpoch?: (row: Row, samplesPerSecond: number) => void;
}

/** How often the weights are kept while training, in milliseconds. */
const keepEvery = 2000;
/** A worker that does not answer for so long is taken for dead, and a GPU may take so long to come; in seconds. */
const [patience, gpuSeconds] = [20, 5];

/** Whether it says that the worker is gone, not that something is wrong with what was asked. */
const workerEnded = (error: unknown): boolean => (error as { where?: string }).where === 'trainer';

const rule = (lr: number) => ({ loss: ['crossEntropy'], optimizer: ['adam', { lr }] }) as const;

export class Course {
  model: ModelName = 'mlp';
  epochs = 0;
  history: Row[] = [];
  /**
   * As a safetensors file, with the optimizer's state, as of the last time that they were asked for; null for a model that
   * was never trained.
   */
  weights: Uint8Array | null = null;
  #device: DeviceName = 'auto';
  #session: Promise<{ lab: Trainer; id: number }> | null = null;
  readonly #keep: Keep<Record>;
  #keptAt = 0;

  constructor(private readonly events: CourseEvents) {
    this.#keep = new Keep((why) =>
      events.onProblem(`This browser keeps nothing for this page (${why}): a reload would start anew.`),
    );
  }

  get trained(): boolean {
    return this.weights !== null;
  }

  /** Takes up a model where it was left; its worker starts when it is first asked. */
  async open(model: ModelName, device: DeviceName): Promise<void> {
    await this.#close();
    this.model = model;
    this.#device = device;
    const kept = await this.#keep.get(model);
    Object.assign(this, { weights: null, epochs: 0, history: [] }, kept);
  }

  /** Forgets what the model has learned. */
  async reset(): Promise<void> {
    await this.#keep.remove(this.model);
    Object.assign(this, { weights: null, epochs: 0, history: [] });
    if (!this.#session) return;
    const { lab, id } = await this.#open();
    await lab.dispose(id);
    this.#session = Promise.resolve({ lab, id: await lab.create(models[this.model].spec, 1) });
  }

  /** Puts weights into the model; throws for a file that does not fit, and changes nothing then. */
  async load(bytes: Uint8Array): Promise<void> {
    await this.#use((lab, id) => lab.load(id, bytes));
    Object.assign(this, { epochs: 0, history: [] });
    await this.keep();
  }

  /** The first of these models that the weights of a file fit; throws the complaint of the first if none does. */
  async fitting(bytes: Uint8Array, names: readonly ModelName[]): Promise<ModelName> {
    const complaints: unknown[] = [];
    for (const name of names) {
      try {
        await this.#use(async (lab) => {
          const id = await lab.create(models[name].spec);
          await lab.load(id, bytes).finally(() => lab.dispose(id));
        });
        return name;
      } catch (error) {
        complaints.push(error);
      }
    }
    throw complaints[0];
  }

  /** Trains until the signal stops it. A worker that dies on the way is replaced by one that goes on. */
  async train(data: ArrayDataset, options: TrainOptions): Promise<void> {
    const { batchSize, lr, signal, counts = true, onProgress, onEpoch } = options;
    const input = models[this.model].inputShape;
    await this.#use(async (lab, id) => {
      if (signal?.aborted) return;
      const from = this.epochs;
      await lab.fit(id, data.reshape([...input]), {
        ...rule(lr),
        keepOptimizer: true,
        batchSize,
        epochs: options.epochs ?? 10_000,
        seed: 1 + from,
        validation: options.validation.reshape([...input]),
        ...(signal ? { signal } : {}),
        onProgress: ({ epoch, loss, samplesPerSecond, examples, of }) => {
          onProgress?.({ epoch: from + epoch - 1 + examples / (of ?? examples), loss, samplesPerSecond });
          if (performance.now() - this.#keptAt > keepEvery) void this.keep().catch(() => undefined);
        },
        onEpoch: (report) => {
          if (!counts || Number.isNaN(report.validationLoss)) return; // or it was cut short
          const row: Row = {
            epoch: ++this.epochs,
            trainLoss: report.trainLoss,
            testLoss: report.validationLoss,
            trainAccuracy: report.trainAccuracy,
            testAccuracy: report.validationAccuracy,
          };
          this.history.push(row);
          onEpoch?.(row, report.samplesPerSecond);
        },
      });
    });
    await this.keep();
  }

  /** Notes the weights, and keeps them. */
  async keep(): Promise<Uint8Array> {
    this.#keptAt = performance.now();
    const { model } = this;
    const weights = await this.#use((lab, id) => lab.save(id));
    if (model !== this.model) return weights;
    this.weights = weights;
    await this.#keep.put(model, { weights, epochs: this.epochs, history: this.history });
    return weights;
  }

  /** The weights as they are, also those of a model that was never trained. */
  current(): Promise<Uint8Array> {
    return this.#use((lab, id) => lab.save(id));
  }

  /** Outputs (count, 10) for images, values from 0 to 1. */
  predict(images: Float32Array, count: number): Promise<Float32Array> {
    const shape = [count, ...models[this.model].inputShape];
    return this.#use(async (lab, id) => (await lab.predict(id, images, shape)).data);
  }

  evaluate(data: ArrayDataset): Promise<{ loss: number; accuracy: number }> {
    const shaped = data.reshape([...models[this.model].inputShape]);
    return this.#use((lab, id) => lab.evaluate(id, shaped));
  }

  /** What a training step does, and where. */
  explain(data: ArrayDataset, batchSize: number, lr: number): ReturnType<Trainer['explain']> {
    const few = data.take(batchSize).reshape([...models[this.model].inputShape]);
    return this.#use((lab, id) => lab.explain(id, few, { ...rule(lr), batchSize }));
  }

  /** Asks the worker; if that is gone, another one, which has the weights that were noted last. */
  async #use<T>(ask: (lab: Trainer, id: number) => Promise<T>): Promise<T> {
    for (let tries = 1; ; ) {
      const session = this.#open();
      let began = Number.POSITIVE_INFINITY;
      try {
        const { lab, id } = await session;
        began = performance.now();
        return await ask(lab, id);
      } catch (error) {
        // One that lives for a while may be lost any number of times; one that does not start may start the next time.
        if (performance.now() - began < 10_000) tries++;
        if (!workerEnded(error) || tries > 3) throw error;
        if (session === this.#session) {
          this.#session = null;
          this.events.onProblem('The worker that trains was lost; another one goes on where it was.');
        }
      }
    }
  }

  #open(): Promise<{ lab: Trainer; id: number }> {
    this.#session ??= this.#start().catch((error) => {
      this.#session = null;
      throw error;
    });
    return this.#session;
  }

  async #start(): Promise<{ lab: Trainer; id: number }> {
    const device = this.#device;
    const lab = await trainer({ device, patience, gpuSeconds }).catch(
      (error: Error & { problem?: string }) => {
        if (device !== 'webgpu') throw error;
        this.#device = 'wasm';
        this.events.onProblem(
          `WebGPU cannot be used here, so WASM computes: ${error.problem ?? error.message}`,
        );
        return trainer({ device: 'wasm', patience });
      },
    );
    const id = await lab.create(models[this.model].spec, 1);
    if (this.weights) {
      await lab.load(id, this.weights).catch(() => {
        // Kept by an older version of this page.
        Object.assign(this, { weights: null, epochs: 0, history: [] });
      });
    }
    return { lab, id };
  }

  async #close(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    (await session?.catch(() => null))?.lab.terminate();
  }
}
