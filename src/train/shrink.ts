// A training that does not fit into memory, made smaller step by step. Loads on demand, see core.ts.
import type { HostArray } from '../dtype.js';
import type { DeviceError } from '../errors.js';
import type { Tensor } from '../graph.js';
import type { Module } from '../nn/module.js';
import type { Core } from './core.js';
import type { Recovery, RecoveryOptions } from './fit.js';
import type { Course } from './recover.js';
import type { Forward, Parts, TrainingPass } from './step.js';

export function tell({ onRecovery }: RecoveryOptions, report: Recovery, text: string): void {
  if (onRecovery) onRecovery(report);
  else console.warn(`everygrad: ${report.error.message}: ${text}`);
}

/**
 * Out of memory: first values are computed again instead of kept, which changes no bit; then batches come in smaller and
 * smaller parts whose gradients are summed, as with `accumulate`. Throws the error where not even one example fits.
 */
export function shrink(core: Core, error: DeviceError, course: Course): void {
  const { passes, batches, recovery } = course;
  const place = { error, ...course.place };
  const [training, validating] = passes;
  if (place.batches === Number.POSITIVE_INFINITY) {
    if (!validating || validating.batchSize === 1) throw error;
    validating.forget();
    const microBatch = Math.ceil(validating.batchSize / 2);
    validating.batchSize = microBatch;
    tell(recovery, { ...place, microBatch }, `validation goes on in batches of ${microBatch}`);
  } else if (training.forward === null) {
    training.forward = recomputed(core);
    training.forget();
    tell(recovery, { ...place, recompute: true }, 'values are computed again instead of kept');
  } else {
    const before = training.parts?.size ?? batches.batchSize;
    if (before === 1) throw error;
    const microBatch = Math.ceil(before / 2);
    training.split(partsOf(training, microBatch));
    const text = `batches are computed in parts of ${microBatch} examples`;
    tell(recovery, { ...place, recompute: true, microBatch }, text);
  }
}

function partsOf(training: TrainingPass, size: number): Parts {
  const part = (values: HostArray, examples: number, start: number, end: number): HostArray =>
    values.subarray((values.length / examples) * start, (values.length / examples) * end);
  return {
    size,
    async run({ inputs, targets, size: all }) {
      for (let start = 0; start < all; start += size) {
        const end = Math.min(all, start + size);
        const prepared = await training.forSize(end - start);
        await prepared.run(part(inputs, all, start, end), part(targets, all, start, end));
      }
      training.examples += all;
    },
  };
}

/**
 * A forward pass that keeps only what goes from one part of the layers to the next, about as many parts as each has layers
 * (Chen et al. 2016, "Training deep nets with sublinear memory cost").
 */
function recomputed({ Sequential, checkpoint }: Core): Forward {
  const layersOf = (model: Module): readonly Module[] =>
    model instanceof Sequential ? model.layers.flatMap(layersOf) : [model];
  return (model, x, context) => {
    const layers = layersOf(model);
    const length = Math.ceil(Math.sqrt(layers.length));
    const starts = layers.flatMap((_, i) => (i % length === 0 ? [i] : []));
    return starts.reduce((y, start) => {
      const part = layers.slice(start, start + length);
      return checkpoint((t: Tensor) => part.reduce((u, layer) => layer.forward(u, context), t))(y);
    }, x);
  };
}
