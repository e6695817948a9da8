// How the shaders that pool images are called.
import type { ShaderCall } from './define.js';
import { spread } from './shader-calls.js';

/** Sizes as the kernels take them: images N x H x W x C, windows OH x OW. */
export type PoolSizes = Readonly<
  Record<
    | 'N'
    | 'H'
    | 'W'
    | 'C'
    | 'OH'
    | 'OW'
    | 'KH'
    | 'KW'
    | 'SH'
    | 'SW'
    | 'PT'
    | 'PL'
    | 'DH'
    | 'DW'
    | 'PB'
    | 'PR'
    | 'PADDED',
    number
  >
>;

const threads = 64;

const call = (shader: string, sizes: PoolSizes, inputs: number, outputs: number): ShaderCall[] => [
  {
    shader,
    constants: sizes,
    bindings: [...Array.from({ length: inputs }, (_, input) => ({ input })), 'output'],
    workgroups: spread(Math.ceil(outputs / threads)),
  },
];

const pixels = ({ N, H, W, C }: PoolSizes): number => N * H * W * C;
const windows = ({ N, OH, OW, C }: PoolSizes): number => N * OH * OW * C;

/** Bindings: x, output. */
export const maxPoolShader = (s: PoolSizes): ShaderCall[] => call('max_pool', s, 1, windows(s));
/** Bindings: x, v, output. */
export const maxPoolPickShader = (s: PoolSizes): ShaderCall[] => call('max_pool_pick', s, 2, windows(s));
/** Bindings: x, dy, output. */
export const maxPoolGradientShader = (s: PoolSizes): ShaderCall[] =>
  call('max_pool_gradient', s, 2, pixels(s));
/** Bindings: x, output. */
export const avgPoolShader = (s: PoolSizes): ShaderCall[] => call('avg_pool', s, 1, windows(s));
/** Bindings: dy, output. */
export const avgPoolGradientShader = (s: PoolSizes): ShaderCall[] =>
  call('avg_pool_gradient', s, 1, pixels(s));
