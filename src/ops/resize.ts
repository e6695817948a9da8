// Images and sequences of another size: one axis after the other, each by one kernel that mixes two rows.
import { normalizeAxis, requireDType, showShape, sizeOf } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { resampleShader } from './axis-shaders.js';
import { type KernelOp, type Sample, type Site, streamingCost, suffix } from './define.js';

type ResampleAttributes = {
  readonly axis: number;
  /** Rows before and after. */
  readonly size: number;
  readonly to: number;
  readonly linear: boolean;
  readonly alignCorners: boolean;
};

/** Rows i0 and i1 that row j is made of, and the part of i1; places are fractions of whole numbers. */
function tap(j: number, { size, to, linear, alignCorners }: ResampleAttributes): [number, number, number] {
  if (!linear) return [Math.floor((j * size) / to), Math.floor((j * size) / to), 0];
  const unit = alignCorners ? Math.max(to - 1, 1) : 2 * to;
  const position = alignCorners ? (to > 1 ? j * (size - 1) : 0) : Math.max((2 * j + 1) * size - to, 0);
  const first = Math.floor(position / unit);
  return [first, Math.min(first + 1, size - 1), (position % unit) / unit];
}

const view = ({ inputs: [x], attributes }: Pick<Site<ResampleAttributes>, 'inputs' | 'attributes'>) => ({
  ...attributes,
  outer: sizeOf(x!.shape.slice(0, attributes.axis)),
  inner: sizeOf(x!.shape.slice(attributes.axis + 1)),
});

const cases: [number[], ResampleAttributes][] = [
  [[3], { axis: 0, size: 3, to: 7, linear: false, alignCorners: false }],
  [[2, 5, 3], { axis: 1, size: 5, to: 3, linear: false, alignCorners: false }],
  [[2, 3, 5], { axis: 1, size: 3, to: 6, linear: true, alignCorners: false }],
  [[2, 7], { axis: 1, size: 7, to: 3, linear: true, alignCorners: false }],
  [[4, 2], { axis: 0, size: 4, to: 9, linear: true, alignCorners: true }],
  [[1, 6, 2], { axis: 1, size: 6, to: 4, linear: true, alignCorners: true }],
];

function resampling(name: 'resample' | 'resampleGradient'): KernelOp<ResampleAttributes> {
  const back = name === 'resampleGradient';
  return {
    kind: 'kernel',
    name,
    infer([x], { axis, size, to }): Spec {
      requireDType(name, x!.dtype, ['float32', 'float64']);
      return { shape: x!.shape.with(axis, back ? size : to), dtype: x!.dtype };
    },
    gradient: ({ dy, attributes }) => [record(back ? definition : gradientDefinition, [dy], attributes)],
    reference({ inputs, values: [from], out, attributes }) {
      const { outer, inner, size, to } = view({ inputs, attributes });
      out.fill(0);
      for (let o = 0; o < outer; o++) {
        for (let j = 0; j < to; j++) {
          const [first, second, part] = tap(j, attributes);
          for (let i = 0; i < inner; i++) {
            const after = (o * to + j) * inner + i;
            const before = [(o * size + first) * inner + i, (o * size + second) * inner + i] as const;
            if (!back) out[after] = from![before[0]]! * (1 - part) + from![before[1]]! * part;
            else {
              out[before[0]]! += from![after]! * (1 - part);
              out[before[1]]! += from![after]! * part;
            }
          }
        }
      }
    },
    cost: (site) => streamingCost(site, 3),
    samples: WITH_SAMPLES
      ? cases.map(
          ([shape, attributes]): Sample<ResampleAttributes> => ({
            inputs: [{ shape: back ? shape.with(attributes.axis, attributes.to) : shape }],
            attributes,
          }),
        )
      : [],
    wasm: {
      calls(site) {
        const { outer, inner, size, to, linear, alignCorners } = view(site);
        const numbers = [outer, size, to, inner, Number(linear), Number(alignCorners)];
        return [
          {
            kernel: `${name}_${suffix(site.output.dtype)}`,
            args: ['output', { input: 0 }, ...numbers, 'scratch', 'scratchBytes'],
            scratch: { bytesFrom: 'resampleScratchBytes', args: [to] },
          },
        ];
      },
    },
    webgpu: { calls: (site) => resampleShader(view(site), back) },
  };
}

const definition = /* @__PURE__ */ resampling('resample');
const gradientDefinition = /* @__PURE__ */ resampling('resampleGradient');

/** Options of `resize`. */
export interface ResizeOptions {
  /** 'nearest' (the one before the place, as PyTorch's) where not said, or 'bilinear'. */
  mode?: 'nearest' | 'bilinear';
  /** For bilinear: the centres of the corner pixels meet; else, as where not said, the corners of the image. */
  alignCorners?: boolean;
}

const largest = 2 ** 15;

/** `to` rows instead of those along the axis: copies of the nearest, or linear between two. See `resize`. */
export const resample = /* @__PURE__ */ Object.assign(
  (
    x: Tensor,
    to: number,
    axis: number,
    { mode = 'nearest', alignCorners = false }: ResizeOptions = {},
  ): Tensor => {
    const at = normalizeAxis('resize', axis, x.rank);
    const size = x.shape[at]!;
    if (mode !== 'nearest' && mode !== 'bilinear') {
      throw new OptionError({
        where: 'resize',
        problem: `mode is ${String(mode)}`,
        hint: "'nearest' or 'bilinear'",
        values: { mode },
      });
    }
    if (!Number.isInteger(to) || to < 1 || to >= largest || size < 1 || size >= largest) {
      throw new ShapeError({
        where: 'resize',
        problem: `axis ${at} of ${showShape(x.shape)} cannot get ${to} elements instead of ${size}`,
        hint: `whole numbers from 1, below ${largest}`,
        values: { shape: x.shape, axis: at, size: to },
      });
    }
    if (size === to) return x;
    return record(definition, [x], { axis: at, size, to, linear: mode === 'bilinear', alignCorners });
  },
  { definition: definition as unknown as KernelOp<Attributes> },
);

/** The gradient of `resample`: adds each of the rows to those that it was made of. */
export const resampleGradient = /* @__PURE__ */ Object.assign(
  (dy: Tensor, attributes: ResampleAttributes): Tensor => record(gradientDefinition, [dy], attributes),
  { definition: gradientDefinition as unknown as KernelOp<Attributes> },
);

/**
 * (batch, ...sizes, channels) at other sizes, as PyTorch's interpolate: `resize(images, [56, 56], { mode: 'bilinear' })`
 * for images (batch, height, width, channels), one size for sequences (batch, length, channels). Errors: ShapeError,
 * OptionError, DTypeError.
 */
export function resize(x: Tensor, sizes: readonly number[], options?: ResizeOptions): Tensor {
  if (x.rank < 3 || sizes.length !== x.rank - 2) {
    throw new ShapeError({
      where: 'resize',
      problem: `sizes [${sizes}] do not fit ${showShape(x.shape)}`,
      hint: 'x is (batch, ...sizes, channels): one size for each axis between batch and channels',
      values: { shape: x.shape, sizes },
    });
  }
  // Axes that shrink go first: less is left to do.
  const order = sizes.map((to, i) => ({ to, axis: i + 1 }));
  order.sort((a, b) => a.to / x.shape[a.axis]! - b.to / x.shape[b.axis]! || a.axis - b.axis);
  return order.reduce((t, { to, axis }) => resample(t, to, axis, options), x);
}
