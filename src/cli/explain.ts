// `everygrad explain`: the plan of a training step, as a table, as a graph, or as JSON.
import { configure, explainTraining } from '../index.js';
import { checkOptions, loadData, makeLoss, makeModel, makeOptimizer, type TrainOptions } from './model.js';
import { writeJson } from './reporter.js';
import { bold, dim, grouped } from './style.js';

export interface ExplainOptions extends TrainOptions {
  measure?: boolean;
  dot?: boolean;
}

/** Measured runs; what is printed is their median. */
const measuredRuns = 21;

const microseconds = (value: number | null): string =>
  value === null ? '-' : value.toFixed(value < 100 ? 1 : 0);

export async function explain(options: ExplainOptions): Promise<void> {
  checkOptions(options);
  const { device, build, threads, batch: batchSize, seed } = options;
  const [engine, sets] = await Promise.all([
    configure({ device, build, ...(threads ? { threads } : {}) }),
    loadData({ ...options, trainSize: options.trainSize ?? batchSize }, {}),
  ]);
  const model = makeModel(options, sets);
  const optimizer = makeOptimizer(options, sets.train.length);
  const runs = options.measure ? measuredRuns : 0;
  const { rows, dot, memory } = await explainTraining(model, sets.train, {
    ...{ loss: makeLoss(options), optimizer, batchSize, seed, runs },
  });
  if (options.dot) process.stdout.write(dot);
  else if (options.json) {
    for (const row of rows) writeJson({ event: 'step', ...row });
    for (const part of memory) writeJson({ event: 'memory', ...part });
  } else {
    const shapeWidth = Math.max(5, ...rows.map(({ shape }) => shape.length)) + 2;
    console.log(dim(`step  backend     estimated   measured  GFLOPS  ${'shape'.padEnd(shapeWidth)}ops`));
    for (const row of rows) {
      const seconds = (row.measuredMicroseconds ?? 0) * 1e-6;
      const rate = seconds > 0 ? (row.flops / seconds / 1e9).toFixed(1) : '-';
      const times = [row.estimatedMicroseconds, row.measuredMicroseconds].map((t) =>
        microseconds(t).padStart(11),
      );
      console.log(
        `${String(row.step).padStart(4)}  ${row.backend.padEnd(9)}${times.join('')}${rate.padStart(8)}  ${row.shape.padEnd(shapeWidth)}${row.ops}`,
      );
    }
    const total = (key: 'estimatedMicroseconds' | 'measuredMicroseconds') =>
      rows.reduce((sum, row) => sum + (row[key] ?? 0), 0);
    const measured = options.measure ? `, measured ${grouped(total('measuredMicroseconds'))} us` : '';
    console.log(
      bold(`${rows.length} steps, estimated ${grouped(total('estimatedMicroseconds'))} us${measured}`),
    );
    const reasons = new Map<string, number>();
    for (const { backend, why } of rows) {
      const reason = `${backend}: ${why}`;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    for (const [reason, count] of reasons) console.log(`${count} on ${reason}`);
    for (const { backend, arenaBytes, liveBytes } of memory)
      console.log(
        `memory on ${backend}: ${grouped(arenaBytes)} bytes, of which ${grouped(liveBytes)} live at one moment`,
      );
  }
  model.dispose();
  engine.dispose();
}
