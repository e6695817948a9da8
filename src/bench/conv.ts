// conv/LAYER/forward, /input, /filter: convolutions of LeNet and AlexNet and their two gradients, in device memory.
import { prepare } from '../compile.js';
import type { EngineOptions } from '../engine.js';
import { type Tensor, Variable } from '../graph.js';
import { add, conv2d, conv2dFilterGradient, conv2dInputGradient, zeros } from '../ops/index.js';
import { RandomStream } from '../philox.js';
import { countOps } from '../schedule/plan.js';
import { tensor } from '../tensor.js';
import {
  type Bench,
  backendNames,
  checkError,
  describeEngine,
  freshEngine,
  type Measurement,
  type PlacementCase,
  summary,
  timedRounds,
} from './rounds.js';

/** A layer with stride 1 and a padding that keeps the size. */
interface Layer {
  readonly batch: number;
  readonly size: number;
  readonly channels: number;
  readonly filters: number;
  readonly kernel: number;
  readonly groups: number;
}

const layer = (
  batch: number,
  size: number,
  channels: number,
  filters: number,
  kernel: number,
  groups: number,
): Layer => ({ batch, size, channels, filters, kernel, groups });

const layers: Readonly<Record<string, Layer>> = {
  lenet2: layer(128, 14, 16, 32, 3, 1),
  lenet3: layer(128, 7, 32, 64, 3, 1),
  // Krizhevsky, Sutskever and Hinton 2012
  alexnet2: layer(8, 27, 96, 256, 5, 2),
  alexnet3: layer(8, 13, 256, 384, 3, 1),
  alexnet4: layer(8, 13, 384, 384, 3, 2),
  alexnet5: layer(8, 13, 384, 256, 3, 2),
};

const ops = ['forward', 'input', 'filter'] as const;
type Op = (typeof ops)[number];

/** Elements of the result that are compared with sums in double precision. */
const checkedElements = 256;

const shapesOf = ({ batch, size, channels, filters, kernel, groups }: Layer) => ({
  x: [batch, size, size, channels],
  w: [kernel, kernel, channels / groups, filters],
  y: [batch, size, size, filters],
});

const flopsOf = (l: Layer): number =>
  (2 * l.batch * l.size ** 2 * l.kernel ** 2 * l.channels * l.filters) / l.groups;

/** Uniform in -0.5 to 0.5. */
function randomVariable(shape: readonly number[], stream: number, name: string): Variable {
  const random = new RandomStream(3, stream);
  const n = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: n }, () => random.uniform() - 0.5);
  return new Variable(shape, 'float32', () => tensor(values, { shape }), name);
}

/** Input, filter and output of a layer, of which an op computes one from the other two. */
class Convolution {
  readonly x: Variable;
  readonly w: Variable;
  readonly y: Variable;
  /** Counts the runs; reading it waits for all of them without a large copy. */
  readonly #runs = new Variable([], 'int32', () => zeros([], 'int32'), 'runs');

  constructor(
    readonly layer: Layer,
    readonly op: Op,
  ) {
    const { x, w, y } = shapesOf(layer);
    this.x = randomVariable(x, 1, 'x');
    this.w = randomVariable(w, 2, 'w');
    this.y = randomVariable(y, 3, 'y');
  }

  get result(): Variable {
    return { forward: this.y, input: this.x, filter: this.w }[this.op];
  }

  record(): void {
    const { x, w, y } = this;
    const { size, kernel, groups } = this.layer;
    const options = { padding: (kernel - 1) / 2, groups };
    const values: Record<Op, () => Tensor> = {
      forward: () => conv2d(x, w, options),
      input: () => conv2dInputGradient(y, w, [size, size], options),
      filter: () => conv2dFilterGradient(x, y, [kernel, kernel], options),
    };
    this.result.assign(values[this.op]());
    this.#runs.assign(add(this.#runs, 1));
  }

  async settle(): Promise<void> {
    await this.#runs.item();
  }

  /** The largest error of some elements of the result, relative to their root mean square. */
  async error(): Promise<number> {
    const [x, w, y] = await Promise.all([this.x.data(), this.w.data(), this.y.data()]);
    const found = { forward: y, input: x, filter: w }[this.op];
    const random = new RandomStream(4, 0);
    let [worst, squares] = [0, 0];
    for (let i = 0; i < checkedElements; i++) {
      const at = random.integer(found.length);
      const expected = sumOfProducts(this.layer, this.op, at, x, w, y);
      worst = Math.max(worst, Math.abs(found[at]! - expected));
      squares += expected ** 2;
    }
    return worst / Math.sqrt(squares / checkedElements);
  }

  dispose(): void {
    for (const v of [this.x, this.w, this.y, this.#runs]) v.dispose();
  }
}

/** Element `at` of the result, by its definition. */
function sumOfProducts(
  { batch, size, channels, filters, kernel, groups }: Layer,
  op: Op,
  at: number,
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  y: ArrayLike<number>,
): number {
  const [depth, count, pad] = [channels / groups, filters / groups, (kernel - 1) / 2];
  let total = 0;
  /** The product of filter element (ky, kx, c of the group, f) at output position (n, oy, ox). */
  const product = (n: number, oy: number, ox: number, ky: number, kx: number, c: number, f: number): void => {
    const [row, column] = [oy + ky - pad, ox + kx - pad];
    if (Math.min(oy, ox, row, column) < 0 || Math.max(oy, ox, row, column) >= size) return;
    const i = ((n * size + row) * size + column) * channels + Math.trunc(f / count) * depth + c;
    const k = ((ky * kernel + kx) * depth + c) * filters + f;
    const o = ((n * size + oy) * size + ox) * filters + f;
    if (op === 'forward') total += x[i]! * w[k]!;
    else if (op === 'input') total += y[o]! * w[k]!;
    else total += x[i]! * y[o]!;
  };
  if (op === 'filter') {
    const [f, c, tap] = [at % filters, Math.trunc(at / filters) % depth, Math.trunc(at / filters / depth)];
    for (let place = 0; place < batch * size * size; place++) {
      const [n, oy, ox] = [Math.trunc(place / size ** 2), Math.trunc(place / size) % size, place % size];
      product(n, oy, ox, Math.trunc(tap / kernel), tap % kernel, c, f);
    }
    return total;
  }
  const last = op === 'forward' ? filters : channels;
  const place = Math.trunc(at / last);
  const [n, row, column] = [Math.trunc(place / size ** 2), Math.trunc(place / size) % size, place % size];
  for (let tap = 0; tap < kernel ** 2; tap++) {
    const [ky, kx] = [Math.trunc(tap / kernel), tap % kernel];
    if (op === 'forward') {
      for (let c = 0; c < depth; c++) product(n, row, column, ky, kx, c, at % last);
    } else {
      const channel = at % last;
      const first = Math.trunc(channel / depth) * count;
      for (let f = first; f < first + count; f++)
        product(n, row + pad - ky, column + pad - kx, ky, kx, channel % depth, f);
    }
  }
  return total;
}

async function run(
  name: string,
  own: Layer,
  op: Op,
  options: EngineOptions,
  seconds: number,
): Promise<Measurement> {
  const engine = await freshEngine(options);
  const convolution = new Convolution(own, op);
  const prepared = await prepare(() => convolution.record(), []);
  try {
    await prepared.run();
    // Rounding errors grow with the root of the number of terms, up to 25,088.
    checkError(name, 'an element', await convolution.error(), 1e-4);
    const rates = await timedRounds(prepared, () => convolution.settle(), flopsOf(own) / 1e9, seconds);
    const backend = backendNames(countOps(prepared.plan));
    return { backend, ...summary(rates, 'GFLOPS'), engine: describeEngine(engine) };
  } finally {
    prepared.dispose();
    convolution.dispose();
  }
}

export const convBenches: readonly Bench[] = Object.entries(layers).flatMap(([layerName, own]) =>
  ops.map((op): Bench => {
    const name = `conv/${layerName}/${op}`;
    return { name, run: (options, seconds) => run(name, own, op, options, seconds) };
  }),
);

export const convPlacements: readonly PlacementCase[] = Object.entries(layers).flatMap(([layerName, own]) =>
  ops.map(
    (op): PlacementCase => ({
      name: `conv/${layerName}/${op}`,
      unit: 'GFLOPS',
      async open() {
        const convolution = new Convolution(own, op);
        return {
          prepared: await prepare(() => convolution.record(), []),
          feeds: [],
          amount: flopsOf(own) / 1e9,
          settle: () => convolution.settle(),
          dispose: () => convolution.dispose(),
        };
      },
    }),
  ),
);
