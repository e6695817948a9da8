// Ops that move elements without computing: reshape, transpose, slice, pad, concat, flip.
import { dtypes, normalizeAxis, type Shape, sameShape, showShape, sizeOf, stridesOf } from '../dtype.js';
import { DTypeError, ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import {
  type KernelOp,
  type ReferenceContext,
  type ShaderCall,
  type Site,
  streamingCost,
  type ViewOp,
  type WasmCall,
} from './define.js';
import { fillShader, stridedCopyShader } from './shader-calls.js';

/** A copy of `shape` elements from one strided place to another; strides and offsets in elements. */
interface Copy {
  input: number;
  shape: Shape;
  from: { offset: number; strides: readonly number[] };
  to: { offset: number; strides: readonly number[] };
}

/** What an op that moves elements does: fill the output first (pad), then copy. */
interface Movement {
  fill?: number;
  copies: readonly Copy[];
}

const bits = ({ output }: Site): number => dtypes[output.dtype].bytes;

/** The two 32-bit words of a value as it lies in memory. */
function words(value: number, site: Site): [number, number] {
  const memory = new ArrayBuffer(8);
  new dtypes[site.output.dtype].array(memory, 0, 1)[0] = value;
  const [low, high] = new Int32Array(memory);
  return [low!, high!];
}

function wasmCalls(site: Site, { fill, copies }: Movement): WasmCall[] {
  const bytes = bits(site);
  const calls: WasmCall[] = [];
  if (fill !== undefined) {
    calls.push({
      kernel: `fill_${bytes * 8}`,
      args: ['output', sizeOf(site.output.shape), ...words(fill, site)],
    });
  }
  for (const { input, shape, from, to } of copies) {
    const output = { output: true, offset: to.offset * bytes } as const;
    const args = [
      output,
      { input, offset: from.offset * bytes },
      shape.length,
      ...shape,
      ...to.strides,
      ...from.strides,
    ];
    calls.push({ kernel: `stridedCopy_${bytes * 8}`, args });
  }
  return calls;
}

function shaderCalls(site: Site, { fill, copies }: Movement): ShaderCall[] {
  const calls: ShaderCall[] = [];
  if (fill !== undefined) calls.push(...fillShader(sizeOf(site.output.shape), words(fill, site)[0]));
  for (const { input, shape, from, to } of copies) {
    calls.push(
      ...stridedCopyShader({
        input,
        shape,
        srcOffset: from.offset,
        srcStrides: from.strides,
        dstOffset: to.offset,
        dstStrides: to.strides,
      }),
    );
  }
  return calls;
}

/** Moves elements one by one, the obvious way. */
function moveReference({ values, out }: ReferenceContext, { fill, copies }: Movement): void {
  if (fill !== undefined) out.fill(fill);
  for (const { input, shape, from, to } of copies) {
    const source = values[input]!;
    const own = stridesOf(shape);
    for (let i = 0; i < sizeOf(shape); i++) {
      const index = shape.map((d, axis) => Math.trunc(i / own[axis]!) % d);
      const place = ({ offset, strides }: Copy['to']): number =>
        index.reduce((n, x, axis) => n + x * strides[axis]!, offset);
      out[place(to)] = source[place(from)]!;
    }
  }
}

function movementOp<A extends Attributes>(
  op: Pick<KernelOp<A>, 'name' | 'infer' | 'gradient' | 'samples'> & { movement(site: Site<A>): Movement },
): KernelOp<A> {
  const calls = (site: Site<A>): Movement => {
    const { fill, copies } = op.movement(site);
    const some = copies.filter((c) => sizeOf(c.shape) > 0);
    return fill === undefined ? { copies: some } : { fill, copies: some };
  };
  return {
    ...op,
    kind: 'kernel',
    reference: (context) => moveReference(context, calls(context)),
    cost: (site) => streamingCost(site, 0),
    wasm: { calls: (site) => wasmCalls(site, calls(site)) },
    webgpu: { calls: (site) => shaderCalls(site, calls(site)) },
  };
}

const erase = <A extends Attributes>(op: KernelOp<A>): KernelOp => op as unknown as KernelOp;

// reshape ------------------------------------------------------------------------------------------------------------

type ReshapeAttributes = { readonly shape: Shape };

const reshapeDefinition: ViewOp<ReshapeAttributes> = {
  kind: 'view',
  name: 'reshape',
  infer([input], { shape }) {
    if (sizeOf(shape) !== sizeOf(input!.shape)) {
      throw new ShapeError({
        where: 'reshape',
        problem: `${showShape(input!.shape)} has ${sizeOf(input!.shape)} elements, ${showShape(shape)} has ${sizeOf(shape)}`,
        hint: 'the number of elements stays; one size may be -1',
        values: { from: input!.shape, to: shape },
      });
    }
    return { shape, dtype: input!.dtype };
  },
  gradient: ({ inputs: [x], dy }) => [reshape(dy, x!.shape)],
  reference({ values: [x], out }) {
    out.set(x!);
  },
  cost: () => ({ flops: 0, bytes: 0 }),
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [2, 6] }], attributes: { shape: [3, 4] } },
        { inputs: [{ shape: [1] }], attributes: { shape: [] } },
      ]
    : [],
};

/** The same elements in row-major order under another shape; one size may be -1 and is worked out. */
export const reshape = /* @__PURE__ */ Object.assign(
  (x: Tensor, shape: Shape): Tensor => {
    const unknown = shape.indexOf(-1);
    const known = shape.reduce((n, d) => (d === -1 ? n : n * d), 1);
    const whole = unknown < 0 ? shape : shape.map((d, i) => (i === unknown ? x.size / known : d));
    if (!whole.every((d) => Number.isInteger(d) && d >= 0)) {
      throw new ShapeError({
        where: 'reshape',
        problem: `${showShape(x.shape)} cannot be seen as ${showShape(shape)}`,
        hint: 'the number of elements stays; one size may be -1',
        values: { from: x.shape, to: shape },
      });
    }
    return sameShape(x.shape, whole) ? x : record(reshapeDefinition, [x], { shape: whole });
  },
  { definition: reshapeDefinition as unknown as ViewOp },
);

const stopGradientDefinition: ViewOp = {
  ...(reshapeDefinition as unknown as ViewOp),
  name: 'stopGradient',
  infer: ([input]) => ({ shape: input!.shape, dtype: input!.dtype }),
  gradient: null,
  samples: WITH_SAMPLES ? [{ inputs: [{ shape: [3] }], attributes: {} }] : [],
};

/** The same values, but a constant to differentiation. */
export const stopGradient = /* @__PURE__ */ Object.assign(
  (x: Tensor): Tensor => record(stopGradientDefinition, [x], {}),
  {
    definition: stopGradientDefinition,
  },
);

// transpose ----------------------------------------------------------------------------------------------------------

type TransposeAttributes = { readonly axes: readonly number[] };

const transposeDefinition: KernelOp<TransposeAttributes> = /* @__PURE__ */ movementOp<TransposeAttributes>({
  name: 'transpose',
  infer: ([input], { axes }) => ({ shape: axes.map((a) => input!.shape[a]!), dtype: input!.dtype }),
  gradient: ({ dy, attributes: { axes } }) => [
    transpose(
      dy,
      axes.map((_, i) => axes.indexOf(i)),
    ),
  ],
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [3, 5] }], attributes: { axes: [1, 0] } },
        { inputs: [{ shape: [2, 3, 4] }], attributes: { axes: [2, 0, 1] } },
        { inputs: [{ shape: [65, 34] }], attributes: { axes: [1, 0] } },
        { inputs: [{ shape: [3, 5], dtype: 'bool' }], attributes: { axes: [1, 0] } },
      ]
    : [],
  movement({ inputs: [input], output, attributes: { axes } }) {
    const strides = stridesOf(input!.shape);
    const from = { offset: 0, strides: axes.map((a) => strides[a]!) };
    return {
      copies: [{ input: 0, shape: output.shape, from, to: { offset: 0, strides: stridesOf(output.shape) } }],
    };
  },
});

/** Reorders the axes: axis i of the result is axis `axes[i]` of x; reversed where not said. */
export const transpose = /* @__PURE__ */ Object.assign(
  (x: Tensor, axes?: readonly number[]): Tensor => {
    const order =
      axes?.map((a) => normalizeAxis('transpose', a, x.rank)) ?? x.shape.map((_, i) => x.rank - 1 - i);
    if (order.length !== x.rank || new Set(order).size !== x.rank) {
      throw new ShapeError({
        where: 'transpose',
        problem: `axes [${order}] do not name each of the ${x.rank} axes of ${showShape(x.shape)} once`,
        hint: 'e.g. transpose(x, [0, 2, 1])',
        values: { axes: order, shape: x.shape },
      });
    }
    return order.every((a, i) => a === i) ? x : record(transposeDefinition, [x], { axes: order });
  },
  { definition: erase(transposeDefinition) },
);

// slice and pad ------------------------------------------------------------------------------------------------------

type SliceAttributes = {
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
};
type PadAttributes = {
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** Elements put between neighbours, for the gradient of a slice with steps. */
  readonly interior: readonly number[];
  readonly value: number;
};

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((n, x, i) => n + x * b[i]!, 0);

const sliceDefinition: KernelOp<SliceAttributes> = /* @__PURE__ */ movementOp<SliceAttributes>({
  name: 'slice',
  infer: ([input], { sizes }) => ({ shape: sizes, dtype: input!.dtype }),
  gradient: ({ inputs: [x], dy, attributes: { starts, sizes, steps } }) => {
    const used = sizes.map((n, i) => (n === 0 ? 0 : (n - 1) * steps[i]! + 1));
    const high = x!.shape.map((d, i) => d - starts[i]! - used[i]!);
    return [record(padDefinition, [dy], { low: starts, high, interior: steps.map((s) => s - 1), value: 0 })];
  },
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [7] }], attributes: { starts: [2], sizes: [3], steps: [1] } },
        { inputs: [{ shape: [5, 9] }], attributes: { starts: [1, 0], sizes: [3, 4], steps: [1, 2] } },
        {
          inputs: [{ shape: [3, 4, 5] }],
          attributes: { starts: [0, 1, 2], sizes: [3, 2, 3], steps: [1, 1, 1] },
        },
      ]
    : [],
  movement({ inputs: [input], output, attributes: { starts, steps } }) {
    const strides = stridesOf(input!.shape);
    const from = { offset: dot(starts, strides), strides: strides.map((s, i) => s * steps[i]!) };
    return {
      copies: [{ input: 0, shape: output.shape, from, to: { offset: 0, strides: stridesOf(output.shape) } }],
    };
  },
});

/**
 * The part [start, end) of each axis with a step >= 1: `slice(x, [0, 2], [null, 5])`. Negative indices count from the
 * end; null takes all; axes not named are taken whole.
 */
export const slice = /* @__PURE__ */ Object.assign(
  (
    x: Tensor,
    starts: readonly (number | null)[],
    ends: readonly (number | null)[] = [],
    steps: readonly number[] = [],
  ): Tensor => {
    const bound = (value: number | null | undefined, d: number, otherwise: number): number =>
      value === null || value === undefined
        ? otherwise
        : Math.min(Math.max(value < 0 ? value + d : value, 0), d);
    const named = Math.max(starts.length, ends.length, steps.length);
    if (named > x.rank || !steps.every((s) => Number.isInteger(s) && s >= 1)) {
      throw new ShapeError({
        where: 'slice',
        problem: `starts [${starts}], ends [${ends}], steps [${steps}] do not fit ${showShape(x.shape)}`,
        hint: 'at most one start, end and step for each axis; steps are whole numbers >= 1',
        values: { starts, ends, steps, shape: x.shape },
      });
    }
    const begin = x.shape.map((d, i) => bound(starts[i], d, 0));
    const step = x.shape.map((_, i) => steps[i] ?? 1);
    const sizes = x.shape.map((d, i) =>
      Math.max(0, Math.ceil((bound(ends[i], d, d) - begin[i]!) / step[i]!)),
    );
    return record(sliceDefinition, [x], { starts: begin, sizes, steps: step });
  },
  { definition: erase(sliceDefinition) },
);

const padDefinition: KernelOp<PadAttributes> = /* @__PURE__ */ movementOp<PadAttributes>({
  name: 'pad',
  infer: ([input], { low, high, interior }) => ({
    shape: input!.shape.map((d, i) => low[i]! + (d === 0 ? 0 : (d - 1) * (interior[i]! + 1) + 1) + high[i]!),
    dtype: input!.dtype,
  }),
  gradient: ({ inputs: [x], dy, attributes: { low, interior } }) => [
    record(sliceDefinition, [dy], { starts: low, sizes: x!.shape, steps: interior.map((n) => n + 1) }),
  ],
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [4] }], attributes: { low: [1], high: [2], interior: [0], value: 0 } },
        {
          inputs: [{ shape: [3, 4] }],
          attributes: { low: [0, 2], high: [1, 0], interior: [0, 1], value: -1.5 },
        },
        {
          inputs: [{ shape: [2, 3, 2] }],
          attributes: { low: [1, 0, 0], high: [0, 0, 3], interior: [0, 2, 0], value: 0 },
        },
      ]
    : [],
  movement({ inputs: [input], output, attributes: { low, interior, value } }) {
    const strides = stridesOf(output.shape);
    const to = { offset: dot(low, strides), strides: strides.map((s, i) => s * (interior[i]! + 1)) };
    return {
      fill: value,
      copies: [{ input: 0, shape: input!.shape, from: { offset: 0, strides: stridesOf(input!.shape) }, to }],
    };
  },
});

/** Puts `value` around x: `amounts[i]` is [before, after] of axis i. */
export const pad = /* @__PURE__ */ Object.assign(
  (x: Tensor, amounts: readonly (readonly [number, number])[], value = 0): Tensor => {
    if (amounts.length !== x.rank || !amounts.flat().every((n) => Number.isInteger(n) && n >= 0)) {
      throw new ShapeError({
        where: 'pad',
        problem: `amounts ${JSON.stringify(amounts)} do not fit ${showShape(x.shape)}`,
        hint: 'one [before, after] of whole numbers >= 0 for each axis',
        values: { amounts, shape: x.shape },
      });
    }
    const low = amounts.map(([before]) => before);
    const high = amounts.map(([, after]) => after);
    return record(padDefinition, [x], { low, high, interior: low.map(() => 0), value });
  },
  { definition: erase(padDefinition) },
);

// concat and flip ----------------------------------------------------------------------------------------------------

type AxisAttributes = { readonly axis: number };

const concatDefinition = /* @__PURE__ */ movementOp<AxisAttributes>({
  name: 'concat',
  infer(inputs, { axis }): Spec {
    const [first] = inputs as [Spec];
    for (const other of inputs) {
      if (other.dtype !== first.dtype) {
        throw new DTypeError({
          where: 'concat',
          problem: `dtypes differ: ${first.dtype} and ${other.dtype}`,
          hint: 'cast first',
        });
      }
      if (
        !sameShape(other.shape.toSpliced(axis, 1), first.shape.toSpliced(axis, 1)) ||
        other.shape.length !== first.shape.length
      ) {
        throw new ShapeError({
          where: 'concat',
          problem: `shapes differ outside of axis ${axis}: ${showShape(first.shape)} and ${showShape(other.shape)}`,
          hint: 'all sizes but that of the axis must be equal',
          values: { shapes: inputs.map((s) => s.shape), axis },
        });
      }
    }
    const total = inputs.reduce((n, s) => n + s.shape[axis]!, 0);
    return { shape: first.shape.with(axis, total), dtype: first.dtype };
  },
  gradient({ inputs, dy, attributes: { axis } }) {
    let at = 0;
    return inputs.map((x) => {
      const starts = x.shape.map((_, i) => (i === axis ? at : 0));
      at += x.shape[axis]!;
      return record(sliceDefinition, [dy], { starts, sizes: x.shape, steps: x.shape.map(() => 1) });
    });
  },
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [3] }, { shape: [2] }], attributes: { axis: 0 } },
        { inputs: [{ shape: [2, 3] }, { shape: [2, 1] }, { shape: [2, 4] }], attributes: { axis: 1 } },
        { inputs: [{ shape: [2, 3, 4] }, { shape: [2, 5, 4] }], attributes: { axis: 1 } },
      ]
    : [],
  movement({ inputs, output, attributes: { axis } }) {
    const strides = stridesOf(output.shape);
    let at = 0;
    const copies = inputs.map(({ shape }, input): Copy => {
      const to = { offset: at * strides[axis]!, strides };
      at += shape[axis]!;
      return { input, shape, from: { offset: 0, strides: stridesOf(shape) }, to };
    });
    return { copies };
  },
});

/** Puts tensors one after the other along an existing axis. */
export const concat = /* @__PURE__ */ Object.assign(
  (tensors: readonly Tensor[], axis = 0): Tensor => {
    const [first] = tensors;
    if (!first)
      throw new ShapeError({
        where: 'concat',
        problem: 'the list of tensors is empty',
        hint: 'give at least one',
      });
    return record(concatDefinition, tensors, { axis: normalizeAxis('concat', axis, first.rank) });
  },
  { definition: erase(concatDefinition) },
);

/** Puts tensors of one shape side by side along a new axis. */
export const stack = (tensors: readonly Tensor[], axis = 0): Tensor => {
  const rank = (tensors[0]?.rank ?? 0) + 1;
  const at = normalizeAxis('stack', axis, rank);
  return concat(
    tensors.map((t) => reshape(t, t.shape.toSpliced(at, 0, 1))),
    at,
  );
};

type FlipAttributes = { readonly axes: readonly number[] };

const flipDefinition: KernelOp<FlipAttributes> = /* @__PURE__ */ movementOp<FlipAttributes>({
  name: 'flip',
  infer: ([input]) => ({ shape: input!.shape, dtype: input!.dtype }),
  gradient: ({ dy, attributes }) => [record(flipDefinition, [dy], attributes)],
  samples: WITH_SAMPLES
    ? [
        { inputs: [{ shape: [5] }], attributes: { axes: [0] } },
        { inputs: [{ shape: [3, 4] }], attributes: { axes: [0, 1] } },
      ]
    : [],
  movement({ inputs: [input], output, attributes: { axes } }) {
    const strides = stridesOf(input!.shape);
    const flipped = (i: number): boolean => axes.includes(i);
    const offset = strides.reduce((n, s, i) => n + (flipped(i) ? s * (input!.shape[i]! - 1) : 0), 0);
    const from = { offset, strides: strides.map((s, i) => (flipped(i) ? -s : s)) };
    return { copies: [{ input: 0, shape: output.shape, from, to: { offset: 0, strides } }] };
  },
});

/** Reverses the order of the elements along the axes; along all of them where not said. */
export const flip = /* @__PURE__ */ Object.assign(
  (x: Tensor, axes?: readonly number[]): Tensor =>
    record(flipDefinition, [x], {
      axes: axes?.map((a) => normalizeAxis('flip', a, x.rank)) ?? x.shape.map((_, i) => i),
    }),
  { definition: erase(flipDefinition) },
);
