// Shapes: sizes, strides, broadcasting by NumPy's rule, axes; dtypes and what requires them.
import * as assert from 'uvu/assert';
import {
  broadcastShapes,
  broadcastStrides,
  checkShape,
  dtypes,
  isFloat,
  normalizeAxis,
  requireDType,
  type Shape,
  sameShape,
  showShape,
  sizeOf,
  stridesOf,
} from '../../src/dtype.js';
import { DTypeError, ShapeError } from '../../src/errors.js';
import { failsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('shape');

test('sizes and strides, with scalars and empty tensors', () => {
  assert.is(sizeOf([]), 1);
  assert.is(sizeOf([2, 3, 4]), 24);
  assert.is(sizeOf([5, 0, 3]), 0);
  assert.equal(stridesOf([]), []);
  assert.equal(stridesOf([7]), [1]);
  assert.equal(stridesOf([2, 3, 4]), [12, 4, 1]);
});

test('shapes are shown without blanks and compared by value', () => {
  assert.is(showShape([]), '()');
  assert.is(showShape([32, 784]), '(32,784)');
  assert.ok(sameShape([2, 3], [2, 3]));
  assert.not(sameShape([2, 3], [3, 2]));
  assert.not(sameShape([2], [2, 1]));
});

const broadcasts: [Shape, Shape, Shape][] = [
  [[], [], []],
  [[], [3], [3]],
  [[2, 3], [3], [2, 3]],
  [[3], [2, 3], [2, 3]],
  [
    [2, 1],
    [1, 3],
    [2, 3],
  ],
  [
    [4, 1, 5],
    [3, 1],
    [4, 3, 5],
  ],
  [[1], [0], [0]],
  [
    [2, 0, 3],
    [1, 3],
    [2, 0, 3],
  ],
];

for (const [a, b, expected] of broadcasts) {
  test(`broadcast ${showShape(a)} and ${showShape(b)} to ${showShape(expected)}`, () => {
    assert.equal(broadcastShapes('add', a, b), expected);
    assert.equal(broadcastShapes('add', b, a), expected);
  });
}

const clashes: [Shape, Shape][] = [
  [[2], [3]],
  [
    [2, 3],
    [2, 4],
  ],
  [[2, 3], [2]],
  [[0], [2]],
  [
    [4, 2, 5],
    [3, 5],
  ],
];

for (const [a, b] of clashes) {
  test(`${showShape(a)} and ${showShape(b)} do not broadcast`, () => {
    const error = failsWith(() => broadcastShapes('add', a, b), ShapeError);
    assert.match(error.message, `[add] shapes do not broadcast: ${showShape(a)} and ${showShape(b)}`);
    assert.equal(error.values, { a, b });
  });
}

test('the error names the sizes that clash', () => {
  const error = failsWith(() => broadcastShapes('mul', [4, 2, 5], [3, 5]), ShapeError);
  assert.is(
    error.message,
    '[mul] shapes do not broadcast: (4,2,5) and (3,5), 2 != 3 ' +
      '(sizes are aligned at the last axis and must be equal or 1)',
  );
});

test('stretched axes have stride 0', () => {
  assert.equal(broadcastStrides([3], [2, 3]), [0, 1]);
  assert.equal(broadcastStrides([2, 1], [2, 3]), [1, 0]);
  assert.equal(broadcastStrides([], [2, 3]), [0, 0]);
  assert.equal(broadcastStrides([4, 1, 5], [4, 3, 5]), [5, 0, 1]);
});

test('broadcast strides read the right elements', () => {
  const shape = [2, 1, 3];
  const to = [4, 2, 5, 3];
  const strides = broadcastStrides(shape, to);
  const outer = stridesOf(to);
  for (let flat = 0; flat < sizeOf(to); flat++) {
    const index = to.map((d, i) => Math.floor(flat / (outer[i] as number)) % d) as [
      number,
      number,
      number,
      number,
    ];
    const at = index.reduce((sum, k, i) => sum + k * (strides[i] as number), 0);
    assert.is(at, index[1] * 3 + index[3]);
  }
});

test('axes count from either end, and only whole ones in range', () => {
  assert.is(normalizeAxis('sum', 0, 3), 0);
  assert.is(normalizeAxis('sum', -1, 3), 2);
  assert.is(normalizeAxis('sum', -3, 3), 0);
  for (const axis of [3, -4, 0.5, Number.NaN]) failsWith(() => normalizeAxis('sum', axis, 3), ShapeError);
  const error = failsWith(() => normalizeAxis('sum', 2, 2), ShapeError);
  assert.is(error.message, '[sum] axis 2 is out of range for a tensor of 2 axes (axes go from -2 to 1)');
});

test('shapes that cannot be are refused', () => {
  checkShape('zeros', []);
  checkShape('zeros', [0, 3]);
  checkShape('zeros', [2 ** 16, 2 ** 16]);
  for (const shape of [[-1], [1.5], [Number.NaN], [2 ** 17, 2 ** 16], [Number.POSITIVE_INFINITY]]) {
    const error = failsWith(() => checkShape('zeros', shape), ShapeError);
    assert.match(error.message, `[zeros] ${showShape(shape)} is not a usable shape`);
  }
});

test('dtypes: sizes fit the host arrays, only the floats are floats', () => {
  for (const { bytes, array } of Object.values(dtypes)) {
    assert.is(new array(3).byteLength, 3 * bytes);
  }
  assert.equal((Object.keys(dtypes) as (keyof typeof dtypes)[]).filter(isFloat), ['float32', 'float64']);
});

test('a dtype that is not allowed is named with those that are', () => {
  requireDType('exp', 'float32', ['float32', 'float64']);
  const error = failsWith(() => requireDType('exp', 'int32', ['float32', 'float64']), DTypeError);
  assert.is(
    error.message,
    '[exp] dtype int32 is not supported, it takes float32, float64 (convert with .cast(dtype))',
  );
});

test.run();
