// Charts: SVG with what was given in it, in every runtime, without a page; what cannot be drawn is refused.
import * as assert from 'uvu/assert';
import { DataError, OptionError } from '../../src/errors.js';
import { rocCurve } from '../../src/inspect/metrics.js';
import {
  binCounts,
  confusionChart,
  histogram,
  lineChart,
  lossCurves,
  lrRangeChart,
  rocChart,
} from '../../src/plot/index.js';
import type { EpochReport } from '../../src/train/fit.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('plots');

const texts = (svg: string): string[] =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);
const epochs = [3, 2, 1.5].map(
  (loss, i): EpochReport => ({
    ...{ epoch: i + 1, trainLoss: loss, trainAccuracy: 0.5 + i / 10, seconds: 1, samplesPerSecond: 1 },
    ...{ validationLoss: loss + 0.25, validationAccuracy: 0.4 },
  }),
);

test('lines: names, title and marks are in the picture, and each series is drawn', async () => {
  const svg = await lineChart(
    [
      { name: 'one', y: [1, 2, Number.NaN, 4] },
      { name: 'two', x: [1, 2, 3, 4], y: [4, 3, 2, 1], style: 'dashed' },
      { name: 'three', x: [2, 3], y: [2.5, 2.5], style: 'points' },
    ],
    { title: 'A & "B" < C', x: { label: 'steps' }, y: { label: 'metres' }, marks: [{ x: 2, label: 'here' }] },
  );
  assert.match(svg, /^<svg role="img" aria-label="A &amp; &quot;B&quot; &lt; C" width="640" height="400"/);
  assert.match(svg.trim(), /<\/svg>$/);
  for (const text of ['one', 'two', 'three', 'steps', 'metres', 'here'])
    assert.ok(texts(svg).includes(text), text);
  // A line each in its colour, one of them dashed.
  assert.match(svg, /<path d="M[^"]*" fill="none"[^>]*stroke="#0072B2"/);
  assert.match(svg, /<path d="M[^"]*" fill="none"[^>]*stroke="#D55E00"[^>]*stroke-dasharray/);
  assert.ok((svg.match(/fill="#009E73"/g) ?? []).length >= 2);
  assert.is.not(svg, await lineChart([{ y: [1, 2, 3, 4] }]));
});

test('curves of a training: validation beside training, or training alone', async () => {
  const both = texts(await lossCurves({ epochs }));
  assert.ok(
    ['training', 'validation', 'epoch', 'loss'].every((text) => both.includes(text)),
    both.join(),
  );
  const alone = epochs.map((e) => ({ ...e, validationLoss: Number.NaN, validationAccuracy: Number.NaN }));
  const two = texts(
    await lossCurves({ a: { epochs }, b: { epochs: alone } }, { metric: 'accuracy', log: true }),
  );
  assert.ok(['a, training', 'a, validation', 'b, training', 'accuracy'].every((text) => two.includes(text)));
  assert.not.ok(two.includes('b, validation'));
});

test('the curve of a range test marks the suggestion', async () => {
  const curve = [1e-4, 1e-3, 1e-2, 1e-1].map((lr, i) => ({ lr, loss: 2 - i / 3, smoothed: 2 - i / 4 }));
  const found = texts(await lrRangeChart({ curve, suggestion: 0.0123 }));
  assert.ok(found.includes('steepest: 0.012') && found.includes('learning rate'), found.join());
  assert.not.ok(
    texts(await lrRangeChart({ curve, suggestion: Number.NaN }))
      .join()
      .includes('steepest'),
  );
  const placeOf = async (suggestion: number): Promise<number> =>
    Number(/<path d="M([\d.]+)[^>]*stroke="#555555"/.exec(await lrRangeChart({ curve, suggestion }))![1]);
  const [low, middle, high] = await Promise.all([1e-4, 1e-3, 1e-2].map(placeOf));
  assert.ok(
    Math.abs(high! - middle! - (middle! - low!)) <= 2 && middle! - low! > 50,
    `${[low, middle, high]}`,
  );
});

test('a confusion matrix has its counts and names', async () => {
  const matrix = [
    [12, 3],
    [0, 45],
  ];
  const found = texts(await confusionChart(matrix, { classNames: ['cat', 'dog'] }));
  for (const text of ['12', '3', '45', 'cat', 'dog', 'predicted', 'true'])
    assert.ok(found.includes(text), text);
  assert.not.ok(found.includes('0'));
});

test('histograms count every value once', async () => {
  assert.equal(binCounts([0, 1, 1, 2, 4, Number.NaN, Number.POSITIVE_INFINITY], 4), {
    edges: [0, 1, 2, 3, 4],
    counts: [1, 2, 1, 1],
  });
  assert.equal(binCounts([7, 7], 2).counts, [2, 0]);
  const svg = await histogram(
    Float32Array.from({ length: 400 }, (_, i) => i % 37),
    { label: 'weight' },
  );
  assert.ok(texts(svg).includes('weight'));
});

test('ROC curves name their areas', async () => {
  const found = texts(await rocChart(rocCurve([0.9, 0.8, 0.3, 0.1], [1, 0, 1, 0])));
  assert.ok(found.includes('classifier, area 0.750') && found.includes('chance'), found.join());
});

test('what cannot be drawn', async () => {
  await rejectsWith(lineChart([]), OptionError, /\[lineChart\] there is nothing to draw/);
  await rejectsWith(lineChart([{ x: [1], y: [1, 2] }]), DataError, /series 0 has 1 values of x and 2 of y/);
  await rejectsWith(
    lineChart([{ y: [1] }], { width: 3 }),
    OptionError,
    /width is 3 \(a whole number of pixels from 50/,
  );
  await rejectsWith(lossCurves({ epochs: [] }), DataError, /the training has no epoch/);
  await rejectsWith(lossCurves({ epochs }, { metric: 'f1' as never }), OptionError, /metric is 'f1'/);
  await rejectsWith(lrRangeChart({ curve: [], suggestion: 0 }), DataError, /the curve is empty/);
  await rejectsWith(confusionChart([[1, 2]]), DataError, /1 rows of 2/);
  await rejectsWith(confusionChart([[1]], { classNames: ['a', 'b'] }), DataError, /there are 2 names/);
  await rejectsWith(histogram([Number.NaN]), DataError, /none of 1 values is a finite number/);
  await rejectsWith(histogram([1], { bins: 0 }), OptionError, /bins is 0/);
});

test.run();
