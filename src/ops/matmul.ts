// Matrix product with transposes and batches; everything that multiplies matrices comes down to this op.
import { broadcastShapes, requireDType, type Shape, sameShape, showShape, sizeOf } from '../dtype.js';
import { DTypeError, ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { broadcastTo } from './cast.js';
import { hostBytes, type KernelOp, type Sample, type WasmArgument } from './define.js';
import { reshape } from './movement.js';
import { matmulShader } from './shader-calls.js';

type MatmulAttributes = { readonly transA: boolean; readonly transB: boolean };

/** M, N, K of op(A) (M,K) times op(B) (K,N), the batch size, and whether each side has one matrix per batch item. */
function dimensions([a, b]: readonly Spec[], { transA, transB }: MatmulAttributes) {
  const [rowsA, columnsA] = a!.shape.slice(-2) as [number, number];
  const [rowsB, columnsB] = b!.shape.slice(-2) as [number, number];
  const batchOf = (s: Shape): number => (s.length === 3 ? s[0]! : 1);
  const batchA = batchOf(a!.shape);
  const batchB = batchOf(b!.shape);
  return {
    m: transA ? columnsA : rowsA,
    k: transA ? rowsA : columnsA,
    kOfB: transB ? columnsB : rowsB,
    n: transB ? rowsB : columnsB,
    batch: batchA === 1 ? batchB : batchA,
    batchA,
    batchB,
  };
}

/** Batch strides in elements: 0 repeats the one matrix. */
function plan(inputs: readonly Spec[], attributes: MatmulAttributes) {
  const d = dimensions(inputs, attributes);
  return {
    ...d,
    strideA: d.batchA === 1 ? 0 : d.m * d.k,
    strideB: d.batchB === 1 ? 0 : d.k * d.n,
    strideC: d.m * d.n,
  };
}

const cases: [number[], number[], boolean, boolean][] = [
  [[3, 4], [4, 5], false, false],
  [[4, 3], [4, 5], true, false],
  [[3, 4], [5, 4], false, true],
  [[4, 3], [5, 4], true, true],
  [[1, 7], [7, 1], false, false],
  [[10, 33], [33, 17], false, false],
  [[33, 10], [33, 17], true, false],
  [[2, 3, 4], [2, 4, 5], false, false],
  [[2, 3, 4], [1, 4, 5], false, false],
  [[1, 4, 3], [2, 5, 4], true, true],
];

const definition: KernelOp<MatmulAttributes> = {
  kind: 'kernel',
  name: 'matmul',
  infer(inputs, attributes) {
    const [a, b] = inputs as [Spec, Spec];
    requireDType('matmul', a.dtype, ['float32', 'float64']);
    if (a.dtype !== b.dtype) {
      throw new DTypeError({
        where: 'matmul',
        problem: `operands have different dtypes: ${a.dtype} and ${b.dtype}`,
        hint: 'convert one with .cast(dtype)',
      });
    }
    const { m, n, k, kOfB, batch } = dimensions(inputs, attributes);
    if (k !== kOfB) {
      const flag = (on: boolean): string => (on ? ' transposed' : '');
      throw new ShapeError({
        where: 'matmul',
        problem: `inner dimensions differ: ${showShape(a.shape)}${flag(attributes.transA)} x ${showShape(b.shape)}${flag(attributes.transB)}: ${k} != ${kOfB}`,
        hint: '(M,K) x (K,N) gives (M,N)',
        values: { a: a.shape, b: b.shape },
      });
    }
    const batched = a.shape.length === 3 || b.shape.length === 3;
    return { shape: batched ? [batch, m, n] : [m, n], dtype: a.dtype };
  },
  gradient({ inputs: [a, b], dy, attributes: { transA, transB } }) {
    const da = transA ? product(b!, dy, transB, true) : product(dy, b!, false, !transB);
    const db = transB ? product(dy, a!, true, transA) : product(a!, dy, !transA, false);
    return [da, db];
  },
  reference({ inputs, attributes, values: [a, b], out }) {
    const { m, n, k, batch, strideA, strideB } = plan(inputs, attributes);
    const { transA, transB } = attributes;
    for (let i = 0; i < out.length; i++) {
      const column = i % n;
      const row = Math.trunc(i / n) % m;
      const item = Math.trunc(i / (m * n)) % batch;
      let total = 0;
      for (let t = 0; t < k; t++) {
        const x = a![item * strideA + (transA ? t * m + row : row * k + t)] as number;
        const y = b![item * strideB + (transB ? column * k + t : t * n + column)] as number;
        total += x * y;
      }
      out[i] = total;
    }
  },
  cost({ inputs, output, attributes }) {
    const { k } = dimensions(inputs, attributes);
    const bytes = inputs.reduce((n, s) => n + hostBytes(s), hostBytes(output));
    return { flops: 2 * k * sizeOf(output.shape), bytes };
  },
  samples: WITH_SAMPLES
    ? cases.map(
        ([a, b, transA, transB]): Sample<MatmulAttributes> => ({
          inputs: [{ shape: a }, { shape: b }],
          attributes: { transA, transB },
        }),
      )
    : [],
  wasm: {
    calls({ inputs, output, attributes }) {
      const { m, n, k, batch, strideA, strideB, strideC } = plan(inputs, attributes);
      const flags = [Number(attributes.transA), Number(attributes.transB)];
      const args: WasmArgument[] = ['output', { input: 0 }, { input: 1 }, m, n, k, ...flags];
      args.push(batch, strideA, strideB, strideC, 'scratch', 'scratchBytes');
      if (output.dtype === 'float64') return [{ kernel: 'matmul_f64', args }];
      args.push('epilogue');
      return [{ kernel: 'matmul_f32', args, scratch: { bytesFrom: 'matmulScratchBytes', args: [m, n, k] } }];
    },
  },
  webgpu: {
    epilogue: true,
    calls: ({ inputs, attributes }) => matmulShader({ ...plan(inputs, attributes), ...attributes }),
  },
};

const product = (a: Tensor, b: Tensor, transA: boolean, transB: boolean): Tensor =>
  record(definition, [a, b], { transA, transB });

/**
 * Matrix product: (..., M, K) x (..., K, N) gives (..., M, N); batch axes broadcast. With `transA` a is (..., K, M),
 * with `transB` b is (..., N, K). Vectors are taken as a row on the left, a column on the right, as in NumPy.
 */
function multiply(a: Tensor, b: Tensor, { transA = false, transB = false } = {}): Tensor {
  if (a.rank === 0 || b.rank === 0) {
    throw new ShapeError({
      where: 'matmul',
      problem: `needs at least one axis on each side, got ${showShape(a.shape)} and ${showShape(b.shape)}`,
      hint: 'use mul for scalars',
    });
  }
  if (a.rank === 1) {
    const y = multiply(reshape(a, [1, a.size]), b, { transB });
    return reshape(y, [...y.shape.slice(0, -2), ...y.shape.slice(b.rank === 1 ? y.rank : -1)]);
  }
  if (b.rank === 1) {
    const y = multiply(a, reshape(b, [b.size, 1]), { transA });
    return reshape(y, y.shape.slice(0, -1));
  }
  if (a.rank === 2 && b.rank === 2) return product(a, b, transA, transB);
  const lead = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const last = a.shape.slice(-2);
  if (b.rank === 2 && !transA) {
    const y = product(reshape(a, [sizeOf(lead) * last[0]!, last[1]!]), b, false, transB);
    return reshape(y, [...lead, last[0]!, y.shape[1]!]);
  }
  const flat = (t: Tensor): Tensor => {
    const own = t.shape.slice(0, -2);
    const matrix = t.shape.slice(-2);
    if (sizeOf(own) === 1) return reshape(t, [1, ...matrix]);
    const full = sameShape(own, lead) ? t : broadcastTo(t, [...lead, ...matrix]);
    return reshape(full, [sizeOf(lead), ...matrix]);
  };
  const y = product(flat(a), flat(b), transA, transB);
  return reshape(y, [...lead, ...y.shape.slice(-2)]);
}

/** Matrix product (..., M, K) x (..., K, N) = (..., M, N); a vector is a row on the left and a column on the right. */
export const matmul = /* @__PURE__ */ Object.assign(multiply, {
  definition: definition as unknown as KernelOp<Attributes>,
});
