// Awkward sizes of convolutions: odd channels, strides, dilations, groups, padding that is larger on one side.
import { samplesOfInt8 } from '../../src/ops/conv-int8.js';
import { type ConvCase, samplesOf } from '../../src/ops/conv-samples.js';
import { packedSample } from '../../src/ops/half-products.js';

/** Channels on both sides around the widths of vectors and tiles. */
const channels = Array.from({ length: 17 }, (_, i): ConvCase => {
  const [c, f] = [i + 1, ((i * 7) % 17) + 1];
  return [[2, 5, 4, c], [3, 3, c, f], { padding: 1, stride: 1 + (i % 2) }];
});

/** Those that WASM computes by Winograd's way, forward, for the gradient of the input, or both. */
const winograd: readonly ConvCase[] = [
  [[2, 12, 11, 16], [3, 3, 16, 20], { padding: 1 }],
  [[3, 10, 10, 32], [3, 3, 16, 32], { padding: 'same', groups: 2 }],
  [
    [4, 9, 9, 20],
    [3, 3, 20, 16],
    {
      padding: [
        [0, 2],
        [1, 0],
      ],
    },
  ],
  [
    [4, 10, 9, 16],
    [3, 3, 16, 36],
  ],
];

const cases: readonly ConvCase[] = [
  ...channels,
  ...winograd,
  [[0, 4, 4, 2], [3, 3, 2, 3], { padding: 1 }],
  [
    [1, 1, 1, 1],
    [1, 1, 1, 1],
  ],
  [[1, 1, 1, 3], [3, 3, 3, 5], { padding: 1 }],
  [
    [3, 1, 9, 2],
    [1, 4, 2, 3],
    {
      padding: [
        [0, 0],
        [3, 0],
      ],
      stride: [1, 3],
    },
  ],
  [
    [2, 9, 1, 2],
    [4, 1, 2, 9],
    {
      padding: [
        [1, 2],
        [0, 0],
      ],
    },
  ],
  // the stride leaves rows that no position covers, or is longer than the kernel
  [[2, 8, 9, 3], [3, 2, 3, 4], { stride: 3 }],
  [[1, 11, 10, 2], [2, 2, 2, 3], { stride: [4, 3] }],
  // dilation and stride with and without a common factor
  [[1, 11, 13, 3], [3, 3, 3, 4], { dilation: 2, stride: 2, padding: 2 }],
  [[1, 13, 11, 2], [3, 3, 2, 5], { dilation: [3, 2], stride: [2, 3], padding: [3, 1] }],
  [
    [1, 12, 12, 2],
    [2, 3, 2, 3],
    {
      dilation: [4, 3],
      stride: [6, 2],
      padding: [
        [0, 5],
        [4, 1],
      ],
    },
  ],
  // 'same' with even kernels
  [[2, 6, 7, 3], [2, 4, 3, 4], { padding: 'same' }],
  [[2, 7, 6, 3], [4, 2, 3, 4], { padding: 'same', stride: 2 }],
  // more padding than kernel
  [[1, 3, 3, 2], [2, 2, 2, 3], { padding: 4 }],
  // groups of one, two and more channels, and depthwise with one, two, four and five filters for each channel
  [[2, 5, 6, 6], [3, 3, 3, 8], { groups: 2, padding: 1 }],
  [
    [2, 6, 5, 15],
    [3, 2, 5, 21],
    {
      groups: 3,
      stride: 2,
      padding: [
        [1, 0],
        [0, 1],
      ],
    },
  ],
  [[1, 5, 5, 8], [3, 3, 2, 36], { groups: 4, padding: 1 }],
  [[2, 5, 6, 7], [3, 3, 1, 7], { groups: 7, padding: 1 }],
  [[1, 7, 9, 35], [3, 3, 1, 35], { groups: 35, padding: 1, stride: 2 }],
  [[1, 8, 7, 16], [5, 3, 1, 16], { groups: 16, padding: [2, 1], dilation: [1, 2] }],
  [[1, 6, 5, 5], [3, 3, 1, 10], { groups: 5, padding: 1 }],
  [
    [2, 5, 5, 3],
    [2, 3, 1, 12],
    {
      groups: 3,
      padding: [
        [0, 1],
        [2, 0],
      ],
      stride: [2, 1],
    },
  ],
  [[1, 5, 6, 4], [3, 3, 1, 20], { groups: 4, padding: 1, stride: [1, 2] }],
  // 1 x 1: a product of matrices, unless there is more to it
  [
    [3, 5, 7, 9],
    [1, 1, 9, 13],
  ],
  [[2, 4, 4, 6], [1, 1, 6, 7], { padding: 1 }],
  [[2, 5, 5, 6], [1, 1, 3, 8], { groups: 2, stride: 2 }],
  // several tiles and blocks
  [[2, 9, 14, 16], [3, 3, 16, 24], { padding: 1 }],
  [[7, 7, 7, 12], [3, 3, 12, 20], { padding: 1 }],
  [[1, 7, 13, 50], [3, 3, 50, 20], { padding: 1 }],
  [[1, 30, 29, 3], [5, 5, 3, 17], { stride: 2, padding: 2 }],
];

export const convolutions = samplesOf(cases);
export const int8Convolutions = samplesOfInt8(cases);
const byWinograd = samplesOf(winograd);
export const halfConvolutions = {
  conv: byWinograd.conv.map(packedSample),
  input: byWinograd.input.map(packedSample),
  filter: byWinograd.filter.map(packedSample),
};
