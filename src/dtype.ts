// Element types, their host arrays, and shapes as lists of whole numbers.
import { DTypeError, ShapeError } from './errors.js';

/** Element types. f64 runs on WASM and the reference only; uint8 is for input data. */
export type DType = 'float32' | 'float64' | 'int32' | 'uint8' | 'bool';
/** Sizes of each axis, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];
export type HostArray = Float32Array | Float64Array | Int32Array | Uint8Array;

export interface DTypeInfo {
  /** Bytes per element on the host and in WASM memory. */
  bytes: number;
  /** Suffix of kernel names, as in `add_f32`. */
  suffix: string;
  array: new (
    source: number | ArrayBufferLike | ArrayLike<number>,
    byteOffset?: number,
    length?: number,
  ) => HostArray;
}

export const dtypes: Record<DType, DTypeInfo> = {
  float32: { bytes: 4, suffix: 'f32', array: Float32Array as DTypeInfo['array'] },
  float64: { bytes: 8, suffix: 'f64', array: Float64Array as DTypeInfo['array'] },
  int32: { bytes: 4, suffix: 'i32', array: Int32Array as DTypeInfo['array'] },
  uint8: { bytes: 1, suffix: 'u8', array: Uint8Array as DTypeInfo['array'] },
  bool: { bytes: 1, suffix: 'bool', array: Uint8Array as DTypeInfo['array'] },
};

export const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float64';

export const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

/** `(2,3)`, the form in which error messages show a shape. */
export const showShape = (shape: Shape): string => `(${shape.join(',')})`;

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i]);

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  for (let i = shape.length - 1, s = 1; i >= 0; i--) {
    strides[i] = s;
    s *= shape[i] as number;
  }
  return strides;
}

/** Strides of `shape` seen as the larger shape `to`: axes that are stretched get stride 0. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const own = stridesOf(shape);
  const lead = to.length - shape.length;
  return to.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : (own[i - lead] as number)));
}

/** NumPy's rule: align at the right, sizes must be equal or 1. */
export function broadcastShapes(where: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError({
        where,
        problem: `shapes do not broadcast: ${showShape(a)} and ${showShape(b)}, ${x} != ${y}`,
        hint: 'sizes are aligned at the last axis and must be equal or 1',
        values: { a, b },
      });
    }
    return x === 1 ? y : x;
  });
}

/** `axis` as an index from the front; negative counts from the end. */
export function normalizeAxis(where: string, axis: number, rank: number): number {
  const i = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || i < 0 || i >= rank) {
    throw new ShapeError({
      where,
      problem: `axis ${axis} is out of range for a tensor of ${rank} axes`,
      hint: `axes go from ${-rank} to ${rank - 1}`,
      values: { axis, rank },
    });
  }
  return i;
}

/** Checks that a shape is a list of whole numbers whose product can be addressed. */
export function checkShape(where: string, shape: Shape): void {
  if (!shape.every((d) => Number.isInteger(d) && d >= 0) || sizeOf(shape) > 2 ** 32) {
    throw new ShapeError({
      where,
      problem: `${showShape(shape)} is not a usable shape`,
      hint: 'sizes are whole numbers >= 0 with a product of at most 2^32',
      values: { shape },
    });
  }
}

/** Memory is addressed with 32 bits, and kernels count elements in signed ones. */
const addressable = { elements: 2 ** 31, bytes: 2 ** 32 };

/** Checks that a tensor could lie in memory, before anything of it does. `made` says how it came about. */
export function checkAddressable(where: string, shape: Shape, dtype: DType, made = ''): void {
  let elements = 1;
  for (let i = 0; i < shape.length; i++) elements *= shape[i]!;
  const bytes = elements * dtypes[dtype].bytes;
  if (elements < addressable.elements && bytes < addressable.bytes) return;
  throw new ShapeError({
    where,
    problem: `${dtype} ${showShape(shape)}${made} has ${elements} elements, ${bytes} bytes`,
    hint: 'a tensor has less than 2^31 elements and 4 GiB: use a smaller batch, or compute it in parts',
    values: { shape, dtype, elements, bytes },
  });
}

export function requireDType(where: string, dtype: DType, allowed: readonly DType[]): void {
  if (!allowed.includes(dtype)) {
    throw new DTypeError({
      where,
      problem: `dtype ${dtype} is not supported, it takes ${allowed.join(', ')}`,
      hint: 'convert with .cast(dtype)',
      values: { dtype, allowed },
    });
  }
}
