// Pictures of numbers, and what classifiers are measured by.
import * as assert from 'uvu/assert';
import { DataError } from '../../src/index.js';
import {
  classesOf,
  classificationReport,
  confusionMatrix,
  enlarge,
  type Image,
  rocCurve,
  tile,
  toImage,
} from '../../src/inspect/index.js';
import { failsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('pictures and scores');

const pixel = ({ data, width }: Image, x: number, y: number): number[] => [
  ...data.subarray((y * width + x) * 4, (y * width + x) * 4 + 4),
];

test('numbers become gray, in a range of their own or a given one', () => {
  const image = toImage([0, 1, 2, 4], [2, 2]);
  assert.equal([image.width, image.height, image.data.length], [2, 2, 16]);
  assert.equal(
    [0, 1, 2, 3].map((i) => image.data[4 * i]),
    [0, 64, 128, 255],
  );
  const wide = toImage([-5, 0, 5, 10], [1, 4], { range: [0, 5] });
  assert.equal(
    [0, 1, 2, 3].map((x) => pixel(wide, x, 0)[0]),
    [0, 0, 255, 255],
  );
});

test('colour maps end in their colours; NaN is transparent, one number all over is in the middle', () => {
  const signed = toImage([-2, 0, 1], [1, 3], { map: 'diverging' });
  assert.equal(pixel(signed, 0, 0), [20, 60, 160, 255]);
  assert.equal(pixel(signed, 1, 0), [255, 255, 255, 255]);
  assert.equal(pixel(signed, 2, 0), [218, 138, 148, 255]);
  const hot = toImage([0, Number.NaN, 3], [1, 3, 1], { map: 'heat' });
  assert.equal(
    [pixel(hot, 0, 0), pixel(hot, 1, 0), pixel(hot, 2, 0)].map((p) => p[3]),
    [255, 0, 255],
  );
  assert.equal(pixel(hot, 2, 0), [255, 255, 255, 255]);
  assert.is(pixel(toImage([7, 7], [1, 2]), 0, 0)[0], 128);
  const colours = toImage([0, 0.5, 1, 1, 0, 0], [1, 2, 3]);
  assert.equal(
    [pixel(colours, 0, 0), pixel(colours, 1, 0)],
    [
      [0, 128, 255, 255],
      [255, 0, 0, 255],
    ],
  );
  failsWith(() => toImage([1, 2, 3], [2, 2]), /3 numbers in shape \(2,2\)/);
  failsWith(() => toImage([1, 2], [1, 1, 2]), /shape \(1,1,2\)/);
  failsWith(() => toImage([1], [1, 1], { map: 'x' as never }), /'x' is not a colour map/);
});

test('tiles lie in rows with gaps; enlarged pixels are squares', () => {
  const of = (value: number, width = 1): Image =>
    toImage(new Array(width).fill(value), [1, width], { range: [0, 255] });
  const image = tile([of(10, 2), of(20), of(30)], { columns: 2, gap: 1 });
  assert.equal([image.width, image.height], [5, 3]);
  assert.equal(
    [pixel(image, 0, 0)[0], pixel(image, 1, 0)[0], pixel(image, 3, 0)[0], pixel(image, 0, 2)[0]],
    [10, 10, 20, 30],
  );
  assert.equal([pixel(image, 2, 0)[3], pixel(image, 0, 1)[3], pixel(image, 4, 0)[3]], [0, 0, 0]);
  assert.equal([tile([of(1), of(2), of(3), of(4), of(5)]).width], [5]);
  const large = enlarge(image, 3);
  assert.equal([large.width, large.height], [15, 9]);
  for (const [x, y] of [
    [0, 0],
    [5, 2],
  ] as const)
    assert.equal(pixel(large, x, y), [10, 10, 10, 255]);
  assert.equal(pixel(large, 9, 1)[0], 20);
  failsWith(() => tile([]), /0 images/);
  failsWith(() => tile([of(1)], { columns: 0 }), /0 columns/);
  failsWith(() => enlarge(image, 0.5), /factor is 0.5/);
});

test('confusion matrix, precision, recall and F1 by hand', () => {
  const truth = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
  const said = [0, 0, 1, 1, 1, 1, 0, 1, 1, 1];
  const matrix = confusionMatrix(truth, said, 3);
  assert.equal(matrix, [
    [2, 2, 0],
    [1, 2, 0],
    [0, 3, 0],
  ]);
  const { accuracy, classes, macro, weighted } = classificationReport(matrix);
  assert.is(accuracy, 0.4);
  assert.equal(
    classes.map(({ precision, recall, support }) => [precision, recall, support]),
    [
      [2 / 3, 0.5, 4],
      [2 / 7, 2 / 3, 3],
      [0, 0, 3],
    ],
  );
  assert.ok(Math.abs(classes[0]!.f1 - 4 / 7) < 1e-12 && Math.abs(classes[1]!.f1 - 0.4) < 1e-12);
  assert.is(classes[2]!.f1, 0);
  assert.ok(Math.abs(macro.f1 - (4 / 7 + 0.4) / 3) < 1e-12);
  assert.ok(Math.abs(weighted.recall - accuracy) < 1e-12);
  failsWith(() => confusionMatrix([0], [0, 1], 2), /1 labels and 2 predictions/);
  failsWith(() => confusionMatrix([0, 3], [0, 1], 2), /example 1 has class 3/);
  failsWith(() => confusionMatrix([0, 1.5], [0, 1], 2), /example 1 has class 1.5/);
});

test('ROC curve: points, ties, and an area that counts pairs', () => {
  const scores = [0.9, 0.8, 0.7, 0.7, 0.4, 0.1];
  const positive = [1, 1, 0, 1, 0, 0];
  const curve = rocCurve(scores, positive);
  assert.equal(curve.thresholds, [Number.POSITIVE_INFINITY, 0.9, 0.8, 0.7, 0.4, 0.1]);
  assert.equal(curve.truePositiveRate, [0, 1 / 3, 2 / 3, 1, 1, 1]);
  assert.equal(curve.falsePositiveRate, [0, 0, 0, 1 / 3, 2 / 3, 1]);
  let pairs = 0;
  for (const [i, p] of positive.entries())
    for (const [j, q] of positive.entries())
      if (p > q) pairs += scores[i]! > scores[j]! ? 1 : scores[i] === scores[j] ? 0.5 : 0;
  assert.ok(Math.abs(curve.auc - pairs / 9) < 1e-12);
  assert.is(rocCurve([1, 2], [true, false]).auc, 0);
  for (const [s, p] of [
    [[1, 2], [1]],
    [
      [1, 2],
      [1, 1],
    ],
    [
      [1, Number.NaN],
      [0, 1],
    ],
  ] as const)
    assert.throws(
      () => rocCurve(s, p),
      (error: unknown) => error instanceof DataError,
    );
});

test('the class of the largest output', () => {
  assert.equal([...classesOf([1, 3, 2, 5, 5, 0], 3)], [1, 0]);
  failsWith(() => classesOf([1, 2, 3], 2), /3 outputs of 2 classes/);
});

test.run();
