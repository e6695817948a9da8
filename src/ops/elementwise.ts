// The machinery of elementwise ops: what they share in shape rule, reference loop and cost.
import { broadcastShapes, broadcastStrides, type DType, requireDType } from '../dtype.js';
import { DTypeError } from '../errors.js';
import { type Attributes, constant, record, Tensor } from '../graph.js';
import {
  type Cost,
  type ElementwiseOp,
  type GradientContext,
  type ReferenceContext,
  type Sample,
  type Site,
  streamingCost,
  suffix,
} from './define.js';

/** A tensor, or a number that takes the dtype of the tensor beside it. */
export type TensorLike = Tensor | number;
/** A function that records an op, with the op's entry at hand for the table. */
export type Recorder<F> = F & { readonly definition: ElementwiseOp };

export const floats: readonly DType[] = ['float32', 'float64'];
export const numbers: readonly DType[] = ['float32', 'float64', 'int32'];
export const anything: readonly DType[] = ['float32', 'float64', 'int32', 'bool'];

interface Entry<A extends Attributes = Attributes> {
  name: string;
  /** What the operands may be. All operands that are not `where`'s condition have one dtype. */
  dtypes?: readonly DType[];
  output?: DType;
  scalar(this: void, a: number, b: number, c: number, site: Site<A>): number;
  gradient: ((context: GradientContext<A>) => readonly (Tensor | null)[]) | null;
  expression: string;
  flops?: number;
  samples: readonly Sample<A>[];
}

/** Applies `scalar` to broadcast elements, the obvious way. */
export function referenceLoop<A extends Attributes>(
  scalar: Entry<A>['scalar'],
  { values, inputs, output, out, attributes }: ReferenceContext<A>,
): void {
  const { shape } = output;
  const strides = inputs.map((s) => broadcastStrides(s.shape, shape));
  const site = { inputs, output, attributes };
  const index = new Array<number>(shape.length).fill(0);
  const at = (k: number): number => {
    const s = strides[k];
    return s ? (values[k]![index.reduce((n, i, axis) => n + i * s[axis]!, 0)] as number) : 0;
  };
  for (let i = 0; i < out.length; i++) {
    out[i] = scalar(at(0), at(1), at(2), site);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
}

export function elementwise(entry: Entry, arity: number): ElementwiseOp {
  const { name, scalar, expression, gradient, samples, flops = 1 } = entry;
  const allowed = entry.dtypes ?? floats;
  return {
    kind: 'elementwise',
    name,
    infer(inputs) {
      const operands = name === 'where' ? inputs.slice(1) : inputs;
      const dtype = operands[0]!.dtype;
      requireDType(name, dtype, allowed);
      const other = operands.find((s) => s.dtype !== dtype);
      if (other) {
        throw new DTypeError({
          where: name,
          problem: `operands have different dtypes: ${dtype} and ${other.dtype}`,
          hint: 'convert one with .cast(dtype)',
          values: { dtypes: inputs.map((s) => s.dtype) },
        });
      }
      if (name === 'where') requireDType(name, inputs[0]!.dtype, ['bool']);
      const shape = inputs.map((s) => s.shape).reduce((a, b) => broadcastShapes(name, a, b));
      return { shape, dtype: entry.output ?? dtype };
    },
    gradient,
    reference: (context) => referenceLoop(scalar, context),
    cost: (site): Cost => streamingCost(site, flops),
    samples,
    wasm: { kernel: ({ inputs }) => `${name}_${suffix(inputs[arity > 2 ? 1 : 0]!.dtype)}` },
    webgpu: { expression: () => expression },
  };
}

export const none: Attributes = {};

export function unary(entry: Entry): Recorder<(x: Tensor) => Tensor> {
  const definition = elementwise(entry, 1);
  return Object.assign((x: Tensor) => record(definition, [x], none), { definition });
}

/** Numbers become constants of the dtype that the tensors have. */
export function together(where: string, values: readonly TensorLike[]): Tensor[] {
  const tensor = values.find((v): v is Tensor => v instanceof Tensor);
  return values.map((v) => {
    if (v instanceof Tensor) return v;
    if (typeof v !== 'number') {
      throw new DTypeError({
        where,
        problem: `operand is neither a tensor nor a number: ${String(v)}`,
        hint: 'use tensor([...])',
      });
    }
    if (tensor?.dtype === 'int32' && !Number.isInteger(v)) {
      throw new DTypeError({
        where,
        problem: `${v} is not a whole number, the tensor beside it is int32`,
        hint: "use .cast('float32') first",
      });
    }
    return constant(v, tensor?.dtype ?? 'float32');
  });
}

type Binary = (a: TensorLike, b: TensorLike) => Tensor;

export function binary(entry: Entry): Recorder<Binary> {
  const definition = elementwise(entry, 2);
  return Object.assign(
    (a: TensorLike, b: TensorLike) => record(definition, together(entry.name, [a, b]), none),
    { definition },
  );
}
