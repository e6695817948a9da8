// What goes on when a GPU is lost outside of a training's own steps: models that are used, loops of one's own.
import type { BackendName } from '../backend/backend.js';
import { DeviceError, EverygradError } from '../errors.js';
import { core } from './core.js';
import type { RecoveryOptions } from './fit.js';
import type { Kept } from './kept.js';

/** Trainings on their way: they go on after a loss, each with its own state. */
export const trainings = new Set<Kept>();

/** Some implementations throw errors of their own where their device is gone. */
export const mayBeLoss = (error: unknown): boolean =>
  error instanceof DeviceError || !(error instanceof EverygradError);

/** Does it again if a GPU was lost meanwhile, on a new one or on WASM. */
export async function again<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!mayBeLoss(error)) throw error;
    // Loaded only now: most programs never need it.
    await (await import('./recover.js')).renew(core(), trainings, error as Error);
    return work();
  }
}

/**
 * After the loss of a GPU: goes on on a new one or, where there is none, on WASM, and says which. Variables keep the values
 * that the host has, which are those that were given to them or read last; the others, which only the GPU had, must be
 * assigned anew or loaded. `fit`, `evaluate` and `predict` do this themselves; it is for loops of one's own, where a
 * compiled function throws a DeviceLostError. Without a loss nothing happens.
 */
export const recoverDevice = async ({
  device = 'webgpu',
}: Pick<RecoveryOptions, 'device'> = {}): Promise<BackendName> =>
  (await import('./recover.js')).recoverDevice(core(), trainings, device);
