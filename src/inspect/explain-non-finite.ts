// explainNonFinite: where a NaN or an infinity in a step comes from.
import { vjp } from '../grad.js';
import { constant, type Tensor } from '../graph.js';
import { checkLoss, type Loss } from '../loss/index.js';
import { type Context, type Module, RandomSource, trainableParameters } from '../nn/module.js';
import { watchLayers } from '../nn/watch.js';
import { add } from '../ops/index.js';
import { read } from '../tensor.js';
import { core } from '../train/core.js';
import { findNonFinite, type NonFinite } from '../train/non-finite.js';
import { PureGraph } from '../train/pure-graph.js';

export type { NonFinite, StepPart } from '../train/non-finite.js';

/** Inputs (batch, ...) as the model takes them, and targets. */
export interface TensorBatch {
  inputs: Tensor;
  targets: Tensor;
}

/**
 * Names the first op whose result has NaN or infinity while its inputs have none, in the forward pass, the loss or its
 * gradients by the parameters for this batch; null if all is finite. Each op's values are computed and read, so it is slow
 * and takes memory for all of them; nothing is changed. Errors: as in training.
 */
export async function explainNonFinite(
  model: Module,
  loss: Loss,
  { inputs, targets }: TensorBatch,
  { seed = 0 }: { seed?: number } = {},
): Promise<NonFinite | null> {
  await model.initialize(seed);
  const parameters = trainableParameters('explainNonFinite', model);
  const recorded: { loss?: Tensor; gradients?: Tensor[] } = {};
  const { result: pure, calls } = watchLayers(core(), model, () =>
    PureGraph.trace(
      core(),
      (x, y) => {
        const penalties: Tensor[] = [];
        const random = new RandomSource(seed, constant(0, 'int32'));
        const context: Context = { training: true, random, penalties };
        const value = checkLoss('explainNonFinite', loss(model.forward(x!, context), y!));
        const total = penalties.reduce((sum, p) => add(sum, p), value);
        const found = vjp(total, parameters, constant(1, total.dtype)).filter((g) => g !== null);
        Object.assign(recorded, { loss: total, gradients: found });
        return [total, ...found];
      },
      [inputs, targets],
    ),
  );
  const [args, state] = [await read([inputs, targets]), await read(pure.graph.variables)];
  return findNonFinite(pure, { calls, loss: recorded.loss!, gradients: recorded.gradients! }, args, state);
}
