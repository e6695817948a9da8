// gemm/N: products of square float32 matrices that stay in device memory.
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
  summary,
  timedRounds,
} from './rounds.js';

const sizes = [64, 128, 256, 512, 1024];

/** A run is about this long by the cost model, so that what the host does for it does not count. */
const runSeconds = 2e-3;
const maxProducts = 64;

const productFlops = (n: number): number => 2 * n ** 3;

/** Uniform with variance 1/n, so that products of such matrices neither grow nor vanish. */
function randomMatrix(n: number, stream: number): Float32Array {
  const random = new RandomStream(1, stream);
  const width = Math.sqrt(12 / n);
  return Float32Array.from({ length: n * n }, () => (random.uniform() - 0.5) * width);
}

/** C = A B B ... B, each product an operand of the next one. */
class Products {
  readonly #a: Variable;
  readonly #b: Variable;
  readonly #c: Variable;
  /** Counts the runs; reading it waits for all of them without a large copy. */
  readonly #runs = new Variable([], 'int32', () => zeros([], 'int32'), 'runs');

  constructor(
    readonly n: number,
    readonly products: number,
  ) {
    const matrix = (values: Float32Array, name: string) =>
      new Variable([n, n], 'float32', () => tensor(values, { shape: [n, n] }), name);
    this.#a = matrix(randomMatrix(n, 1), 'A');
    this.#b = matrix(randomMatrix(n, 2), 'B');
    this.#c = matrix(new Float32Array(n * n), 'C');
  }

  prepare(): Promise<Prepared> {
    return prepare(() => {
      let c: Tensor = this.#a;
      for (let i = 0; i < this.products; i++) c = matmul(c, this.#b);
      this.#c.assign(c);
      this.#runs.assign(add(this.#runs, 1));
    }, []);
  }

  async settle(): Promise<void> {
    await this.#runs.item();
  }

  /**
   * Compares C v with A (B (... (B v))) in float64 for a v of random signs, which every element of C takes part in
   * (Freivalds 1977). Gives the largest difference relative to the root mean square.
   */
  async error(): Promise<number> {
    const random = new RandomStream(2, 0);
    const v = Float64Array.from({ length: this.n }, () => (random.uniform() < 0.5 ? -1 : 1));
    const [a, b, c] = await Promise.all([this.#a.data(), this.#b.data(), this.#c.data()]);
    let expected = v;
    for (let i = 0; i < this.products; i++) expected = timesVector(b, expected);
    expected = timesVector(a, expected);
    const found = timesVector(c, v);
    const scale = Math.sqrt(expected.reduce((sum, x) => sum + x * x, 0) / this.n);
    return found.reduce((worst, x, i) => Math.max(worst, Math.abs(x - expected[i]!) / scale), 0);
  }

  dispose(): void {
    for (const v of [this.#a, this.#b, this.#c, this.#runs]) v.dispose();
  }
}

function timesVector(matrix: ArrayLike<number>, v: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const n = v.length;
  const product = new Float64Array(n);
  for (let row = 0; row < n; row++) {
    let total = 0;
    for (let i = 0; i < n; i++) total += matrix[row * n + i]! * v[i]!;
    product[row] = total;
  }
  return product;
}

async function run(n: number, options: EngineOptions, seconds: number): Promise<Measurement> {
  const engine = await freshEngine(options);
  const { flopsPerSecond } = engine.order[0]!.rates;
  const count = Math.ceil((runSeconds * flopsPerSecond) / productFlops(n));
  const products = new Products(n, Math.min(maxProducts, count));
  const prepared = await products.prepare();
  try {
    await prepared.run();
    // Rounding errors grow with the root of the number of terms and with the number of products.
    const tolerance = 1e-5 * products.products;
    checkError(`gemm/${n}`, 'a product', await products.error(), tolerance);
    const gflops = (products.products * productFlops(n)) / 1e9;
    const rates = await timedRounds(prepared, () => products.settle(), gflops, seconds);
    const backend = backendNames(countOps(prepared.plan));
    return { backend, ...summary(rates, 'GFLOPS'), engine: describeEngine(engine) };
  } finally {
    prepared.dispose();
    products.dispose();
  }
}

export const gemmBenches: readonly Bench[] = sizes.map((n) => ({
  name: `gemm/${n}`,
  run: (options, seconds) => run(n, options, seconds),
}));
