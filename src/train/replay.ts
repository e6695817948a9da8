// Training that went wrong: goes back to values that were kept, repeats the steps since, and finds the one that failed.
import type { Batch, Dataset } from '../data/index.js';
import type { HostArray } from '../dtype.js';
import type { DataError } from '../errors.js';
import type { Tensor, Variable } from '../graph.js';
import type { Module } from '../nn/module.js';
import { watchLayers } from '../nn/watch.js';
import type { Core } from './core.js';
import type { EpochOptions } from './fit.js';
import type { Kept } from './kept.js';
import { findNonFinite, type NonFinite } from './non-finite.js';
import { firstNonFinite, PureGraph } from './pure-graph.js';
import type { TrainingPass } from './step.js';

/** The step that failed. */
interface FailedStep {
  epoch: number;
  /** From 1. */
  batch: number;
  found: NonFinite;
}

/** Says what made a loss that is not finite, if that can be found out. */
export async function lossError(
  core: Core,
  loss: number,
  data: Dataset,
  kept: Kept,
  options: EpochOptions,
): Promise<DataError> {
  let failed: FailedStep | null = null;
  let cause: unknown;
  const { training, model, values } = kept;
  try {
    if (values.size > 0 && !training.accumulates)
      failed = await findFailedStep(core, training, model, data, kept, options);
  } catch (error) {
    cause = error; // data that can be read only once, too little memory
  }
  const epoch = failed?.epoch ?? options.epoch;
  return new core.DataError({
    where: 'fit',
    problem: `the loss became ${loss} in epoch ${options.epoch}${failed ? `; first, in batch ${failed.batch} of epoch ${epoch}, ${failed.found.text}` : ''}`,
    hint: 'use a smaller learning rate, or check the loss for log(0) and division by 0',
    values: { loss, ...failed?.found, epoch, ...(failed && { batch: failed.batch }) },
    cause,
  });
}

/** Steps between two looks at the values, first coarse, then fine. */
const strides = [64, 1];

/**
 * Repeats what was trained since `kept` and names what made the first value that is not finite; null if all comes out
 * finite, as it may with data that are not the same each time. The model then has the values from before that step.
 */
async function findFailedStep(
  core: Core,
  training: TrainingPass,
  model: Module,
  data: Dataset,
  kept: Kept,
  options: EpochOptions,
): Promise<FailedStep | null> {
  const variables = [...model.namedVariables().values(), ...training.optimizer.state(), training.step];
  const { read } = core;
  const rateAt = kept.rates;
  let good = { epoch: kept.epoch, batch: kept.batch, step: 0, values: valuesOf(variables, kept.values) };
  const allFinite = async (): Promise<boolean> => {
    const { loss } = await training.totals();
    const values = await read(variables);
    return Number.isFinite(loss) && values.every((v, i) => firstNonFinite(v, variables[i]!.dtype) < 0);
  };
  for (const stride of strides) {
    await assignAll(core, variables, good.values);
    await training.reset();
    let failed: { epoch: number; batch: number; copy: Batch } | null = null;
    let { step } = good;
    for (let epoch = good.epoch; epoch <= options.epoch && !failed; epoch++) {
      let batchNumber = 0;
      const first = epoch === good.epoch ? good.batch : 0;
      for await (const batch of data.batches({ ...options, epoch })) {
        if (++batchNumber <= first) continue;
        const rate = rateAt[step++];
        if (rate !== undefined) await training.optimizer.setLearningRate(rate);
        const copy = { ...batch, inputs: batch.inputs.slice(), targets: batch.targets.slice() };
        await training.run(await training.forSize(batch.size), batch);
        if (step % stride !== 0) continue;
        if (!(await allFinite())) {
          failed = { epoch, batch: batchNumber, copy };
          break;
        }
        good = { epoch, batch: batchNumber, step, values: (await read(variables)).map((v) => v.slice()) };
      }
    }
    if (stride > 1) continue;
    if (!failed) return null;
    await assignAll(core, variables, good.values);
    const rate = rateAt[step - 1];
    if (rate !== undefined) await training.optimizer.setLearningRate(rate);
    await training.reset();
    const { copy } = failed;
    const [record, specs] = training.recipe(copy.size);
    const { result: pure, calls } = watchLayers(core, model, () => PureGraph.trace(core, record, specs));
    const state = await read(pure.graph.variables);
    const found = await findNonFinite(
      pure,
      { calls, ...training.recorded! },
      [copy.inputs, copy.targets],
      state,
    );
    return found && { epoch: failed.epoch, batch: failed.batch, found };
  }
  return null;
}

/** Kept values, and the first ones of what did not exist then. */
const valuesOf = (
  variables: readonly Variable[],
  kept: ReadonlyMap<Variable, HostArray>,
): (HostArray | Tensor)[] => variables.map((v) => kept.get(v) ?? v.initial!());

async function assignAll(
  { tensor }: Core,
  variables: readonly Variable[],
  values: readonly (HostArray | Tensor)[],
): Promise<void> {
  for (const [i, v] of variables.entries()) {
    const value = values[i]!;
    await v.assign(ArrayBuffer.isView(value) ? tensor(value, { shape: v.shape, dtype: v.dtype }) : value);
  }
}
