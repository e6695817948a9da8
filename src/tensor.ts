// Tensors as users see them: made from numbers, with the ops as methods, and read with `await t.data()`.
import {
  checkShape,
  type DType,
  dtypes,
  type HostArray,
  isFloat,
  type Shape,
  sameShape,
  showShape,
  sizeOf,
} from './dtype.js';
import { engine } from './engine.js';
import { DataError, DTypeError, ShapeError } from './errors.js';
import { activeTrace, Tensor, Variable } from './graph.js';
import * as ops from './ops/index.js';

/** Numbers nested in arrays, all rows of one length. */
export type Nested = number | boolean | readonly Nested[];

/** Options of `tensor`. */
export interface TensorOptions {
  /** For flat data: the shape to see it in. */
  shape?: Shape;
  /** float32 where not said; the array's own for typed arrays, bool for booleans. */
  dtype?: DType;
}

function shapeOf(values: Nested): number[] {
  return Array.isArray(values)
    ? [values.length, ...(values.length > 0 ? shapeOf(values[0] as Nested) : [])]
    : [];
}

function flatten(values: Nested, shape: Shape, path: number[], into: number[]): void {
  if (!Array.isArray(values)) {
    if (path.length !== shape.length || (typeof values !== 'number' && typeof values !== 'boolean')) {
      throw new ShapeError({
        where: 'tensor',
        problem: `element [${path}] is ${String(values)}, expected ${shape.slice(path.length).length} more axes`,
        hint: 'all rows must have one length',
      });
    }
    into.push(Number(values));
    return;
  }
  if (values.length !== shape[path.length]) {
    throw new ShapeError({
      where: 'tensor',
      problem: `row [${path}] has ${values.length} elements, the first one has ${shape[path.length] ?? 'none'}`,
      hint: 'all rows must have one length',
      values: { path, shape },
    });
  }
  for (const [i, v] of values.entries()) flatten(v, shape, [...path, i], into);
}

function dtypeOf(data: HostArray): DType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Uint8Array || (data as unknown) instanceof Uint8ClampedArray) return 'uint8';
  throw new DTypeError({
    where: 'tensor',
    problem: `a ${(data as object).constructor.name} has no dtype of its own`,
    hint: 'say which one it shall become: { dtype }',
  });
}

const firstOf = (values: Nested): Nested | undefined =>
  Array.isArray(values) && values.length > 0 ? firstOf(values[0] as Nested) : values;

/** Numbers on the host as an array of a dtype; typed arrays of the right type are taken as they are. */
function hostArray(values: Nested | HostArray, shape: Shape, dtype: DType): HostArray {
  const typed = ArrayBuffer.isView(values);
  if (typed && values instanceof dtypes[dtype].array && (dtype !== 'bool' || values.every((v) => v <= 1))) {
    return values;
  }
  const flat: number[] = [];
  if (!typed) flatten(values, shape, [], flat);
  const list: ArrayLike<number> = typed ? values : flat;
  if (dtype === 'bool') return Uint8Array.from(list, (v) => Number(v !== 0));
  const made = new dtypes[dtype].array(list);
  const wrong = isFloat(dtype) ? -1 : made.findIndex((v, i) => v !== list[i]);
  if (wrong < 0) return made;
  throw new DataError({
    where: 'tensor',
    problem: `element ${wrong} is ${list[wrong]}, dtype ${dtype} holds whole numbers from ${dtype === 'int32' ? '-2^31 to 2^31 - 1' : '0 to 255'}`,
    hint: "use dtype: 'float32'",
  });
}

/**
 * A tensor of given values: nested arrays, or a typed array with a shape. A typed array is not copied, so it must not be
 * changed afterwards.
 */
export function tensor(values: Nested | HostArray, { shape, dtype }: TensorOptions = {}): Tensor {
  const typed = ArrayBuffer.isView(values);
  const own = typed ? [values.length] : shapeOf(values);
  const type = dtype ?? (typed ? dtypeOf(values) : typeof firstOf(values) === 'boolean' ? 'bool' : 'float32');
  if (!(type in dtypes)) {
    throw new DTypeError({
      where: 'tensor',
      problem: `'${type}' is not a dtype`,
      hint: `one of ${Object.keys(dtypes).join(', ')}`,
    });
  }
  const to = shape ?? own;
  checkShape('tensor', to);
  if (sizeOf(to) !== sizeOf(own)) {
    throw new ShapeError({
      where: 'tensor',
      problem: `${sizeOf(own)} values do not fill ${showShape(to)}, which has ${sizeOf(to)}`,
      hint: 'give as many values as the shape has elements',
      values: { shape: to, given: sizeOf(own) },
    });
  }
  return new Tensor({ kind: 'data', data: hostArray(values, own, type) }, to, type);
}

/** A variable with first values: a tensor that keeps its place in device memory and can be assigned. */
export function variable(
  initial: Tensor | (() => Tensor),
  { shape, dtype = 'float32', name = 'variable' }: { shape?: Shape; dtype?: DType; name?: string } = {},
): Variable {
  if (initial instanceof Tensor) return new Variable(initial.shape, initial.dtype, () => initial, name);
  if (!shape)
    throw new ShapeError({
      where: 'variable',
      problem: 'a function for the first values needs a shape',
      hint: '{ shape: [...] }',
    });
  return new Variable(shape, dtype, initial, name);
}

/** The values of several tensors, computed together. */
export async function read(tensors: readonly Tensor[]): Promise<HostArray[]> {
  const open = tensors.filter((t) => t.source.kind !== 'data');
  const values = open.length > 0 ? await (await engine()).evaluate(open, true) : [];
  return tensors.map((t) => (t.source.kind === 'data' ? t.source.data : values[open.indexOf(t)]!));
}

type Op<F> = F extends (x: Tensor, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never;

/** Ops that are methods: `x.add(y)` is `add(x, y)`. */
const methods = {
  neg: ops.neg,
  abs: ops.abs,
  sign: ops.sign,
  exp: ops.exp,
  log: ops.log,
  sqrt: ops.sqrt,
  square: ops.square,
  reciprocal: ops.reciprocal,
  sin: ops.sin,
  cos: ops.cos,
  tanh: ops.tanh,
  sigmoid: ops.sigmoid,
  relu: ops.relu,
  erf: ops.erf,
  floor: ops.floor,
  ceil: ops.ceil,
  add: ops.add,
  sub: ops.sub,
  mul: ops.mul,
  div: ops.div,
  pow: ops.pow,
  maximum: ops.maximum,
  minimum: ops.minimum,
  equal: ops.equal,
  notEqual: ops.notEqual,
  less: ops.less,
  lessEqual: ops.lessEqual,
  greater: ops.greater,
  greaterEqual: ops.greaterEqual,
  logicalAnd: ops.logicalAnd,
  logicalOr: ops.logicalOr,
  logicalNot: ops.logicalNot,
  where: ops.where,
  clamp: ops.clamp,
  cast: ops.cast,
  broadcastTo: ops.broadcastTo,
  stopGradient: ops.stopGradient,
  matmul: ops.matmul,
  sum: ops.sum,
  prod: ops.prod,
  mean: ops.mean,
  variance: ops.variance,
  max: ops.max,
  min: ops.min,
  argmax: ops.argmax,
  argmin: ops.argmin,
  logSumExp: ops.logSumExp,
  softmax: ops.softmax,
  logSoftmax: ops.logSoftmax,
  softplus: ops.softplus,
  leakyRelu: ops.leakyRelu,
  elu: ops.elu,
  gelu: ops.gelu,
  silu: ops.silu,
  reshape: ops.reshape,
  transpose: ops.transpose,
  slice: ops.slice,
  pad: ops.pad,
  flip: ops.flip,
  gather: ops.gather,
  oneHot: ops.oneHot,
};
type Methods = { [K in keyof typeof methods]: Op<(typeof methods)[K]> };

declare module './graph.js' {
  interface Tensor extends Methods {
    /** Computes the values and copies them to the host: the only thing that waits. Row-major. */
    data(): Promise<HostArray>;
    /** The value of a tensor of one element. */
    item(): Promise<number>;
    /** The values as nested arrays. */
    array(): Promise<Nested>;
  }
  interface Variable {
    /**
     * Gives the variable a new value of the same shape and dtype. In a compiled function it takes effect when the function
     * runs, and reads after it see the new value; elsewhere the promise resolves when it is done.
     */
    assign(value: Tensor): Promise<void>;
  }
}

for (const [name, op] of Object.entries(methods)) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]): Tensor {
      return (op as (...args: unknown[]) => Tensor)(this, ...rest);
    },
  });
}

Object.assign(Tensor.prototype, {
  async data(this: Tensor): Promise<HostArray> {
    return (await read([this]))[0]!;
  },

  async item(this: Tensor): Promise<number> {
    if (this.size !== 1) {
      throw new ShapeError({
        where: 'item',
        problem: `${showShape(this.shape)} has ${this.size} elements`,
        hint: 'only a tensor of one element is one number; use data()',
      });
    }
    return (await this.data())[0]!;
  },

  async array(this: Tensor): Promise<Nested> {
    const data = await this.data();
    let at = 0;
    const build = (axis: number): Nested => {
      if (axis === this.rank) return this.dtype === 'bool' ? data[at++] !== 0 : data[at++]!;
      return Array.from({ length: this.shape[axis]! }, () => build(axis + 1));
    };
    return build(0);
  },
});

Object.assign(Variable.prototype, {
  // Not async: in a trace a wrong shape must throw where the call stands.
  assign(this: Variable, value: Tensor): Promise<void> {
    if (!sameShape(value.shape, this.shape) || value.dtype !== this.dtype) {
      throw new ShapeError({
        where: 'assign',
        problem: `${this.name} is ${this.dtype} ${showShape(this.shape)}, the new value is ${value.dtype} ${showShape(value.shape)}`,
        hint: 'shape and dtype of a variable stay',
        values: { variable: this.shape, value: value.shape },
      });
    }
    const trace = activeTrace();
    if (!trace) return engine().then((e) => e.assign(new Map([[this, value]])));
    // A variable that was assigned before in this trace stands for its new value.
    trace.assignments.set(this, trace.assignments.get(value as Variable) ?? value);
    return Promise.resolve();
  },
});
