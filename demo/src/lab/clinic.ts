// Two networks that are trained side by side on the same batches: a healthy one, and one with a known sickness.
import {
  type Compiled,
  compile,
  gradients,
  loss,
  nn,
  optim,
  predict,
  read,
  type Tensor,
  tensor,
  type Variable,
} from 'everygrad';
import { type ArrayDataset, digits } from 'everygrad/data';
import { activations, classesOf, idleUnits, stepStatistics } from 'everygrad/inspect';
import { doses, type PatientLayer, type PatientReport, type Sickness } from './doses.ts';
import { histogramOf } from './histogram.ts';

const units = 40;
const batchSize = 32;
const rate = 0.1;
/** Examples on which reports are made. */
const reported = 256;

/** Images (count, 784) from 0 to 1, and labels. */
interface Examples {
  inputs: Float32Array<ArrayBuffer>;
  labels: Int32Array<ArrayBuffer>;
}
const examplesOf = ({ inputs, targets }: ArrayDataset): Examples => ({
  inputs: Float32Array.from(inputs, (v) => v / 255),
  labels: Int32Array.from(targets),
});

const batchOf = ({ inputs, labels }: Examples, at: number, n: number) => ({
  inputs: tensor(inputs.slice(at * 784, (at + n) * 784), { shape: [n, 784] }),
  targets: tensor(labels.slice(at, at + n)),
});

const rootMeanSquare = ({ mean, std }: { mean: number; std: number }): number => Math.hypot(mean, std);

class Patient {
  steps = 0;
  readonly #model: nn.Module;
  readonly #optimizer: optim.Optimizer;
  readonly #step: Compiled<Tensor[], Tensor>;
  readonly #loss = loss.crossEntropy();
  #losses: Variable[] = [];

  /** @param dose of the sickness; a healthy one of the same kind has none */
  constructor(sickness: Sickness, dose: number | null) {
    const act = sickness === 'saturated' ? nn.tanh : nn.relu;
    const base = sickness === 'saturated' ? nn.init.xavierNormal : nn.init.heNormal;
    const times = sickness === 'saturated' ? (dose ?? 1) : 1;
    const weightInit: nn.init.Initializer = (...args) => base(...args).mul(times);
    const biasInit = nn.init.constant(sickness === 'dead' ? (dose ?? 0) : 0);
    const hidden = (inputs: number): nn.Linear => nn.linear(inputs, units, { weightInit, biasInit });
    this.#model = nn.sequential(hidden(784), act(), hidden(units), act(), nn.linear(units, 10));
    this.#optimizer = optim.sgd({ lr: sickness === 'rate' ? (dose ?? rate) : rate });
    const parameters = this.#model.parameters();
    this.#step = compile((...[x, y]: Tensor[]): Tensor => {
      const value = this.#loss(this.#model.forward(x!, nn.inference()), y!);
      this.#optimizer.update(parameters, gradients(value, parameters));
      return value;
    });
  }

  async start(seed: number): Promise<this> {
    await this.#model.initialize(seed);
    return this;
  }

  async step(x: Tensor, y: Tensor): Promise<void> {
    this.#losses.push((await this.#step(x, y)) as Variable);
    this.steps++;
  }

  async report(train: Examples, test: Examples): Promise<PatientReport> {
    const losses = (await read(this.#losses)).map((v) => v[0]!);
    for (const t of this.#losses) t.dispose();
    this.#losses = [];
    const batch = batchOf(train, 0, reported);
    const { layers, parameters, ...found } = await stepStatistics(this.#model, this.#loss, batch, {
      optimizer: this.#optimizer,
    });
    const idle = await idleUnits(this.#model, batch.inputs);
    const outputs = await read([...(await activations(this.#model, batch.inputs)).values()]);
    const n = test.labels.length;
    const said = classesOf(await (await predict(this.#model, batchOf(test, 0, n).inputs)).data(), 10);
    const hidden = [1, 3].map((at, i): PatientLayer => {
      const { activations: own, saturated } = layers[at]!;
      return {
        histogram: histogramOf(outputs[at]! as Float32Array, own.min, own.max),
        ...{ low: own.min, high: own.max, units, dead: idle[at]!.dead.length, saturated: saturated ?? 0 },
        gradient: rootMeanSquare(parameters[2 * i]!.gradients),
      };
    });
    // Of weights alone: a bias that starts at 0 moves by much more than its size.
    const weights = parameters.filter(({ name }) => name.endsWith('weight'));
    const ratios = weights.map(({ updateRatio }) => updateRatio ?? 0).filter(Number.isFinite);
    return {
      steps: this.steps,
      loss: losses.length > 0 ? losses.reduce((a, b) => a + b) / losses.length : found.loss,
      accuracy: said.reduce((hits, c, i) => hits + Number(c === test.labels[i]), 0) / n,
      layers: hidden,
      updateRatio: Math.max(0, ...ratios),
    };
  }

  dispose(): void {
    for (const t of this.#losses) t.dispose();
    this.#step.dispose();
    this.#optimizer.dispose();
    this.#model.dispose();
  }
}

export class Clinic {
  #patients: readonly Patient[] = [];
  #sets: { train: Examples; test: Examples } | null = null;

  /** Admits a healthy network and a sick one, before their first step. */
  async open(sickness: Sickness, dose: number): Promise<PatientReport[]> {
    if (!this.#sets) {
      const { train, test } = await digits({ train: 2000, test: 400 });
      this.#sets = { train: examplesOf(train), test: examplesOf(test) };
    }
    for (const patient of this.#patients) patient.dispose();
    this.#patients = await Promise.all(
      [null, doses[sickness][dose]!].map((own) => new Patient(sickness, own).start(1)),
    );
    return this.#report();
  }

  /** -1 before any was admitted. */
  get steps(): number {
    return this.#patients[0]?.steps ?? -1;
  }

  /** So many steps of both, on the same batches. */
  async advance(steps: number): Promise<PatientReport[]> {
    const { train } = this.#sets!;
    const batches = Math.floor(train.labels.length / batchSize);
    for (let i = 0; i < steps; i++) {
      const at = (this.#patients[0]!.steps % batches) * batchSize;
      const { inputs, targets } = batchOf(train, at, batchSize);
      for (const patient of this.#patients) await patient.step(inputs, targets);
    }
    return this.#report();
  }

  async #report(): Promise<PatientReport[]> {
    const { train, test } = this.#sets!;
    const reports: PatientReport[] = [];
    for (const patient of this.#patients) reports.push(await patient.report(train, test));
    return reports;
  }
}
