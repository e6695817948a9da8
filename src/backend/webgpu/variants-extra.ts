// Variants of kernels that a multilayer perceptron does not need. What they need of the core comes as an argument, as a bundler
// would cut the core in two if they imported it.
import type { ShaderCall } from '../../ops/define.js';
import type { Sizes, Toolbox, Variant } from './variants.js';
import { axisVariants } from './variants-axis.js';
import { direct, plain, subgroupTable, vectors } from './variants-product.js';

/** The product of matrices that a convolution is; a group of channels is one of the batch. See gpu/conv_gather.wgsl. */
interface AsProduct {
  /** Shader that computes each element of the result on its own. */
  readonly plain: string;
  readonly flags: Sizes;
  product(s: Record<string, number>): Sizes;
}

const forms: Record<string, AsProduct> = {
  conv2d: {
    plain: 'conv',
    flags: { FORWARD: 1, INPUT: 0, FILTER: 0, TRANS_A: 0, TRANS_B: 0 },
    product: (s) => ({
      M: s.BATCH! * s.OUT_HEIGHT! * s.OUT_WIDTH!,
      N: s.COUNT!,
      K: s.KH! * s.KW! * s.DEPTH!,
      STRIDE0: s.DEPTH!,
      STRIDE1: s.COUNT!,
      STRIDE: s.COUNT!,
      ROW: s.FILTERS!,
    }),
  },
  conv2dInput: {
    plain: 'conv_input',
    flags: { FORWARD: 0, INPUT: 1, FILTER: 0, TRANS_A: 0, TRANS_B: 1 },
    product: (s) => ({
      M: s.BATCH! * s.HEIGHT! * s.WIDTH!,
      N: s.DEPTH!,
      K: s.KH! * s.KW! * s.COUNT!,
      STRIDE0: s.COUNT!,
      STRIDE1: s.COUNT!,
      STRIDE: s.DEPTH!,
      ROW: s.CHANNELS!,
    }),
  },
  conv2dFilter: {
    plain: 'conv_filter',
    flags: { FORWARD: 0, INPUT: 0, FILTER: 1, TRANS_A: 1, TRANS_B: 0 },
    product: (s) => ({
      M: s.KH! * s.KW! * s.DEPTH!,
      N: s.COUNT!,
      K: s.BATCH! * s.OUT_HEIGHT! * s.OUT_WIDTH!,
      STRIDE0: s.DEPTH!,
      STRIDE1: s.COUNT!,
      STRIDE: s.COUNT!,
      ROW: s.FILTERS!,
    }),
  },
};

/** Elements of the result. */
const elementsOf = ({ M, ROW }: Sizes): number => M! * ROW!;

/** Tiles would be empty for the most part. */
const isThin = ({ GROUPS, DEPTH, COUNT }: Sizes): boolean => GROUPS! > 1 && (DEPTH! < 4 || COUNT! < 4);

function convVariants({ plain, flags, product }: AsProduct, tools: Toolbox): Variant[] {
  const { spread } = tools;
  const productOf = (sizes: Sizes): Sizes => ({
    ...product(sizes as Record<string, number>),
    BATCH: sizes.GROUPS!,
  });
  const each = (call: ShaderCall): ShaderCall[] => [
    {
      ...call,
      shader: plain,
      constants: { ...call.constants, LANES: 1, INT8: 0 },
      workgroups: spread(Math.ceil(elementsOf(productOf(call.constants)) / 64)),
    },
  ];
  const gathered =
    (tiled: Toolbox['tiled']): Toolbox['tiled'] =>
    (call, tile, parts, c) => {
      const { LANES, HALF, BATCH: _, ...sizes } = call.constants;
      const of = productOf(call.constants);
      const STRIDED = Number(sizes.SH! * sizes.SW! > 1);
      const constants = {
        ...of,
        ...flags,
        LANES: LANES!,
        HALF: HALF!,
        CONV: 1,
        STRIDED,
        ELEMENTS: elementsOf(of),
      };
      return tiled({ ...call, constants, sizes }, tile, parts, c);
    };
  return [
    { name: 'direct', when: (sizes, { software }) => software || isThin(sizes), calls: each },
    ...subgroupTable(tools, { product: productOf, with: gathered, more: 16 }),
  ];
}

/** A long reduction to few elements in two steps, parts and then their results. */
function reducedInParts(call: ShaderCall, { spread, busy }: Toolbox): ShaderCall[] {
  const { OUTER, REDUCE, INNER } = call.constants as Record<string, number>;
  const outputs = OUTER! * INNER!;
  const PART = Math.ceil(REDUCE! / Math.min(2 * busy, Math.ceil(REDUCE! / 2048)));
  const PARTS = Math.ceil(REDUCE! / PART);
  const TX = Math.min(32, 2 ** Math.ceil(Math.log2(INNER!)));
  const split = { ...call.constants, TX, TY: 256 / TX };
  return [
    {
      ...call,
      shader: 'reduce',
      constants: { ...split, PART, PARTS },
      bindings: [call.bindings[0]!, 'scratch'],
      scratch: outputs * PARTS,
      workgroups: spread(Math.ceil((outputs * PARTS) / TX)),
    },
    {
      ...call,
      shader: 'reduce',
      constants: { ...split, REDUCE: PARTS, PART: PARTS },
      bindings: ['scratch', 'output'],
      workgroups: spread(Math.ceil(outputs / TX)),
    },
  ];
}

export const extraVariants = (tools: Toolbox): Record<string, readonly Variant[]> => ({
  ...Object.fromEntries(Object.entries(forms).map(([name, form]) => [name, convVariants(form, tools)])),
  ...axisVariants(tools),
  direct: [{ name: 'direct', calls: (call) => direct(call, tools) }],
  vectors: [{ name: 'vectors', calls: (call) => vectors(call, tools) }],
  subgroups: subgroupTable(tools, plain),
  parts: [{ name: 'parts', calls: (call) => reducedInParts(call, tools) }],
});
