// Affine functions whose coefficients belong to columns, the (outer, inner) of (outer, reduce, inner): normalisation in
// one pass over memory. Chains of elementwise ops can do the same, but would spread the coefficients out before.
import { requireDType, type Shape, sameShape, showShape, sizeOf } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { mul, neg } from './arithmetic.js';
import { zeros } from './compositions.js';
import { type KernelOp, type Sample, streamingCost, suffix } from './define.js';
import { floats } from './elementwise.js';
import { type Middle, middleCases, middleView, pairSums, rowOfPair, withoutMiddle } from './moments.js';
import { reshape } from './movement.js';
import { columnsShader } from './norm-shaders.js';

/** An op of `full` tensors of one shape, then `columns` tensors of coefficients. */
function columnOp(
  name: string,
  full: number,
  columns: number,
  value: (own: number[], coefficients: number[]) => number,
  gradient: NonNullable<KernelOp<Middle>['gradient']>,
): KernelOp<Middle> {
  return {
    kind: 'kernel',
    name,
    infer(inputs, axes): Spec {
      const [{ shape, dtype }] = inputs as [Spec];
      for (const input of inputs) requireDType(name, input.dtype, floats);
      const own = withoutMiddle(shape, axes);
      const wanted = (i: number): Shape => (i < full ? shape : own);
      const wrong = inputs.findIndex((s, i) => !sameShape(s.shape, wanted(i)));
      if (wrong >= 0) {
        throw new ShapeError({
          where: name,
          problem: `operand ${wrong} is ${showShape(inputs[wrong]!.shape)}, beside ${showShape(shape)} it must be ${showShape(wanted(wrong))}`,
          hint: 'coefficients have the shape without the axes that share them',
        });
      }
      return { shape, dtype };
    },
    gradient,
    reference({ inputs, attributes, values, out }) {
      const { reduce, inner } = middleView(inputs[0]!.shape, attributes);
      for (let i = 0; i < out.length; i++) {
        const column = Math.trunc(i / (reduce * inner)) * inner + (i % inner);
        const at = (index: number): number => values[index]![index < full ? i : column]!;
        const indices = Array.from({ length: full + columns }, (_, k) => k);
        out[i] = value(indices.slice(0, full).map(at), indices.slice(full).map(at));
      }
    },
    cost: (site) => streamingCost(site, columns),
    samples: WITH_SAMPLES
      ? middleCases.map(([shape, start, end]): Sample<Middle> => {
          const own = { shape: withoutMiddle(shape, { start, end }) };
          const inputs = [...new Array(full).fill({ shape }), ...new Array(columns).fill(own)];
          return { inputs, attributes: { start, end } };
        })
      : [],
    wasm: {
      calls({ inputs, output, attributes }) {
        if (sizeOf(output.shape) === 0) return [];
        const { outer, reduce, inner } = middleView(output.shape, attributes);
        const kernel = `${name}_${suffix(output.dtype)}`;
        const args = ['output' as const, ...inputs.map((_, input) => ({ input })), outer, reduce, inner];
        if (output.dtype === 'float64') return [{ kernel, args }];
        return [
          {
            kernel,
            args: [...args, 'ownScratch', 'scratchBytes'],
            // For rows that are several in one: the coefficients of 16 columns, of four kinds.
            scratch: { shared: 0, each: 256 },
          },
        ];
      },
    },
    webgpu: {
      calls: ({ inputs, output, attributes }) =>
        columnsShader(full, inputs.length, middleView(output.shape, attributes)),
    },
  };
}

/** Coefficients in the shape in which they broadcast. */
const restored = (t: Tensor, { start, end }: Middle): Tensor =>
  reshape(t, [
    ...t.shape.slice(0, start),
    ...new Array<number>(end - start).fill(1),
    ...t.shape.slice(start),
  ]);

const affineDefinition = /* @__PURE__ */ columnOp(
  'columnAffine',
  1,
  3,
  ([x], [centre, factor, shift]) => (x! - centre!) * factor! + shift!,
  ({ inputs: [x, centre, factor], dy, attributes: axes }) => {
    const sums = pairSums(dy, x!, centre!, axes.start, axes.end);
    const [ofDy, ofProduct] = [0, 1].map((i) => reshape(rowOfPair(sums, i as 0 | 1, axes), factor!.shape));
    return [mul(dy, restored(factor!, axes)), neg(mul(ofDy!, factor!)), ofProduct!, ofDy!];
  },
);

const pairDefinition = /* @__PURE__ */ columnOp(
  'columnAffinePair',
  2,
  4,
  ([p, q], [f, c, g, h]) => p! * f! + ((q! - c!) * g! + h!),
  ({ inputs: [p, q, f, c, g], dy, attributes: axes }) => {
    const sumsOf = (x: Tensor, centre: Tensor): Tensor[] => {
      const sums = pairSums(dy, x, centre, axes.start, axes.end);
      return [0, 1].map((i) => reshape(rowOfPair(sums, i as 0 | 1, axes), f!.shape));
    };
    const [ofDy, ofQ] = sumsOf(q!, c!);
    const [, ofP] = sumsOf(p!, zeros(c!.shape, c!.dtype));
    return [mul(dy, restored(f!, axes)), mul(dy, restored(g!, axes)), ofP!, neg(mul(ofDy!, g!)), ofQ!, ofDy!];
  },
);

/** (x - centre) factor + shift; the coefficients have the shape of x without the axes from `start` to before `end`. */
export const columnAffine = /* @__PURE__ */ Object.assign(
  (x: Tensor, centre: Tensor, factor: Tensor, shift: Tensor, start: number, end: number): Tensor =>
    record(affineDefinition, [x, centre, factor, shift], { start, end }),
  { definition: affineDefinition as unknown as KernelOp<Attributes> },
);

/** p f + ((q - c) g + h); the coefficients have the shape of p and q without the axes from `start` to before `end`. */
export const columnAffinePair = /* @__PURE__ */ Object.assign(
  (p: Tensor, q: Tensor, [f, c, g, h]: readonly [Tensor, Tensor, Tensor, Tensor], axes: Middle): Tensor =>
    record(pairDefinition, [p, q, f, c, g, h], axes),
  { definition: pairDefinition as unknown as KernelOp<Attributes> },
);
