// A GPU that was lost, or a training that ran out of memory, and how it goes on. Loads on demand, see core.ts.
import type { Backend, BackendName } from '../backend/backend.js';
import type { WebgpuBackend } from '../backend/webgpu/index.js';
import type { Dataset } from '../data/index.js';
import type { Engine } from '../engine.js';
import type { DeviceError } from '../errors.js';
import type { DeviceStorage } from '../execute.js';
import type { Core } from './core.js';
import type { EpochOptions, Place, RecoveryOptions } from './fit.js';
import type { Kept } from './kept.js';
import { shrink, tell } from './shrink.js';
import type { EvaluationPass, TrainingPass } from './step.js';

/** The training, as far as it has come. */
export interface Course {
  readonly data: Dataset;
  readonly kept: Kept;
  /** What is done and must be done again after a loss. */
  readonly place: Readonly<Place>;
  readonly batches: Omit<EpochOptions, 'epoch'>;
  readonly passes: readonly [TrainingPass, EvaluationPass | undefined];
  readonly recovery: RecoveryOptions;
}

/** A browser starts its GPU process anew in a second or so; asked for this often, so far apart (milliseconds). */
const [attempts, pause] = [8, 250];
/** A GPU that is lost so often in one training is given up. */
const mostLosses = 8;
/** So many pauses are waited for a training to notice. */
const mostWaits = 40;
const losses = new WeakMap<Kept, number>();

const after = (milliseconds: number): Promise<null> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds, null));

/**
 * Brings the training to where it was: all batches up to `place` have been done exactly once. Throws the error where that
 * cannot be: no GPU was lost, or there is no copy of the state.
 */
export async function recover(core: Core, error: Error, course: Course): Promise<void> {
  const { place, recovery } = course;
  if (isDeviceError(error) && error.values.bytes !== undefined) return shrink(core, error, course);
  const loss = await lossOf(core, course, error);
  if (!loss || course.kept.values.size === 0) throw error;
  const [device, repeated] = await restore(core, course, loss);
  const where = device === 'wasm' ? 'WASM' : 'a new device';
  const text = `training goes on on ${where}, ${repeated} batches were repeated`;
  tell(recovery, { error: loss, ...place, device, repeated }, text);
}

/** `fit` lets no other errors of the library come here. */
const isDeviceError = (error: Error): error is DeviceError => 'values' in error;

/** Why the training's GPU is gone; null if it is not. */
async function lossOf({ engine }: Core, { kept }: Course, error: Error): Promise<DeviceError | null> {
  const { order, backends } = await engine();
  // Another training may have found out first, and gone on.
  const storage = kept.training.step.storage as DeviceStorage | null;
  if (storage && storage.backends !== backends && isDeviceError(error)) return error;
  // The loss is announced after the rejections that it causes.
  return lostWithin(order, isDeviceError(error) ? 2000 : 200);
}

/** Why the GPU is gone; null if it is not, or not within so many milliseconds. */
async function lostWithin(order: readonly Backend[], milliseconds: number): Promise<DeviceError | null> {
  const gpu = order.find((b): b is Backend & { lost: Promise<DeviceError> } => 'lost' in b);
  return gpu ? Promise.race([gpu.lost, after(milliseconds)]) : null;
}

/** Goes back to the copy and repeats the batches since, on a device that works; gives which one, and how many they were. */
async function restore(core: Core, course: Course, loss: DeviceError): Promise<['webgpu' | 'wasm', number]> {
  for (;;) {
    const engine = await core.engine();
    if (await lostWithin(engine.order, 0)) {
      for (const pass of course.passes) pass?.forget();
      const { kept, recovery } = course;
      const before = losses.get(kept) ?? 0;
      losses.set(kept, before + 1);
      await succeed(core, engine, loss, recovery.device !== 'wasm' && before < mostLosses);
    }
    try {
      const repeated = await repeat(core, course);
      return [(await core.engine()).order.length > 1 ? 'webgpu' : 'wasm', repeated];
    } catch (error) {
      if (!(await lossOf(core, course, loss))) throw notAgain(loss, error);
      // Lost once more.
    }
  }
}

/** What several ask for at the same time comes once for each engine. */
const successions = new WeakMap<Engine, Promise<void>>();
const renewals = new WeakMap<Engine, Promise<void>>();

const once = (
  done: WeakMap<Engine, Promise<void>>,
  engine: Engine,
  f: () => Promise<void>,
): Promise<void> => {
  const known = done.get(engine) ?? f();
  done.set(engine, known);
  return known;
};

/** Has another engine go on, with a new device if one is wanted and there. */
const succeed = (core: Core, engine: Engine, loss: DeviceError, wantsGpu: boolean): Promise<void> =>
  once(successions, engine, async () => {
    const gpu = wantsGpu ? await newGpu(engine) : null;
    if ((await core.engine()) === engine) engine.succeed(gpu, loss);
    else gpu?.dispose(); // configure() was called meanwhile
  });

/** A new device, opened as the one of this engine was; null where there is none. */
async function newGpu({ order }: Engine): Promise<Backend | null> {
  const old = order.find((b): b is WebgpuBackend => 'options' in b);
  const { adapter: _, ...options } = old?.options ?? {};
  const { createWebgpuBackend } = await import('../backend/webgpu/index.js');
  for (let i = 0; i < attempts; i++) {
    const backend = await createWebgpuBackend(options).catch((error: Error) => {
      if (isDeviceError(error) && error.values.seconds) i = attempts; // it was waited for long enough
      return null;
    });
    // A device of a process that is about to end is lost at once.
    if (backend && !(await Promise.race([backend.lost, after(pause / 10)]))) return backend;
    await after(pause);
  }
  return null;
}

/** Goes on after a loss, each training with its own state. Throws the error if no GPU was lost. */
export async function renew(core: Core, trainings: ReadonlySet<Kept>, error: Error): Promise<void> {
  const outOfMemory = isDeviceError(error) && error.values.bytes !== undefined;
  const engine = await core.engine();
  const loss = outOfMemory ? null : await lostWithin(engine.order, isDeviceError(error) ? 2000 : 200);
  if (loss) await renewed(core, trainings, engine, loss);
  // Another may have found out first, and gone on.
  else if (error.name !== 'DeviceLostError') throw error;
}

/** Goes on after a loss, if there was one, and says on what. */
export async function recoverDevice(
  core: Core,
  trainings: ReadonlySet<Kept>,
  device: 'webgpu' | 'wasm',
): Promise<BackendName> {
  const engine = await core.engine();
  const loss = await lostWithin(engine.order, 200);
  if (loss) await renewed(core, trainings, engine, loss, device);
  return (await core.engine()).order[0]!.name;
}

const renewed = (
  core: Core,
  trainings: ReadonlySet<Kept>,
  engine: Engine,
  loss: DeviceError,
  device = 'webgpu',
): Promise<void> =>
  once(renewals, engine, async () => {
    const back = [...trainings].map((training) => {
      if (!training.parked) return noticed(training, engine);
      training.rescued = training.rescue!(loss);
      return training.rescued;
    });
    await Promise.allSettled(back); // one that cannot go on says so itself
    if ((await core.engine()) === engine) await succeed(core, engine, loss, device === 'webgpu');
  });

/** A training that runs finds out itself; it may be waiting for its data, though. */
async function noticed({ training }: Kept, { backends }: Engine): Promise<void> {
  const { step } = training;
  for (let i = 0; i < mostWaits && (step.storage as DeviceStorage | null)?.backends === backends; i++)
    await after(pause);
}

/** The state of the copy, then the batches from there to `place`. */
async function repeat({ engine, tensor }: Core, course: Course): Promise<number> {
  const { data, kept, place, batches } = course;
  const { training, model, rates } = kept;
  for (const pass of course.passes) pass?.forget();
  const e = await engine();
  const counters = course.passes[1]?.counters ?? [];
  for (const v of new Set([...model.variables(), ...training.state(), ...counters])) {
    v.storage?.dispose();
    v.storage = null; // its first values, if there were none at the time of the copy
    const values = kept.values.get(v);
    if (values) e.adopt(v, values.slice());
  }
  training.examples = kept.examples;
  let [step, repeated] = [0, 0];
  const nextRate = async (): Promise<void> => {
    const rate = rates[step++];
    if (rate !== undefined) await training.optimizer.learningRate.assign(tensor(rate));
  };
  for (let epoch = kept.epoch; epoch <= place.epoch; epoch++) {
    const first = epoch === kept.epoch ? kept.batch : 0;
    const end = epoch === place.epoch ? place.batches : Number.POSITIVE_INFINITY;
    if (first === 0) await training.reset();
    let n = 0;
    if (end > first) {
      for await (const batch of data.batches({ ...batches, epoch })) {
        if (n === end) break;
        if (n++ < first) continue;
        if (training.startsStep) await nextRate();
        await training.run(await training.forSize(batch.size), batch);
        repeated++;
      }
      if (n < end && Number.isFinite(end)) throw new Error(`${data.name} gave ${n} batches, not ${end}`);
    }
    if (end === Number.POSITIVE_INFINITY) await training.finishStep();
  }
  if (training.startsStep) await nextRate(); // of the step that was interrupted, if one was
  return repeated;
}

/** The loss, of a training that cannot be repeated: with data that can be read only once, for instance. */
function notAgain(loss: DeviceError, cause: unknown): DeviceError {
  const Class = loss.constructor as typeof DeviceError; // this module has no class of its own, see core.ts
  const { message } = cause as Error;
  return new Class({
    where: 'fit',
    problem: `${loss.problem}, and the steps since the last copy of the weights cannot be repeated: ${message}`,
    hint: 'data must be there to be read again',
    values: loss.values,
    cause,
  });
}
