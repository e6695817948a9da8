// How far to go along a direction: backtracking, and the search for a step that satisfies the strong Wolfe conditions.
import { dot, type LineSearch, type Objective, type Point, plus } from './objective.js';

/** Part of the promised decrease that a step must give. */
const enough = 1e-4;
/** Part of the first slope that may be left. */
const flatEnough = 0.9;
const trials = 25;

/** Halves the step until the value falls by part of what the slope promises (Armijo 1966). */
export const backtracking: LineSearch = async (objective, from, direction, first) => {
  const slope = dot(from.gradient, direction);
  let step = first;
  for (let i = 0; i < trials; i++, step /= 2) {
    const to = await objective.at(plus(from.x, step, direction));
    if (to.value <= from.value + enough * step * slope && to.value < from.value) return to;
  }
  return null;
};

/** A point along the direction. */
interface Trial {
  readonly step: number;
  readonly point: Point;
  readonly slope: number;
}

/**
 * A step at which the value has fallen enough and the slope is at most 0.9 of the first one by size: bracketing, then
 * sections by cubic interpolation (Nocedal and Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6).
 */
export const strongWolfe: LineSearch = async (objective, from, direction, first) => {
  const slope = dot(from.gradient, direction);
  const start: Trial = { step: 0, point: from, slope };
  const tried = (step: number): Promise<Trial> => trial(objective, from, direction, step);
  const falls = ({ step, point }: Trial): boolean => point.value <= from.value + enough * step * slope;
  const isFlat = (t: Trial): boolean => Math.abs(t.slope) <= -flatEnough * slope;
  let before = start;
  let step = first;
  for (let i = 0; i < trials; i++) {
    const now = await tried(step);
    if (!falls(now) || (i > 0 && now.point.value >= before.point.value))
      return section(before, now, { tried, falls, isFlat, start });
    if (isFlat(now)) return now.point;
    if (now.slope >= 0) return section(now, before, { tried, falls, isFlat, start });
    before = now;
    step *= 2;
  }
  return before.point.value < from.value ? before.point : null;
};

async function trial(
  objective: Objective,
  from: Point,
  direction: Float64Array,
  step: number,
): Promise<Trial> {
  const point = await objective.at(plus(from.x, step, direction));
  return { step, point, slope: dot(point.gradient, direction) };
}

interface Rules {
  tried(step: number): Promise<Trial>;
  falls(t: Trial): boolean;
  isFlat(t: Trial): boolean;
  start: Trial;
}

/** Closes in between two steps; `low` has fallen enough and is the lower one. */
async function section(
  low: Trial,
  high: Trial,
  { tried, falls, isFlat, start }: Rules,
): Promise<Point | null> {
  for (let i = 0; i < trials; i++) {
    const now = await tried(between(low, high));
    if (!falls(now) || now.point.value >= low.point.value) {
      high = now;
    } else {
      if (isFlat(now)) return now.point;
      if (now.slope * (high.step - low.step) >= 0) high = low;
      low = now;
    }
    if (Math.abs(high.step - low.step) < 1e-9 * Math.max(low.step, high.step)) break;
  }
  return low.point.value < start.point.value ? low.point : null;
}

/** The lowest point of the cubic through both values and slopes, kept off the ends; the middle where there is none. */
function between(a: Trial, b: Trial): number {
  const width = b.step - a.step;
  const d = a.slope + b.slope - (3 * (b.point.value - a.point.value)) / width;
  const square = d * d - a.slope * b.slope;
  const root = Math.sqrt(square) * Math.sign(width);
  const at = b.step - (width * (b.slope + root - d)) / (b.slope - a.slope + 2 * root);
  const [least, most] = [Math.min(a.step, b.step), Math.max(a.step, b.step)];
  const margin = 0.1 * (most - least);
  return at >= least + margin && at <= most - margin ? at : (a.step + b.step) / 2;
}
