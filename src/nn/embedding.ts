// Vectors by number: a table whose rows are learned.
import { checkOptionNames, OptionError } from '../errors.js';
import type { Tensor } from '../graph.js';
import * as ops from '../ops/index.js';
import { checkUnits } from './check.js';
import { type Initializer, normal } from './init.js';
import { Module, Parameter } from './module.js';

/** Options of `embedding`. */
export interface EmbeddingOptions {
  /** The number whose vector starts as zeros and is not trained, for places where there is nothing. */
  paddingIndex?: number;
  /** First vectors; normal of deviation 1, PyTorch's default, where not said. */
  weightInit?: Initializer;
}

/** Row x of a table for each number x. */
export class Embedding extends Module {
  /** (num, dim) */
  readonly weight: Parameter;
  readonly paddingIndex: number | null;

  constructor(
    readonly num: number,
    readonly dim: number,
    options: EmbeddingOptions = {},
  ) {
    super();
    const { paddingIndex, weightInit = normal() } = options;
    checkOptionNames('embedding', options, ['paddingIndex', 'weightInit']);
    checkUnits('embedding', 'num', num);
    checkUnits('embedding', 'dim', dim);
    if (
      paddingIndex !== undefined &&
      !(Number.isInteger(paddingIndex) && paddingIndex >= 0 && paddingIndex < num)
    ) {
      throw new OptionError({
        where: 'embedding',
        problem: `paddingIndex is ${paddingIndex}`,
        hint: `a whole number from 0, below ${num}`,
        values: { paddingIndex, num },
      });
    }
    this.paddingIndex = paddingIndex ?? null;
    const init: Initializer = (shape, fans, random) => {
      const first = weightInit(shape, fans, random);
      if (paddingIndex === undefined) return first;
      const isPadding = ops.equal(ops.reshape(ops.arange(num), [num, 1]), paddingIndex);
      return ops.where(isPadding, 0, first);
    };
    this.weight = new Parameter([num, dim], init, { fanIn: num, fanOut: dim }, true);
  }

  /** (...) whole numbers give (..., dim). Numbers of another dtype are cut to whole ones; one out of range gives NaN. */
  forward(x: Tensor): Tensor {
    const numbers = ops.cast(x, 'int32');
    const vectors = ops.gather(this.weight, numbers);
    if (this.paddingIndex === null) return vectors;
    const isPadding = ops.equal(numbers, this.paddingIndex);
    return ops.where(ops.reshape(isPadding, [...x.shape, 1]), ops.stopGradient(vectors), vectors);
  }
}

/** A table of `num` learned vectors of `dim` numbers. */
export const embedding = (num: number, dim: number, options?: EmbeddingOptions): Embedding =>
  new Embedding(num, dim, options);
