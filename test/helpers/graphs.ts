// Random small graphs: broadcasts, views, reductions, products, variables that are read, updated and swapped.
import { type Shape, sameShape, sizeOf } from '../../src/dtype.js';
import { gradients } from '../../src/grad.js';
import { constant, Tensor, traced, Variable } from '../../src/graph.js';
import * as ops from '../../src/ops/index.js';
import { RandomStream } from '../../src/philox.js';
import type { Request } from '../../src/schedule/graph.js';
// The methods of tensors and variables, `assign` above all.
import '../../src/tensor.js';

export interface RandomGraph extends Request {
  readonly variables: readonly Variable[];
}

export interface GraphOptions {
  /** Ops to record, views included. */
  readonly ops: number;
  readonly variables: number;
  /** Whether the graph ends with a step down the gradient of a loss. */
  readonly training?: boolean;
}

/** An argument of a function that is traced. */
export const input = (shape: Shape, index = 0): Tensor =>
  new Tensor({ kind: 'input', index }, shape, 'float32');

const shapes: readonly Shape[] = [[4, 6], [6], [4, 1], [], [2, 3, 4], [1, 4], [33]];

/** Draws graphs; what it records stays within -10 to 10 or so, and has no jumps that roundings could decide. */
class Drawer {
  readonly values: Tensor[] = [];
  constructor(readonly random: RandomStream) {}

  pick<T>(list: readonly T[]): T {
    return list[this.random.integer(list.length)]!;
  }

  data(shape: Shape): Tensor {
    const data = Float32Array.from({ length: sizeOf(shape) }, () => 4 * this.random.uniform() - 2);
    return new Tensor({ kind: 'data', data }, shape, 'float32');
  }

  /** A value, most often one of the newest, so that graphs grow deep as well as wide. */
  value(): Tensor {
    const { values, random } = this;
    return random.uniform() < 0.6
      ? values[values.length - 1 - random.integer(Math.min(4, values.length))]!
      : this.pick(values);
  }

  unary(x: Tensor): Tensor {
    return this.pick([ops.neg, ops.tanh, ops.sigmoid, ops.relu, ops.abs, bounded, ops.silu])(x);
  }

  binary(a: Tensor): Tensor {
    const fitting = this.values.filter((b) => broadcasts(a.shape, b.shape));
    const b = this.random.uniform() < 0.2 ? this.random.integer(5) - 2 : this.pick(fitting);
    const op = this.pick([ops.add, ops.sub, ops.mul, ops.maximum, ops.minimum]);
    return op === ops.mul ? ops.tanh(op(a, b)) : op(a, b);
  }

  reduction(x: Tensor): Tensor {
    if (x.rank === 0) return ops.neg(x);
    const axes = this.random.uniform() < 0.3 ? undefined : this.random.integer(x.rank);
    const options = { keepDims: this.random.uniform() < 0.5 };
    return this.pick([ops.mean, ops.max, ops.min])(x, axes, options);
  }

  movement(x: Tensor): Tensor {
    if (x.rank === 0) return ops.broadcastTo(x, [6]);
    const axis = this.random.integer(x.rank);
    switch (this.random.integer(6)) {
      case 0:
        return ops.transpose(x);
      case 1:
        return ops.reshape(x, [x.size]);
      case 2:
        return ops.reshape(x, [1, ...x.shape]);
      case 3:
        return ops.flip(x, [axis]);
      case 4:
        return x.size < 100 ? ops.concat([x, x], axis) : ops.reshape(x, [x.size]);
      default:
        return x.shape[axis]! > 2
          ? ops.slice(
              x,
              x.shape.map((_, i) => (i === axis ? 1 : null)),
            )
          : x;
    }
  }

  /** x with its last axis multiplied away, or kept by a product with itself. */
  product(x: Tensor): Tensor {
    if (x.rank < 2) return ops.softmax(x.rank === 0 ? ops.reshape(x, [1]) : x);
    const columns = 1 + this.random.integer(7);
    return this.random.uniform() < 0.5
      ? ops.tanh(ops.matmul(x, this.data([x.shape.at(-1)!, columns])))
      : ops.mul(ops.matmul(x, x, { transB: true }), 0.1);
  }

  step(): void {
    const x = this.value();
    const u = this.random.uniform();
    const make =
      u < 0.25 ? 'unary' : u < 0.6 ? 'binary' : u < 0.7 ? 'reduction' : u < 0.88 ? 'movement' : 'product';
    this.values.push(this[make](x));
  }
}

const bounded = (x: Tensor): Tensor => ops.mul(ops.exp(ops.neg(ops.abs(x))), 0.5);

const broadcasts = (a: Shape, b: Shape): boolean => {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => [a.at(i - rank) ?? 1, b.at(i - rank) ?? 1]).every(
    ([x, y]) => x === y || x === 1 || y === 1,
  );
};

/** The graph of a seed: always the same, with variables of its own each time. */
export function randomGraph(
  seed: number,
  { ops: count, variables, training = false }: GraphOptions,
): RandomGraph {
  const random = new RandomStream(seed, 0);
  const drawer = new Drawer(random);
  // Pairs of one shape, so that they can be swapped.
  const owned = Array.from({ length: variables }, (_, i) => {
    const initial = drawer.data(shapes[Math.floor(i / 2) % shapes.length]!);
    return new Variable(initial.shape, 'float32', () => initial, `v${i}`);
  });
  const { result: outputs, assignments } = traced(() => {
    drawer.values.push(...owned, drawer.data(drawer.pick(shapes)), drawer.data([4, 6]), constant(0.5));
    for (let i = 0; i < count; i++) {
      drawer.step();
      if (random.uniform() < 0.15 && owned.length > 0) assignSome(drawer, owned);
    }
    const results = Array.from({ length: 1 + random.integer(3) }, () => drawer.value());
    if (random.uniform() < 0.3) results.push(drawer.pick(drawer.values));
    if (training && owned.length > 0) descend(results, owned);
    return results;
  });
  return { outputs, assignments, variables: owned };
}

function assignSome(drawer: Drawer, variables: readonly Variable[]): void {
  const a = drawer.pick(variables);
  const b = drawer.pick(variables);
  const u = drawer.random.uniform();
  if (u < 0.3 && a !== b && sameShape(a.shape, b.shape)) {
    const old = ops.mul(a, 1);
    a.assign(ops.mul(b, 1));
    b.assign(old);
  } else if (u < 0.6) {
    a.assign(ops.tanh(ops.add(ops.mul(a, 0.9), 0.1)));
  } else if (u < 0.7) {
    const matrix = ops.reshape(a, [1, a.size]);
    a.assign(
      ops.reshape(ops.matmul(matrix, ops.mul(ops.matmul(matrix, matrix, { transA: true }), 0.01)), a.shape),
    );
  } else {
    const fitting = drawer.values.filter((t) => t.size === a.size && t.source.kind !== 'constant');
    a.assign(ops.reshape(drawer.pick(fitting), a.shape));
  }
}

/** Assigns variables that the outputs depend on their values after a step of gradient descent. */
function descend(outputs: readonly Tensor[], variables: readonly Variable[]): void {
  const loss = outputs
    .map((t) => ops.mean(ops.square(ops.tanh(t))))
    .concat(variables.map((v) => ops.mean(ops.square(ops.mul(v, 0.1)))))
    .reduce((a, b) => ops.add(a, b));
  const current = variables.map((v) => ops.mul(v, 1));
  const found = gradients(
    ops.add(
      loss,
      current.map((t) => ops.mean(t)).reduce((a, b) => ops.add(a, b)),
    ),
    current,
  );
  for (const [i, v] of variables.entries()) v.assign(ops.sub(current[i]!, ops.mul(found[i]!, 0.1)));
}
