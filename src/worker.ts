// The training API off the main thread: coarse calls into a worker, through Comlink.
import { type Remote, transfer, wrap } from 'comlink';
import type { HostArray, Shape } from './dtype.js';
import type { EngineOptions } from './engine.js';
import { DataError, DeviceError, type EverygradError, OptionError, StateError } from './errors.js';
import { assetUrl, breathe, runtime, setAssetsUrl, startWorker, whyNoSharedMemory } from './platform.js';
import { onLockFreed } from './platform-life.js';
import type { CheckpointOptions } from './train/checkpoints.js';
import type { StepExplanation } from './train/explain.js';
import type { EpochReport, ProgressReport } from './train/fit.js';
import type { LossSpec, ModelSpec } from './train/spec.js';
import type { Totals } from './train/step.js';
import { errorFrom, keepErrors, type SentError } from './worker-errors.js';
import { type Fit, ProgressStore } from './worker-progress.js';
import type { Lab, LabData, Prediction, WorkerExplainOptions, WorkerFitOptions } from './worker-thread.js';

export { setAssetsUrl } from './platform.js';
export { decodeSafetensors } from './safetensors.js';
export type { LossSpec, ModelSpec, OptimizerSpec, ScheduleSpec } from './train/spec.js';
export type { Fit, Progress } from './worker-progress.js';
export type { LabData, Prediction } from './worker-thread.js';

/** What the worker tells between question and answer. */
export type LabEvent =
  | { event: 'progress'; model: number; report: ProgressReport }
  | { event: 'epoch'; model: number; report: EpochReport };

type Message = (LabEvent | { event: 'warning'; model: number; report: SentError }) & { call: number };

/** Options of `trainer`. */
export interface TrainerOptions extends EngineOptions {
  /** Where `npx everygrad assets` put the files, relative to the page: as `setAssetsUrl`, which is for all trainers. */
  assetsUrl?: string;
  /** Hears of the progress of all models. */
  onEvent?: (event: LabEvent) => void;
  /**
   * A worker that is asked for something and shows no sign of life for so long, in seconds, is taken for dead: calls are
   * rejected with a DeviceError. It must be longer than one step of the training takes. Without end where not said: most
   * browsers free the locks of a worker that they ended, which is noticed.
   */
  patience?: number;
}

/** The options of `fit`; loss, optimizer and schedule by name, as in `['sgd', { lr: 0.5 }]`. */
export interface LabFitOptions extends Omit<WorkerFitOptions, 'checkpoint'> {
  /** In pages a checkpoint is also saved when the page is hidden, which is the last that is heard of some. */
  checkpoint?: Omit<CheckpointOptions, 'when'>;
  /** Called a few times a second. */
  onProgress?: (report: ProgressReport) => void;
  /** Called after each epoch. */
  onEpoch?: (report: EpochReport) => void;
  /** Stops at the next batch; what was learned stays. */
  signal?: AbortSignal;
  /** Moves the arrays of the data into the worker instead of copying them: they are empty here afterwards. */
  transfer?: boolean;
}

/** A tensor, as far as its values go. */
interface Values {
  readonly shape: Shape;
  data(): Promise<HostArray>;
}

/** A worker that trains models. Models live there and have numbers here. Every call rejects when the worker ends. */
export interface Trainer {
  /** Makes a model from layers by name, `[['linear', 784, 100], ['relu'], ['linear', 100, 10]]`, and gives its number. */
  create(spec: ModelSpec, seed?: number): Promise<number>;
  /** As `fit`, in the worker; `model` is the number that `create` gave. The promise also tells how far it is. */
  fit(model: number, data: LabData, options: LabFitOptions): Fit;
  /** As `evaluate`, in the worker. */
  evaluate(model: number, data: LabData, options?: { loss?: LossSpec; batchSize?: number }): Promise<Totals>;
  /** The plan of a training step: which op runs where, and why. */
  explain(model: number, data: LabData, options: WorkerExplainOptions): Promise<StepExplanation>;
  /** Outputs for inputs (batch, ...): a tensor, a typed array and its shape, or the inputs of a data set. */
  predict(model: number, inputs: Values | HostArray | LabData, shape?: Shape): Promise<Prediction>;
  /** Halts a running fit at its next batch. */
  pause(model: number): Promise<void>;
  /** Lets a paused fit go on. */
  resume(model: number): Promise<void>;
  /** Ends a running fit at its next batch; what was learned stays. */
  stop(model: number): Promise<void>;
  /** The weights as the bytes of a safetensors file, which are also written to the path, if there is one. */
  save(model: number, path?: string, metadata?: Record<string, string>): Promise<Uint8Array>;
  /** Weights from the bytes of a file, its path or its address. */
  load(model: number, from: Uint8Array | string): Promise<void>;
  /** Forgets a model and frees its memory. */
  dispose(model: number): Promise<void>;
  /** Ends the worker; what was not saved is gone, and calls that wait are rejected. */
  terminate(): void;
}

keepErrors();

/** The thread and what waits for it. */
class Connection {
  readonly listeners = new Set<(event: MessageEvent) => void>();
  readonly #waiting = new Set<(error: Error) => void>();
  #ended: Error | null = null;

  /** The answer, or an error if the worker ends before it. */
  answer<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      ask()
        .then(resolve, reject)
        .finally(() => this.#waiting.delete(reject));
    });
  }

  get waits(): boolean {
    return this.#waiting.size > 0;
  }

  end(error: EverygradError): void {
    if (this.#ended) return;
    this.#ended = error;
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
  }
}

/** How many trainers this thread has started. */
let trainers = 0;

/** A silent worker is asked for a sign of life so often before it is taken for dead. */
const signsOfLife = 4;

/**
 * Starts a worker that trains models: the page, or the main thread of any runtime, stays free. Throws DeviceError where
 * its script does not start, which is at `worker-thread.js` beside this module or where `setAssetsUrl` says.
 */
export async function trainer({
  onEvent,
  assetsUrl,
  patience,
  ...options
}: TrainerOptions = {}): Promise<Trainer> {
  if (patience !== undefined && !(patience > 0)) {
    throw new OptionError({
      where: 'trainer',
      problem: `patience is ${patience}`,
      hint: 'a number of seconds > 0',
      values: { patience },
    });
  }
  if (assetsUrl !== undefined) setAssetsUrl(address(assetsUrl));
  const connection = new Connection();
  const calls = new Map<number, (message: Message) => void>();
  const url = assetUrl('worker-thread.js');
  const lock = `everygrad ${crypto.randomUUID?.() ?? Math.random()}`;
  let started = false;
  let forget = (): void => undefined;
  let silence = 0;
  let watch: ReturnType<typeof setInterval> | undefined;
  const fail = (problem: string): void => {
    forget();
    clearInterval(watch);
    const hint = started
      ? 'start a new trainer(); a fit with the same checkpoint key goes on where it was'
      : `is ${url} everygrad's dist/worker-thread.js? Copy the files there (npx everygrad assets), or name their folder by setAssetsUrl; on cross-origin isolated pages they need the header Cross-Origin-Embedder-Policy, too`;
    const what = started ? 'the worker ended' : 'the worker did not start';
    void starting.then((worker) => worker.terminate()); // an error that nothing caught leaves it running
    connection.end(
      new DeviceError({ where: 'trainer', problem: `${what}: ${problem}`, hint, values: { url: url.href } }),
    );
  };
  const starting = startWorker(
    url,
    {
      onMessage(message) {
        silence = 0;
        if (!isEvent(message)) {
          for (const listener of connection.listeners) listener({ data: message } as MessageEvent);
          return;
        }
        calls.get(message.call)?.(message);
        if (message.event !== 'warning') onEvent?.(message);
      },
      onError: fail,
    },
    { keepAlive: true },
  );
  const worker = await starting;
  const lab = wrap<Lab>({
    postMessage: (message: unknown, list?: Transferable[]) => worker.post(message, list),
    addEventListener: (_: string, f: (event: MessageEvent) => void) => connection.listeners.add(f),
    removeEventListener: (_: string, f: (event: MessageEvent) => void) => connection.listeners.delete(f),
  } as never) as Remote<Lab>;
  if (patience !== undefined) {
    // Turns are counted, not time: a machine that slept has not waited.
    watch = setInterval(
      () => {
        if (!connection.waits) silence = 0;
        else if (silence++ === signsOfLife) fail(`it has not answered for ${patience} s`);
        else void lab.isAlive().catch(() => undefined);
      },
      (patience * 1000) / signsOfLife,
    );
  }
  // What is called later is sent later, also where the data of an earlier call is still being copied.
  let sent: Promise<unknown> = Promise.resolve();
  const ask = <T>(call: () => Promise<T>, prepared?: Promise<unknown>): Promise<T> => {
    const sending = Promise.all([sent, prepared]).then(() => ({ answer: call() }));
    sent = sending.catch(() => undefined);
    return connection.answer(() => sending.then(({ answer }) => answer).catch(namePlainData));
  };
  /** Asks with data sets, when their copies are made. */
  const askWith = <T>(
    sets: readonly (LabData | undefined)[],
    move: boolean | undefined,
    call: (sets: (LabData | undefined)[]) => Promise<T>,
  ): Promise<T> => {
    const moved = new Set<ArrayBuffer>();
    let made: (LabData | undefined)[] = [];
    const making = Promise.all(sets.map((data) => data && plain(data, moved, move))).then((copies) => {
      made = [transfer(copies[0], [...moved]), ...copies.slice(1)];
    });
    return ask(() => call(made), making);
  };
  // Each worker would warn that it has one thread.
  if (trainers++ > 0 && whyNoSharedMemory()) options.threads ??= 1;
  await ask(() => lab.configure(options, lock)).catch((error) => {
    clearInterval(watch);
    worker.terminate();
    throw error;
  });
  const end = (problem: string, hint: string): void => {
    forget();
    clearInterval(watch);
    connection.end(new StateError({ where: 'trainer', problem, hint }));
    worker.terminate();
  };
  /** WebKit keeps a page that was left with its worker halted, which may be in the middle of writing: others would wait. */
  const leave = (): void =>
    end(
      'the page was left',
      'start a new trainer(); a fit with the same checkpoint key goes on where it was',
    );
  started = true;
  forget = onLockFreed(lock, () => fail('it was killed, or ended itself'));
  let next = 1;
  return {
    create: (spec, seed) => ask(() => lab.create(spec, seed)),
    fit(model, data, options) {
      const { onProgress, onEpoch, signal, validation, checkpoint, transfer: move, ...rest } = options ?? {};
      const call = next++;
      const store = new ProgressStore();
      const { onWarning, ...keep } = checkpoint ?? { key: '' };
      calls.set(call, (message) => {
        if (message.event === 'progress') {
          onProgress?.(message.report);
          store.update(message.report);
        } else if (message.event === 'epoch') {
          onEpoch?.(message.report);
          store.afterEpoch(message.report);
        } else warn(errorFrom(message.report) as EverygradError, onWarning);
      });
      const abort = () => void ask(() => lab.stop(model)).catch(() => undefined);
      const hide = () => {
        if (document.visibilityState === 'hidden') ask(() => lab.keep(model)).catch(() => undefined);
      };
      const watched = checkpoint ? globalThis.document : undefined;
      watched?.addEventListener('visibilitychange', hide);
      const leaves = checkpoint && runtime().name === 'webkit' ? globalThis.window : undefined;
      leaves?.addEventListener('pagehide', leave);
      const run = async () => {
        try {
          return await askWith([data, validation], move, ([train, checked]) => {
            const sent = {
              ...rest,
              ...(checked ? { validation: checked } : {}),
              ...(checkpoint ? { checkpoint: keep } : {}),
            };
            const running = lab.fit(model, train!, sent, call, signal?.aborted);
            // After the call, so that the worker knows what to stop.
            signal?.addEventListener('abort', abort);
            return running;
          });
        } finally {
          watched?.removeEventListener('visibilitychange', hide);
          leaves?.removeEventListener('pagehide', leave);
          signal?.removeEventListener('abort', abort);
          calls.delete(call);
          store.update({ done: true });
        }
      };
      return Object.assign(run(), { subscribe: store.subscribe, getSnapshot: store.getSnapshot });
    },
    evaluate: (model, data, settings) =>
      askWith([data], false, ([sent]) => lab.evaluate(model, sent!, settings)),
    explain: (model, data, settings) =>
      askWith([data], false, ([sent]) => lab.explain(model, sent!, settings)),
    async predict(model, inputs, shape) {
      if ('inputs' in inputs) {
        const { inputs: all, inputShape, inputDType, scale } = inputs;
        const size = inputShape.reduce((a, b) => a * b, 1);
        const [values, as] = [await copyOf(all), shape ?? [all.length / size, ...inputShape]];
        return ask(() => lab.predict(model, transfer(values, [values.buffer]), as, inputDType, scale));
      }
      const values = ArrayBuffer.isView(inputs) ? inputs : await inputs.data();
      const as = shape ?? (ArrayBuffer.isView(inputs) ? [inputs.length] : inputs.shape);
      return ask(() => lab.predict(model, values, as));
    },
    pause: (model) => ask(async () => lab.pause(model)),
    resume: (model) => ask(async () => lab.resume(model)),
    stop: (model) => ask(async () => lab.stop(model)),
    save: (model, path, metadata) => ask(() => lab.save(model, path, metadata)),
    load: (model, from) => ask(() => lab.load(model, typeof from === 'string' ? address(from) : from)),
    dispose: (model) => ask(async () => lab.dispose(model)),
    terminate: () => end('the worker was terminated before it answered', 'start a new trainer()'),
  };
}

/** In pages an address is relative to the page, not to the worker's script. */
const address = (from: string): string => {
  const page = globalThis.document?.baseURI ?? globalThis.location?.href;
  return page ? new URL(from, page).href : from;
};

/** Functions and the like stay here; the browser's own words for that help nobody. */
function namePlainData(error: Error): never {
  if (error.name !== 'DataCloneError') throw error;
  throw new OptionError({
    where: 'trainer',
    problem: `an option cannot be sent to the worker: ${error.message}`,
    hint: "loss, optimizer and schedule are named, as in ['sgd', { lr: 0.5 }]; the rest is plain data",
    cause: error,
  });
}

function warn(error: EverygradError, hear: CheckpointOptions['onWarning']): void {
  if (hear) hear(error);
  else console.warn(`everygrad: ${error.message}`);
}

/**
 * A data set, also one of the library's own, as plain data. Copies are made here and moved, since sending a view sends all
 * of its buffer; the caller's own arrays are moved on demand.
 */
async function plain(data: LabData, moved: Set<ArrayBuffer>, move = false): Promise<LabData> {
  const { inputShape, inputDType, targetShape, targetDType, scale, classes, name } = data;
  const own = async (array: HostArray): Promise<HostArray> => {
    if (!ArrayBuffer.isView(array)) {
      throw new DataError({
        where: name ?? 'data',
        problem: `inputs or targets are ${array === undefined ? 'missing' : 'not a typed array'}`,
        hint: 'e.g. { inputs: new Float32Array(...), inputShape: [2], inputDType: "float32", targets: ... }',
      });
    }
    if (!(array.buffer instanceof ArrayBuffer)) return array;
    const whole = array.byteLength === array.buffer.byteLength;
    const sent = move && whole ? array : await copyOf(array);
    moved.add(sent.buffer as ArrayBuffer);
    return sent;
  };
  return {
    ...{ inputs: await own(data.inputs), targets: await own(data.targets) },
    ...{ inputShape, inputDType, targetShape, targetDType, classes },
    ...(scale === undefined ? {} : { scale }),
    ...(name === undefined ? {} : { name }),
  };
}

/** Bytes that are copied at once: a page must not stand still while a large data set is. */
const pieceBytes = 2 ** 22;

async function copyOf(array: HostArray): Promise<HostArray> {
  const copy = new (array.constructor as new (length: number) => typeof array)(array.length);
  const piece = pieceBytes / array.BYTES_PER_ELEMENT;
  for (let at = 0; at < array.length; at += piece) {
    if (at > 0) await breathe();
    copy.set(array.subarray(at, at + piece) as never, at);
  }
  return copy;
}

const isEvent = (message: unknown): message is Message =>
  typeof message === 'object' && message !== null && 'event' in message && 'call' in message;
