// How the shaders of half precision and 8-bit numbers are called.
import type { ConvGeometry } from './conv-geometry.js';
import type { ShaderCall } from './define.js';
import { spread } from './shader-calls.js';

function each(
  shader: string,
  invocations: number,
  constants: Record<string, number>,
  inputs: number,
): ShaderCall[] {
  const bindings = [...Array.from({ length: inputs }, (_, input) => ({ input })), 'output' as const];
  return [{ shader, constants, bindings, workgroups: spread(Math.ceil(invocations / 64)) }];
}

/** Bindings: source (n), output (ceil(n / 2)). */
export const toHalfShader = (n: number): ShaderCall[] => each('to_half', Math.ceil(n / 2), { COUNT: n }, 1);

/** Bindings: source (ceil(n / 2)), output (n). */
export const fromHalfShader = (n: number): ShaderCall[] => each('from_half', n, { COUNT: n }, 1);

/** Bindings: source (rows, cols), factor (rows), output (rows, words). */
export const quantizeRowsShader = (rows: number, cols: number, words: number): ShaderCall[] =>
  each('quantize_rows', rows * words, { ROWS: rows, COLUMNS: cols, WORDS: words }, 2);

/** Bindings: source (rows, words), scale (rows), output (rows, cols). */
export const dequantizeRowsShader = (rows: number, cols: number, words: number): ShaderCall[] =>
  each('dequantize_rows', rows * cols, { ROWS: rows, COLUMNS: cols, WORDS: words }, 2);

/** Bindings: A (m, words), B (n, words), scales (m) and (n), output (m, n). */
export const matmulInt8Shader = (m: number, n: number, words: number): ShaderCall[] =>
  each('matmul_int8', m * n, { M: m, N: n, WORDS: words }, 4);

/** Bindings: images (batch, wordsX), filters (filters, wordsW), scales (batch) and (filters), output. */
export function convInt8Shader(g: ConvGeometry, wordsX: number, wordsW: number): ShaderCall[] {
  const sizes = { HEIGHT: g.height, WIDTH: g.width, CHANNELS: g.channels };
  const outSizes = { BATCH: g.batch, OUT_HEIGHT: g.outHeight, OUT_WIDTH: g.outWidth, FILTERS: g.filters };
  const kernel = { KH: g.kh, KW: g.kw, SH: g.sh, SW: g.sw, TOP: g.top, LEFT: g.left, DH: g.dh, DW: g.dw };
  const words = { INT8: 1, WORDS_X: wordsX, WORDS_W: wordsW };
  const constants = { ...sizes, ...outSizes, ...kernel, GROUPS: g.groups, ...words };
  return each('conv_int8', g.batch * g.outHeight * g.outWidth * g.filters, constants, 4);
}
