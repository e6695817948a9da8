// How good a classifier is: counts of mistakes, precision and recall, the ROC curve.
import { DataError, OptionError } from '../errors.js';

/** Rows are the true classes, columns the predicted ones. */
export type ConfusionMatrix = readonly (readonly number[])[];

/** Counts how often class i was taken for class j. Errors: DataError for lengths that differ or labels out of range. */
export function confusionMatrix(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): number[][] {
  if (truth.length !== predicted.length) {
    throw new DataError({
      where: 'confusionMatrix',
      problem: `${truth.length} labels and ${predicted.length} predictions`,
      hint: 'one prediction for each label',
      values: { labels: truth.length, predictions: predicted.length },
    });
  }
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < truth.length; i++) {
    const [t, p] = [truth[i]!, predicted[i]!];
    const row = matrix[t];
    if (row?.[p] === undefined) {
      throw new DataError({
        where: 'confusionMatrix',
        problem: `example ${i} has class ${t} and prediction ${p}`,
        hint: `classes are whole numbers from 0 to ${classes - 1}`,
        values: { example: i, truth: t, predicted: p, classes },
      });
    }
    row[p]!++;
  }
  return matrix;
}

/** How well one class was told from the others. */
export interface ClassScores {
  /** Of those that were taken for the class, the share that is of it; 0 if there is none. */
  precision: number;
  /** Of the class, the share that was found; 0 if there is none. */
  recall: number;
  /** 2 precision recall / (precision + recall), 0 if both are. */
  f1: number;
  /** Examples of the class. */
  support: number;
}

/** What `classificationReport` gives. */
export interface ClassificationReport {
  accuracy: number;
  classes: ClassScores[];
  /** Means over the classes, each counting the same. */
  macro: Omit<ClassScores, 'support'>;
  /** Means weighed by the examples of each class. */
  weighted: Omit<ClassScores, 'support'>;
}

/** Precision, recall and F1 of each class and on the whole. What would be 0/0 is 0, as in scikit-learn. */
export function classificationReport(matrix: ConfusionMatrix): ClassificationReport {
  const total = matrix.flat().reduce((a, b) => a + b, 0);
  const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);
  const classes = matrix.map((row, i): ClassScores => {
    const support = row.reduce((a, b) => a + b, 0);
    const taken = matrix.reduce((n, r) => n + r[i]!, 0);
    const [precision, recall] = [share(row[i]!, taken), share(row[i]!, support)];
    return { precision, recall, f1: share(2 * precision * recall, precision + recall), support };
  });
  const means = (weight: (c: ClassScores) => number): Omit<ClassScores, 'support'> => {
    const whole = classes.reduce((n, c) => n + weight(c), 0);
    const of = (key: 'precision' | 'recall' | 'f1'): number =>
      share(
        classes.reduce((n, c) => n + weight(c) * c[key], 0),
        whole,
      );
    return { precision: of('precision'), recall: of('recall'), f1: of('f1') };
  };
  return {
    accuracy: share(
      matrix.reduce((n, row, i) => n + row[i]!, 0),
      total,
    ),
    classes,
    macro: means(() => 1),
    weighted: means(({ support }) => support),
  };
}

/** What `rocCurve` gives. */
export interface RocCurve {
  /** Points from (0, 0) to (1, 1), the share of negatives and of positives whose score is at least the threshold. */
  falsePositiveRate: number[];
  truePositiveRate: number[];
  /** The first is infinity: nothing counts as positive. */
  thresholds: number[];
  /** The area below, by trapezia: the chance that a positive has a higher score than a negative, ties counting half. */
  auc: number;
}

/**
 * The receiver operating characteristic of scores for examples that are positive (1, true) or not (0, false). Equal scores
 * are one point. Errors: DataError for lengths that differ, NaN, or examples of one kind only.
 */
export function rocCurve(scores: ArrayLike<number>, positive: ArrayLike<number | boolean>): RocCurve {
  const n = scores.length;
  const positives = Array.from(positive, Number).filter((v) => v === 1).length;
  const broken = Array.from(scores).findIndex((v) => Number.isNaN(v));
  if (n !== positive.length || positives === 0 || positives === n || broken >= 0) {
    throw new DataError({
      where: 'rocCurve',
      problem: `${n} scores${broken >= 0 ? `, NaN at ${broken}` : ''}, ${positive.length} examples, ${positives} of them positive`,
      hint: 'one number for each example, and at least one example of each kind',
      values: { scores: n, examples: positive.length, positives },
    });
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const curve: RocCurve = {
    falsePositiveRate: [0],
    truePositiveRate: [0],
    thresholds: [Number.POSITIVE_INFINITY],
    auc: 0,
  };
  let [hits, alarms] = [0, 0];
  for (const [k, i] of order.entries()) {
    if (Number(positive[i]) === 1) hits++;
    else alarms++;
    if (k + 1 < n && scores[order[k + 1]!] === scores[i]) continue;
    const [x, y] = [alarms / (n - positives), hits / positives];
    curve.auc += ((x - curve.falsePositiveRate.at(-1)!) * (y + curve.truePositiveRate.at(-1)!)) / 2;
    curve.falsePositiveRate.push(x);
    curve.truePositiveRate.push(y);
    curve.thresholds.push(scores[i]!);
  }
  return curve;
}

/** The class with the largest output in each row of (examples, classes), the first one of several. */
export function classesOf(outputs: ArrayLike<number>, classes: number): Int32Array {
  if (!(Number.isInteger(classes) && classes >= 1) || outputs.length % classes !== 0) {
    throw new OptionError({
      where: 'classesOf',
      problem: `${outputs.length} outputs of ${classes} classes`,
      hint: 'as many outputs as classes for each example',
      values: { outputs: outputs.length, classes },
    });
  }
  return Int32Array.from({ length: outputs.length / classes }, (_, row) => {
    let best = 0;
    for (let c = 1; c < classes; c++)
      if (outputs[row * classes + c]! > outputs[row * classes + best]!) best = c;
    return best;
  });
}
