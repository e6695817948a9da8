// Variants of kernels that work along an axis: sorting, running sums, adding by index.
import type { ShaderBinding, ShaderCall } from '../../ops/define.js';
import type { Sizes, Toolbox, Variant } from './variants.js';

const powerOfTwoAbove = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(2, n)));

/** Places that a workgroup sorts at a time. */
const sortBlock = 1024;
/** As in gpu/cumsum_blocks.wgsl. */
const sumBlock = 512;

/** The calls that sort `from`; places go to `to`, pairs of keys and places from element PAIRS of the scratch memory on. */
function bitonic(
  sizes: Sizes,
  [from, to]: readonly [ShaderBinding, ShaderBinding],
  PAIRS: number,
  { spread }: Toolbox,
): ShaderCall[] {
  const { OUTER, SIZE, INNER } = sizes as Record<string, number>;
  const rows = OUTER! * INNER!;
  const P = powerOfTwoAbove(SIZE!);
  const BLOCK = Math.min(P, sortBlock);
  const THREADS = Math.min(256, BLOCK / 2);
  const whole = P === BLOCK;
  const scratch = whole ? 0 : PAIRS + rows * 2 * P;
  const block = (STAGE: number, MERGE: number, LAST: boolean): ShaderCall => ({
    shader: 'argsort_block',
    constants: { ...sizes, P, PAIRS, STAGE, MERGE, LAST: Number(LAST), BLOCK, THREADS },
    bindings: [
      ...(MERGE ? [] : [from]),
      ...(MERGE || !LAST ? (['scratch'] as const) : []),
      ...(LAST ? [to] : []),
    ],
    scratch,
    workgroups: spread((rows * P) / BLOCK),
  });
  const calls = [block(0, 0, whole)];
  for (let STAGE = 2 * BLOCK; STAGE <= P; STAGE *= 2) {
    for (let APART = STAGE / 2; APART >= BLOCK; APART /= 2) {
      calls.push({
        shader: 'argsort_step',
        constants: { ROWS: rows, P, PAIRS, STAGE, APART },
        bindings: ['scratch'],
        scratch,
        workgroups: spread(Math.ceil((rows * P) / 512)),
      });
    }
    calls.push(block(STAGE, 1, STAGE === P));
  }
  return calls;
}

/** Zeros, then the places sorted by index, then sums of equal ones. `along`: each column has indices of its own. */
function addSorted({ constants, types }: ShaderCall, along: boolean, tools: Toolbox): ShaderCall[] {
  const { OUTER, AXIS, INNER, COUNT } = constants as Record<string, number>;
  const elements = OUTER! * AXIS! * INNER!;
  const order = along ? OUTER! * COUNT! * INNER! : COUNT!;
  const columns = along ? { OUTER: OUTER!, INNER: INNER! } : { OUTER: 1, INNER: 1 };
  const sizes = { ...columns, SIZE: COUNT!, COUNT: COUNT!, TYPE: 1, DESCENDING: 0 };
  const sorting = bitonic(sizes, [{ input: 1 }, 'scratch'], order, tools);
  return [
    {
      shader: 'fill',
      constants: { COUNT: elements, BITS: 0 },
      bindings: ['output'],
      workgroups: tools.spread(Math.ceil(elements / 256)),
    },
    ...sorting.map((call) => ({ ...call, scratch: Math.max(order, call.scratch!) })),
    {
      shader: 'add_sorted',
      constants: { ...constants, ALONG: Number(along) },
      types: types!,
      bindings: [{ input: 0 }, { input: 1 }, 'scratch', 'output'],
      workgroups: tools.spread(Math.ceil((OUTER! * COUNT! * INNER!) / 64)),
    },
  ];
}

function cumsumBlocks({ constants, types }: ShaderCall, { spread }: Toolbox): ShaderCall[] {
  const { OUTER, SIZE, INNER, REVERSE, EXCLUSIVE } = constants as Record<string, number>;
  const BLOCKS = Math.ceil(SIZE! / sumBlock);
  const columns = { OUTER: OUTER!, INNER: INNER! };
  const scratch = OUTER! * BLOCKS * INNER!;
  const blocks = (WRITES: number): ShaderCall => ({
    shader: 'cumsum_blocks',
    constants: { ...columns, SIZE: SIZE!, BLOCKS, REVERSE: REVERSE!, EXCLUSIVE: EXCLUSIVE!, WRITES },
    types: types!,
    bindings: [
      { input: 0 },
      ...(WRITES < 2 ? (['scratch'] as const) : []),
      ...(WRITES ? (['output'] as const) : []),
    ],
    workgroups: spread(OUTER! * BLOCKS * INNER!),
  });
  if (BLOCKS <= 1) return [blocks(2)];
  return [
    { ...blocks(0), scratch },
    {
      shader: 'cumsum',
      constants: { ...columns, SIZE: BLOCKS, REVERSE: 0, EXCLUSIVE: 1 },
      types: types!,
      bindings: ['scratch', 'scratch'],
      workgroups: spread(Math.ceil((OUTER! * INNER!) / 64)),
    },
    blocks(1),
  ];
}

/** Sizes at which an invocation for each element, or each column, is as good. */
export const axisVariants = (tools: Toolbox): Record<string, readonly Variant[]> => {
  const plain = (when: Variant['when'] & {}): Variant => ({ name: 'direct', when, calls: (call) => [call] });
  return {
    argsort: [
      plain(({ SIZE }, { software }) => SIZE! <= (software ? 256 : 32)),
      {
        name: 'bitonic',
        calls: ({ constants, bindings }) => bitonic(constants, [bindings[0]!, bindings[1]!], 0, tools),
      },
    ],
    cumsum: [
      plain(({ OUTER, SIZE, INNER }, { software }) => software || SIZE! <= 64 || OUTER! * INNER! >= 8192),
      { name: 'blocks', calls: (call) => cumsumBlocks(call, tools) },
    ],
    scatter_add: [
      plain(({ AXIS, COUNT }) => AXIS! * COUNT! <= 4096),
      { name: 'sorted', calls: (call) => addSorted(call, false, tools) },
    ],
    add_along: [
      plain(({ OUTER, INNER, COUNT }, { software }) => software || COUNT! <= 64 || OUTER! * INNER! >= 8192),
      { name: 'sorted', calls: (call) => addSorted(call, true, tools) },
    ],
  };
};
