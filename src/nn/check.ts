// Checks that layers share.
import { showShape } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';

/** Names of the options of `linear`, which layers with a weight and a bias share. */
export const linearOptions = ['bias', 'weightInit', 'biasInit'];

/** A whole number of units >= 1. */
export function checkUnits(where: string, name: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new OptionError({
    where,
    problem: `${name} is ${value}`,
    hint: 'a whole number >= 1',
    values: { [name]: value },
  });
}

/** A finite number, from 0 or of any sign. */
export function checkFinite(
  where: string,
  name: string,
  value: number,
  from = Number.NEGATIVE_INFINITY,
): void {
  if (Number.isFinite(value) && value >= from) return;
  throw new OptionError({
    where,
    problem: `${name} is ${value}`,
    hint: from === 0 ? 'a number from 0' : 'a finite number',
    values: { [name]: value },
  });
}

/** An input whose last axis has the layer's number of values. */
export function checkInputs(where: string, x: Tensor, inputs: number): void {
  if (x.shape.at(-1) === inputs) return;
  throw new ShapeError({
    where,
    problem: `input is ${showShape(x.shape)}, the layer takes ${inputs} values: ${x.shape.at(-1)} != ${inputs}`,
    hint: 'the last axis must be the number of inputs; put nn.flatten() before it for images',
    values: { input: x.shape, inputs },
  });
}
