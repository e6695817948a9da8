// Which shaders compute a call, by what the adapter can do and by shapes: one table, whose first match wins where
// tuning.ts has measured nothing else. The .wgsl files say what the constants mean.
import type { ShaderCall } from '../../ops/define.js';
import { keyOf, spread } from '../../ops/shader-calls.js';
import type { Tuned } from '../backend.js';

/** What an adapter can do. */
export interface Capabilities {
  /** It is a CPU in disguise: workgroup memory and barriers cost more than they save, long shaders compile for seconds. */
  readonly software: boolean;
  /** Optional features that the device was given. */
  readonly features: readonly string[];
  /** Invocations of a subgroup at least; 0 where subgroups are not used. */
  readonly subgroup: number;
  /** Its limits, and what the adapter says of itself, where it does. */
  readonly device: {
    readonly limits: Pick<
      GPUSupportedLimits,
      'maxComputeWorkgroupStorageSize' | 'maxComputeInvocationsPerWorkgroup'
    >;
    readonly adapterInfo?: GPUAdapterInfo;
  };
  /** How the trials on this device went, by the names of variants: '' if well, else what was wrong. */
  readonly verdicts: Readonly<Record<string, string>>;
  /** What was measured on this GPU, by `keyOf` calls. */
  readonly tuned: Readonly<Record<string, Tuned>>;
}

export type Sizes = Readonly<Record<string, number>>;

export interface Variant {
  readonly name: string;
  /** Whether the adapter can run it. */
  readonly needs?: (c: Capabilities) => boolean;
  /** Whether it can compute these sizes at all. */
  readonly fits?: (sizes: Sizes) => boolean;
  /** Whether it is the best for these sizes, as far as the rows above it do not match. */
  readonly when?: (sizes: Sizes, c: Capabilities) => boolean;
  /** It is another table of variants. */
  readonly table?: string;
  /**
   * Before it is used it has to compute on the device what the last row of its table does, with these values of HALF:
   * trials.ts.
   */
  readonly trial?: readonly number[];
  calls(call: ShaderCall, c: Capabilities): ShaderCall[];
}

const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);

/** Tile of a workgroup (EXTENT0 rows, EXTENT1 columns, BK deep) and of an invocation (TM, TN). */
export interface Tile {
  readonly EXTENT0: number;
  readonly EXTENT1: number;
  readonly BK: number;
  readonly TM: number;
  readonly TN: number;
  /** 1: the next tile is loaded during the work on one, which takes twice the memory. */
  readonly DOUBLE?: number;
  readonly PAD?: number;
}

/** Workgroups that a large GPU needs to be busy. */
const busy = 128;

const groupsOf = ({ M, N, BATCH }: Sizes, { EXTENT0, EXTENT1 }: Tile): number =>
  ceilDiv(M!, EXTENT0) * ceilDiv(N!, EXTENT1) * BATCH!;

/** Where few tiles come of a long k, it is cut into parts. */
const partsFor = (sizes: Sizes, tile: Tile): number =>
  Math.max(1, Math.min(Math.floor(busy / 2 / (groupsOf(sizes, tile) || busy)), Math.floor(sizes.K! / 256)));

/** A product by tiles in workgroup memory, its k in so many parts at most; these are summed up in order. */
export function tiled(call: ShaderCall, tile: Tile, parts: number, { features }: Capabilities): ShaderCall[] {
  const { M, N, K, BATCH, TRANS_A, TRANS_B, LANES, ...rest } = call.constants as Record<string, number>;
  const { EXTENT0, EXTENT1, BK, TM, TN, DOUBLE = 0 } = tile;
  const PART = parts > 1 ? ceilDiv(ceilDiv(K!, parts), BK) * BK : K!;
  const count = parts > 1 ? ceilDiv(K!, PART) : 1;
  const threads = (EXTENT0 * EXTENT1) / TM / TN;
  const HALF = rest.HALF && 1 + Number(features.includes('shader-f16'));
  const TURN0 = Number(LANES === 4 && !TRANS_A);
  const TURN1 = Number(LANES === 4 && !!TRANS_B);
  const elements = rest.ELEMENTS ?? BATCH! * M! * N!;
  const TILES = groupsOf(call.constants, tile) * count;
  const product: ShaderCall = {
    ...call,
    shader: 'matmul',
    constants: {
      STRIDE: M! * N!,
      ROW0: TRANS_A ? M! : K!,
      ROW1: TRANS_B ? K! : N!,
      ROW: N!,
      ...{ CONV: 0, PAD: 0 },
      ...call.constants,
      ...tile,
      ...{ DOUBLE, HALF: HALF!, TURN0, TURN1, TILES, PART, PART_STRIDE: elements },
      ALONG0: TRANS_A!,
      ALONG1: 1 - TRANS_B!,
      UNITS0: ceilDiv((EXTENT0 * BK) / (TURN0 ? 16 : 4), threads),
      UNITS1: ceilDiv((EXTENT1 * BK) / (TURN1 ? 16 : 4), threads),
      WIDTH: LANES === 4 ? 4 : HALF ? 2 : 1,
    },
    workgroups: spread(TILES),
  };
  if (count === 1) return [product];
  const COUNT = elements / LANES!;
  return [
    { ...product, bindings: [...call.bindings.slice(0, 2), 'scratch'], scratch: elements * count },
    {
      shader: 'sum_parts',
      constants: { COUNT, PARTS: count, LANES: LANES! },
      bindings: ['scratch', 'output'],
      workgroups: spread(ceilDiv(COUNT, 64)),
    },
  ];
}

export interface Row {
  readonly tile: Tile;
  readonly when: (sizes: Sizes, tiles: number) => boolean;
}

const row = (
  when: Row['when'],
  [EXTENT0, EXTENT1, BK]: readonly [number, number, number],
  [TM, TN]: readonly [number, number],
  DOUBLE = 0,
): Row => ({ when, tile: { EXTENT0, EXTENT1, BK, TM, TN, DOUBLE } });

/** Tiles of products, small ones first, then by how many come of a product. */
const rows: readonly Row[] = [
  row(({ M, N }) => M! <= 16 && N! <= 16, [16, 16, 32], [4, 4]),
  row(({ M }) => M! <= 16, [16, 64, 32], [4, 4]),
  row(({ N }) => N! <= 16, [64, 16, 32], [4, 4]),
  row((_, tiles) => tiles >= busy, [128, 128, 8], [8, 8], 1),
  row((_, tiles) => tiles >= busy, [64, 128, 8], [4, 8], 1),
  row((_, tiles) => tiles >= busy / 2, [64, 64, 16], [4, 4], 1),
  row(() => true, [32, 32, 32], [4, 4]),
];

/**
 * A variant for each kind of tile. `product` gives the sizes of the product that a call comes to, `more` the bytes that
 * its shader needs beside the tiles for each row.
 */
export const tileVariants = (
  calls: typeof tiled = tiled,
  product: (sizes: Sizes) => Sizes = (sizes) => sizes,
  more = 0,
  list = rows,
): Variant[] =>
  list.map(({ tile, when }) => {
    const { EXTENT0, EXTENT1, BK, TM, TN, DOUBLE = 0 } = tile;
    const bytes = (EXTENT0 + EXTENT1) * BK * 4 * (1 + DOUBLE) + more * EXTENT0;
    return {
      name: `${EXTENT0}x${EXTENT1}x${BK} by ${TM}x${TN}${DOUBLE ? ' double' : ''}`,
      needs: ({ software, device }) => !software && bytes <= device.limits.maxComputeWorkgroupStorageSize,
      when: (sizes) => when(product(sizes), groupsOf(product(sizes), tile)),
      calls: (call, c) => calls(call, tile, partsFor(product(call.constants), tile), c),
    };
  });

/** A variant that another table, of variants-extra.ts, goes on from. */
const further = (name: string, conditions: Omit<Variant, 'name' | 'calls'>): Variant => ({
  name,
  table: name,
  ...conditions,
  calls: (call, c) => choose({ ...call, shader: name }, c),
});

/** By what an op calls. Those of variants-extra.ts come when they are needed. */
export const variants: Record<string, readonly Variant[]> = {
  product: [
    further('direct', { needs: ({ software }) => software }),
    further('vectors', { fits: ({ M, N }) => Math.min(M!, N!) <= 4 }),
    further('subgroups', { when: ({ M, N }, { subgroup }) => subgroup > 0 && Math.min(M!, N!) >= 64 }),
    ...tileVariants(),
  ],
  reduce: [
    further('parts', {
      fits: ({ OUTER, INNER }) => OUTER! * INNER! > 0,
      when: ({ OUTER, REDUCE, INNER }) => REDUCE! >= 8192 && OUTER! * INNER! <= 2 * busy,
    }),
  ],
};

/** What variants elsewhere are made with. */
export const toolbox = { spread, tiled, tileVariants, busy };
export type Toolbox = typeof toolbox;

/** The variants that can compute a call on this adapter. */
export const usable = ({ shader, constants }: ShaderCall, c: Capabilities): Variant[] | undefined =>
  variants[shader]?.filter(
    ({ name, needs, fits }) => (needs?.(c) ?? true) && (fits?.(constants) ?? true) && !c.verdicts[name],
  );

/** The calls that compute `call` on this adapter; the shader 'trial' where that waits for one. */
export function choose(call: ShaderCall, c: Capabilities): ShaderCall[] {
  const list = usable(call, c);
  const known = c.tuned[keyOf(call)]?.variant;
  const found =
    list?.find(({ name }) => name === known) ?? list?.find(({ when }) => when?.(call.constants, c) ?? true);
  if (found?.trial && !(found.name in c.verdicts)) return [{ ...call, shader: 'trial' }];
  return found?.calls(call, c) ?? [call];
}
