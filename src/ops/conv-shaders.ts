// How the shaders of convolutions are called.
import type { ConvGeometry } from './conv-geometry.js';
import type { ShaderCall } from './define.js';

/** Convolutions have many ways to be computed; the backend chooses one. */
function call(shader: string, g: ConvGeometry): ShaderCall[] {
  const DEPTH = g.channels / g.groups;
  const COUNT = g.filters / g.groups;
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
        DEPTH,
        COUNT,
        LANES: DEPTH % 4 === 0 && COUNT % 4 === 0 ? 4 : 1,
        HALF: 0,
      },
      bindings: [{ input: 0 }, { input: 1 }, 'output'],
      workgroups: [1, 1, 1],
    },
  ];
}

/** Bindings: input, filter, output. */
export const convShader = (g: ConvGeometry): ShaderCall[] => call('conv2d', g);

/** Bindings: gradient of the output, filter, gradient of the input. */
export const convInputShader = (g: ConvGeometry): ShaderCall[] => call('conv2dInput', g);

/** Bindings: input, gradient of the output, gradient of the filter. */
export const convFilterShader = (g: ConvGeometry): ShaderCall[] => call('conv2dFilter', g);
