// How the shaders of convolutions are called.
import type { ConvGeometry } from './conv-geometry.js';
import type { ShaderCall } from './define.js';
import { spread } from './shader-calls.js';

function direct(shader: string, g: ConvGeometry, outputs: number): ShaderCall[] {
  return [
    {
      shader,
      constants: {
        BATCH: g.batch,
        HEIGHT: g.height,
        WIDTH: g.width,
        CHANNELS: g.channels,
        OUT_HEIGHT: g.outHeight,
        OUT_WIDTH: g.outWidth,
        FILTERS: g.filters,
        KH: g.kh,
        KW: g.kw,
        SH: g.sh,
        SW: g.sw,
        TOP: g.top,
        LEFT: g.left,
        DH: g.dh,
        DW: g.dw,
        GROUPS: g.groups,
      },
      bindings: [{ input: 0 }, { input: 1 }, 'output'],
      workgroups: spread(Math.ceil(outputs / 64)),
    },
  ];
}

/** Bindings: input, filter, output. */
export const convShader = (g: ConvGeometry): ShaderCall[] =>
  direct('conv', g, g.batch * g.outHeight * g.outWidth * g.filters);

/** Bindings: gradient of the output, filter, gradient of the input. */
export const convInputShader = (g: ConvGeometry): ShaderCall[] =>
  direct('conv_input', g, g.batch * g.height * g.width * g.channels);

/** Bindings: input, gradient of the output, gradient of the filter. */
export const convFilterShader = (g: ConvGeometry): ShaderCall[] =>
  direct('conv_filter', g, (g.kh * g.kw * g.channels * g.filters) / g.groups);
