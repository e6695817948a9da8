// Convolutions, channels last: the op, its gradient for the input (which is the transposed convolution) and for the
// filter. Each one's gradients are the other two, so that there are derivatives of any order.
import { type DType, type Shape, showShape, sizeOf } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import { type Attributes, record, type Tensor } from '../graph.js';
import {
  attributesOf,
  type Conv2dOptions,
  type ConvAttributes,
  type ConvGeometry,
  checkChannels,
  checkOperands,
  checkOutput,
  geometryOf,
  type Padding2d,
  pairOf,
  positions,
} from './conv-geometry.js';
import { convSamples, filterSamples, inputSamples } from './conv-samples.js';
import { convFilterShader, convInputShader, convShader } from './conv-shaders.js';
import { usesWinograd, winogradCalls, winogradFilterCalls } from './conv-winograd.js';
import { type Cost, hostBytes, type KernelOp, type Site, suffix, type WasmCall } from './define.js';
import { reshape } from './movement.js';

export type { Conv2dOptions, Padding2d } from './conv-geometry.js';

/** Of the gradient for the input: [height, width], which the output's size does not tell when strides leave a rest. */
type InputAttributes = ConvAttributes & { readonly size: Shape };
/** Of the gradient for the filter: [kh, kw]. */
type FilterAttributes = ConvAttributes & { readonly kernel: Shape };

function cost(site: Site, g: ConvGeometry): Cost {
  const bytes = site.inputs.reduce((n, s) => n + hostBytes(s), hostBytes(site.output));
  const { batch, outHeight, outWidth, filters, channels, groups } = g;
  return { flops: (2 * batch * outHeight * outWidth * filters * g.kh * g.kw * channels) / groups, bytes };
}

/** Where the kernels find what: `assembly/conv-args.ts`. */
export const sizesOf = (g: ConvGeometry): number[] => [
  ...[g.batch, g.height, g.width, g.channels, g.outHeight, g.outWidth, g.filters],
  ...[g.kh, g.kw, g.sh, g.sw, g.top, g.left, g.dh, g.dw, g.groups],
];

type Kernel = 'conv2d' | 'conv2dInput' | 'conv2dFilter';

/** What the scratch memory of each kernel depends on. */
const scratchArgs: Record<Kernel, (g: ConvGeometry) => number[]> = {
  conv2d: (g) => [g.channels, g.filters, g.kh, g.kw, g.groups],
  conv2dInput: (g) => [g.channels, g.filters, g.kh, g.kw, g.groups],
  conv2dFilter: (g) => [g.batch, g.outHeight, g.outWidth, g.filters, g.kh, g.sh, g.dh, g.groups],
};

/** Whether each output pixel comes of the input pixel at the same place alone. */
const isPointwise = (g: ConvGeometry): boolean =>
  g.kh * g.kw * g.sh * g.sw * g.groups === 1 &&
  g.top + g.left === 0 &&
  g.outHeight === g.height &&
  g.outWidth === g.width;

/** The convolution as a matrix product, m x k times k x n. */
function product(kernel: Kernel, dtype: DType, g: ConvGeometry): WasmCall {
  const pixels = g.batch * g.height * g.width;
  const { channels, filters } = g;
  const sizes = {
    conv2d: [pixels, filters, channels],
    conv2dInput: [pixels, channels, filters],
    conv2dFilter: [channels, filters, pixels],
  }[kernel];
  const transposes = [Number(kernel === 'conv2dFilter'), Number(kernel === 'conv2dInput')];
  const batch = [1, 0, 0, 0];
  const operands = ['output', { input: 0 }, { input: 1 }] as const;
  const args = [...operands, ...sizes, ...transposes, ...batch, 'scratch', 'scratchBytes'] as const;
  if (dtype === 'float64') return { kernel: 'matmul_f64', args };
  return {
    kernel: 'matmul_f32',
    args: [...args, 'epilogue'],
    scratch: { bytesFrom: 'matmulScratchBytes', args: sizes },
  };
}

function winograd(kernel: Kernel, g: ConvGeometry): WasmCall[] | null {
  if (kernel === 'conv2dFilter') return usesWinograd(g, false) ? winogradFilterCalls(g) : null;
  const gradient = kernel === 'conv2dInput';
  return usesWinograd(g, gradient) ? winogradCalls(g, gradient) : null;
}

function calls(kernel: Kernel, { output: { dtype } }: Site, g: ConvGeometry): WasmCall[] {
  if (isPointwise(g)) return [product(kernel, dtype, g)];
  if (dtype === 'float32') {
    const calls = winograd(kernel, g);
    if (calls) return calls;
  }
  const args = ['output', { input: 0 }, { input: 1 }, ...sizesOf(g), 'scratch', 'scratchBytes'] as const;
  const call = { kernel: `${kernel}_${suffix(dtype)}`, args };
  if (dtype === 'float64') return [call];
  const scratch = { bytesFrom: `${kernel}ScratchBytes`, args: scratchArgs[kernel](g) };
  return [{ ...call, scratch, args: kernel === 'conv2dFilter' ? args : [...args, 'epilogue'] }];
}

/** Calls f for each pair of an output position and an input position under filter element (ky, kx). */
export function eachPlace(g: ConvGeometry, f: (input: number, filter: number, output: number) => void): void {
  for (let n = 0; n < g.batch; n++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      for (let ox = 0; ox < g.outWidth; ox++) {
        for (let ky = 0; ky < g.kh; ky++) {
          for (let kx = 0; kx < g.kw; kx++) {
            const y = oy * g.sh + ky * g.dh - g.top;
            const x = ox * g.sw + kx * g.dw - g.left;
            if (y < 0 || y >= g.height || x < 0 || x >= g.width) continue;
            f((n * g.height + y) * g.width + x, ky * g.kw + kx, (n * g.outHeight + oy) * g.outWidth + ox);
          }
        }
      }
    }
  }
}

/** Calls f for each product that a convolution consists of, with the places of its three factors. */
function eachProduct(g: ConvGeometry, f: (x: number, w: number, y: number) => void): void {
  const depth = g.channels / g.groups;
  const count = g.filters / g.groups;
  eachPlace(g, (input, filter, output) => {
    for (let c = 0; c < g.channels; c++) {
      const first = Math.trunc(c / depth) * count;
      for (let k = first; k < first + count; k++)
        f(input * g.channels + c, (filter * depth + (c % depth)) * g.filters + k, output * g.filters + k);
    }
  });
}

const outputShape = (x: Shape, w: Shape, size: Shape): number[] => [x[0]!, size[0]!, size[1]!, w[3]!];

const convDefinition: KernelOp<ConvAttributes> = {
  kind: 'kernel',
  name: 'conv2d',
  infer(inputs, attributes) {
    const [x, w] = inputs.map((s) => s.shape) as [Shape, Shape];
    const dtype = checkOperands('conv2d', ['input', 'filter'], inputs);
    checkChannels('conv2d', x[3]!, w[3]!, w[2]!, attributes.groups);
    const size = positions('conv2d', x.slice(1, 3), w.slice(0, 2), attributes);
    return { shape: outputShape(x, w, size), dtype };
  },
  gradient: ({ inputs: [x, w], dy, attributes }) => [
    record(inputDefinition, [dy, w!], { ...attributes, size: x!.shape.slice(1, 3) }),
    record(filterDefinition, [x!, dy], { ...attributes, kernel: w!.shape.slice(0, 2) }),
  ],
  reference({ inputs: [x, w], output, attributes, values, out }) {
    const total = new Float64Array(out.length);
    eachProduct(geometryOf(x!.shape, w!.shape, output.shape, attributes), (i, k, o) => {
      total[o]! += values[0]![i]! * values[1]![k]!;
    });
    out.set(total);
  },
  cost: (site) => cost(site, convGeometry(site)),
  samples: convSamples,
  wasm: { calls: (site) => calls('conv2d', site, convGeometry(site)) },
  webgpu: { epilogue: true, calls: (site) => convShader(convGeometry(site)) },
};

const convGeometry = ({ inputs: [x, w], output, attributes }: Site<ConvAttributes>): ConvGeometry =>
  geometryOf(x!.shape, w!.shape, output.shape, attributes);

const inputDefinition: KernelOp<InputAttributes> = {
  kind: 'kernel',
  name: 'conv2dInputGradient',
  infer(inputs, attributes) {
    const where = 'conv2dInputGradient';
    const [dy, w] = inputs.map((s) => s.shape) as [Shape, Shape];
    const dtype = checkOperands(where, ['gradient of the output', 'filter'], inputs);
    const { groups, size } = attributes;
    const channels = w[2]! * groups;
    checkChannels(where, channels, w[3]!, w[2]!, groups);
    checkOutput(where, dy, outputShape(dy, w, positions(where, size, w.slice(0, 2), attributes)));
    return { shape: [dy[0]!, ...size, channels], dtype };
  },
  gradient: ({ inputs: [dy, w], dy: g, attributes: { size: _, ...attributes } }) => [
    record(convDefinition, [g, w!], attributes),
    record(filterDefinition, [g, dy!], { ...attributes, kernel: w!.shape.slice(0, 2) }),
  ],
  reference(context) {
    const { values, out } = context;
    const total = new Float64Array(out.length);
    eachProduct(inputGeometry(context), (i, k, o) => {
      total[i]! += values[0]![o]! * values[1]![k]!;
    });
    out.set(total);
  },
  cost: (site) => cost(site, inputGeometry(site)),
  samples: inputSamples,
  wasm: { calls: (site) => calls('conv2dInput', site, inputGeometry(site)) },
  webgpu: { epilogue: true, calls: (site) => convInputShader(inputGeometry(site)) },
};

const inputGeometry = ({ inputs: [dy, w], output, attributes }: Site<InputAttributes>): ConvGeometry =>
  geometryOf(output.shape, w!.shape, dy!.shape, attributes);

const filterDefinition: KernelOp<FilterAttributes> = {
  kind: 'kernel',
  name: 'conv2dFilterGradient',
  infer(inputs, attributes) {
    const where = 'conv2dFilterGradient';
    const [x, dy] = inputs.map((s) => s.shape) as [Shape, Shape];
    const dtype = checkOperands(where, ['input', 'gradient of the output'], inputs);
    const { groups, kernel } = attributes;
    const depth = Math.trunc(x[3]! / groups);
    const w = [...kernel, depth, dy[3]!];
    checkChannels(where, x[3]!, dy[3]!, depth, groups);
    checkOutput(where, dy, outputShape(x, w, positions(where, x.slice(1, 3), kernel, attributes)));
    return { shape: w, dtype };
  },
  gradient: ({ inputs: [x, dy], dy: g, attributes: { kernel: _, ...attributes } }) => [
    record(inputDefinition, [dy!, g], { ...attributes, size: x!.shape.slice(1, 3) }),
    record(convDefinition, [x!, g], attributes),
  ],
  reference(context) {
    const { values, out } = context;
    const total = new Float64Array(out.length);
    eachProduct(filterGeometry(context), (i, k, o) => {
      total[k]! += values[0]![i]! * values[1]![o]!;
    });
    out.set(total);
  },
  cost: (site) => cost(site, filterGeometry(site)),
  samples: filterSamples,
  wasm: { calls: (site) => calls('conv2dFilter', site, filterGeometry(site)) },
  webgpu: { epilogue: true, calls: (site) => convFilterShader(filterGeometry(site)) },
};

const filterGeometry = ({ inputs: [x, dy], output, attributes }: Site<FilterAttributes>): ConvGeometry =>
  geometryOf(x!.shape, output.shape, dy!.shape, attributes);

/**
 * Convolution (cross-correlation, as the field has it) of x (batch, height, width, channels) with the filter w
 * (kh, kw, channels / groups, filters): y (batch, height', width', filters),
 * y[n, i, j, f] = sum of x[n, i sh + a dh - top, j sw + b dw - left, c] w[a, b, c, f] over a, b and the channels c of
 * f's group; x is zero outside. On WASM filters of 3 x 3 without stride may go by Winograd's way, in which rounding (and NaN
 * or infinity) spreads to outputs side by side, as in other libraries. height' = floor((height + top + bottom - (kh - 1) dh - 1) / sh) + 1.
 * Throws where channels, groups or kernel do not fit, or an option is none.
 */
export const conv2d = /* @__PURE__ */ Object.assign(
  (x: Tensor, w: Tensor, options: Conv2dOptions = {}): Tensor =>
    record(convDefinition, [x, w], attributesOf('conv2d', options, x.shape, w.shape)),
  { definition: convDefinition as unknown as KernelOp<Attributes> },
);

/** The gradient of conv2d for an input of [height, width]: dy (batch, height', width', filters) gives the shape of x. */
export const conv2dInputGradient = /* @__PURE__ */ Object.assign(
  (dy: Tensor, w: Tensor, size: readonly [number, number], options: Conv2dOptions = {}): Tensor => {
    const attributes = attributesOf('conv2dInputGradient', options, [0, ...size], w.shape);
    return record(inputDefinition, [dy, w], { ...attributes, size });
  },
  { definition: inputDefinition as unknown as KernelOp<Attributes> },
);

/** The gradient of conv2d for a filter of [kh, kw]: x and dy (batch, height', width', filters) give the shape of w. */
export const conv2dFilterGradient = /* @__PURE__ */ Object.assign(
  (x: Tensor, dy: Tensor, kernel: readonly [number, number], options: Conv2dOptions = {}): Tensor => {
    const attributes = attributesOf('conv2dFilterGradient', options, x.shape, kernel);
    return record(filterDefinition, [x, dy], { ...attributes, kernel });
  },
  { definition: filterDefinition as unknown as KernelOp<Attributes> },
);

/** Options of `convTranspose2d`. */
export interface ConvTranspose2dOptions extends Omit<Conv2dOptions, 'padding'> {
  /** Taken away from the output's sides; as in Conv2dOptions, but not 'same'. */
  readonly padding?: Exclude<Padding2d, 'same'>;
  /** Rows and columns more at the output's end, below the stride; 0 where not said. */
  readonly outputPadding?: number | readonly [number, number];
}

/**
 * Transposed convolution: x (batch, height, width, channels) with w (kh, kw, outChannels / groups, channels) gives
 * (batch, height', width', outChannels), height' = (height - 1) sh - top - bottom + (kh - 1) dh + 1 + outputPadding.
 * It is the gradient of the conv2d with the same filter, stride and padding (Dumoulin and Visin 2016, "A guide to
 * convolution arithmetic for deep learning"). Throws where channels, groups or sizes do not fit, or an option is none.
 */
export function convTranspose2d(x: Tensor, w: Tensor, options: ConvTranspose2dOptions = {}): Tensor {
  const where = 'convTranspose2d';
  if ((options.padding as unknown) === 'same') {
    throw new OptionError({
      where,
      problem: "padding is 'same'",
      hint: 'the output of a transposed convolution has no such size; give the padding in numbers',
    });
  }
  const { outputPadding = 0, ...rest } = options;
  const attributes = attributesOf(where, rest as Conv2dOptions, x.shape, w.shape);
  const { strides, pads, dilations, groups } = attributes;
  const more = pairOf(where, 'outputPadding', outputPadding, 0);
  if (more.some((n, axis) => n >= strides[axis]!)) {
    throw new OptionError({
      where,
      problem: `outputPadding is [${more}], the stride [${strides}]`,
      hint: 'outputPadding must be smaller than the stride',
      values: { outputPadding: more, stride: strides },
    });
  }
  checkOperands(where, ['input', 'filter'], [x, w]);
  if (x.shape[3] !== w.shape[3]) {
    throw new ShapeError({
      where,
      problem: `the filter ${showShape(w.shape)} takes ${w.shape[3]} channels, the input ${showShape(x.shape)} has ${x.shape[3]}`,
      hint: 'the filter is (kh, kw, outChannels / groups, channels)',
      values: { input: x.shape, filter: w.shape },
    });
  }
  checkChannels(where, w.shape[2]! * groups, w.shape[3]!, w.shape[2]!, groups);
  const size = [0, 1].map(
    (axis) =>
      (x.shape[axis + 1]! - 1) * strides[axis]! -
      pads[2 * axis]! -
      pads[2 * axis + 1]! +
      (w.shape[axis]! - 1) * dilations[axis]! +
      1 +
      more[axis]!,
  );
  if (sizeOf(w.shape.slice(0, 2)) < 1 || size.some((n) => n < 1)) {
    throw new ShapeError({
      where,
      problem: `an input of ${showShape(x.shape)} and a filter of ${showShape(w.shape)} give an output of height ${size[0]}, width ${size[1]}`,
      hint: 'size = (input - 1) * stride - padding at both ends + (kernel - 1) * dilation + 1 + outputPadding must be >= 1',
      values: { input: x.shape, filter: w.shape, size },
    });
  }
  return record(inputDefinition, [x, w], { ...attributes, size });
}

/** Options of `conv1d`. */
export interface Conv1dOptions {
  readonly stride?: number;
  /** Zeros at both ends, [before, after], 'same' or 'valid', as in Conv2dOptions. */
  readonly padding?: number | readonly [number, number] | 'same' | 'valid';
  readonly dilation?: number;
  readonly groups?: number;
}

/** A one-dimensional operand seen as one of height 1, by putting an axis of size 1 at `at`. */
function flat(where: string, what: string, layout: string, t: Tensor, at: number): Tensor {
  if (t.rank === 3) return reshape(t, t.shape.toSpliced(at, 0, 1));
  throw new ShapeError({
    where,
    problem: `the ${what} is ${showShape(t.shape)}, ${t.rank} axes instead of 3`,
    hint: `it is ${layout}`,
    values: { [what]: t.shape },
  });
}

/** Options of one axis as those of two, of which the first does nothing. */
function alongWidth(
  where: string,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: Conv1dOptions,
): Conv2dOptions {
  for (const [name, value] of Object.entries({ stride, dilation })) {
    if (typeof value === 'number') continue;
    throw new OptionError({
      where,
      problem: `${name} is ${JSON.stringify(value)}`,
      hint: 'a whole number >= 1',
    });
  }
  const sides = typeof padding === 'number' ? ([padding, padding] as const) : padding;
  return {
    stride: [1, stride],
    padding: typeof sides === 'string' ? sides : [[0, 0], sides],
    dilation: [1, dilation],
    groups,
  };
}

const rows = (t: Tensor): Tensor => reshape(t, t.shape.toSpliced(1, 1));

/** Convolution along one axis: x (batch, length, channels) with w (k, channels / groups, filters); as conv2d. */
export function conv1d(x: Tensor, w: Tensor, options: Conv1dOptions = {}): Tensor {
  const where = 'conv1d';
  const image = flat(where, 'input', '(batch, length, channels)', x, 1);
  const filter = flat(where, 'filter', '(k, channels / groups, filters)', w, 0);
  return rows(conv2d(image, filter, alongWidth(where, options)));
}

/** Options of `convTranspose1d`. */
export interface ConvTranspose1dOptions extends Omit<Conv1dOptions, 'padding'> {
  readonly padding?: number | readonly [number, number] | 'valid';
  readonly outputPadding?: number;
}

/** Transposed convolution along one axis: x (batch, length, channels) with w (k, outChannels / groups, channels). */
export function convTranspose1d(x: Tensor, w: Tensor, options: ConvTranspose1dOptions = {}): Tensor {
  const where = 'convTranspose1d';
  const { outputPadding = 0, ...rest } = options;
  const image = flat(where, 'input', '(batch, length, channels)', x, 1);
  const filter = flat(where, 'filter', '(k, outChannels / groups, channels)', w, 0);
  const both = alongWidth(where, rest) as ConvTranspose2dOptions;
  return rows(convTranspose2d(image, filter, { ...both, outputPadding: [0, outputPadding] }));
}
