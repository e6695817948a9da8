// Convolutions of 8-bit whole numbers, for inference: an image is a packed row with one scale, and so is each filter.
import { type DType, requireDType, type Shape, showShape, sizeOf } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { type Attributes, record, type Spec, type Tensor } from '../graph.js';
import { eachPlace, sizesOf } from './conv.js';
import {
  attributesOf,
  type Conv2dOptions,
  type ConvAttributes,
  type ConvGeometry,
  checkChannels,
  geometryOf,
  positions,
} from './conv-geometry.js';
import type { ConvCase } from './conv-samples.js';
import { type KernelOp, type Sample, type Site, streamingCost, suffix } from './define.js';
import { byteAt, mostWords, wordsOfRow } from './int8.js';
import { convInt8Shader } from './quantize-shaders.js';

const floats: readonly DType[] = ['float32', 'float64'];
const where = 'conv2dInt8';

type Int8Attributes = ConvAttributes & {
  /** [height, width, channels] of an image. */
  readonly image: Shape;
  /** [kh, kw] */
  readonly kernel: Shape;
};

const depthOf = ({ image, groups }: Int8Attributes): number => image[2]! / groups;
const elementsOf = (attributes: Int8Attributes): number => sizeOf(attributes.kernel) * depthOf(attributes);

function check(inputs: readonly Spec[], attributes: Int8Attributes): void {
  const [x, w, scaleX, scaleW] = inputs as [Spec, Spec, Spec, Spec];
  for (const packed of [x, w]) requireDType(where, packed.dtype, ['int32']);
  for (const scale of [scaleX, scaleW])
    requireDType(where, scale.dtype, scale === scaleX ? floats : [scaleX.dtype]);
  const { image, kernel, groups } = attributes;
  const rows = [
    { what: 'images', of: x, scale: scaleX, length: sizeOf(image), most: Number.POSITIVE_INFINITY },
    { what: 'filters', of: w, scale: scaleW, length: elementsOf(attributes), most: mostWords },
  ];
  for (const { what, of, scale, length, most } of rows) {
    const words = wordsOfRow(length);
    const fits = of.shape.length === 2 && of.shape[1] === words && words <= most;
    if (fits && scale.shape.length === 1 && scale.shape[0] === of.shape[0]) continue;
    throw new ShapeError({
      where,
      problem: `${what} of ${length} numbers are ${showShape(of.shape)}, their scales ${showShape(scale.shape)}`,
      hint: `(count, ${words}) words, packed by quantizeRows, of filters at most ${mostWords}, and (count) scales`,
      values: { packed: of.shape, scale: scale.shape, image, kernel },
    });
  }
  checkChannels(where, image[2]!, w.shape[0]!, depthOf(attributes), groups);
}

function geometry({ inputs: [x, w], output, attributes }: Site<Int8Attributes>): ConvGeometry {
  const filter = [...attributes.kernel, depthOf(attributes), w!.shape[0]!];
  return geometryOf([x!.shape[0]!, ...attributes.image], filter, output.shape, attributes);
}

const cases: readonly ConvCase[] = [
  [[2, 5, 6, 3], [3, 3, 3, 5], { padding: 1 }],
  [[1, 7, 7, 1], [3, 2, 1, 9], { stride: [2, 1] }],
  [
    [3, 6, 5, 8],
    [1, 1, 8, 4],
  ],
  [[2, 9, 8, 4], [3, 3, 2, 6], { groups: 2, dilation: [2, 1], padding: [2, 1] }],
  [[1, 4, 19, 16], [2, 3, 16, 8], { padding: 'same' }],
];

/** The same convolutions of packed numbers. */
export function samplesOfInt8(list: readonly ConvCase[]): Sample<Int8Attributes>[] {
  const packed = { dtype: 'int32', range: [-(2 ** 31), 2 ** 31] } as const;
  return list.map(([x, w, options = {}]) => {
    const [batch, ...image] = x as [number, ...number[]];
    const [kh, kw, depth, filters] = w as [number, number, number, number];
    return {
      inputs: [
        { ...packed, shape: [batch, wordsOfRow(sizeOf(image))] },
        { ...packed, shape: [filters, wordsOfRow(kh * kw * depth)] },
        { shape: [batch], range: [0.001, 0.01] },
        { shape: [filters], range: [0.001, 0.01] },
      ],
      attributes: { ...attributesOf(where, options, x, w), image, kernel: [kh, kw] },
    };
  });
}

const definition: KernelOp<Int8Attributes> = {
  kind: 'kernel',
  name: where,
  infer(inputs, attributes) {
    check(inputs, attributes);
    const [x, w, scale] = inputs as [Spec, Spec, Spec];
    const size = positions(where, attributes.image, attributes.kernel, attributes);
    return { shape: [x.shape[0]!, ...size, w.shape[0]!], dtype: scale.dtype };
  },
  gradient: null,
  reference(context) {
    const { inputs, values, out, attributes } = context;
    const g = geometry(context);
    const [x, w, scaleX, scaleW] = values;
    const [wordsX, wordsW] = inputs.map(({ shape }) => shape[1]!) as [number, number];
    const depth = depthOf(attributes);
    const image = g.height * g.width;
    const total = new Float64Array(out.length);
    eachPlace(g, (input, tap, output) => {
      const n = Math.trunc(input / image);
      for (let f = 0; f < g.filters; f++) {
        const first = (input % image) * g.channels + Math.trunc((f * g.groups) / g.filters) * depth;
        for (let c = 0; c < depth; c++) {
          const product = byteAt(x!, n * wordsX, first + c) * byteAt(w!, f * wordsW, tap * depth + c);
          total[output * g.filters + f]! += product;
        }
      }
    });
    const perImage = g.outHeight * g.outWidth * g.filters;
    for (let i = 0; i < out.length; i++)
      out[i] = total[i]! * (scaleX![Math.trunc(i / perImage)]! * scaleW![i % g.filters]!);
  },
  // Two multiply-adds of 8 bits cost about what one of a float does.
  cost: (site) => streamingCost(site, elementsOf(site.attributes)),
  samples: WITH_SAMPLES ? samplesOfInt8(cases) : [],
  wasm: {
    calls(site) {
      const g = geometry(site);
      const [wordsX, wordsW] = site.inputs.map(({ shape }) => shape[1]!) as [number, number];
      const operands = ['output' as const, ...[0, 1, 2, 3].map((input) => ({ input }))];
      const args = [...operands, ...sizesOf(g), wordsX, wordsW, 'ownScratch', 'scratchBytes'] as const;
      const scratch = { bytesFrom: 'convInt8ScratchBytes', args: [g.outWidth, wordsW] };
      return [{ kernel: `convInt8_${suffix(site.output.dtype)}`, args, scratch }];
    },
  },
  webgpu: {
    calls: (site) => convInt8Shader(geometry(site), site.inputs[0]!.shape[1]!, site.inputs[1]!.shape[1]!),
  },
};

/**
 * conv2d of packed numbers: images (batch, words), each a row of height * width * channels numbers, with filters
 * (filters, words), each a row of kh * kw * channels / groups, times the scales (batch) and (filters) of both: floats,
 * (batch, height', width', filters). The sums are exact whole numbers. No gradient.
 * @param image [height, width, channels]
 * @param kernel [kh, kw]
 */
export const conv2dInt8 = /* @__PURE__ */ Object.assign(
  (
    x: Tensor,
    w: Tensor,
    scaleX: Tensor,
    scaleW: Tensor,
    image: Shape,
    kernel: Shape,
    options: Conv2dOptions | ConvAttributes = {},
  ): Tensor => {
    const geometry = 'strides' in options ? options : attributesOf(where, options, [0, ...image], kernel);
    return record(definition, [x, w, scaleX, scaleW], { ...geometry, image, kernel });
  },
  { definition: definition as unknown as KernelOp<Attributes> },
);
