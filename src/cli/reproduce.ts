// `everygrad reproduce`: trains published results anew, with several seeds, and prints both side by side.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  cacheFolder,
  checkpointed,
  configure,
  data,
  type Engine,
  evaluate,
  FormatError,
  fit,
  OptionError,
  StorageError,
  writeFileAtomic,
} from '../index.js';
import { interruptedCode } from './errors.js';
import { mnistSource } from './model.js';
import { writeJson } from './reporter.js';
import { type Row, rows } from './reproduction-rows.js';
import { bold, dim, green, yellow } from './style.js';

export interface ReproduceOptions {
  data: string;
  seeds: number;
  cache?: string;
  json?: boolean;
  device: 'auto' | 'wasm' | 'webgpu' | 'reference';
  build: 'auto' | 'simd' | 'relaxed';
  threads?: number;
}

/** What one seed came to; errors in percent. */
interface SeedResult {
  seed: number;
  /** The one with the best validation accuracy, whose weights were tested. */
  epoch: number;
  validationError: number;
  testError: number;
  seconds: number;
}

export async function reproduce(names: readonly string[], options: ReproduceOptions): Promise<void> {
  if (names.length === 0) return list(options);
  const chosen = names[0] === 'all' && names.length === 1 ? rows : names.map(rowOf);
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt);
  try {
    const { device, build, threads } = options;
    const source = options.data === 'mnist' ? mnistSource() : options.data;
    const [engine, sets] = await Promise.all([
      configure({ device, build, ...(threads ? { threads } : {}) }),
      data.mnist(source, { signal: stop.signal }),
    ]);
    const reached: boolean[] = [];
    for (const row of chosen) {
      const results = await runRow(row, sets, engine, options, stop.signal);
      if (stop.signal.aborted) break;
      reached.push(report(row, results, options));
    }
    if (!options.json && reached.length > 1)
      console.log(`${reached.filter(Boolean).length} of ${reached.length} rows reached`);
    engine.dispose();
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    process.off('SIGINT', interrupt);
  }
  if (stop.signal.aborted) {
    console.error('stopped; the same command goes on where this one was');
    process.exitCode = interruptedCode;
  }
}

function rowOf(name: string): Row {
  const row = rows.find((r) => r.name === name);
  if (row) return row;
  throw new OptionError({
    where: 'reproduce',
    problem: `there is no row '${name}'`,
    hint: `one of ${rows.map((r) => r.name).join(', ')}, or all`,
    values: { name },
  });
}

function list({ json }: ReproduceOptions): void {
  if (json) {
    for (const { name, about, published } of rows) writeJson({ row: name, about, published });
    return;
  }
  const width = Math.max(...rows.map(({ name }) => name.length)) + 2;
  console.log(dim(`${'row'.padEnd(width)}published`));
  for (const { name, about, published } of rows)
    console.log(`${name.padEnd(width)}${published.toFixed(2).padStart(7)} %  ${dim(about)}`);
}

const percent = (accuracy: number): number => Number(((1 - accuracy) * 100).toFixed(4));

/** The results of all seeds: those that are kept, and the others trained now and kept as each is done. */
async function runRow(
  row: Row,
  sets: data.Mnist,
  engine: Engine,
  options: ReproduceOptions,
  signal: AbortSignal,
): Promise<SeedResult[]> {
  const store = await Store.open(row, sets, engine, options.cache);
  const results: SeedResult[] = [];
  for (let seed = 1; seed <= options.seeds && !signal.aborted; seed++) {
    const known = store.results[seed];
    const result = known ?? (await runSeed(row, sets, seed, `${store.key} ${seed}`, signal));
    if (!result) break;
    if (!known) await store.keep(result);
    results.push(result);
    const { epoch, validationError, testError, seconds } = result;
    const tail = known ? 'kept' : `${seconds.toFixed(0)} s`;
    if (!options.json)
      console.log(
        `${row.name}  seed ${seed}  ${testError.toFixed(2)} %  ${dim(`epoch ${epoch}, validation ${validationError.toFixed(2)} %, ${tail}`)}`,
      );
  }
  return results;
}

/**
 * Trains with one seed and tests the weights of the best validation epoch; null if it was stopped, and then the next call
 * with this key goes on there.
 */
async function runSeed(
  row: Row,
  { train, validation, test }: data.Mnist,
  seed: number,
  key: string,
  signal: AbortSignal,
): Promise<SeedResult | null> {
  const started = performance.now();
  /** Seconds of this run that are counted in its epochs. */
  let trained = 0;
  const model = row.model();
  const optimizer = row.optimizer(train.length);
  const loss = row.loss();
  try {
    const { epochs, bestEpoch } = await fit(model, row.training?.(train) ?? train, {
      ...{ loss, optimizer, seed, signal, validation, batchSize: row.batchSize, epochs: row.epochs },
      ...{ monitor: 'validationAccuracy', restoreBest: true, checkpoint: checkpointed({ key }) },
      ...(row.schedule && { schedule: row.schedule() }),
      onEpoch: ({ epoch, seconds, validationAccuracy }) => {
        trained += seconds;
        progress(
          `${row.name}  seed ${seed}  epoch ${epoch}, validation ${percent(validationAccuracy).toFixed(2)} %`,
        );
      },
    });
    if (signal.aborted) return null;
    const { accuracy } = await evaluate(model, test, { loss });
    // Epochs of earlier runs count, too.
    const all = epochs.reduce((sum, { seconds }) => sum + seconds, 0);
    const total = all - trained + (performance.now() - started) / 1000;
    return {
      ...{ seed, epoch: bestEpoch! },
      validationError: percent(epochs[bestEpoch! - 1]!.validationAccuracy),
      testError: percent(accuracy),
      seconds: Number(total.toFixed(2)),
    };
  } finally {
    progress('');
    model.dispose();
    optimizer.dispose();
  }
}

/** A line that the next one replaces, where somebody looks. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${dim(text)}`);
}

/** Results by seed in a small file for each row; of each setting (another build, another number of examples) its own. */
class Store {
  private constructor(
    private readonly file: string,
    private readonly all: Record<string, Record<number, SeedResult>>,
    private readonly settings: string,
  ) {}

  /** Names a training of this row with these settings. */
  get key(): string {
    return `reproduce ${this.file} ${this.settings}`;
  }

  get results(): Record<number, SeedResult> {
    this.all[this.settings] ??= {};
    return this.all[this.settings]!;
  }

  static async open(row: Row, sets: data.Mnist, engine: Engine, folder?: string): Promise<Store> {
    const { train, validation, test } = sets;
    const settings = JSON.stringify({
      ...{ ...row.settings, epochs: row.epochs, batchSize: row.batchSize },
      examples: [train.length, validation.length, test.length],
      backends: engine.order.map(({ description }) => description),
    });
    const place = folder ?? join((await cacheFolder()) ?? '.', 'reproduce');
    try {
      await mkdir(place, { recursive: true });
    } catch (cause) {
      throw new StorageError({
        where: place,
        problem: `the folder cannot be made: ${cause instanceof Error ? cause.message : String(cause)}`,
        hint: 'choose another one with --cache',
        values: { path: place },
        cause,
      });
    }
    const file = join(place, `${row.name}.json`);
    try {
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return '{}';
        throw error;
      });
      return new Store(file, JSON.parse(text), settings);
    } catch (cause) {
      throw new FormatError({
        where: file,
        problem: `the kept results cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
        hint: 'remove the file, or choose another folder with --cache',
        values: { path: file },
        cause,
      });
    }
  }

  async keep(result: SeedResult): Promise<void> {
    this.results[result.seed] = result;
    await writeFileAtomic(this.file, new TextEncoder().encode(`${JSON.stringify(this.all, null, 1)}\n`));
  }
}

/** Published and own, side by side; whether the mean is as good as what was published, within the row's grace. */
function report(row: Row, results: readonly SeedResult[], { json }: ReproduceOptions): boolean {
  const errors = results.map(({ testError }) => testError);
  const mean = errors.reduce((a, b) => a + b, 0) / errors.length;
  const testError = { mean: Number(mean.toFixed(4)), min: Math.min(...errors), max: Math.max(...errors) };
  const seconds = Number(results.reduce((n, r) => n + r.seconds, 0).toFixed(1));
  const { name, published, grace } = row;
  const reached = mean <= published + grace;
  if (json) {
    writeJson({ row: name, published, testError, seconds, reached, seeds: results });
    return reached;
  }
  const own = `${bold(`${mean.toFixed(2)} %`)} (${testError.min.toFixed(2)} to ${testError.max.toFixed(2)}, ${results.length} seed${results.length === 1 ? '' : 's'})`;
  const verdict = reached ? green('reached') : yellow(`not reached, even with ${grace} points of grace`);
  console.log(`${name}  published ${published.toFixed(2)} %, here ${own}, ${seconds} s: ${verdict}`);
  return reached;
}
