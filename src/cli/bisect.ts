// `everygrad bisect`: where two devices differ in training, as text or as JSON.
import { configure, type Device } from '../index.js';
import { bisect as compareDevices } from '../inspect/index.js';
import { checkOptions, loadData, makeLoss, makeModel, makeOptimizer, type TrainOptions } from './model.js';
import { writeJson } from './reporter.js';
import { bold, dim } from './style.js';

export interface BisectOptions extends TrainOptions {
  against: Device;
  steps: number;
  tolerance: number;
}

export async function bisect(options: BisectOptions): Promise<void> {
  checkOptions(options);
  const { device, build, threads, batch: batchSize, seed, against, steps, tolerance } = options;
  const [engine, sets] = await Promise.all([
    configure({ device, build, ...(threads ? { threads } : {}) }),
    loadData({ ...options, trainSize: options.trainSize ?? batchSize * steps }, {}),
  ]);
  const model = makeModel(options, sets);
  const optimizer = makeOptimizer(options, sets.train.length);
  const result = await compareDevices(model, sets.train, {
    ...{ loss: makeLoss(options), optimizer, batchSize, seed, against, steps, tolerance },
  });
  if (options.json) writeJson({ event: 'bisect', agrees: !result.first && !result.nonFinite, ...result });
  else {
    const [ours, theirs] = result.devices;
    console.log(dim(`${ours} against ${theirs}, ${result.ops} results in each step, tolerance ${tolerance}`));
    const { first, largest, amplified, cancelled } = result;
    if (first) console.log(bold(`they differ: ${first.text}, which is ${first.difference.toExponential(2)}`));
    else if (result.nonFinite)
      console.log(bold(`both come to NaN or infinity in step ${result.steps}: ${result.nonFinite.text}`));
    else console.log(bold(`they agree in ${result.steps} ${result.steps === 1 ? 'step' : 'steps'}`));
    if (!first && largest && largest.difference > 0)
      console.log(`largest difference ${largest.difference.toExponential(2)}: ${largest.text}`);
    if (amplified > 0)
      console.log(`${amplified} results differ more because what they are made of differs a little`);
    if (cancelled > 0) console.log(`${cancelled} results are rounding alone: their terms cancel out`);
  }
  model.dispose();
  engine.dispose();
  if (result.first || result.nonFinite) process.exitCode = 1;
}
