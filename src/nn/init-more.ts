// First values that are computed on the host: orthogonal and truncated normal ones, and values from files. In float64 by
// + - * / and sqrt alone, then rounded, so that a seed gives the same bits everywhere.
import { type Shape, sameShape, showShape } from '../dtype.js';
import { checkOptionNames, FormatError, OptionError } from '../errors.js';
import { logarithm } from '../exact.js';
import type { RandomOptions } from '../ops/index.js';
import { RandomStream } from '../philox.js';
import { readBytes } from '../platform.js';
import { decodeSafetensors } from '../safetensors.js';
import { tensor } from '../tensor.js';
import { checkFinite } from './check.js';
import type { Initializer } from './init.js';

/** Normal numbers one after the other, by the polar method (Marsaglia and Bray 1964). */
class NormalStream {
  readonly #uniform: RandomStream;
  #second: number | null = null;

  constructor({ seed, stream = 0 }: RandomOptions) {
    this.#uniform = new RandomStream(seed, stream);
  }

  next(): number {
    if (this.#second !== null) {
      const kept = this.#second;
      this.#second = null;
      return kept;
    }
    for (;;) {
      const u = 2 * this.#uniform.uniform() - 1;
      const v = 2 * this.#uniform.uniform() - 1;
      const square = u * u + v * v;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * logarithm(square)) / square);
      this.#second = v * scale;
      return u * scale;
    }
  }
}

/** Normal with the given mean and standard deviation, drawn again outside of mean +- `cut` deviations. */
export function truncatedNormal(std = 1, options: { mean?: number; cut?: number } = {}): Initializer {
  const { mean = 0, cut = 2 } = options;
  checkOptionNames('truncatedNormal', options, ['mean', 'cut']);
  if (!(std >= 0 && cut > 0)) {
    throw new OptionError({
      where: 'truncatedNormal',
      problem: `std is ${std}, cut is ${cut}`,
      hint: 'std from 0, cut above 0',
      values: { std, cut },
    });
  }
  return (shape, _, random) => {
    const normal = new NormalStream(random);
    const values = Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => {
      let z = normal.next();
      while (!(z >= -cut && z <= cut)) z = normal.next();
      return mean + std * z;
    });
    return tensor(values, { shape });
  };
}

/**
 * Orthonormal columns (or rows, if there are fewer) times `gain` (Saxe, McClelland and Ganguli 2014): of a weight (...,
 * outputs) the axes before the last count as one. Every such matrix is equally likely.
 */
export const orthogonal = (gain = 1): Initializer => {
  checkFinite('orthogonal', 'gain', gain);
  return (shape, _, random) => {
    const columns = shape.at(-1) ?? 1;
    const rows = shape.slice(0, -1).reduce((n, d) => n * d, 1);
    const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
    const vectors = orthonormal(count, length, new NormalStream(random));
    const values = new Float32Array(rows * columns);
    for (const [k, vector] of vectors.entries()) {
      for (let i = 0; i < length; i++)
        values[rows >= columns ? i * columns + k : k * columns + i] = gain * vector[i]!;
    }
    return tensor(values, { shape });
  };
};

/** `count` orthonormal vectors from normal ones by Gram and Schmidt; twice, which is enough (Giraud et al. 2005). */
function orthonormal(count: number, length: number, normal: NormalStream): Float64Array[] {
  const made: Float64Array[] = [];
  while (made.length < count) {
    const v = Float64Array.from({ length }, () => normal.next());
    for (let pass = 0; pass < 2; pass++) {
      for (const u of made) {
        const along = product(u, v);
        for (let i = 0; i < length; i++) v[i]! -= along * u[i]!;
      }
    }
    const norm = Math.sqrt(product(v, v));
    // In the span of the others but for rounding: another one.
    if (norm > 1e-8) made.push(v.map((x) => x / norm));
  }
  return made;
}

function product(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}

/**
 * First values from a safetensors file, address, or the bytes of one: `const saved = await nn.init.fromFile('a.safetensors')`
 * and then `nn.linear(784, 100, { weightInit: saved('0.weight'), biasInit: saved('0.bias') })`. A name that is not in the
 * file, or another shape, is a FormatError.
 */
export async function fromFile(source: string | URL | Uint8Array): Promise<(name: string) => Initializer> {
  const bytes = source instanceof Uint8Array ? source : await readBytes(source);
  const file = source instanceof Uint8Array ? 'weights' : String(source);
  const { tensors } = decodeSafetensors(bytes, { file });
  return (name) => {
    const found = tensors.get(name);
    if (!found) {
      throw new FormatError({
        where: file,
        problem: `there is no ${name} in the file`,
        hint: `it has ${[...tensors.keys()].join(', ')}`,
        values: { name },
      });
    }
    return (shape: Shape) => {
      if (!sameShape(shape, found.shape) || found.dtype !== 'float32') {
        throw new FormatError({
          where: file,
          problem: `${name} is ${found.dtype} ${showShape(found.shape)}, the parameter float32 ${showShape(shape)}`,
          hint: 'take another one, or make the layer as large as the saved one was',
          values: { name, file: found.shape, parameter: shape },
        });
      }
      return tensor(found.data, { shape, dtype: 'float32' });
    };
  };
}
