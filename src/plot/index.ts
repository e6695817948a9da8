// Charts as SVG text, in every runtime and without a browser. Needs the optional package echarts; loaded when first drawn.
import { DataError, OptionError } from '../errors.js';
import type { ConfusionMatrix, RocCurve } from '../inspect/metrics.js';
import type { FitResult } from '../train/fit.js';
import type { LrRangeResult } from '../train/lr-range.js';
import { type ChartOptions, render } from './render.js';

export type { ChartOptions } from './render.js';

/** One axis of a chart. */
export interface AxisOptions {
  /** What is along it. */
  label?: string;
  /** Powers of ten at equal distances; what is not above 0 is left out. No where not said. */
  log?: boolean;
  /** Where the axis begins and ends; by the values where not said. */
  min?: number;
  max?: number;
}

/** Points of a line, in order. */
export interface Series {
  /** Shown in the legend. */
  name?: string;
  /** As many as `y`; 1, 2, 3 ... where not said. */
  x?: ArrayLike<number>;
  /** What is not finite is a gap. */
  y: ArrayLike<number>;
  /** A line (where not said), a dashed one, or points alone. */
  style?: 'line' | 'dashed' | 'points';
}

/** Options of `lineChart`. */
export interface LineChartOptions extends ChartOptions {
  x?: AxisOptions;
  y?: AxisOptions;
  /** Vertical lines: at which x, and what stands at them. */
  marks?: readonly { x: number; label: string }[];
}

const axis = ({ label, log, min, max }: AxisOptions = {}, vertical = false) => ({
  type: log ? 'log' : 'value',
  ...(label !== undefined && { name: label, nameLocation: 'middle', nameGap: vertical ? 48 : 28 }),
  ...{ scale: true, min, max, axisLine: { show: true } },
  // Powers of ten come with rounding errors.
  axisLabel: { formatter: (v: number) => String(Number(v.toPrecision(6))) },
});

const grid = { left: 72, right: 32, top: 80, bottom: 56 };

/** Lines, dashed lines or points in one chart. Errors: OptionError without series, DataError for lengths that differ. */
export async function lineChart(
  series: readonly Series[],
  { x = {}, y = {}, marks = [], ...options }: LineChartOptions = {},
): Promise<string> {
  if (series.length === 0) {
    throw new OptionError({
      where: 'lineChart',
      problem: 'there is nothing to draw',
      hint: 'at least one series',
    });
  }
  const shown = (v: number, { log }: AxisOptions): boolean => Number.isFinite(v) && !(log && v <= 0);
  const drawn = series.map(({ name, x: xs, y: ys, style = 'line' }, k) => {
    if (xs && xs.length !== ys.length) {
      throw new DataError({
        where: 'lineChart',
        problem: `series ${name ?? k} has ${xs.length} values of x and ${ys.length} of y`,
        hint: 'as many of both',
        values: { x: xs.length, y: ys.length },
      });
    }
    const points = Array.from(ys, (v, i) => [xs?.[i] ?? i + 1, v] as const);
    return {
      ...{ type: style === 'points' ? 'scatter' : 'line', name: name ?? `series ${k + 1}` },
      ...{ symbolSize: 5, symbol: style === 'points' || points.length < 3 ? 'circle' : 'none', clip: true },
      ...(style === 'dashed' && { lineStyle: { type: 'dashed' } }),
      data: points.map(([a, b]) => (shown(a, x) && shown(b, y) ? [a, b] : [shown(a, x) ? a : null, null])),
      ...(k === 0 &&
        marks.length > 0 && {
          markLine: {
            // ECharts rounds their places to two decimals where not told otherwise.
            ...{ symbol: 'none', precision: 12, lineStyle: { color: '#555555', type: 'dashed' } },
            data: marks.map((m) => ({ xAxis: m.x, label: { formatter: m.label } })),
          },
        }),
    };
  });
  const named = series.some(({ name }) => name !== undefined);
  return render('lineChart', 'line chart', options, {
    ...{ grid, xAxis: axis(x), yAxis: axis(y, true), series: drawn },
    // Without a page the width of a text is an estimate, so there is room between the names.
    ...(named && { legend: { top: 36, itemGap: 28 } }),
  });
}

/** Options of `lossCurves`. */
export interface LossCurvesOptions extends ChartOptions {
  /** What is drawn; the loss where not said. */
  metric?: 'loss' | 'accuracy';
  /** Powers of ten at equal distances on the axis of the metric; no where not said. */
  log?: boolean;
}

/**
 * Loss or accuracy by epoch of a training, or of several by name: training data dashed where there is validation, and
 * validation in full. Errors: DataError for a training without an epoch.
 */
export async function lossCurves(
  runs: Pick<FitResult, 'epochs'> | Readonly<Record<string, Pick<FitResult, 'epochs'>>>,
  { metric = 'loss', log = false, ...options }: LossCurvesOptions = {},
): Promise<string> {
  if (metric !== 'loss' && metric !== 'accuracy') {
    throw new OptionError({
      where: 'lossCurves',
      problem: `metric is '${metric}'`,
      hint: `'loss' or 'accuracy'`,
      values: { metric },
    });
  }
  const isOne = (of: typeof runs): of is Pick<FitResult, 'epochs'> => Array.isArray(of.epochs);
  const named = isOne(runs) ? { '': runs } : runs;
  const [trained, validated] =
    metric === 'loss'
      ? (['trainLoss', 'validationLoss'] as const)
      : (['trainAccuracy', 'validationAccuracy'] as const);
  const series = Object.entries(named).flatMap(([name, { epochs }]): Series[] => {
    if (epochs.length === 0) {
      throw new DataError({
        where: 'lossCurves',
        problem: `${name || 'the training'} has no epoch`,
        hint: 'what fit gives, after at least one epoch',
      });
    }
    const x = epochs.map(({ epoch }) => epoch);
    const lead = name && `${name}, `;
    const train = epochs.map((e) => e[trained]);
    const validation = epochs.map((e) => e[validated]);
    const hasBoth = validation.some((v) => !Number.isNaN(v));
    const first: Series = { name: `${lead}training`, x, y: train, style: hasBoth ? 'dashed' : 'line' };
    return hasBoth ? [first, { name: `${lead}validation`, x, y: validation }] : [first];
  });
  return lineChart(series, { ...options, x: { label: 'epoch' }, y: { label: metric, log } });
}

/** The curve of `lrRangeTest`: loss of each batch and smoothed loss by learning rate, with the suggestion marked. */
export async function lrRangeChart(
  { curve, suggestion }: LrRangeResult,
  options: ChartOptions = {},
): Promise<string> {
  if (curve.length === 0)
    throw new DataError({
      where: 'lrRangeChart',
      problem: 'the curve is empty',
      hint: 'what lrRangeTest gives',
    });
  const x = curve.map(({ lr }) => lr);
  const marks = Number.isFinite(suggestion)
    ? [{ x: suggestion, label: `steepest: ${Number(suggestion.toPrecision(2))}` }]
    : [];
  return lineChart(
    [
      { name: 'loss of a batch', x, y: curve.map(({ loss }) => loss), style: 'points' },
      { name: 'smoothed', x, y: curve.map(({ smoothed }) => smoothed) },
    ],
    { ...options, marks, x: { label: 'learning rate', log: true }, y: { label: 'loss' } },
  );
}

/** Curves of `rocCurve`, one or several by name, with their areas; the diagonal is what chance gives. */
export async function rocChart(
  curves: RocCurve | Readonly<Record<string, RocCurve>>,
  options: ChartOptions = {},
): Promise<string> {
  const isOne = (of: typeof curves): of is RocCurve => Array.isArray(of.falsePositiveRate);
  const named = isOne(curves) ? { classifier: curves } : curves;
  const drawn = Object.entries(named).map(
    ([name, { falsePositiveRate, truePositiveRate, auc }]): Series => ({
      ...{ name: `${name}, area ${auc.toFixed(3)}`, x: falsePositiveRate, y: truePositiveRate },
    }),
  );
  const chance: Series = { name: 'chance', x: [0, 1], y: [0, 1], style: 'dashed' };
  return lineChart([...drawn, chance], {
    ...{ width: 480, height: 480, ...options },
    x: { label: 'false positive rate', min: 0, max: 1 },
    y: { label: 'true positive rate', min: 0, max: 1 },
  });
}

/** Options of `confusionChart`. */
export interface ConfusionChartOptions extends ChartOptions {
  /** As many as the matrix has rows; 0, 1, 2 ... where not said. */
  classNames?: readonly string[];
}

/**
 * A confusion matrix with its counts: rows are the true classes, columns the predicted ones, and the darker a cell the
 * larger its share of its row. Errors: DataError for a matrix that is not square, or another number of names.
 */
export async function confusionChart(
  matrix: ConfusionMatrix,
  { classNames, ...options }: ConfusionChartOptions = {},
): Promise<string> {
  const n = matrix.length;
  const names = classNames ?? matrix.map((_, i) => String(i));
  if (n === 0 || matrix.some((row) => row.length !== n) || names.length !== n) {
    throw new DataError({
      where: 'confusionChart',
      problem: `the matrix has ${n} rows of ${matrix[0]?.length ?? 0}, and there are ${names.length} names`,
      hint: 'as many rows, columns and names as classes',
      values: { rows: n, names: names.length },
    });
  }
  const shares = matrix.map((row) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((v) => (total > 0 ? v / total : 0));
  });
  const cells = matrix.flatMap((row, i) =>
    row.map((count, j) => ({
      value: [j, i, shares[i]![j]!],
      label: {
        ...{ show: count > 0, formatter: String(count) },
        color: shares[i]![j]! > 0.5 ? '#ffffff' : '#000000',
      },
    })),
  );
  const categories = {
    type: 'category',
    data: [...names],
    nameLocation: 'middle',
    axisTick: { show: false },
  };
  return render(
    'confusionChart',
    'confusion matrix',
    { width: 520, height: 520, ...options },
    {
      ...{ grid: { ...grid, left: 90 }, series: [{ type: 'heatmap', data: cells }] },
      xAxis: { ...categories, name: 'predicted', nameGap: 32 },
      yAxis: { ...categories, name: 'true', nameGap: 64, inverse: true },
      visualMap: { show: false, min: 0, max: 1, inRange: { color: ['#ffffff', '#0072B2'] } },
    },
  );
}

/** Options of `histogram`. */
export interface HistogramOptions extends ChartOptions {
  /** How many intervals of the same width; the square root of the number of values where not said, at most 60. */
  bins?: number;
  /** What is along the x axis. */
  label?: string;
}

/** Counts of values in intervals of the same width from the least to the largest; the last one has both its ends. */
export function binCounts(values: ArrayLike<number>, bins?: number): { edges: number[]; counts: number[] } {
  const finite = Array.from(values).filter(Number.isFinite);
  const n = bins ?? Math.max(1, Math.min(60, Math.ceil(Math.sqrt(finite.length))));
  if (!Number.isInteger(n) || n < 1 || n > 1000) {
    throw new OptionError({
      where: 'histogram',
      problem: `bins is ${bins}`,
      hint: 'a whole number from 1 to 1000',
      values: { bins },
    });
  }
  if (finite.length === 0) {
    throw new DataError({
      where: 'histogram',
      problem: `none of ${values.length} values is a finite number`,
      hint: 'give at least one',
      values: { values: values.length },
    });
  }
  const low = finite.reduce((a, b) => Math.min(a, b));
  const high = finite.reduce((a, b) => Math.max(a, b));
  const width = high > low ? (high - low) / n : 1;
  const counts = new Array<number>(n).fill(0);
  for (const v of finite) counts[Math.min(n - 1, Math.floor((v - low) / width))]!++;
  return { edges: Array.from({ length: n + 1 }, (_, i) => low + i * width), counts };
}

/**
 * How often values are in which interval: of weights, activations or gradients. NaN and infinities are left out. Errors:
 * DataError where nothing is left, OptionError.
 */
export async function histogram(
  values: ArrayLike<number>,
  { bins, label = 'value', ...options }: HistogramOptions = {},
): Promise<string> {
  const { edges, counts } = binCounts(values, bins);
  const middles = counts.map((_, i) => Number(((edges[i]! + edges[i + 1]!) / 2).toPrecision(3)));
  return render('histogram', 'histogram', options, {
    ...{ grid, series: [{ type: 'bar', data: counts, barCategoryGap: '4%' }] },
    xAxis: { type: 'category', data: middles.map(String), name: label, nameLocation: 'middle', nameGap: 28 },
    yAxis: { type: 'value', name: 'count', nameLocation: 'middle', nameGap: 48 },
  });
}
