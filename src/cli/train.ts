// `everygrad train`: loads data, trains, tests, saves.
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  configure,
  type data,
  EverygradError,
  evaluate,
  fit,
  mixedPrecision,
  type nn,
  predict,
  StorageError,
  save,
  tensor,
  weightsSha256,
} from '../index.js';
import { interruptedCode } from './errors.js';
import {
  checkOptions,
  earlyStopping,
  loadData,
  makeLoss,
  makeModel,
  makeOptimizer,
  makeSchedule,
  sizesOf,
  type TrainOptions,
} from './model.js';
import { jsonReporter, type Reporter } from './reporter.js';
import { TerminalReporter } from './terminal-reporter.js';

/** Test examples that go through the model at once. */
const testBatch = 1000;

export async function train(options: TrainOptions): Promise<void> {
  const reporter = options.json ? jsonReporter(options) : new TerminalReporter(options);
  const stop = new AbortController();
  // The second Ctrl-C ends the process at once, as there is no handler any more.
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt);
  try {
    await run(options, reporter, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted || error instanceof EverygradError) throw error;
    console.error('stopped before training began');
  } finally {
    reporter.close();
    process.off('SIGINT', interrupt);
  }
  if (stop.signal.aborted) process.exitCode = interruptedCode;
}

async function run(options: TrainOptions, reporter: Reporter, signal: AbortSignal): Promise<void> {
  const { device, build, threads, seed, epochs, batch: batchSize } = options;
  const out = options.out ?? null;
  checkOptions(options);
  if (out) await checkWritable(out);
  const onProgress: data.MnistOptions['onProgress'] = ({ file, loaded, total }) =>
    reporter.download(file, loaded, total);
  const [engine, sets] = await Promise.all([
    configure({ device, build, ...(threads ? { threads } : {}) }),
    loadData(options, { signal, onProgress }),
  ]);
  const model = makeModel(options, sets);
  const optimizer = makeOptimizer(options, sets.train.length);
  const loss = makeLoss(options);
  const schedule = makeSchedule(options);
  reporter.start({
    sets,
    sizes: sizesOf(options, sets),
    parameters: model.parameterCount,
    backends: engine.order.map(({ description }) => description),
    whyNoGpu: engine.whyNoGpu,
  });
  signal.throwIfAborted();
  let finished = 0;
  const result = await fit(model, sets.train, {
    ...{ loss, optimizer, batchSize, epochs, seed, signal },
    ...earlyStopping(options),
    ...(schedule ? { schedule } : {}),
    ...(options.precision === 'mixed' ? { precision: mixedPrecision() } : {}),
    validation: sets.validation,
    onProgress: (report) => reporter.progress(report),
    onEpoch(report) {
      if (signal.aborted) return; // not a whole one
      finished++;
      reporter.epoch(report);
    },
  });
  if (result.epochs.length === 0) signal.throwIfAborted();
  const test = await evaluate(model, sets.test, { loss });
  if (out) await save(model, out, { metadata: describe(options, sizesOf(options, sets), test.accuracy) });
  const { seconds, samplesPerSecond, stopped, ops } = result;
  const done = {
    ...{ testAccuracy: test.accuracy, testLoss: test.loss, seconds, samplesPerSecond, stopped },
    epochs: finished,
    ops: { wasm: 0, webgpu: 0, ...ops },
    weightsSha256: await weightsSha256(model),
    out,
  };
  await reporter.done(done, () => outputsFor(model, sets.test));
  engine.dispose();
}

/** Says so before the training, not after it, if the file cannot be written; makes its folder, but not a path of them. */
async function checkWritable(file: string): Promise<void> {
  const folder = dirname(resolve(file));
  const refuse = (problem: string, cause?: unknown): never => {
    const hint = 'choose another file for --out, in a folder that is there';
    throw new StorageError({ where: file, problem, hint, values: { path: file }, cause });
  };
  try {
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await access(folder, constants.W_OK);
  } catch (cause) {
    refuse(`the folder cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  if (!(await stat(folder)).isDirectory()) refuse(`${dirname(file)} is no folder`);
  if ((await stat(file).catch(() => null))?.isDirectory()) refuse('this is a folder');
}

/** What a saved model says about itself. */
const describe = (options: TrainOptions, sizes: readonly number[], accuracy: number) => ({
  sizes: sizes.join('-'),
  activation: options.activation,
  loss: options.loss,
  data: options.data,
  testAccuracy: String(accuracy),
});

/** The outputs (examples, classes) for a data set. */
async function outputsFor(model: nn.Module, set: data.ArrayDataset): Promise<Float32Array> {
  const parts: ArrayLike<number>[] = [];
  for (let start = 0; start < set.length; start += testBatch) {
    const some = set.slice(start, Math.min(start + testBatch, set.length));
    const inputs = tensor(some.inputs, { shape: [some.length, ...some.inputShape] });
    parts.push(await (await predict(model, inputs.cast('float32').mul(some.scale))).data());
  }
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
