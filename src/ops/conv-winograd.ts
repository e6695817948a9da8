// When convolutions of 3 x 3 go by Winograd's way, and how its kernels are called (assembly/conv-winograd.ts).
import type { ConvGeometry } from './conv-geometry.js';
import type { WasmCall } from './define.js';

/** Floats of a block's patches and products together: they and a share of the filters stay in L2. */
const blockFloats = 2 ** 17;
const fewestTiles = 30;

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** What is read and written; for the gradient of the input it is the convolution of the output's gradient. */
function sides(g: ConvGeometry, gradient: boolean) {
  const input = { height: g.height, width: g.width, channels: g.channels / g.groups };
  const output = { height: g.outHeight, width: g.outWidth, channels: g.filters / g.groups };
  const [from, to] = gradient ? [output, input] : [input, output];
  const tiles = g.batch * Math.ceil(to.height / 2) * Math.ceil(to.width / 2);
  return { from, to, tiles };
}

/**
 * Whether it is faster: 2.25 times fewer products, but patches and results are transformed, which pays when each is of
 * use for many channels, and filters too, which pays when there are many tiles.
 */
export function usesWinograd(g: ConvGeometry, gradient: boolean): boolean {
  const { from, to, tiles } = sides(g, gradient);
  const plain = g.kh === 3 && g.kw === 3 && g.sh * g.sw * g.dh * g.dw === 1;
  const channels = [from.channels, to.channels];
  return plain && channels.every((n) => n >= 16 && n % 4 === 0) && tiles >= 32;
}

/** Operands of the forward pass: x, w; of the gradient: dy, w. */
export function winogradCalls(g: ConvGeometry, gradient: boolean): WasmCall[] {
  const { from, to, tiles } = sides(g, gradient);
  const [depth, cols] = [from.channels, to.channels];
  const fitting = Math.floor(blockFloats / (16 * (depth + cols) * fewestTiles)) * fewestTiles;
  const block = Math.min(tiles, Math.max(fitting, fewestTiles));
  const sizes = [g.batch, from.height, from.width, depth, to.height, to.width, cols, g.groups];
  const before = gradient ? [2 - g.top, 2 - g.left] : [g.top, g.left];
  const operands = ['output', { input: 0 }, { input: 1 }] as const;
  const flags = [...before, Number(gradient), block];
  const args = [
    ...operands,
    ...sizes,
    ...flags,
    'scratch',
    'ownScratch',
    'scratchBytes',
    'epilogue',
  ] as const;
  const scratch = {
    shared: aligned(64 * g.groups * depth * Math.ceil(cols / 8) * 8),
    each: aligned(192 + 64 * depth + 64 * block * (depth + cols)),
  };
  return ['winogradFilter', 'winograd'].map((kernel) => ({ kernel, args, scratch }));
}

/** Operands: x, dy. */
export function winogradFilterCalls(g: ConvGeometry): WasmCall[] {
  const { from, to, tiles } = sides(g, false);
  const [depth, cols] = [from.channels, to.channels];
  const fitting = Math.floor(blockFloats / (16 * (depth + cols)));
  const block = Math.min(tiles, Math.max(fitting, 2 * fewestTiles));
  const sizes = [g.batch, from.height, from.width, depth, to.height, to.width, cols, g.groups];
  const operands = ['output', { input: 0 }, { input: 1 }] as const;
  const args = [...operands, ...sizes, g.top, g.left, block, 'ownScratch', 'scratchBytes'] as const;
  const each = aligned(192 + 64 * depth + 64 * (block * (depth + cols) + depth * cols));
  return [{ kernel: 'winogradFilterGradient', args, scratch: { shared: 0, each } }];
}
