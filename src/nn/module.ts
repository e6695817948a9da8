// What a layer or model is: parameters and buffers by name, and a forward pass that records ops.
import type { Shape } from '../dtype.js';
import { engine } from '../engine.js';
import { StateError } from '../errors.js';
import { constant, type Tensor, Variable } from '../graph.js';
import { full, type RandomOptions } from '../ops/index.js';
import { streams } from '../philox.js';
import type { SavedTensor } from '../safetensors.js';
import type { Fans, Initializer } from './init.js';

/** A variable that is trained. Its first values come from its initializer, a seed, and its place in the model. */
export class Parameter extends Variable {
  /** The seed and stream of its first values; set by `initialize`, before there are any. */
  random: RandomOptions = { seed: 0, stream: 0 };
  /** Frozen parameters are left alone by optimizers. */
  trainable = true;

  constructor(
    shape: Shape,
    initializer: Initializer,
    fans: Fans,
    /** Whether weight decay applies: to weights, not to biases. */
    readonly decays: boolean,
  ) {
    super(shape, 'float32', () => initializer(shape, fans, this.random), 'parameter');
  }
}

/**
 * A variable that belongs to the model but is not trained: running statistics and the like. It is saved and loaded with
 * the weights, and new values are assigned in the forward pass of training.
 */
export class Buffer extends Variable {
  constructor(shape: Shape, value: number) {
    super(shape, 'float32', () => full(shape, value), 'buffer');
  }
}

/** Random numbers of one forward pass: every use draws from a stream of its own, every step anew. */
export class RandomSource {
  #stream = streams.forward;

  constructor(
    private readonly seed: number,
    private readonly step: Tensor,
  ) {}

  /** What an op that draws needs: seed, step, and a stream that no other use has. */
  next(): RandomOptions {
    return { seed: this.seed, stream: this.#stream++, step: this.step };
  }
}

/** What a forward pass is told besides its input. */
export interface Context {
  /** Whether dropout and its like are on. */
  readonly training: boolean;
  readonly random: RandomSource;
  /** Where layers put scalars that are added to the loss; missing where nothing is trained. */
  readonly penalties?: Tensor[];
}

/** The context in which models are used rather than trained. */
export const inference = (): Context => ({
  training: false,
  random: new RandomSource(0, constant(0, 'int32')),
});

/** Base class of layers and models. */
export abstract class Module {
  /** Records the ops that compute the output from (batch, ...) inputs. */
  abstract forward(x: Tensor, context: Context): Tensor;

  /** Parameters, buffers and sub-modules of this module, by name; by default its fields. */
  protected children(): Iterable<[string, unknown]> {
    return Object.entries(this).flatMap(([name, value]): [string, unknown][] =>
      Array.isArray(value) ? value.map((one, i) => [`${name}.${i}`, one]) : [[name, value]],
    );
  }

  /** All that the model remembers, parameters and buffers, by path as in `0.weight`. A shared one is named once. */
  namedVariables(prefix = '', seen = new Set<Variable>()): Map<string, Parameter | Buffer> {
    const found = new Map<string, Parameter | Buffer>();
    for (const [name, child] of this.children()) {
      if (child instanceof Module) {
        for (const [path, v] of child.namedVariables(`${prefix}${name}.`, seen)) found.set(path, v);
      } else if ((child instanceof Parameter || child instanceof Buffer) && !seen.has(child)) {
        seen.add(child);
        found.set(`${prefix}${name}`, child);
      }
    }
    return found;
  }

  /** All parameters and buffers: what has to be kept to have the model again. */
  variables(): (Parameter | Buffer)[] {
    return [...this.namedVariables().values()];
  }

  /** The modules inside of this one by path, as in `0` or `encoder.2`, outer ones first. A shared one is named once. */
  namedModules(prefix = '', seen = new Set<Module>()): Map<string, Module> {
    const found = new Map<string, Module>();
    for (const [name, child] of this.children()) {
      if (!(child instanceof Module) || seen.has(child)) continue;
      seen.add(child);
      found.set(`${prefix}${name}`, child);
      for (const [path, inner] of child.namedModules(`${prefix}${name}.`, seen)) found.set(path, inner);
    }
    return found;
  }

  /** All parameters by their path. */
  namedParameters(): Map<string, Parameter> {
    const isParameter = (entry: [string, Variable]): entry is [string, Parameter] =>
      entry[1] instanceof Parameter;
    return new Map([...this.namedVariables()].filter(isParameter));
  }

  /** All parameters. */
  parameters(): Parameter[] {
    return [...this.namedParameters().values()];
  }

  /** Number of trained numbers. */
  get parameterCount(): number {
    return this.parameters().reduce((n, p) => n + p.size, 0);
  }

  /** Gives all parameters and buffers that have no values yet their first ones, decided by the seed. */
  async initialize(seed = 0): Promise<this> {
    for (const [stream, p] of this.parameters().entries()) if (!p.storage) p.random = { seed, stream };
    const named = this.namedVariables();
    for (const [name, v] of named) v.name = name;
    await (await engine()).initialize([...named.values()]);
    return this;
  }

  /** What a file holds for this model, where that is not its parameters and buffers. */
  savedState?(): Promise<Map<string, SavedTensor>>;

  /** Frees the memory of parameters and buffers. */
  dispose(): void {
    for (const v of this.variables()) v.dispose();
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The trainable parameters; it is an error if there are none. */
export function trainableParameters(where: string, model: Module): Parameter[] {
  const parameters = model.parameters().filter((p) => p.trainable);
  if (parameters.length > 0) return parameters;
  throw new StateError({
    where,
    problem: 'the model has no parameter to train',
    hint: 'add a layer such as nn.linear',
  });
}
