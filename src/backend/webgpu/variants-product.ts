// Variants of products for GPUs: without workgroup memory, with one vector, with subgroups, with matrix units.
import type { ShaderCall } from '../../ops/define.js';
import type { Capabilities, Row, Sizes, Tile, Toolbox, Variant } from './variants.js';

type Tiled = Toolbox['tiled'];

/** What of a convolution, or of a product as it is, comes to tiles: see `tileVariants`. */
export interface Tiling {
  readonly product: (sizes: Sizes) => Sizes;
  /** The calls of a product, given what makes tiles of one. */
  readonly with: (tiled: Tiled) => Tiled;
  /** Bytes of workgroup memory beside the tiles, for each of their rows. */
  readonly more: number;
}

/** Without workgroup memory. */
export function direct({ constants, ...call }: ShaderCall, { spread }: Toolbox): ShaderCall[] {
  const { M, N, BATCH, LANES, TRANS_A, TRANS_B } = constants as Record<string, number>;
  const KSTEP = LANES === 4 && (!TRANS_A || TRANS_B) ? 4 : 1;
  const invocations = Math.ceil(M! / 4) * Math.ceil(N! / 8) * BATCH!;
  const sized = { HALF: 0, ...constants, KSTEP };
  return [
    { ...call, shader: 'matmul_direct', constants: sized, workgroups: spread(Math.ceil(invocations / 64)) },
  ];
}

/** A product with a side of one to four rows or columns. */
export function vectors(call: ShaderCall, { spread }: Toolbox): ShaderCall[] {
  const { M, N, K, BATCH, TRANS_A, TRANS_B } = call.constants as Record<string, number>;
  const MATRIX = Number(M! <= N!);
  const [VECTORS, LENGTH] = MATRIX ? [M!, N!] : [N!, M!];
  const ALONG = MATRIX ? 1 - TRANS_B! : TRANS_A!;
  const inRows = MATRIX ? !TRANS_A : !!TRANS_B;
  const [TX, TY] = ALONG ? [32, 8] : [4, 64];
  const sizes = {
    ...{ LENGTH, VECTORS, ROW: ALONG ? LENGTH : K!, MATRIX, VECTOR: 1 - MATRIX, ALONG, TX, TY, LANES: 1 },
    ...(inRows ? { NEXT_K: 1, NEXT_V: K! } : { NEXT_K: VECTORS, NEXT_V: 1 }),
    ...(MATRIX ? { OUT_L: 1, OUT_V: LENGTH } : { OUT_L: VECTORS, OUT_V: 1 }),
  };
  return [
    {
      ...call,
      shader: 'matvec',
      constants: { ...call.constants, ...sizes },
      types: { State: VECTORS > 1 ? `vec${VECTORS}f` : 'f32' },
      workgroups: spread(BATCH! * Math.min(VECTORS, 1) * Math.ceil(LENGTH / TX)),
    },
  ];
}

/** GPUs on which a register of another lane costs less than workgroup memory; see gpu/matmul_subgroup.wgsl. */
const broadcastsWell = /^(amd|intel)/;

const subgroupRows = (busy: number): readonly Row[] => [
  { tile: { EXTENT0: 64, EXTENT1: 256, BK: 16, TM: 8, TN: 8 }, when: (_, tiles) => tiles >= busy },
  { tile: { EXTENT0: 32, EXTENT1: 256, BK: 16, TM: 8, TN: 4 }, when: (_, tiles) => tiles >= busy },
  { tile: { EXTENT0: 32, EXTENT1: 128, BK: 16, TM: 4, TN: 4 }, when: (_, tiles) => tiles >= busy / 2 },
];

/** Tiles of which A goes to the registers of subgroups. */
export function subgroupVariants(tools: Toolbox, tiling: Tiling): Variant[] {
  const broadcast: Tiled = (call, tile, parts, c) => {
    const [product, ...sum] = tools.tiled(call, tile, parts, c) as [ShaderCall, ...ShaderCall[]];
    const { LANES, ALONG0 } = product.constants;
    const KSTEP = ALONG0 ? 1 : LANES!;
    const constants = { ...product.constants, KSTEP, LOADS0: LANES! > KSTEP ? tile.TM / 4 : tile.TM };
    return [{ ...product, shader: 'matmul_subgroup', constants }, ...sum];
  };
  const list = subgroupRows(tools.busy);
  return tools.tileVariants(tiling.with(broadcast), tiling.product, tiling.more, list).map((variant, i) => {
    const { EXTENT1, TN } = list[i]!.tile;
    return {
      ...variant,
      name: `subgroup ${variant.name}`,
      trial: [0, 1],
      needs: (c) =>
        variant.needs!(c) && c.subgroup > 0 && (c.device.adapterInfo?.subgroupMaxSize ?? 128) <= EXTENT1 / TN,
      when: (sizes, c) => broadcastsWell.test(c.device.adapterInfo?.vendor ?? '') && variant.when!(sizes, c),
    };
  });
}

/** What matrix units multiply: (M, K) by (K, N), and the types of both, and of the sums. */
export interface MatrixUnit {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Side of the square that a subgroup makes, at least. */
const square = 32;

/**
 * The units for packed halves, or for floats: floats are never rounded to halves on the way, and sums are always float32.
 * Halves may go to units of floats. An adapter lists first what it likes best.
 */
export function unitFor(
  half: boolean,
  { device, features }: Pick<Capabilities, 'device' | 'features'>,
): MatrixUnit | undefined {
  const all = [
    ...((device.adapterInfo as { subgroupMatrixConfigs?: Iterable<MatrixUnit> } | undefined)
      ?.subgroupMatrixConfigs ?? []),
  ];
  const types = half && features.includes('shader-f16') ? ['f16', 'f32'] : ['f32'];
  return types
    .flatMap((type) => all.filter(({ componentType }) => componentType === type))
    .find(
      ({ resultComponentType, M, N, K }) =>
        resultComponentType === 'f32' &&
        [M, N].every((side) => side % 4 === 0 && square % side === 0) &&
        matrixRows.every(({ tile }) => tile.BK % K === 0),
    );
}

/** Invocations of a subgroup in shaders that use the units, and whether that has to be asked for; undefined: not to be had. */
export function subgroupSize({
  device,
  features,
}: Capabilities): { SIZE: number; SIZED: number } | undefined {
  const { subgroupMinSize: least = 0, subgroupMaxSize: most = 0 } = device.adapterInfo ?? {};
  if (least === most) return most > 0 ? { SIZE: most, SIZED: 0 } : undefined;
  if (!features.includes('subgroup-size-control')) return undefined;
  return { SIZE: Math.max(least, Math.min(most, 32)), SIZED: 1 };
}

interface MatrixTile extends Tile {
  readonly SUBGROUPS: number;
  /** Subgroups across. */
  readonly SIDES: number;
}

/** TM and TN follow from the size of subgroups. */
const matrixTile = (EXTENT0: number, EXTENT1: number, BK: number, SUBGROUPS: number): MatrixTile => ({
  ...{ EXTENT0, EXTENT1, BK, SUBGROUPS },
  ...{ SIDES: 2, TM: 8, TN: 0, PAD: 2 },
});

const matrixRows: readonly (Row & { tile: MatrixTile })[] = [
  { tile: matrixTile(128, 128, 32, 8), when: (_, tiles) => tiles >= 128 },
  { tile: matrixTile(64, 64, 32, 4), when: ({ M, N }) => Math.min(M!, N!) >= square },
];

const feature = 'chromium-experimental-subgroup-matrix';

/** Tiles that matrix units multiply: of floats, or of packed halves. */
export function matrixVariants(half: boolean, tools: Toolbox, tiling: Tiling): Variant[] {
  const multiplied: Tiled = (call, tile, parts, c) => {
    const { SUBGROUPS, SIDES, EXTENT0, EXTENT1, TM } = tile as MatrixTile;
    const { M, N, K, componentType: Unit } = unitFor(half, c)!;
    const size = subgroupSize(c)!;
    const shared = { ...tile, TN: (EXTENT0 * EXTENT1) / TM / (SUBGROUPS * size.SIZE) };
    const features = Unit === 'f16' ? c.features : []; // what the cells of tiles follow from
    const [product, ...sum] = tools.tiled(call, shared, parts, { ...c, features }) as [
      ShaderCall,
      ...ShaderCall[],
    ];
    const own = {
      ...{ UM: M, UN: N, UK: K, ...size },
      DOWN: EXTENT0 / (SUBGROUPS / SIDES) / M,
      ACROSS: EXTENT1 / SIDES / N,
    };
    const constants = { ...product.constants, ...own };
    return [{ ...product, shader: 'matmul_matrix', constants, types: { Unit } }, ...sum];
  };
  const list = tools.tileVariants(tiling.with(multiplied), tiling.product, tiling.more, matrixRows);
  return list.map((variant, i) => {
    const { EXTENT0, EXTENT1, BK, SUBGROUPS } = matrixRows[i]!.tile;
    return {
      ...variant,
      name: `matrix ${EXTENT0}x${EXTENT1}x${BK}${half ? ' halves' : ''}`,
      trial: [Number(half)],
      needs: (c) => {
        const { maxComputeInvocationsPerWorkgroup: most, maxComputeWorkgroupStorageSize: room } =
          c.device.limits;
        const unit = unitFor(half, c);
        const size = subgroupSize(c);
        if (!unit || !size || !c.subgroup || !c.features.includes(feature)) return false;
        const tiles = (EXTENT0 + EXTENT1 + 16) * BK * (unit.componentType === 'f16' ? 2 : 4);
        const bytes = tiles + SUBGROUPS * unit.M * unit.N * 4 + tiling.more * EXTENT0;
        // Dawn wants whole subgroups of the largest size.
        const whole = (SUBGROUPS * size.SIZE) % c.device.adapterInfo!.subgroupMaxSize === 0;
        return whole && SUBGROUPS * size.SIZE <= most && bytes <= room;
      },
      fits: ({ HALF }) => !!HALF === half,
    };
  });
}

/** What products on GPUs with subgroups choose from; the first ones wait for a trial. */
export const subgroupTable = (tools: Toolbox, tiling: Tiling): Variant[] => [
  ...[false, true].flatMap((half) => matrixVariants(half, tools, tiling)),
  ...subgroupVariants(tools, tiling),
  ...tools.tileVariants(tiling.with(tools.tiled), tiling.product, tiling.more),
];

/** A product as it is. */
export const plain: Tiling = { product: (sizes) => sizes, with: (tiled) => tiled, more: 0 };
