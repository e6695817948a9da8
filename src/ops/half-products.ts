// Products and convolutions of halves, packed as `toHalf` packs them, with sums and results in float32: what training in
// mixed precision is made of. Where a GPU has shader-f16, tiles in its workgroup memory are halves, too.
import { requireDType, type Shape, showShape, sizeOf } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { conv2d, conv2dFilterGradient, conv2dInputGradient } from './conv.js';
import type { KernelOp, OpDefinition, Sample, Site, WasmArgument, WasmCall } from './define.js';
import { halfBits, halfValue } from './half.js';
import { matmul } from './matmul.js';

type HalfAttributes = Attributes & { readonly left: Shape; readonly right: Shape };

const shapesOf = ({ left, right }: HalfAttributes): readonly [Shape, Shape] => [left, right];

/** The site of the op on float32. */
const wide = ({ output, attributes: { left, right, ...attributes } }: Site<HalfAttributes>): Site => ({
  inputs: [left, right].map((shape): Spec => ({ shape, dtype: 'float32' })),
  output,
  attributes,
});

/** Bytes of the inputs as float32, rounded up so that each starts on a boundary of vectors. */
const bytesOf = (shape: Shape): number => 16 * Math.ceil(sizeOf(shape) / 4);

/** Two calls widen the inputs into scratch memory, the op's own ones take them from there. */
function wasmCalls(base: KernelOp, site: Site<HalfAttributes>): WasmCall[] | null {
  const shapes = shapesOf(site.attributes);
  const offsets = [0, bytesOf(shapes[0])];
  const shared = offsets[1]! + bytesOf(shapes[1]);
  const calls = base.wasm.calls(wide(site));
  const word = (argument: WasmArgument, ownShared: boolean): WasmArgument => {
    if (argument === 'scratch') return ownShared ? { scratch: shared } : 'ownScratch';
    return typeof argument === 'object' && 'input' in argument
      ? { scratch: offsets[argument.input]! }
      : argument;
  };
  const widening = shapes.map((shape, i): WasmCall => {
    const args = [{ scratch: offsets[i]! }, { input: i }, sizeOf(shape)];
    return { kernel: 'fromHalf_f32', args, scratch: { shared, each: 0 } };
  });
  const own = calls?.map(({ args, scratch = { shared: 0, each: 0 }, ...call }): WasmCall => {
    const ownShared = !('bytesFrom' in scratch);
    const needed = ownShared
      ? { shared: shared + scratch.shared, each: scratch.each }
      : { ...scratch, shared };
    return { ...call, args: args.map((argument) => word(argument, ownShared)), scratch: needed };
  });
  return own ? [...widening, ...own] : null;
}

/** A sample of the base op with values between -2 and 2, the same ones each time, as packed halves. */
export function packedSample({ inputs, attributes }: Sample): Sample<HalfAttributes> {
  return {
    inputs: inputs.map(({ shape }, which) => {
      const values = new Array<number>(Math.ceil(sizeOf(shape) / 2)).fill(0);
      for (let i = 0; i < sizeOf(shape); i++)
        values[i >> 1]! |= halfBits((((i + which) * 7919) % 4001) / 1000 - 2) << (16 * (i & 1));
      return { shape: [values.length], dtype: 'int32', values };
    }),
    attributes: { ...attributes, left: inputs[0]!.shape, right: inputs[1]!.shape },
  };
}

function halved(base: KernelOp): KernelOp<HalfAttributes> {
  const name = `${base.name}Half`;
  return {
    kind: 'kernel',
    name,
    infer(inputs, { left, right, ...attributes }) {
      const shapes = [left, right];
      for (const [i, { shape, dtype }] of inputs.entries()) {
        requireDType(name, dtype, ['int32']);
        if (sizeOf(shape) === Math.ceil(sizeOf(shapes[i]!) / 2)) continue;
        throw new ShapeError({
          where: name,
          problem: `${showShape(shape)} words do not hold ${showShape(shapes[i]!)}`,
          hint: 'two elements to a word, as toHalf packs them',
          values: { words: shape, shape: shapes[i]! },
        });
      }
      const specs = shapes.map((shape): Spec => ({ shape, dtype: 'float32' }));
      return base.infer(specs, attributes);
    },
    gradient: null,
    reference: (context) => {
      const values = context.values.map((words, which) =>
        Float32Array.from({ length: sizeOf(shapesOf(context.attributes)[which]!) }, (_, i) =>
          halfValue((words[i >> 1]! >> (16 * (i & 1))) & 0xffff),
        ),
      );
      base.reference({ ...wide(context), values, out: context.out });
    },
    cost(site) {
      const { flops, bytes } = base.cost(wide(site));
      const { left, right } = site.attributes;
      return { flops, bytes: bytes - 2 * (sizeOf(left) + sizeOf(right)) };
    },
    samples: WITH_SAMPLES ? base.samples.map(packedSample) : [],
    wasm: { calls: (site) => wasmCalls(base, site) },
    webgpu: {
      epilogue: true,
      calls: (site) =>
        base.webgpu
          .calls(wide(site))
          ?.map((call) => ({ ...call, constants: { ...call.constants, HALF: 1 } })) ?? null,
    },
  };
}

function recorder(base: { definition: OpDefinition<Attributes> }) {
  const definition = halved(base.definition as KernelOp);
  return Object.assign(
    (a: Tensor, b: Tensor, attributes: HalfAttributes): Tensor => record(definition, [a, b], attributes),
    { definition: definition as unknown as KernelOp<Attributes> },
  );
}

/**
 * `matmul` of two packed halves (`toHalf`) of the shapes `left` and `right`; the result is float32. Attributes are those of the
 * float32 op as its gradient records it. No gradient. Throws ShapeError where words and shapes do not fit.
 */
export const matmulHalf = /* @__PURE__ */ recorder(matmul);
/** `conv2d` of packed halves, as `matmulHalf`. */
export const conv2dHalf = /* @__PURE__ */ recorder(conv2d);
/** `conv2dInputGradient` of packed halves, as `matmulHalf`. */
export const conv2dInputGradientHalf = /* @__PURE__ */ recorder(conv2dInputGradient);
/** `conv2dFilterGradient` of packed halves, as `matmulHalf`. */
export const conv2dFilterGradientHalf = /* @__PURE__ */ recorder(conv2dFilterGradient);
