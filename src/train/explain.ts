// What a training step would do: its plan as a table and as a graph, with measured times if asked for.
import { type Batch, checkCount, type Dataset } from '../data/spec.js';
import { DataError } from '../errors.js';
import type { Loss } from '../loss/index.js';
import type { Module } from '../nn/module.js';
import type { Optimizer } from '../optim/index.js';
import type { PlanRow } from '../schedule/explain.js';
import { TrainingPass } from './step.js';

/** Options of `explainTraining`. */
export interface ExplainOptions {
  loss: Loss;
  optimizer: Optimizer;
  /** 32 where not said. */
  batchSize?: number;
  seed?: number;
  /** Runs the step that many times on the first batch and takes the median of each part; this trains the model. */
  runs?: number;
}

/** The plan of a training step. */
export interface StepExplanation {
  rows: PlanRow[];
  /** For Graphviz. */
  dot: string;
  /** Memory for all that lives within a step, in bytes, and the least that any plan in this order could do with. */
  memory: { backend: string; arenaBytes: number; liveBytes: number }[];
}

/** Plans, and on demand measures, one training step: forward pass, loss, gradients, update. */
export async function explainTraining(
  model: Module,
  data: Dataset,
  { loss, optimizer, batchSize = 32, seed = 0, runs = 0 }: ExplainOptions,
): Promise<StepExplanation> {
  checkCount('explain', 'batchSize', batchSize);
  await model.initialize(seed);
  const pass = new TrainingPass(model, loss, data, optimizer, seed);
  try {
    const prepared = await pass.forSize(batchSize);
    const { plan } = prepared;
    let rows = await prepared.explain();
    if (runs > 0) {
      const { inputs, targets } = await firstBatch(data, batchSize);
      rows = await prepared.profile([inputs, targets], runs);
    }
    const memory = [...plan.arenaBytes].map(([backend, arenaBytes]) => ({
      backend,
      arenaBytes,
      liveBytes: plan.liveBytes.get(backend)!,
    }));
    return { rows, dot: await prepared.dot(), memory };
  } finally {
    pass.dispose();
  }
}

async function firstBatch(data: Dataset, batchSize: number): Promise<Batch> {
  for await (const batch of data.batches({ batchSize })) if (batch.size === batchSize) return batch;
  throw new DataError({
    where: 'explain',
    problem: `${data.name} has fewer than ${batchSize} examples`,
    hint: 'use a smaller batchSize',
    values: { batchSize },
  });
}
