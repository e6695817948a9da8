// Models that are more than a row of layers: branches, sums, skip connections, several inputs and outputs, shared weights.
import { type Shape, showShape, sizeOf } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph.js';
import * as ops from '../ops/index.js';
import { identity, sequential } from './layers.js';
import { type Context, inference, Module } from './module.js';

/** Several layers on the same input, whose outputs become one. */
export class Branches extends Module {
  readonly #join: (outputs: readonly Tensor[]) => Tensor;

  constructor(
    readonly name: 'plus' | 'concat',
    readonly branches: readonly Module[],
    join: (outputs: readonly Tensor[]) => Tensor,
  ) {
    super();
    this.#join = join;
    const wrong = branches.findIndex((b) => !(b instanceof Module));
    if (branches.length > 0 && wrong < 0) return;
    throw new OptionError({
      where: name,
      problem: branches.length === 0 ? 'there is no branch' : `branch ${wrong} is ${String(branches[wrong])}`,
      hint: 'give layers, as in nn.plus(nn.identity(), nn.linear(8, 8))',
    });
  }

  protected override children(): Iterable<[string, unknown]> {
    return this.branches.map((branch, i): [string, Module] => [String(i), branch]);
  }

  forward(x: Tensor, context: Context): Tensor {
    return this.#join(this.branches.map((branch) => branch.forward(x, context)));
  }
}

/** The sum of what several layers make of the same input: y = f_1(x) + f_2(x) + ... Errors: OptionError without a layer. */
export const plus = (...branches: readonly Module[]): Branches =>
  new Branches('plus', branches, (outputs) => outputs.reduce((a, b) => ops.add(a, b)));

/**
 * What several layers make of the same input (batch, ...), side by side along the last axis (Szegedy et al., "Going deeper
 * with convolutions", 2015). Errors: OptionError without a layer, ShapeError where the other axes differ.
 */
export const concat = (...branches: readonly Module[]): Branches =>
  new Branches('concat', branches, (outputs) => ops.concat(outputs, -1));

/** A skip connection around layers: y = x + f(x) (He et al., "Deep residual learning for image recognition", 2016). */
export const skip = (...layers: readonly Module[]): Branches => plus(identity(), sequential(...layers));

/** Layers by name. */
export type Parts = Readonly<Record<string, Module>>;
/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;
/** The layers of a functional model as functions of tensors. */
export type Calls<P extends Parts> = { readonly [name in keyof P]: (x: Tensor) => Tensor };

/**
 * A model from layers by name and a function that says how values flow through them. `forward` takes and gives one tensor:
 * several inputs (batch, ...) lie in it side by side, flat, in the order in which they were named, and so do several
 * outputs; `run` takes and gives them by name.
 */
export class Functional<P extends Parts, I extends string> extends Module {
  readonly #flow: (calls: Calls<P>, inputs: Readonly<Record<I, Tensor>>) => Tensor | Tensors;

  constructor(
    readonly parts: P,
    /** Shapes of the inputs by name, without the batch axis; null for a single input of any shape. */
    readonly inputs: Readonly<Record<I, Shape>> | null,
    flow: (calls: Calls<P>, inputs: Readonly<Record<I, Tensor>>) => Tensor | Tensors,
  ) {
    super();
    this.#flow = flow;
    for (const [name, part] of Object.entries(parts)) {
      if (part instanceof Module) continue;
      throw new OptionError({
        where: 'functional',
        problem: `${name} is ${String(part)}, not a layer`,
        hint: 'call it: nn.relu(), not nn.relu',
        values: { name },
      });
    }
  }

  protected override children(): Iterable<[string, unknown]> {
    return Object.entries(this.parts);
  }

  #record(inputs: Readonly<Record<I, Tensor>> | Tensor, context: Context): Tensor | Tensors {
    const entries = Object.entries(this.parts).map(([name, part]) => [
      name,
      (x: Tensor) => part.forward(x, context),
    ]);
    return this.#flow(Object.fromEntries(entries) as Calls<P>, inputs as Readonly<Record<I, Tensor>>);
  }

  /** Outputs by name, or the only one, of inputs by name; each (batch, ...). Errors: ShapeError for a missing input. */
  run(inputs: Readonly<Record<I, Tensor>>, context: Context = inference()): Tensor | Tensors {
    this.#check(inputs);
    return this.#record(inputs, context);
  }

  forward(x: Tensor, context: Context): Tensor {
    const output = this.#record(this.inputs ? this.#inputsOf(x) : x, context);
    return isTensor(output) ? output : columnsOf(Object.values(output));
  }

  /** Inputs by name as `forward`, `predict` and data sets have them: (batch, all their elements). */
  pack(inputs: Readonly<Record<I, Tensor>>): Tensor {
    this.#check(inputs);
    return columnsOf(this.#names().map((name) => inputs[name]));
  }

  /** The outputs by name of what `forward` or `predict` gave, (batch, all their elements). Errors: ShapeError. */
  unpack(outputs: Tensor): Tensors {
    const batch = outputs.shape[0]!;
    const shapes = Object.entries(this.outputShapes());
    const total = shapes.reduce((n, [, shape]) => n + sizeOf(shape), 0);
    if (outputs.rank !== 2 || outputs.shape[1] !== total) {
      throw new ShapeError({
        where: 'unpack',
        problem: `outputs are ${showShape(outputs.shape)}, those of the model have ${total} columns`,
        hint: 'give what forward or predict gave',
        values: { outputs: outputs.shape, columns: total },
      });
    }
    let at = 0;
    const named = shapes.map(([name, shape]): [string, Tensor] => {
      const own = ops.slice(outputs, [0, at], [batch, at + sizeOf(shape)]);
      at += sizeOf(shape);
      return [name, ops.reshape(own, [batch, ...shape])];
    });
    return Object.fromEntries(named);
  }

  /** Shapes of the outputs by name, without the batch axis, in the order of their columns. Nothing is computed. */
  outputShapes(): Readonly<Record<string, Shape>> {
    const inputs = this.inputs && this.#inputsOf(ops.zeros([1, this.#width()]));
    const output = inputs && this.#record(inputs, inference());
    if (!output || isTensor(output)) {
      throw new OptionError({
        where: 'functional',
        problem: 'the model has one output, without a name',
        hint: 'name inputs and outputs: nn.functional(parts, { a: [3], b: [4] }, ...), and give an object of tensors',
      });
    }
    return Object.fromEntries(Object.entries(output).map(([name, { shape }]) => [name, shape.slice(1)]));
  }

  #names(): I[] {
    return Object.keys(this.inputs ?? {}) as I[];
  }

  #width(): number {
    return this.#names().reduce((n, name) => n + sizeOf(this.inputs![name]), 0);
  }

  #inputsOf(x: Tensor): Readonly<Record<I, Tensor>> {
    const width = this.#width();
    if (x.rank !== 2 || x.shape[1] !== width) {
      const list = this.#names().map((name) => `${name} ${showShape(this.inputs![name])}`);
      throw new ShapeError({
        where: 'functional',
        problem: `the input is ${showShape(x.shape)}, the model takes (batch,${width})`,
        hint: `the columns are ${list.join(', ')}, flat and side by side`,
        values: { input: x.shape, columns: width },
      });
    }
    let at = 0;
    const named = this.#names().map((name): [I, Tensor] => {
      const shape = this.inputs![name];
      const own = ops.slice(x, [0, at], [x.shape[0]!, at + sizeOf(shape)]);
      at += sizeOf(shape);
      return [name, ops.reshape(own, [x.shape[0]!, ...shape])];
    });
    return Object.fromEntries(named) as Record<I, Tensor>;
  }

  #check(inputs: Readonly<Record<I, Tensor>>): void {
    for (const name of this.#names()) {
      const [wanted, found] = [this.inputs![name], inputs[name] as Tensor | undefined];
      if (found && String(found.shape.slice(1)) === String(wanted) && found.rank === wanted.length + 1)
        continue;
      throw new ShapeError({
        where: 'functional',
        problem: `input ${name} is ${found ? showShape(found.shape) : 'missing'}`,
        hint: `an example of it is ${showShape(wanted)}, behind the batch axis`,
        values: { name, wanted },
      });
    }
  }
}

const isTensor = (t: Tensor | Tensors): t is Tensor => Array.isArray((t as Tensor).shape);

/** Tensors (batch, ...) as (batch, all their elements). */
const columnsOf = (tensors: readonly Tensor[]): Tensor =>
  ops.concat(
    tensors.map((t) => ops.reshape(t, [t.shape[0]!, sizeOf(t.shape.slice(1))])),
    1,
  );

/**
 * A model of layers by name and a function that says how values flow: any graph, in which a layer that is called twice shares
 * its weights, and their gradients add up.
 *
 *     nn.functional({ first: nn.linear(8, 8), head: nn.linear(8, 2) }, ({ first, head }, x) => head(first(x).relu().add(x)))
 *
 * With several inputs their shapes are named, and with several outputs the function gives them by name:
 *
 *     nn.functional({ ... }, { image: [28, 28], age: [1] }, (layers, { image, age }) => ({ digit: ..., odd: ... }))
 *
 * `loss.multiTask` takes such outputs apart again, `data.joinColumns` makes data sets for it. Errors: OptionError.
 */
export function functional<P extends Parts>(
  parts: P,
  flow: (layers: Calls<P>, x: Tensor) => Tensor,
): Functional<P, never>;
export function functional<P extends Parts, I extends string>(
  parts: P,
  inputs: Readonly<Record<I, Shape>>,
  flow: (layers: Calls<P>, inputs: Readonly<Record<I, Tensor>>) => Tensor | Tensors,
): Functional<P, I>;
export function functional<P extends Parts>(
  parts: P,
  inputs: Readonly<Record<string, Shape>> | ((layers: Calls<P>, x: Tensor) => Tensor),
  flow?: (layers: Calls<P>, inputs: Readonly<Record<string, Tensor>>) => Tensor | Tensors,
): Functional<P, string> {
  if (typeof inputs !== 'function') return new Functional(parts, inputs, flow!);
  return new Functional(parts, null, inputs as unknown as NonNullable<typeof flow>);
}

/**
 * Leaves the parameters of a model, or of a part of it, out of training, and gives it back: what was learned elsewhere stays
 * as it is. Running statistics of a batch norm still follow the batches of a training.
 */
export function freeze<M extends Module>(model: M): M {
  for (const p of model.parameters()) p.trainable = false;
  return model;
}

/** Lets the parameters of a model, or of a part of it, be trained again. */
export function unfreeze<M extends Module>(model: M): M {
  for (const p of model.parameters()) p.trainable = true;
  return model;
}
