// Cases of the convolution ops for the tests: a list of convolutions, from which those of the gradients follow.
import { attributesOf, type Conv2dOptions, positions } from './conv-geometry.js';
import type { Sample } from './define.js';

/** Shapes of input and filter, and options. */
export type ConvCase = readonly [x: number[], w: number[], options?: Conv2dOptions];

const cases: readonly ConvCase[] = [
  [
    [1, 4, 5, 2],
    [3, 3, 2, 3],
  ],
  [[2, 4, 3, 1], [3, 3, 1, 2], { padding: 1 }],
  [[1, 6, 5, 2], [2, 3, 2, 2], { stride: 2, padding: [1, 0] }],
  [
    [1, 5, 7, 1],
    [2, 3, 1, 2],
    {
      dilation: 2,
      padding: [
        [0, 2],
        [1, 0],
      ],
    },
  ],
  [[1, 4, 4, 4], [2, 2, 2, 6], { groups: 2, padding: 'same' }],
  [[1, 4, 5, 3], [3, 2, 1, 6], { groups: 3, stride: [1, 2] }],
  [[1, 4, 4, 4], [3, 3, 1, 4], { groups: 4, padding: 1 }],
  [
    [2, 2, 3, 3],
    [1, 1, 3, 2],
  ],
  [[1, 5, 5, 2], [1, 1, 2, 2], { stride: 2 }],
  [[1, 7, 6, 1], [2, 2, 1, 2], { stride: 3, dilation: [2, 1] }],
];

/** What goes in where, for a list of convolutions. */
export function samplesOf(list: readonly ConvCase[]): { conv: Sample[]; input: Sample[]; filter: Sample[] } {
  const all = list.map(([x, w, options = {}]) => {
    const attributes = attributesOf('conv2d', options, x, w);
    const size = x.slice(1, 3);
    const kernel = w.slice(0, 2);
    const y = [x[0]!, ...positions('conv2d', size, kernel, attributes), w[3]!];
    const of = (a: number[], b: number[], more: object): Sample => ({
      inputs: [{ shape: a }, { shape: b }],
      attributes: { ...attributes, ...more },
    });
    return { conv: of(x, w, {}), input: of(y, w, { size }), filter: of(x, y, { kernel }) };
  });
  return { conv: all.map((c) => c.conv), input: all.map((c) => c.input), filter: all.map((c) => c.filter) };
}

/** Those of one op; their attributes are that op's. */
function own(op: 'conv' | 'input' | 'filter'): never[] {
  return WITH_SAMPLES ? (samplesOf(cases)[op] as never[]) : [];
}

// One call each, marked as pure: so bundlers drop them with the ops.
export const convSamples = /* @__PURE__ */ own('conv');
export const inputSamples = /* @__PURE__ */ own('input');
export const filterSamples = /* @__PURE__ */ own('filter');
