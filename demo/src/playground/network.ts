// The network that is trained: one compiled step, and one compiled view of all that the page shows.
import {
  type Compiled,
  compile,
  gradients,
  loss,
  nn,
  optim,
  read,
  type Tensor,
  tensor,
  type Variable,
  variable,
} from 'everygrad';
import { gridPoints, inputsOf, orderOf, type Points } from './points.ts';
import type { Settings } from './settings.ts';

/** Fields of a surface along a side. */
export const side = 64;

/** What is shown at one moment. */
export interface View {
  /** Values from about -1 to 1 over the grid, for each layer and unit; the last layer has the one output. */
  surfaces: Float32Array[][];
  trainLoss: number;
  testLoss: number;
  testAccuracy: number;
  /** For each layer (inputs, units), row-major. */
  weights: Float32Array[];
}

/** The parameters of a network, layer by layer: weights (inputs, units), biases. */
export interface Learned {
  epoch: number;
  parameters: number[][];
}

const activations = {
  tanh: nn.tanh,
  relu: nn.relu,
  sigmoid: nn.sigmoid,
  gelu: nn.gelu,
  silu: nn.silu,
  identity: nn.identity,
};
const losses = {
  crossEntropy: loss.binaryCrossEntropy,
  squared: loss.meanSquaredError,
  huber: loss.huber,
  hinge: loss.hinge,
};

function makeOptimizer({ optimizer, lr, penalty, rate }: Settings): optim.Optimizer {
  const options = {
    lr,
    ...(penalty === 'l1' ? { l1: rate } : penalty === 'l2' ? { weightDecay: rate } : {}),
  };
  if (optimizer === 'momentum') return optim.sgd({ ...options, momentum: 0.9 });
  return optim[optimizer](options);
}

type Results = Record<string, Tensor>;

export class Network {
  steps = 0;
  readonly #linears: nn.Linear[];
  readonly #optimizer: optim.Optimizer;
  readonly #step: Compiled<Tensor[], void>;
  readonly #view: Compiled<Tensor[], Results>;
  readonly #viewed: readonly Tensor[];
  readonly #inputs: Float32Array<ArrayBuffer>;
  readonly #targets: Float32Array<ArrayBuffer>;
  readonly #counter = variable(tensor(0, { dtype: 'int32' }));
  readonly #batch: number;
  #order: Int32Array;
  #at = 0;
  #epoch = 0;
  /** Epochs that it had learned for when it was made. */
  #before = 0;

  private constructor(
    readonly settings: Settings,
    readonly train: Points,
    readonly test: Points,
  ) {
    const { layers, activation, dropout, seed } = settings;
    const sizes = [settings.features.length, ...layers, 1];
    const initial = activation === 'relu' || activation === 'gelu' || activation === 'silu';
    this.#linears = sizes
      .slice(1)
      .map((units, i) => nn.linear(sizes[i]!, units, initial ? { weightInit: nn.init.heNormal } : {}));
    this.#optimizer = makeOptimizer(settings);
    const objective = losses[settings.loss]();
    const context = (training: boolean): nn.Context => ({
      training,
      random: new nn.RandomSource(seed, this.#counter),
    });
    const forward = (x: Tensor, training: boolean): Tensor[] => {
      const [act, drop, around] = [activations[activation](), nn.dropout(dropout), context(training)];
      const outputs: Tensor[] = [];
      let h = x;
      for (const [i, linear] of this.#linears.entries()) {
        h = linear.forward(h);
        if (i < layers.length) {
          h = act.forward(h, around);
          outputs.push(h);
          h = drop.forward(h, around);
        } else outputs.push(h);
      }
      return outputs;
    };
    const parameters = this.#linears.flatMap((l) => (l.bias ? [l.weight, l.bias] : [l.weight]));
    this.#step = compile((...[x, y]: Tensor[]): void => {
      const value = objective(forward(x!, true).at(-1)!, y!);
      this.#optimizer.update(parameters, gradients(value, parameters));
      this.#counter.assign(this.#counter.add(1));
    });
    this.#view = compile((...[grid, x, y, testX, testY]: Tensor[]): Results => {
      const outputs = forward(grid!, false);
      const tested = forward(testX!, false).at(-1)!;
      return {
        ...Object.fromEntries(outputs.map((t, i) => [`layer${i}`, t.transpose()])),
        tested,
        trainLoss: objective(forward(x!, false).at(-1)!, y!),
        testLoss: objective(tested, testY!),
      };
    });
    const inputs = (points: Points): Float32Array<ArrayBuffer> => inputsOf(points.xy, settings.features);
    this.#inputs = inputs(train);
    this.#targets = this.#targetsOf(train);
    const rows = (values: Float32Array<ArrayBuffer>, width: number): Tensor =>
      tensor(values, { shape: [values.length / width, width] });
    const width = settings.features.length;
    this.#viewed = [
      rows(inputsOf(gridPoints(side), settings.features), width),
      rows(this.#inputs, width),
      rows(this.#targets, 1),
      rows(inputs(test), width),
      rows(this.#targetsOf(test), 1),
    ];
    this.#batch = Math.min(settings.batch, train.labels.length);
    this.#order = orderOf(train.labels.length, seed, 0);
  }

  /** A network from its seed, or one that goes on from what another of the same layers has learned. */
  static async create(
    settings: Settings,
    train: Points,
    test: Points,
    learned: Learned | null,
  ): Promise<Network> {
    const made = new Network(settings, train, test);
    const model = nn.sequential(...made.#linears);
    await model.initialize(settings.seed);
    const parameters = model.parameters();
    const fits = learned?.parameters.length === parameters.length;
    if (fits && parameters.every((p, i) => p.size === learned.parameters[i]!.length)) {
      for (const [i, p] of parameters.entries())
        await p.assign(tensor(Float32Array.from(learned.parameters[i]!), { shape: p.shape }));
      made.#before = learned.epoch;
    }
    return made;
  }

  /** What it has learned, to be kept. */
  async learned(): Promise<Learned> {
    const values = await read(nn.sequential(...this.#linears).parameters());
    return { epoch: this.epoch, parameters: values.map((v) => Array.from(v as Float32Array)) };
  }

  get epoch(): number {
    return this.#before + (this.steps * this.#batch) / this.train.labels.length;
  }

  /** The hinge loss has targets of -1 and 1, the others 0 and 1. */
  #targetsOf({ labels }: Points): Float32Array<ArrayBuffer> {
    return this.settings.loss === 'hinge' ? labels.map((v) => 2 * v - 1) : labels;
  }

  /** One step on the next batch. */
  async step(): Promise<void> {
    const width = this.settings.features.length;
    const x = new Float32Array(this.#batch * width);
    const y = new Float32Array(this.#batch);
    for (let row = 0; row < this.#batch; row++) {
      if (this.#at === this.#order.length) {
        this.#order = orderOf(this.#order.length, this.settings.seed, ++this.#epoch);
        this.#at = 0;
      }
      const from = this.#order[this.#at++]!;
      for (let i = 0; i < width; i++) x[row * width + i] = this.#inputs[from * width + i]!;
      y[row] = this.#targets[from]!;
    }
    await this.#step(tensor(x, { shape: [this.#batch, width] }), tensor(y, { shape: [this.#batch, 1] }));
    this.steps++;
  }

  async view(): Promise<View> {
    const results = await this.#view(...this.#viewed);
    const layerCount = this.#linears.length;
    const names = [...this.#linears.map((_, i) => `layer${i}`), 'tested', 'trainLoss', 'testLoss'];
    const all = await Promise.all([
      ...names.map((name) => results[name]!.data()),
      ...this.#linears.map((l) => l.weight.data()),
    ]);
    for (const t of Object.values(results)) (t as Variable).dispose();
    const values = all as Float32Array[];
    const fields = side * side;
    const surfaces = values
      .slice(0, layerCount)
      .map((layer, i) =>
        Array.from({ length: layer.length / fields }, (_, u) =>
          this.#scaled(layer.subarray(u * fields, (u + 1) * fields), i === layerCount - 1),
        ),
      );
    const tested = values[layerCount]!;
    const middle = this.settings.loss === 'squared' || this.settings.loss === 'huber' ? 0.5 : 0;
    const hits = tested.reduce((n, v, i) => n + Number(v > middle === this.test.labels[i]! > 0.5), 0);
    return {
      surfaces,
      trainLoss: values[layerCount + 1]![0]!,
      testLoss: values[layerCount + 2]![0]!,
      testAccuracy: hits / tested.length,
      weights: values.slice(layerCount + 3),
    };
  }

  /** Values to be shown from -1 to 1. */
  #scaled(values: Float32Array, isOutput: boolean): Float32Array {
    const { activation, loss: objective } = this.settings;
    if (isOutput) {
      if (objective === 'crossEntropy') return values.map((v) => Math.tanh(v / 2)); // 2 sigmoid(v) - 1
      return objective === 'hinge' ? values : values.map((v) => 2 * v - 1);
    }
    return activation === 'sigmoid' ? values.map((v) => 2 * v - 1) : values;
  }

  dispose(): void {
    this.#step.dispose();
    this.#view.dispose();
    this.#optimizer.dispose();
    for (const linear of this.#linears) linear.dispose();
    this.#counter.dispose();
  }
}
