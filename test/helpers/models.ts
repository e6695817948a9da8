// Training steps of well-known models as graphs, for tests of plans: shapes and wiring are real, convolution and pooling
// have no kernels here, only shapes, costs and gradients of the right shapes.
import { gradients } from '../../src/grad.js';
import { record, Tensor, traced, Variable } from '../../src/graph.js';
import { type KernelOp, streamingCost } from '../../src/ops/define.js';
import * as ops from '../../src/ops/index.js';
import type { Request } from '../../src/schedule/graph.js';
// The methods of tensors and variables, `assign` above all.
import '../../src/tensor.js';

type Geometry = { readonly size: number; readonly stride: number; readonly pad: number };
type Like = { readonly shape: readonly number[] };

const planned = (name: string, infer: KernelOp['infer'], gradient: KernelOp['gradient']): KernelOp => ({
  kind: 'kernel',
  name,
  infer,
  gradient,
  reference: () => {
    throw new Error('shapes only');
  },
  cost: (site) => streamingCost(site, 9),
  samples: [],
  wasm: { calls: () => null },
  webgpu: { calls: () => null },
});

/** A tensor of a given shape, made of others: gradients of convolutions and pools. */
const madeOf = (name: string): KernelOp =>
  planned(name, ([x], attributes) => ({ shape: (attributes as Like).shape, dtype: x!.dtype }), null);
const [inputGradient, filterGradient, poolGradient] = [
  madeOf('convInputGradient'),
  madeOf('convFilterGradient'),
  madeOf('poolGradient'),
];

const outputSize = (n: number, { size, stride, pad }: Geometry): number =>
  Math.floor((n + 2 * pad - size) / stride) + 1;

/** x (N,H,W,C), filters (size,size,C,K) */
const convolution = planned(
  'conv',
  ([x, filters], attributes) => {
    const [n, h, w] = x!.shape as [number, number, number, number];
    const g = attributes as unknown as Geometry;
    return { shape: [n, outputSize(h, g), outputSize(w, g), filters!.shape[3]!], dtype: x!.dtype };
  },
  ({ inputs: [x, filters], dy }) => [
    record(inputGradient, [dy, filters!], { shape: x!.shape }),
    record(filterGradient, [x!, dy], { shape: filters!.shape }),
  ],
);

const pool = planned(
  'maxPool',
  ([x], attributes) => {
    const [n, h, w, c] = x!.shape as [number, number, number, number];
    const g = attributes as unknown as Geometry;
    return { shape: [n, outputSize(h, g), outputSize(w, g), c], dtype: x!.dtype };
  },
  ({ inputs: [x], output, dy }) => [record(poolGradient, [x!, output, dy], { shape: x!.shape })],
);

/** What a model is built with: it owns the parameters. */
class Builder {
  readonly parameters: Variable[] = [];

  parameter(shape: readonly number[]): Variable {
    const made = new Variable(shape, 'float32', () => ops.zeros(shape), `p${this.parameters.length}`);
    this.parameters.push(made);
    return made;
  }

  conv(x: Tensor, channels: number, { size = 3, stride = 1, pad = 1 } = {}): Tensor {
    const filters = this.parameter([size, size, x.shape[3]!, channels]);
    return ops.add(record(convolution, [x, filters], { size, stride, pad }), this.parameter([channels]));
  }

  /** Batch normalization of the last axis. */
  norm(x: Tensor): Tensor {
    const axes = x.shape.slice(0, -1).map((_, i) => i);
    const channels = x.shape.at(-1)!;
    const centred = ops.sub(x, ops.mean(x, axes));
    const scale = ops.div(1, ops.sqrt(ops.add(ops.mean(ops.square(centred), axes), 1e-5)));
    return ops.add(ops.mul(ops.mul(centred, scale), this.parameter([channels])), this.parameter([channels]));
  }

  linear(x: Tensor, outputs: number): Tensor {
    return ops.add(ops.matmul(x, this.parameter([x.shape[1]!, outputs])), this.parameter([outputs]));
  }
}

const maxPool = (x: Tensor, size = 2, stride = 2): Tensor => record(pool, [x], { size, stride, pad: 0 });
const flat = (x: Tensor): Tensor => ops.reshape(x, [x.shape[0]!, -1]);

export interface Model {
  readonly input: readonly number[];
  build(x: Tensor, b: Builder): Tensor;
}

export const mlp = (...sizes: number[]): Model => ({
  input: [sizes[0]!],
  build: (x, b) =>
    sizes.slice(1).reduce((h, n, i) => (i < sizes.length - 2 ? ops.relu(b.linear(h, n)) : b.linear(h, n)), x),
});

export const autoencoder: Model = mlp(784, 512, 128, 32, 128, 512, 784);

/** Three blocks of convolution, batch norm, relu and pooling, and three linear layers. */
export const lenet: Model = {
  input: [28, 28, 1],
  build(x, b) {
    const block = (h: Tensor, channels: number): Tensor => ops.relu(b.norm(b.conv(h, channels)));
    const h = block(maxPool(block(maxPool(block(x, 16)), 32)), 64);
    return b.linear(ops.relu(b.linear(flat(h), 50)), 10);
  },
};

/** Krizhevsky et al. 2012, in one column. */
export const alexnet: Model = {
  input: [227, 227, 3],
  build(x, b) {
    const layer = (h: Tensor, channels: number, geometry: { size?: number; stride?: number; pad?: number }) =>
      ops.relu(b.conv(h, channels, geometry));
    let h = maxPool(layer(x, 96, { size: 11, stride: 4, pad: 0 }), 3);
    h = maxPool(layer(h, 256, { size: 5, pad: 2 }), 3);
    h = layer(layer(layer(h, 384, {}), 384, {}), 256, {});
    h = flat(maxPool(h, 3));
    for (let i = 0; i < 2; i++) {
      const kept = ops.randomBernoulli(h.shape, 0.5, { seed: 1, stream: i });
      h = ops.relu(b.linear(ops.where(kept, ops.mul(h, 2), 0), 4096));
    }
    return b.linear(h, 1000);
  },
};

export type Update = 'sgd' | 'adam';

/** One training step: forward, cross-entropy, gradients, update. */
export function trainingStep({ input, build }: Model, batch: number, update: Update = 'sgd'): Request {
  const x = new Tensor({ kind: 'input', index: 0 }, [batch, ...input], 'float32');
  const b = new Builder();
  const { result: outputs, assignments } = traced(() => {
    const logits = build(x, b);
    const target = new Tensor({ kind: 'input', index: 1 }, logits.shape, 'float32');
    const loss = ops.neg(ops.mean(ops.sum(ops.mul(ops.logSoftmax(logits), target), 1)));
    for (const [i, g] of gradients(loss, b.parameters).entries()) {
      const p = b.parameters[i]!;
      const state = (name: string): Variable =>
        new Variable(p.shape, 'float32', () => ops.zeros(p.shape), `${name} ${p.name}`);
      const m = state('m');
      const mean = ops.add(ops.mul(m, 0.9), update === 'adam' ? ops.mul(g, 0.1) : g);
      m.assign(mean);
      if (update === 'sgd') p.assign(ops.sub(p, ops.mul(mean, 0.1)));
      else {
        const v = state('v');
        const square = ops.add(ops.mul(v, 0.999), ops.mul(ops.square(g), 0.001));
        v.assign(square);
        p.assign(ops.sub(p, ops.div(ops.mul(mean, 0.001), ops.add(ops.sqrt(square), 1e-8))));
      }
    }
    return [loss];
  });
  return { outputs, assignments };
}
