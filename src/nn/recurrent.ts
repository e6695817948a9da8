// Recurrent layers: simple, GRU and LSTM, over whole sequences (stacked, in both directions, with masks), and single cells.
import { type Shape, sameShape, showShape } from '../dtype.js';
import { checkOptionNames, DataError, DTypeError, OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import * as ops from '../ops/index.js';
import { type Cell, cells, tensors } from '../ops/recurrent-cells.js';
import { tensor } from '../tensor.js';
import { checkUnits } from './check.js';
import { fanInUniform } from './init.js';
import { dropout as dropoutLayer } from './layers.js';
import { type Context, inference, Module, Parameter } from './module.js';

/** Hidden states, and for an LSTM cell states. */
export interface RecurrentState {
  readonly h: Tensor;
  readonly c?: Tensor;
}

/** Options of `gru` and `lstm`. */
export interface RecurrentOptions {
  /** Layers one above the other; 1 where not said. */
  layers?: number;
  /** Whether there are biases; yes where not said. */
  bias?: boolean;
  /** Whether a second network reads from the end to the beginning; the outputs of the two are side by side. */
  bidirectional?: boolean;
  /** In training, values between layers are dropped with this probability. */
  dropout?: number;
  /** What `forward` gives: the outputs of all steps, or the last hidden state of each example. */
  returns?: 'all' | 'last';
}

/** Options of `rnn`. */
export interface RnnOptions extends RecurrentOptions {
  nonlinearity?: 'tanh' | 'relu';
}

/** What `run` takes besides the sequences. */
export interface SequenceInput {
  /** Steps of each example, from 1 to the number of steps; what comes after them is padding and is ignored. */
  lengths?: Tensor | readonly number[];
  /** First states, (layers * directions, batch, hidden) each; zeros where not given. */
  state?: RecurrentState;
}

/** What `run` gives. */
export interface SequenceOutput {
  /** (batch, steps, directions * hidden): hidden states of the last layer; zeros beyond an example's length. */
  readonly output: Tensor;
  /** (layers * directions, batch, hidden) each: states after the last step of each example; in reverse after its first. */
  readonly state: RecurrentState;
}

const optionNames = ['layers', 'bias', 'bidirectional', 'dropout', 'returns'];

/** Weights of one direction of one layer, with PyTorch's names, order of gates and first values, but transposed. */
class Weights extends Module {
  /** (inputs, gates * hidden) */
  readonly weightInput: Parameter;
  /** (hidden, gates * hidden) */
  readonly weightHidden: Parameter;
  /** (gates * hidden) each, or null without bias. */
  readonly biasInput: Parameter | null;
  readonly biasHidden: Parameter | null;
  readonly #cell: Cell;

  constructor(cell: Cell, inputs: number, hidden: number, bias: boolean) {
    super();
    const wide = cell.gates * hidden;
    // All of them are uniform in +-1/sqrt(hidden).
    const make = (shape: Shape) =>
      new Parameter(shape, fanInUniform, { fanIn: hidden, fanOut: hidden }, shape.length > 1);
    this.#cell = cell;
    this.weightInput = make([inputs, wide]);
    this.weightHidden = make([hidden, wide]);
    this.biasInput = bias ? make([wide]) : null;
    this.biasHidden = bias ? make([wide]) : null;
  }

  /** (parts * hidden): the two biases added up where a gate's sum has both. */
  bias(): Tensor {
    const { gates, parts } = this.#cell;
    const [wide] = this.weightHidden.shape.slice(1) as [number];
    const hidden = wide / gates;
    if (!this.biasInput || !this.biasHidden) return ops.zeros([parts * hidden]);
    if (gates === parts) return ops.add(this.biasInput, this.biasHidden);
    const [x, h] = [this.biasInput, this.biasHidden];
    const both = ops.add(ops.slice(x, [0], [2 * hidden]), ops.slice(h, [0], [2 * hidden]));
    return ops.concat([both, ops.slice(x, [2 * hidden]), ops.slice(h, [2 * hidden])]);
  }

  /** The context is not needed: there is nothing random in a step. */
  forward(x: Tensor): Tensor {
    return ops.matmul(x, this.weightInput);
  }
}

const sequences = {
  rnnTanh: ops.rnnTanhSequence,
  rnnRelu: ops.rnnReluSequence,
  gru: ops.gruSequence,
  lstm: ops.lstmSequence,
};

/** What is asked of states given by users. */
function checkState(where: string, cell: Cell, state: RecurrentState, shape: Shape): Tensor[] {
  const given = [state.h, state.c].filter((t) => t !== undefined);
  if (given.length !== cell.states) {
    throw new ShapeError({
      where,
      problem: `the state has ${state.c ? 'h and c' : 'only h'}`,
      hint: cell.states === 2 ? 'an LSTM has { h, c }' : 'this cell has { h } alone',
    });
  }
  for (const [i, t] of given.entries()) {
    if (sameShape(t.shape, shape)) continue;
    throw new ShapeError({
      where,
      problem: `state ${'hc'[i]} is ${showShape(t.shape)}, must be ${showShape(shape)}`,
      hint: shape.length === 3 ? '(layers * directions, batch, hidden)' : '(batch, hidden)',
      values: { state: t.shape, expected: shape },
    });
  }
  return given;
}

function checkInput(where: string, x: Tensor, inputs: number, rank: 2 | 3): void {
  const hint = rank === 3 ? '(batch, steps, inputs), with at least one step' : '(batch, inputs)';
  const values = { input: x.shape, inputs };
  const problem =
    x.rank !== rank
      ? `input is ${showShape(x.shape)}, must have ${rank} axes`
      : x.shape.at(-1) !== inputs
        ? `input is ${showShape(x.shape)}, the layer takes ${inputs} values: ${x.shape.at(-1)} != ${inputs}`
        : rank === 3 && x.shape[1] === 0
          ? `input is ${showShape(x.shape)}: there are no steps`
          : null;
  if (problem) throw new ShapeError({ where, problem, hint, values });
}

/** Lengths as a tensor; values are checked where they are on the host. */
function checkLengths(where: string, lengths: Tensor | readonly number[], [batch, steps]: Shape): Tensor {
  const given = Array.isArray(lengths) ? null : (lengths as Tensor);
  const count = given ? given.shape : [(lengths as readonly number[]).length];
  if (!sameShape(count, [batch!])) {
    throw new ShapeError({
      where,
      problem: `lengths are ${showShape(count)} for a batch of ${batch}`,
      hint: 'one length for each example',
      values: { lengths: count, batch },
    });
  }
  if (given && given.dtype !== 'int32') {
    throw new DTypeError({
      where,
      problem: `lengths are ${given.dtype}`,
      hint: "whole numbers: use .cast('int32')",
      values: { dtype: given.dtype },
    });
  }
  const values = given
    ? given.source.kind === 'data'
      ? given.source.data
      : []
    : (lengths as readonly number[]);
  const wrong = Array.from(values).findIndex((n) => !(Number.isInteger(n) && n >= 1 && n <= steps!));
  if (wrong >= 0) {
    throw new DataError({
      where,
      problem: `length ${wrong} is ${values[wrong]}, the sequences have ${steps} steps`,
      hint: `whole numbers from 1 to ${steps}; leave out examples without any step`,
      values: { index: wrong, length: values[wrong], steps },
    });
  }
  return given ?? tensor([...(lengths as readonly number[])], { dtype: 'int32' });
}

/** Layers of one kind of cell over sequences (batch, steps, inputs); made by `rnn`, `gru` and `lstm`. */
export class Recurrent extends Module {
  readonly directions: 1 | 2;
  readonly layers: number;
  readonly returns: 'all' | 'last';
  /** By layer, forward before reverse. */
  readonly weights: readonly Weights[];
  readonly #cell: Cell;
  readonly #dropout: Module;

  constructor(
    readonly name: string,
    cell: Cell,
    readonly inputs: number,
    readonly hidden: number,
    options: RecurrentOptions = {},
  ) {
    super();
    const { layers = 1, bias = true, bidirectional = false, dropout = 0, returns = 'all' } = options;
    checkOptionNames(name, options, optionNames);
    checkUnits(name, 'inputs', inputs);
    checkUnits(name, 'hidden', hidden);
    checkUnits(name, 'layers', layers);
    if (returns !== 'all' && returns !== 'last') {
      throw new OptionError({
        where: name,
        problem: `returns is ${String(returns)}`,
        hint: "'all' or 'last'",
        values: { returns },
      });
    }
    this.directions = bidirectional ? 2 : 1;
    this.layers = layers;
    this.returns = returns;
    this.#cell = cell;
    this.#dropout = dropoutLayer(dropout);
    this.weights = Array.from({ length: layers * this.directions }, (_, i) => {
      const width = i < this.directions ? inputs : hidden * this.directions;
      return new Weights(cell, width, hidden, bias);
    });
  }

  /** `0.weightInput`, `0.reverse.weightInput`, ... */
  protected override children(): Iterable<[string, unknown]> {
    const name = (i: number): string =>
      `${Math.floor(i / this.directions)}${i % this.directions > 0 ? '.reverse' : ''}`;
    return this.weights.map((w, i): [string, Module] => [name(i), w]);
  }

  /** (batch, steps, inputs) gives (batch, steps, directions * hidden), or with `returns: 'last'` (batch, directions * hidden). */
  forward(x: Tensor, context: Context): Tensor {
    const { output, state } = this.run(x, {}, context);
    if (this.returns === 'all') return output;
    const last = ops.slice(state.h, [-this.directions]);
    const [, batch, hidden] = last.shape as [number, number, number];
    return ops.reshape(ops.transpose(last, [1, 0, 2]), [batch, this.directions * hidden]);
  }

  /**
   * The same with lengths and first states, giving outputs and last states: of each layer, forward before reverse, as
   * PyTorch has it. The reverse direction begins at each example's own last step.
   */
  run(x: Tensor, given: SequenceInput = {}, context: Context = inference()): SequenceOutput {
    const { name, hidden, directions } = this;
    const { lengths, state } = given;
    checkOptionNames(`${name}: run`, given, ['lengths', 'state']);
    checkInput(name, x, this.inputs, 3);
    const [batch, steps] = x.shape as [number, number];
    const mask = lengths && checkLengths(name, lengths, [batch, steps]);
    const first = state && checkState(name, this.#cell, state, [this.weights.length, batch, hidden]);
    const sequence = sequences[this.#cell.name];
    const last: (readonly Tensor[])[] = [];
    let values = ops.transpose(x, [1, 0, 2]); // what belongs to a step lies together
    for (let layer = 0; layer < this.layers; layer++) {
      if (layer > 0) values = this.#dropout.forward(values, context);
      const outputs = [];
      for (let direction = 0; direction < directions; direction++) {
        const index = layer * directions + direction;
        const weights = this.weights[index]!;
        const made = sequence(weights.forward(values), weights.weightHidden, weights.bias(), {
          reverse: direction > 0,
          ...(mask && { lengths: mask }),
          ...(first && {
            state: first.map((s) => ops.reshape(ops.slice(s, [index], [index + 1]), [batch, hidden])),
          }),
        });
        outputs.push(made.hidden);
        last.push(made.state);
      }
      values = outputs.length > 1 ? ops.concat(outputs, 2) : outputs[0]!;
    }
    if (mask) {
      const active = ops.less(ops.reshape(ops.arange(steps), [steps, 1]), mask);
      values = ops.where(ops.reshape(active, [steps, batch, 1]), values, 0);
    }
    const [h, c] = last[0]!.map((_, i) => ops.stack(last.map((s) => s[i]!)));
    return { output: ops.transpose(values, [1, 0, 2]), state: c ? { h: h!, c } : { h: h! } };
  }
}

/** One step of a recurrent network, a composition of ops; made by `rnnCell`, `gruCell` and `lstmCell`. */
export class RecurrentCell extends Module {
  readonly weights: Weights;
  readonly #cell: Cell;

  constructor(
    readonly name: string,
    cell: Cell,
    readonly inputs: number,
    readonly hidden: number,
    options: { bias?: boolean } = {},
  ) {
    super();
    const { bias = true } = options;
    checkOptionNames(name, options, ['bias']);
    checkUnits(name, 'inputs', inputs);
    checkUnits(name, 'hidden', hidden);
    this.#cell = cell;
    this.weights = new Weights(cell, inputs, hidden, bias);
  }

  protected override children(): Iterable<[string, unknown]> {
    return Object.entries(this.weights);
  }

  /** A step from a state of zeros: (batch, inputs) gives (batch, hidden). */
  forward(x: Tensor): Tensor {
    return this.step(x).h;
  }

  /** The state after a step: x (batch, inputs), states (batch, hidden), zeros where not given. */
  step(x: Tensor, state?: RecurrentState): RecurrentState {
    const { hidden } = this;
    checkInput(this.name, x, this.inputs, 2);
    const shape = [x.shape[0]!, hidden];
    const before = state
      ? checkState(this.name, this.#cell, state, shape)
      : Array.from({ length: this.#cell.states }, () => ops.zeros(shape, x.dtype));
    const parts = (t: Tensor): Tensor[] =>
      Array.from({ length: t.shape.at(-1)! / hidden }, (_, i) =>
        ops.slice(
          t,
          [...t.shape.slice(1).map(() => null), i * hidden],
          [...t.shape.slice(1).map(() => null), (i + 1) * hidden],
        ),
      );
    const { after } = this.#cell.forward(tensors, {
      x: parts(this.weights.forward(x)),
      q: parts(ops.matmul(before[0]!, this.weights.weightHidden)),
      bias: parts(this.weights.bias()),
      before,
    });
    const [h, c] = after;
    return c ? { h: h!, c } : { h: h! };
  }
}

const simpleCell = (where: string, nonlinearity: unknown): Cell => {
  if (nonlinearity === 'tanh') return cells.rnnTanh;
  if (nonlinearity === 'relu') return cells.rnnRelu;
  throw new OptionError({
    where,
    problem: `nonlinearity is ${String(nonlinearity)}`,
    hint: "'tanh' or 'relu'",
    values: { nonlinearity },
  });
};

/** Simple recurrent network (Elman 1990): h' = tanh(W x + b + U h + d), or relu. */
export function rnn(inputs: number, hidden: number, options: RnnOptions = {}) {
  checkOptionNames('rnn', options, [...optionNames, 'nonlinearity']);
  const { nonlinearity = 'tanh', ...others } = options;
  return new Recurrent('rnn', simpleCell('rnn', nonlinearity), inputs, hidden, others);
}

/**
 * Gated recurrent units (Cho et al. 2014), with the reset gate after the product as in PyTorch:
 * r = sigmoid(W x + b + U h + d), z the same, n = tanh(W x + b + r (U h + d)), h' = (1 - z) n + z h; in the order r, z, n.
 */
export const gru = (inputs: number, hidden: number, options?: RecurrentOptions) =>
  new Recurrent('gru', cells.gru, inputs, hidden, options);

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000):
 * i, f, o = sigmoid(W x + b + U h + d), g = tanh(the same), c' = f c + i g, h' = o tanh(c'); in the order i, f, g, o.
 */
export const lstm = (inputs: number, hidden: number, options?: RecurrentOptions) =>
  new Recurrent('lstm', cells.lstm, inputs, hidden, options);

/** One step of `rnn`. */
export function rnnCell(
  inputs: number,
  hidden: number,
  options: { bias?: boolean; nonlinearity?: 'tanh' | 'relu' } = {},
) {
  checkOptionNames('rnnCell', options, ['bias', 'nonlinearity']);
  const { nonlinearity = 'tanh', ...others } = options;
  return new RecurrentCell('rnnCell', simpleCell('rnnCell', nonlinearity), inputs, hidden, others);
}

/** One step of `gru`. */
export const gruCell = (inputs: number, hidden: number, options?: { bias?: boolean }) =>
  new RecurrentCell('gruCell', cells.gru, inputs, hidden, options);

/** One step of `lstm`. */
export const lstmCell = (inputs: number, hidden: number, options?: { bias?: boolean }) =>
  new RecurrentCell('lstmCell', cells.lstm, inputs, hidden, options);
