// What `train` shows in a terminal: settings, a progress bar, a line per epoch, and how well it reads digits.
import { statSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import { type EpochReport, type ProgressReport, tensor } from '../index.js';
import { confusionMatrix, drawImage, drawMatrix, sideBySide } from './drawing.js';
import { confidences, learningRate, type TrainOptions } from './model.js';
import type { Done, Reporter, Start } from './reporter.js';
import { bold, dim, grouped, loss, percent, table } from './style.js';

/** Misread digits that are drawn, and the pixels on each edge that are not: there is nothing there. */
const drawn = 3;
const margin = 2;

interface Column {
  title: string;
  text(report: EpochReport, epochs: number): string;
}

const columns: readonly Column[] = [
  { title: 'epoch', text: ({ epoch }, epochs) => `${epoch}/${epochs}` },
  { title: 'loss', text: ({ trainLoss }) => loss(trainLoss) },
  { title: 'accuracy', text: ({ trainAccuracy }) => percent(trainAccuracy) },
  { title: 'validation', text: ({ validationLoss }) => loss(validationLoss) },
  { title: 'accuracy', text: ({ validationAccuracy }) => percent(validationAccuracy) },
  { title: 'samples/s', text: ({ samplesPerSecond }) => grouped(samplesPerSecond) },
];
const columnWidths = [9, 11, 12, 13, 12, 13];

const row = (cells: readonly string[]): string =>
  cells.map((cell, i) => cell.padStart(columnWidths[i]!)).join('');

export class TerminalReporter implements Reporter {
  #bar: SingleBar | null = null;
  #barOf: number | string = '';
  #start: Start | null = null;

  constructor(readonly options: TrainOptions) {}

  /** A bar for this epoch or file, if somebody looks; lines that stay go to stdout, the bar to stderr. */
  #show(of: number | string, total: number, value: number, payload: Record<string, string>): void {
    if (!process.stderr.isTTY) return;
    if (this.#bar === null || this.#barOf !== of) {
      this.close();
      const format = ` {name} ${dim('{bar}')}  {text}`;
      this.#bar = new SingleBar({
        format,
        barsize: 24,
        barCompleteChar: '\u2588',
        barIncompleteChar: '\u2591',
        clearOnComplete: true,
        hideCursor: true,
      });
      this.#bar.start(total, value, payload);
      this.#barOf = of;
    }
    this.#bar.update(value, payload);
  }

  close(): void {
    this.#bar?.stop();
    this.#bar = null;
  }

  download(file: string, loaded: number, total: number | undefined): void {
    const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
    const text = `${megabytes(loaded)} of ${total ? megabytes(total) : '?'} MB`;
    this.#show(file, total ?? loaded, loaded, { name: file, text });
  }

  start(start: Start): void {
    this.close();
    this.#start = start;
    const { options } = this;
    const { sets, sizes, parameters, backends, whyNoGpu } = start;
    const counts = `${grouped(sets.train.length)} to train, ${grouped(sets.validation.length)} to validate, ${grouped(sets.test.length)} to test`;
    const extras = [
      options.momentum ? `${options.nesterov ? 'Nesterov ' : ''}momentum ${options.momentum}` : [],
      options.schedule === 'constant' ? [] : `schedule ${options.schedule}`,
      options.warmUp ? `warm-up ${options.warmUp}` : [],
      options.patience ? `patience ${options.patience}` : [],
      options.lambda ? `lambda ${options.lambda}` : [],
      options.lambda1 ? `lambda1 ${options.lambda1}` : [],
      options.dropout ? `dropout ${options.dropout}` : [],
    ].flat();
    const settings = [
      `learning rate ${learningRate(options)}`,
      `batches of ${options.batch}`,
      ...extras,
      `seed ${options.seed}`,
    ];
    const hidden = sizes.length > 2 ? `${options.activation}, ` : '';
    const network = options.model === 'mlp' ? '' : `${options.model}, `;
    const rows: [string, string][] = [
      ['data', `${sets.name}, ${counts}`],
      ['model', `${network}${sizes.join('-')}, ${hidden}${grouped(parameters)} parameters`],
      ['training', `${options.loss}, ${options.optimizer}, ${settings.join(', ')}`],
      ...backends.map((b, i): [string, string] => [i === 0 ? 'runs on' : '', b]),
    ];
    if (whyNoGpu) rows.push(['', dim(`no WebGPU: ${whyNoGpu}`)]);
    console.log(`${table(rows)}\n\n${dim(row(columns.map(({ title }) => title)))}`);
  }

  progress({ epoch, examples, of, loss: value, accuracy, samplesPerSecond }: ProgressReport): void {
    const text = `loss ${loss(value)}  ${percent(accuracy)}  ${grouped(samplesPerSecond)}/s`;
    const name = `${epoch}/${this.options.epochs}`.padStart(columnWidths[0]! - 1);
    this.#show(epoch, of ?? examples, examples, { name, text });
  }

  epoch(report: EpochReport): void {
    this.close();
    console.log(row(columns.map(({ text }) => text(report, this.options.epochs))));
  }

  async done(done: Done, outputs: () => Promise<Float32Array>): Promise<void> {
    this.close();
    const { test } = this.#start!.sets;
    const missed = Math.round((1 - done.testAccuracy) * test.length);
    const where = Object.entries(done.ops).filter(([, n]) => n > 0);
    const rows: [string, string][] = [
      [
        'test',
        `${bold(percent(done.testAccuracy))} right, ${grouped(missed)} of ${grouped(test.length)} misread`,
      ],
      [
        'speed',
        `${grouped(done.samplesPerSecond)} samples/s in ${done.seconds.toFixed(1)} s of training, ${where.map(([name, n]) => `${n} ops a step on ${name}`).join(', ')}`,
      ],
    ];
    if (done.stopped) rows.unshift(['stopped', `after ${done.epochs} of ${this.options.epochs} epochs`]);
    console.log(`\n${table(rows)}`);
    await this.#showReading(await outputs());
    if (done.out) {
      const size = `${grouped(statSync(done.out).size / 1000)} kB`;
      console.log(`\n${table([['saved', `${done.out} ${dim(`(${size})`)}`]])}`);
    }
  }

  /** The confusion matrix, and a few of the digits that were misread. */
  async #showReading(outputs: Float32Array): Promise<void> {
    const { sets, sizes } = this.#start!;
    const { inputs, targets, length } = sets.test;
    const classes = sizes.at(-1)!;
    const rowOf = (i: number): Float32Array => outputs.subarray(i * classes, (i + 1) * classes);
    const predictions = Array.from({ length }, (_, i) => rowOf(i).indexOf(Math.max(...rowOf(i))));
    console.log(`\n${drawMatrix(confusionMatrix(targets, predictions, classes))}`);
    const pixels = sizes[0]!;
    const side = Math.sqrt(pixels);
    const missed = predictions.flatMap((read, i) => (read === targets[i] ? [] : [i])).slice(0, drawn);
    if (missed.length === 0 || !Number.isInteger(side) || side > 28) return;
    const sureness = await confidences(this.options, tensor(outputs, { shape: [length, classes] }))?.data();
    const blocks = missed.map((i) => {
      const read = predictions[i]!;
      const sure = sureness?.[i * classes + read];
      const caption = `is ${targets[i]}, read as ${read}${sure === undefined ? '' : ` (${Math.round(sure * 100)}%)`}`;
      const image = inputs.subarray(i * pixels, (i + 1) * pixels);
      return [...drawImage(image, side, margin), caption];
    });
    console.log(`\n${sideBySide(blocks, side - 2 * margin + 2)}`);
  }
}
