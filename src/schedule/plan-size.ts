// What is said of a plan that cannot be compiled. Loads on demand.
import type { EverygradError } from '../errors.js';
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
  const Class = error.constructor as new (
    parts: ConstructorParameters<typeof EverygradError>[0],
  ) => EverygradError;
  return new Class({
    where: error.where,
    problem: `${error.problem}; the plan needs ${total}, its largest tensors are ${largest.join('; ')}`,
    ...(error.hint ? { hint: error.hint } : {}),
    values: error.values,
    cause: error,
  });
}
