// Multi-head attention (Vaswani et al. 2017), with PyTorch's parameters and first values.
import { showShape } from '../dtype.js';
import { checkOptionNames, OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import { type AttentionOptions, attentionWeights } from '../ops/attention.js';
import * as ops from '../ops/index.js';
import { checkUnits } from './check.js';
import { xavierUniform, zeros } from './init.js';
import { dropout, Linear } from './layers.js';
import { type Context, Module, Parameter } from './module.js';

/** Options of `multiHeadAttention`. */
export interface MultiHeadAttentionOptions {
  /** Whether the projections have biases; yes where not said. */
  bias?: boolean;
  /** Probability with which an attention weight is dropped in training; 0 where not said. */
  dropout?: number;
  /** In `forward`, position i looks at positions 0 to i only; no where not said. */
  causal?: boolean;
}

/** Attention of several heads between projections; (batch, length, embedDim) throughout. */
export class MultiHeadAttention extends Module {
  /** (embedDim, 3 embedDim): the projections of queries, keys and values side by side; PyTorch's in_proj, transposed. */
  readonly inProjWeight: Parameter;
  /** (3 embedDim), or null without bias. */
  readonly inProjBias: Parameter | null;
  readonly outProj: Linear;
  readonly #drop: Module;
  readonly #causal: boolean;

  constructor(
    readonly embedDim: number,
    readonly heads: number,
    options: MultiHeadAttentionOptions = {},
  ) {
    super();
    const { bias = true, dropout: p = 0, causal = false } = options;
    checkOptionNames('multiHeadAttention', options, ['bias', 'dropout', 'causal']);
    checkUnits('multiHeadAttention', 'embedDim', embedDim);
    checkUnits('multiHeadAttention', 'heads', heads);
    if (embedDim % heads !== 0) {
      throw new OptionError({
        where: 'multiHeadAttention',
        problem: `embedDim ${embedDim} is not divisible by ${heads} heads`,
        hint: 'each head takes embedDim / heads numbers',
        values: { embedDim, heads },
      });
    }
    const fans = { fanIn: embedDim, fanOut: 3 * embedDim };
    this.inProjWeight = new Parameter([embedDim, 3 * embedDim], xavierUniform, fans, true);
    this.inProjBias = bias ? new Parameter([3 * embedDim], zeros, fans, false) : null;
    this.outProj = new Linear(embedDim, embedDim, { bias, biasInit: zeros });
    this.#drop = dropout(p);
    this.#causal = causal;
  }

  /** Attention of x (batch, length, embedDim) to itself. */
  forward(x: Tensor, context: Context): Tensor {
    this.#check(x);
    const [n, length] = x.shape as [number, number];
    const all = this.#project(x, 0, 3);
    const split = ops.reshape(all, [n, length, 3, this.heads, this.embedDim / this.heads]);
    const parts = ops.transpose(split, [2, 0, 3, 1, 4]); // (3, batch, heads, length, numbers of a head)
    const part = (i: number): Tensor => ops.reshape(ops.slice(parts, [i], [i + 1]), parts.shape.slice(1));
    return this.#attend(part(0), part(1), part(2), context, { causal: this.#causal });
  }

  /**
   * Attention of queries (batch, L, embedDim) to keys and values (batch, S, embedDim). A mask broadcasts to
   * (batch, heads, L, S), see `scaledDotProductAttention`.
   */
  attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    context: Context,
    options: AttentionOptions = {},
  ): Tensor {
    checkOptionNames('multiHeadAttention: attend', options, ['mask', 'causal', 'scale']);
    const [q, k, v] = [query, key, value].map((x, i) => {
      this.#check(x);
      const [n, length] = x.shape as [number, number];
      const projected = this.#project(x, i, i + 1);
      return ops.transpose(
        ops.reshape(projected, [n, length, this.heads, this.embedDim / this.heads]),
        [0, 2, 1, 3],
      );
    }) as [Tensor, Tensor, Tensor];
    return this.#attend(q, k, v, context, options);
  }

  /** The projections `from` to `to` of the three. */
  #project(x: Tensor, from: number, to: number): Tensor {
    const [start, end] = [from * this.embedDim, to * this.embedDim];
    const whole = to - from === 3;
    const weight = whole ? this.inProjWeight : ops.slice(this.inProjWeight, [0, start], [null, end]);
    const y = ops.matmul(x, weight);
    if (!this.inProjBias) return y;
    return ops.add(y, whole ? this.inProjBias : ops.slice(this.inProjBias, [start], [end]));
  }

  /** From heads (batch, heads, length, numbers) to (batch, length, embedDim). */
  #attend(q: Tensor, k: Tensor, v: Tensor, context: Context, options: AttentionOptions): Tensor {
    const weights = this.#drop.forward(attentionWeights(q, k, options), context);
    const joined = ops.transpose(ops.matmul(weights, v), [0, 2, 1, 3]);
    const [n, length] = joined.shape as [number, number];
    return this.outProj.forward(ops.reshape(joined, [n, length, this.embedDim]));
  }

  #check(x: Tensor): void {
    if (x.rank === 3 && x.shape[2] === this.embedDim) return;
    throw new ShapeError({
      where: 'multiHeadAttention',
      problem: `input is ${showShape(x.shape)}, the layer takes (batch, length, ${this.embedDim})`,
      hint: 'the batch comes first, the last axis has embedDim numbers',
      values: { input: x.shape, embedDim: this.embedDim },
    });
  }
}

/** Attention with `heads` heads on vectors of `embedDim` numbers. */
export const multiHeadAttention = (
  embedDim: number,
  heads: number,
  options?: MultiHeadAttentionOptions,
): MultiHeadAttention => new MultiHeadAttention(embedDim, heads, options);
