// Convolutions as users see them: sizes, padding, layers and their first values, and the messages of what goes wrong.
import * as assert from 'uvu/assert';
import {
  configure,
  conv1d,
  conv2d,
  conv2dFilterGradient,
  conv2dInputGradient,
  convTranspose1d,
  convTranspose2d,
  DTypeError,
  nn,
  OptionError,
  ones,
  ShapeError,
  zeros,
} from '../../src/index.js';
import { buildModel } from '../../src/train/spec.js';
import { failsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('convolutions');

test.before(async () => {
  await configure({ device: 'wasm', threads: 1 });
});

const x = zeros([2, 6, 7, 4]);
const w = zeros([3, 3, 4, 8]);

test('sizes of the output', () => {
  assert.equal(conv2d(x, w).shape, [2, 4, 5, 8]);
  assert.equal(conv2d(x, w, { padding: 1 }).shape, [2, 6, 7, 8]);
  assert.equal(conv2d(x, w, { padding: [1, 0] }).shape, [2, 6, 5, 8]);
  const sides = [
    [2, 0],
    [0, 1],
  ] as const;
  assert.equal(conv2d(x, w, { padding: sides }).shape, [2, 6, 6, 8]);
  assert.equal(conv2d(x, w, { stride: [2, 3] }).shape, [2, 2, 2, 8]);
  assert.equal(conv2d(x, w, { dilation: 2, padding: 'valid' }).shape, [2, 2, 3, 8]);
  assert.equal(conv2d(x, zeros([2, 5, 4, 8]), { padding: 'same' }).shape, [2, 6, 7, 8]);
  assert.equal(conv2d(x, w, { padding: 'same', stride: [2, 3] }).shape, [2, 3, 3, 8]);
  assert.equal(conv2d(x, zeros([3, 3, 2, 6]), { groups: 2 }).shape, [2, 4, 5, 6]);
  assert.equal(conv1d(zeros([2, 9, 3]), zeros([4, 3, 5]), { padding: 'same' }).shape, [2, 9, 5]);
  assert.equal(conv1d(zeros([2, 9, 3]), zeros([4, 3, 5]), { padding: [0, 1], stride: 2 }).shape, [2, 4, 5]);
});

test('a transposed convolution has the size that the convolution comes from', () => {
  for (const stride of [1, 2, 3]) {
    for (const outputPadding of Array.from({ length: stride }, (_, i) => i)) {
      const y = convTranspose2d(zeros([1, 4, 5, 2]), zeros([3, 3, 6, 2]), {
        stride,
        outputPadding,
        padding: 1,
      });
      const size = (n: number): number => (n - 1) * stride - 2 + 3 + outputPadding;
      assert.equal(y.shape, [1, size(4), size(5), 6]);
      assert.equal(conv2d(y, zeros([3, 3, 6, 2]), { stride, padding: 1 }).shape, [1, 4, 5, 2]);
    }
  }
  assert.equal(convTranspose1d(zeros([1, 4, 2]), zeros([3, 5, 2]), { stride: 2 }).shape, [1, 9, 5]);
});

test('what a convolution computes', async () => {
  const y = await conv2d(ones([1, 3, 3, 2]), ones([3, 3, 2, 1]), { padding: 1 }).data();
  assert.equal([...y], [8, 12, 8, 12, 18, 12, 8, 12, 8]);
  const up = await convTranspose2d(ones([1, 2, 2, 1]), ones([3, 3, 1, 1]), { stride: 2 }).data();
  assert.equal([...up.slice(0, 5)], [1, 1, 2, 1, 1]);
});

test('operands that do not fit', () => {
  failsWith(
    () => conv2d(zeros([6, 7, 4]), w),
    ShapeError,
    '[conv2d] the input is (6,7,4), 3 axes instead of 4 (it is (batch, height, width, channels))',
  );
  failsWith(
    () => conv2d(x, zeros([3, 4, 8])),
    ShapeError,
    '[conv2d] the filter is (3,4,8), 3 axes instead of 4 (it is (kh, kw, channels / groups, filters))',
  );
  failsWith(
    () => conv2d(x, zeros([3, 3, 5, 8])),
    ShapeError,
    '[conv2d] the filter takes 5 channels, the input has 4: 5 * 1 != 4 (the input is (batch, height, width, channels), the filter (kh, kw, channels / groups, filters))',
  );
  failsWith(
    () => conv2d(x, w, { groups: 3 }),
    ShapeError,
    '[conv2d] 3 groups do not divide 4 channels (channels must be a multiple of groups)',
  );
  failsWith(
    () => conv2d(x, zeros([3, 3, 2, 7]), { groups: 2 }),
    ShapeError,
    '[conv2d] 2 groups do not divide 7 filters (filters must be a multiple of groups)',
  );
  failsWith(
    () => conv2d(x, zeros([8, 3, 4, 8])),
    ShapeError,
    "[conv2d] the kernel does not fit into the input's height: 8 elements at dilation 1 cover 8, the input has 6 and padding [0,0]: 6 (1 <= covered <= height + padding (top, bottom); use a smaller kernel or more padding)",
  );
  failsWith(
    () => conv2d(x, w, { dilation: [1, 4], padding: [0, 0] }),
    ShapeError,
    "[conv2d] the kernel does not fit into the input's width: 3 elements at dilation 4 cover 9, the input has 7 and padding [0,0]: 7 (1 <= covered <= width + padding (left, right); use a smaller kernel or more padding)",
  );
  failsWith(
    () => conv2d(x, zeros([3, 3, 4, 8], 'float64')),
    DTypeError,
    '[conv2d] input and filter have different dtypes: float32 and float64 (convert one with .cast(dtype))',
  );
  failsWith(
    () => conv2d(zeros([2, 6, 7, 4], 'int32'), w),
    DTypeError,
    '[conv2d] dtype int32 is not supported, it takes float32, float64 (convert with .cast(dtype))',
  );
  failsWith(
    () => conv1d(x, zeros([3, 4, 8])),
    ShapeError,
    '[conv1d] the input is (2,6,7,4), 4 axes instead of 3 (it is (batch, length, channels))',
  );
});

test('options that are none', () => {
  failsWith(
    () => conv2d(x, w, { stride: 0 }),
    OptionError,
    '[conv2d] stride is 0 (a whole number >= 1, or two of them: [along the height, along the width])',
  );
  failsWith(
    () => conv2d(x, w, { dilation: [1, 1.5] }),
    OptionError,
    '[conv2d] dilation is [1,1.5] (a whole number >= 1, or two of them: [along the height, along the width])',
  );
  failsWith(
    () => conv2d(x, w, { groups: 0 }),
    OptionError,
    '[conv2d] groups is 0 (a whole number >= 1 that divides the channels of input and output)',
  );
  for (const padding of [-1, [1, 2, 3], 'full', [[1, 2], 3]]) {
    failsWith(
      () => conv2d(x, w, { padding: padding as never }),
      OptionError,
      `[conv2d] padding is ${JSON.stringify(padding)} (a whole number >= 0, [height, width], [[top, bottom], [left, right]], 'same' or 'valid')`,
    );
  }
  failsWith(
    () => conv1d(zeros([2, 9, 3]), zeros([4, 3, 5]), { stride: [1, 2] as never }),
    OptionError,
    '[conv1d] stride is [1,2] (a whole number >= 1)',
  );
});

test('gradients of other sizes', () => {
  failsWith(
    () => conv2dInputGradient(zeros([2, 5, 5, 8]), w, [6, 7]),
    ShapeError,
    '[conv2dInputGradient] the gradient of the output is (2,5,5,8), the convolution gives (2,4,5,8) (positions = floor((size + padding - (kernel - 1) * dilation - 1) / stride) + 1)',
  );
  failsWith(
    () => conv2dFilterGradient(x, zeros([2, 4, 4, 8]), [3, 3]),
    ShapeError,
    '[conv2dFilterGradient] the gradient of the output is (2,4,4,8), the convolution gives (2,4,5,8) (positions = floor((size + padding - (kernel - 1) * dilation - 1) / stride) + 1)',
  );
});

test('transposed convolutions that do not fit', () => {
  failsWith(
    () => convTranspose2d(x, zeros([3, 3, 8, 5])),
    ShapeError,
    '[convTranspose2d] the filter (3,3,8,5) takes 5 channels, the input (2,6,7,4) has 4 (the filter is (kh, kw, outChannels / groups, channels))',
  );
  failsWith(
    () => convTranspose2d(x, zeros([3, 3, 8, 4]), { stride: 2, outputPadding: [0, 2] }),
    OptionError,
    '[convTranspose2d] outputPadding is [0,2], the stride [2,2] (outputPadding must be smaller than the stride)',
  );
  failsWith(
    () => convTranspose2d(x, zeros([3, 3, 8, 4]), { padding: 'same' as never }),
    OptionError,
    "[convTranspose2d] padding is 'same' (the output of a transposed convolution has no such size; give the padding in numbers)",
  );
  failsWith(
    () => convTranspose2d(zeros([1, 1, 1, 4]), zeros([2, 2, 8, 4]), { padding: 1 }),
    ShapeError,
    '[convTranspose2d] an input of (1,1,1,4) and a filter of (2,2,8,4) give an output of height 0, width 0 (size = (input - 1) * stride - padding at both ends + (kernel - 1) * dilation + 1 + outputPadding must be >= 1)',
  );
});

test('layers: shapes, bias, names', async () => {
  const model = buildModel([
    ['conv2d', 3, 8, [3, 5], { padding: 'same', stride: 2 }],
    ['relu'],
    ['convTranspose2d', 8, 4, 2, { stride: 2, groups: 2, bias: false }],
  ]);
  await model.initialize(3);
  const shapes = Object.fromEntries([...model.namedParameters()].map(([name, p]) => [name, p.shape]));
  assert.equal(shapes, { '0.weight': [3, 5, 3, 8], '0.bias': [8], '2.weight': [2, 2, 2, 8] });
  const y = model.forward(ones([2, 6, 7, 3]), {} as never);
  assert.equal(y.shape, [2, 6, 8, 4]);
  assert.ok((await y.data()).every(Number.isFinite));
  model.dispose();
  const line = nn.conv1d(2, 4, 3, { padding: 1 });
  await line.initialize(1);
  assert.equal(line.forward(ones([1, 5, 2])).shape, [1, 5, 4]);
  line.dispose();
});

test("layers: the first values are in PyTorch's range, 1 / sqrt(fan in)", async () => {
  for (const [layer, fanIn] of [
    [nn.conv2d(6, 8, 3, { groups: 2 }), 27],
    [nn.conv1d(6, 8, 5), 30],
    // PyTorch takes the output's channels for a transposed layer's
    [nn.convTranspose2d(6, 8, [2, 3], { groups: 2 }), 24],
  ] as const) {
    await layer.initialize(5);
    const bound = 1 / Math.sqrt(fanIn);
    for (const p of layer.parameters()) {
      const values = await p.data();
      const most = Math.max(...Array.from(values, Math.abs));
      assert.ok(most <= bound && most > bound / 2, `${p.name}: up to ${most}, bound ${bound}`);
    }
    layer.dispose();
  }
});

test('layers that cannot be made or used', () => {
  failsWith(() => nn.conv2d(0, 8, 3), OptionError, '[conv2d] inChannels is 0 (a whole number >= 1)');
  failsWith(
    () => nn.conv2d(3, 8, [3, 3, 3] as never),
    OptionError,
    '[conv2d] kernelSize is [3,3,3] (a whole number >= 1, or two of them: [height, width])',
  );
  failsWith(
    () => nn.conv2d(6, 8, 3, { groups: 4 }),
    OptionError,
    '[conv2d] 4 groups do not divide 6 and 8 channels (inChannels and outChannels must be multiples of groups)',
  );
  failsWith(
    () => nn.conv2d(3, 8, 3).forward(zeros([2, 3, 28, 28])),
    ShapeError,
    '[conv2d] input is (2,3,28,28), the layer takes 4 axes with 3 channels (the input is (batch, height, width, channels); channels come last)',
  );
});

test.run();
