// What is said of a plan that cannot be compiled, or not be run. Loads on demand.
import type { DeviceLostError, EverygradError } from '../errors.js';
import type { Plan } from './plan.js';

/** Out of memory: names the plan's bytes and its largest tensors. */
export function addPlanSize(error: EverygradError, plan: Plan): EverygradError {
  if (error.values.bytes === undefined) return error;
  const largest = [...plan.slots.values()]
    .flatMap((slots) => [...slots])
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .slice(0, 3)
    .map(([t, { bytes }]) => `${t} ${bytes} bytes`);
  const total = [...plan.arenaBytes].map(([name, bytes]) => `${bytes} bytes on ${name}`).join(', ');
  return new (classOf(error))({
    where: error.where,
    problem: `${error.problem}; the plan needs ${total}, its largest tensors are ${largest.join('; ')}`,
    ...(error.hint ? { hint: error.hint } : {}),
    values: error.values,
    cause: error,
  });
}

/** This module has no classes of its own, see train/core.ts. */
const classOf = (error: EverygradError) =>
  error.constructor as new (
    parts: ConstructorParameters<typeof EverygradError>[0],
  ) => EverygradError;

/** The GPU is gone: names the variables of the plan whose values were on it alone. */
export function addLost(error: DeviceLostError, { graph }: Plan): EverygradError {
  const lost = graph.variables
    .filter(({ storage }) => !(storage as { hostValues?(): unknown } | null)?.hostValues?.())
    .map(({ name, shape }) => `${name} (${shape})`);
  const what = lost.length > 0 ? lost.join(', ') : 'none of the variables that the function uses';
  return new (classOf(error))({
    where: error.where,
    problem: `${error.problem}; lost with it: ${what}`,
    hint: `await recoverDevice(), ${lost.length > 0 ? 'then assign these anew or load() the model' : 'then call it again'}`,
    values: { ...error.values, lost },
    cause: error,
  });
}
