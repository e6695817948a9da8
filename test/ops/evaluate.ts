// Evaluates many small graphs: together where that is faster, one by one to find the culprit when that fails.
import type { BackendName } from '../../src/backend/backend.js';
import { type HostArray, isFloat } from '../../src/dtype.js';
import type { Engine } from '../../src/engine.js';
import type { Tensor } from '../../src/graph.js';
import { isOp } from '../../src/schedule/graph.js';
import { siteOf } from '../../src/schedule/place.js';

/** Values, or what went wrong, for each tensor. */
export async function evaluateAll(
  engine: Engine,
  tensors: readonly Tensor[],
): Promise<(HostArray | { error: string })[]> {
  try {
    return await engine.evaluate(tensors);
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    if (tensors.length <= 1) return tensors.map(() => ({ error: text }));
    const half = tensors.length >> 1;
    const first = await evaluateAll(engine, tensors.slice(0, half));
    return [...first, ...(await evaluateAll(engine, tensors.slice(half)))];
  }
}

/** The backend that computes `t`: the first that has a kernel for it. */
export function backendOf(engine: Engine, t: Tensor): BackendName {
  if (!isOp(t)) return engine.order.at(-1)!.name;
  const backend = engine.order.find((b) => b.supports(t.source.op, siteOf(t)));
  return (backend ?? engine.order.at(-1)!).name;
}

/** Fails with what was found, if anything was. */
export function report(found: readonly string[]): void {
  if (found.length === 0) return;
  const shown = found.slice(0, 12);
  if (found.length > shown.length) shown.push(`... and ${found.length - shown.length} more`);
  throw new Error(`${found.length} differences:\n  ${shown.join('\n  ')}`);
}

/** Largest magnitude of the finite elements. */
export const largest = (values: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!);
    if (size > most && Number.isFinite(size)) most = size;
  }
  return most;
};

export const isDifferentiable = (t: Tensor): boolean => isFloat(t.dtype);
