// gemm/...: products of float32 matrices that stay in device memory.
import { type Prepared, prepare } from '../compile.js';
import type { EngineOptions } from '../engine.js';
import { type Tensor, Variable } from '../graph.js';
import { add, matmul, zeros } from '../ops/index.js';
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

interface Case {
  readonly name: string;
  /** A and C are (m,n), B is (n,n). */
  readonly m: number;
  readonly n: number;
  /** The left operand is transposed, as it is in the gradients of weights. */
  readonly transposed: boolean;
}

const square = (n: number): Case => ({ name: `gemm/${n}`, m: n, n, transposed: false });

const cases: readonly Case[] = [
  ...[64, 128, 256, 512, 1024].map(square),
  { name: 'gemm/transposed', m: 512, n: 512, transposed: true },
  { name: 'gemm/m1', m: 1, n: 1024, transposed: false },
];

/** A run is about this long by the cost model, so that what the host does for it does not count. */
const runSeconds = 2e-3;
const maxProducts = 64;

const productFlops = ({ m, n }: Case): number => 2 * m * n * n;

/** Uniform with variance 1/n, so that products of such matrices neither grow nor vanish. */
function randomMatrix(m: number, n: number, stream: number): Float32Array {
  const random = new RandomStream(1, stream);
  const width = Math.sqrt(12 / n);
  return Float32Array.from({ length: m * n }, () => (random.uniform() - 0.5) * width);
}

/** C = A B B ... B, or B' ... B' B' A where transposed: each product is an operand of the next one. */
class Products {
  readonly #a: Variable;
  readonly #b: Variable;
  readonly #c: Variable;
  /** Counts the runs; reading it waits for all of them without a large copy. */
  readonly #runs = new Variable([], 'int32', () => zeros([], 'int32'), 'runs');

  constructor(
    readonly shape: Case,
    readonly products: number,
  ) {
    const { m, n } = shape;
    const matrix = (rows: number, values: Float32Array, name: string) =>
      new Variable([rows, n], 'float32', () => tensor(values, { shape: [rows, n] }), name);
    this.#a = matrix(m, randomMatrix(m, n, 1), 'A');
    this.#b = matrix(n, randomMatrix(n, n, 2), 'B');
    this.#c = matrix(m, new Float32Array(m * n), 'C');
  }

  prepare(): Promise<Prepared> {
    return prepare(() => {
      let c: Tensor = this.#a;
      for (let i = 0; i < this.products; i++)
        c = this.shape.transposed ? matmul(this.#b, c, { transA: true }) : matmul(c, this.#b);
      this.#c.assign(c);
      this.#runs.assign(add(this.#runs, 1));
    }, []);
  }

  async settle(): Promise<void> {
    await this.#runs.item();
  }

  /**
   * Compares v' C with ((v' A) B) B, or with (B (B v))' A where transposed, in float64 for a v of random signs, which every
   * element of C takes part in (Freivalds 1977). Gives the largest difference relative to the root mean square.
   */
  async error(): Promise<number> {
    const random = new RandomStream(2, 0);
    const { m, n, transposed } = this.shape;
    const v = Float64Array.from({ length: m }, () => (random.uniform() < 0.5 ? -1 : 1));
    const [a, b, c] = await Promise.all([this.#a.data(), this.#b.data(), this.#c.data()]);
    let expected = transposed ? v : vectorTimes(v, a, n);
    for (let i = 0; i < this.products; i++)
      expected = transposed ? timesVector(b, expected) : vectorTimes(expected, b, n);
    if (transposed) expected = vectorTimes(expected, a, n);
    const found = vectorTimes(v, c, n);
    const scale = Math.sqrt(expected.reduce((sum, x) => sum + x * x, 0) / n);
    return found.reduce((worst, x, i) => Math.max(worst, Math.abs(x - expected[i]!) / scale), 0);
  }

  dispose(): void {
    for (const v of [this.#a, this.#b, this.#c, this.#runs]) v.dispose();
  }
}

type Vector = Float64Array<ArrayBuffer>;

/** A square matrix times a column. */
function timesVector(matrix: ArrayLike<number>, v: Vector): Vector {
  const n = v.length;
  const product = new Float64Array(n);
  for (let row = 0; row < n; row++) {
    let total = 0;
    for (let i = 0; i < n; i++) total += matrix[row * n + i]! * v[i]!;
    product[row] = total;
  }
  return product;
}

/** A row times a matrix of n columns. */
function vectorTimes(v: Vector, matrix: ArrayLike<number>, n: number): Vector {
  const product = new Float64Array(n);
  for (const [row, x] of v.entries())
    for (let i = 0; i < n; i++) product[i] = product[i]! + x * matrix[row * n + i]!;
  return product;
}

async function run(shape: Case, options: EngineOptions, seconds: number): Promise<Measurement> {
  const engine = await freshEngine(options);
  const { flopsPerSecond } = engine.order[0]!.rates;
  const count = Math.ceil((runSeconds * flopsPerSecond) / productFlops(shape));
  const products = new Products(shape, Math.min(maxProducts, count));
  const prepared = await products.prepare();
  try {
    await prepared.run();
    // Rounding errors grow with the root of the number of terms and with the number of products.
    const tolerance = 1e-5 * products.products;
    checkError(shape.name, 'a product', await products.error(), tolerance);
    const gflops = (products.products * productFlops(shape)) / 1e9;
    const rates = await timedRounds(prepared, () => products.settle(), gflops, seconds);
    const backend = backendNames(countOps(prepared.plan));
    return { backend, ...summary(rates, 'GFLOPS'), engine: describeEngine(engine) };
  } finally {
    prepared.dispose();
    products.dispose();
  }
}

export const gemmBenches: readonly Bench[] = cases.map((shape) => ({
  name: shape.name,
  run: (options, seconds) => run(shape, options, seconds),
}));

/** Products in a row, enough that a plan may share them. */
const placedProducts = 4;

export const gemmPlacements: readonly PlacementCase[] = cases.map((shape) => ({
  name: shape.name,
  unit: 'GFLOPS',
  async open() {
    const products = new Products(shape, placedProducts);
    return {
      prepared: await products.prepare(),
      feeds: [],
      amount: (placedProducts * productFlops(shape)) / 1e9,
      settle: () => products.settle(),
      dispose: () => products.dispose(),
    };
  },
}));
