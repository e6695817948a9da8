// Layers: linear, activations, dropout, flatten, and models made of layers in a row.
import { checkOptionNames, OptionError } from '../errors.js';
import type { Tensor } from '../graph.js';
import * as ops from '../ops/index.js';
import { checkFinite, checkInputs, checkUnits, linearOptions } from './check.js';
import { fanInUniform, type Initializer } from './init.js';
import { type Context, Module, Parameter } from './module.js';

/** Options of `linear`, and of other layers with a weight and a bias. */
export interface LinearOptions {
  /** Whether there is a bias; yes where not said. */
  bias?: boolean;
  /** First weights; uniform in +-1/sqrt(inputs of a unit), PyTorch's default, where not said. */
  weightInit?: Initializer;
  /** First biases; the same default. */
  biasInit?: Initializer;
}

/** y = x W + b. */
export class Linear extends Module {
  /** (inputs, outputs) */
  readonly weight: Parameter;
  /** (outputs), or null without bias. */
  readonly bias: Parameter | null;

  constructor(
    readonly inputs: number,
    readonly outputs: number,
    options: LinearOptions = {},
  ) {
    super();
    const { bias = true, weightInit = fanInUniform, biasInit = fanInUniform } = options;
    checkOptionNames('linear', options, linearOptions);
    checkUnits('linear', 'inputs', inputs);
    checkUnits('linear', 'outputs', outputs);
    const fans = { fanIn: inputs, fanOut: outputs };
    this.weight = new Parameter([inputs, outputs], weightInit, fans, true);
    this.bias = bias ? new Parameter([outputs], biasInit, fans, false) : null;
  }

  forward(x: Tensor): Tensor {
    checkInputs('linear', x, this.inputs);
    const y = ops.matmul(x, this.weight);
    return this.bias ? ops.add(y, this.bias) : y;
  }
}

/** A layer that is a function of its input. */
export class Lambda extends Module {
  readonly #apply: (x: Tensor, context: Context) => Tensor;

  constructor(
    readonly name: string,
    apply: (x: Tensor, context: Context) => Tensor,
  ) {
    super();
    this.#apply = apply;
  }

  forward(x: Tensor, context: Context): Tensor {
    return this.#apply(x, context);
  }
}

/** Layers one after the other. */
export class Sequential extends Module {
  constructor(readonly layers: readonly Module[]) {
    super();
    const wrong = layers.findIndex((l) => !(l instanceof Module));
    if (wrong < 0) return;
    throw new OptionError({
      where: 'sequential',
      problem: `layer ${wrong} is ${String(layers[wrong])}, not a layer`,
      hint: 'call it: nn.relu(), not nn.relu',
    });
  }

  protected override children(): Iterable<[string, unknown]> {
    return this.layers.map((layer, i): [string, Module] => [String(i), layer]);
  }

  forward(x: Tensor, context: Context): Tensor {
    return this.layers.reduce((t, layer) => layer.forward(t, context), x);
  }
}

/** Fully connected layer of `outputs` units on `inputs` values: y = x W + b. */
export const linear = (inputs: number, outputs: number, options?: LinearOptions): Linear =>
  new Linear(inputs, outputs, options);

/** A model of layers one after the other. */
export const sequential = (...layers: readonly Module[]): Sequential => new Sequential(layers);

/** A layer from a function of tensors. */
export const lambda = (name: string, apply: (x: Tensor, context: Context) => Tensor): Lambda =>
  new Lambda(name, apply);

/** max(0, x) (Nair and Hinton 2010). */
export const relu = (): Lambda => new Lambda('relu', (x) => ops.relu(x));
/** 1 / (1 + exp(-x)). */
export const sigmoid = (): Lambda => new Lambda('sigmoid', (x) => ops.sigmoid(x));
/** tanh(x). */
export const tanh = (): Lambda => new Lambda('tanh', (x) => ops.tanh(x));
/** x above 0, `slope` x below (Maas, Hannun and Ng 2013). */
export function leakyRelu(slope = 0.01): Lambda {
  checkFinite('leakyRelu', 'slope', slope);
  return new Lambda('leakyRelu', (x) => ops.leakyRelu(x, slope));
}
/** x above 0, alpha (exp(x) - 1) below (Clevert, Unterthiner and Hochreiter 2016). */
export function elu(alpha = 1): Lambda {
  checkFinite('elu', 'alpha', alpha, 0);
  return new Lambda('elu', (x) => ops.elu(x, alpha));
}
/** x (1 + erf(x / sqrt(2))) / 2 (Hendrycks and Gimpel 2016), not its approximation. */
export const gelu = (): Lambda => new Lambda('gelu', (x) => ops.gelu(x));
/** x / (1 + exp(-x)) (Elfwing, Uchibe and Doya 2018). */
export const silu = (): Lambda => new Lambda('silu', (x) => ops.silu(x));
/** log(1 + exp(x)) (Dugas et al. 2001). */
export const softplus = (): Lambda => new Lambda('softplus', (x) => ops.softplus(x));
/** x. */
export const identity = (): Lambda => new Lambda('identity', (x) => x);
/** Over the last axis. Losses such as crossEntropy take what comes before it. */
export const softmax = (): Lambda => new Lambda('softmax', (x) => ops.softmax(x));
/** log softmax(x) over the last axis; what `loss.nll` takes. */
export const logSoftmax = (): Lambda => new Lambda('logSoftmax', (x) => ops.logSoftmax(x));

/** (batch, ...) becomes (batch, product of the rest). */
export const flatten = (): Lambda => new Lambda('flatten', (x) => ops.reshape(x, [x.shape[0]!, -1]));

/** In training sets each value to 0 with probability `p` and scales the others by 1/(1-p) (Srivastava et al. 2014). */
export function dropout(p = 0.5): Lambda {
  if (!(p >= 0 && p < 1)) {
    throw new OptionError({
      where: 'dropout',
      problem: `p is ${p}`,
      hint: 'a probability from 0, below 1',
      values: { p },
    });
  }
  return new Lambda('dropout', (x, { training, random }) => {
    return training && p > 0 ? ops.dropout(x, p, random.next()) : x;
  });
}
