// Checkpoints: the same bits of values and gradients, less memory, at every depth and in every order of differentiation.
import * as assert from 'uvu/assert';
import { gradients, hessianVectorProduct, vjp } from '../../src/grad.js';
import { Tensor, traced, Variable } from '../../src/graph.js';
import {
  checkpoint,
  compile,
  configure,
  data,
  fit,
  loss as losses,
  nn,
  optim,
  variable,
  weightsSha256,
} from '../../src/index.js';
import * as ops from '../../src/ops/index.js';
import type { Request } from '../../src/schedule/graph.js';
import { makePlan, type Plan } from '../../src/schedule/plan.js';
import { Interpreter } from '../helpers/interpret.js';
import { fakeBackend, replay } from '../helpers/plans.js';
import { suite } from '../helpers/suite.js';

const test = suite('checkpoint');

type Wrap = (f: (x: Tensor) => Tensor) => (x: Tensor) => Tensor;
const plain: Wrap = (f) => f;

/** Numbers that no rounding makes equal by chance. */
const numbers = (shape: readonly number[], seed = 1): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.7 + seed) * 0.8);
  return new Tensor({ kind: 'data', data: values }, shape, 'float32');
};
const same = (label: string, a: readonly Tensor[], b: readonly Tensor[]): void => {
  const [x, y] = [new Interpreter().evaluate(a), new Interpreter().evaluate(b)];
  for (const [i, values] of x.entries()) assert.equal([...values], [...y[i]!], `${label}, value ${i}`);
};

// values -------------------------------------------------------------------------------------------------------------

test('values and gradients are the same, by arguments and by what the function uses besides', () => {
  const [x, w, v] = [numbers([3, 4]), numbers([4, 4], 2), numbers([4, 4], 3)];
  const all = (wrap: Wrap): Tensor[] => {
    const block = wrap((h) => ops.tanh(ops.matmul(ops.sigmoid(ops.matmul(h, w)), v)));
    const loss = ops.mean(ops.square(block(block(x))));
    return [loss, ...gradients(loss, [x, w, v])];
  };
  same('two blocks', all(checkpoint), all(plain));
});

test('nested checkpoints', () => {
  const [x, w] = [numbers([3, 4]), numbers([4, 4], 2)];
  const all = (wrap: Wrap): Tensor[] => {
    const layer = wrap((h) => ops.tanh(ops.mul(ops.sigmoid(ops.matmul(h, w)), h)));
    const pair = wrap((h) => ops.add(layer(ops.sin(layer(h))), h));
    const four = wrap((h) => ops.cos(pair(pair(h))));
    const loss = ops.sum(four(ops.neg(four(x))));
    return [loss, ...gradients(loss, [x, w])];
  };
  same('three levels', all(checkpoint), all(plain));
});

test('second and third derivatives', () => {
  const [x, v] = [numbers([5]), numbers([5], 9)];
  const all = (wrap: Wrap): Tensor[] => {
    const f = (t: Tensor): Tensor =>
      ops.sum(wrap((h) => ops.mul(ops.tanh(h), ops.exp(ops.sin(h))))(ops.square(t)));
    const product = hessianVectorProduct((t) => f(t!), [x], [v]);
    const once = gradients(f(x), [x])[0]!;
    const twice = gradients(ops.sum(ops.square(once)), [x])[0]!;
    return [...product, once, twice, gradients(ops.sum(ops.square(twice)), [x])[0]!];
  };
  same('derivatives', all(checkpoint), all(plain));
});

test('several results, arguments that are passed on, intermediates that are used outside', () => {
  const [x, y] = [numbers([4]), numbers([4], 5)];
  const all = (wrapped: boolean): Tensor[] => {
    let inner: Tensor | undefined;
    const f = (a: Tensor, b: Tensor): Tensor[] => {
      inner = ops.tanh(ops.mul(a, b));
      return [ops.exp(inner), b, ops.reshape(ops.sin(inner), [2, 2])];
    };
    const [p, q, r] = (wrapped ? checkpoint(f) : f)(x, y) as [Tensor, Tensor, Tensor];
    const loss = ops.add(ops.sum(ops.mul(ops.square(p), q)), ops.sum(ops.mul(r, r)));
    const both = ops.add(loss, ops.sum(ops.square(inner!)));
    // By an intermediate value, too, and twice.
    const [byInner] = gradients(both, [inner!]);
    return [
      ...gradients(both, [x, y]),
      byInner!,
      ...vjp(ops.sum(ops.square(byInner!)), [inner!], ops.ones([])).map((g) => g!),
    ];
  };
  same('results', all(true), all(false));
});

test('variables that are assigned in the trace, and dropout', async () => {
  await configure({ device: 'wasm', build: 'simd' });
  const run = async (wrap: Wrap): Promise<number[][]> => {
    const [w, step] = [
      variable(numbers([16, 16])),
      new Variable([], 'int32', () => ops.zeros([], 'int32'), 'step'),
    ];
    const train = compile((x: Tensor) => {
      const layer = wrap((h) => {
        const kept = ops.randomBernoulli(h.shape, 0.8, { seed: 5, stream: 2, step });
        return ops.tanh(ops.matmul(ops.where(kept, ops.mul(h, 1.25), 0), w));
      });
      const deep = wrap((h) => layer(layer(h)));
      const first = ops.mean(ops.square(deep(x)));
      w.assign(ops.sub(w, ops.mul(gradients(first, [w])[0]!, 0.5)));
      step.assign(ops.add(step, 1));
      const second = ops.mean(ops.square(deep(x)));
      w.assign(ops.sub(w, ops.mul(gradients(second, [w])[0]!, 0.5)));
      step.assign(ops.add(step, 1));
      return [first, second];
    });
    const seen: number[][] = [];
    for (let i = 0; i < 3; i++) {
      const results = await train(numbers([8, 16], 4));
      for (const t of results) {
        seen.push([...(await t.data())]);
        (t as Variable).dispose();
      }
      seen.push([...(await w.data())]);
    }
    train.dispose();
    w.dispose();
    step.dispose();
    return seen;
  };
  assert.equal(await run(checkpoint), await run(plain));
});

test('in a model that fit trains: the same weights', async () => {
  await configure({ device: 'wasm', build: 'simd' });
  const digits = await data.digits({ train: 60, test: 1 });
  const trained = async (wrap: boolean): Promise<string> => {
    const [a, b] = [nn.linear(784, 24), nn.linear(24, 24)];
    const drop = nn.dropout(0.2);
    const block = (x: Tensor, context: nn.Context): Tensor =>
      ops.relu(b.forward(drop.forward(ops.tanh(a.forward(x)), context)));
    class Block extends nn.Module {
      readonly a = a;
      readonly b = b;
      forward(x: Tensor, context: nn.Context): Tensor {
        const f = (h: Tensor): Tensor => block(h, context);
        return (wrap ? checkpoint(f) : f)(x);
      }
    }
    const model = nn.sequential(new Block(), nn.linear(24, 10));
    const optimizer = optim.adam();
    await fit(model, digits.train, {
      loss: losses.crossEntropy(),
      optimizer,
      batchSize: 20,
      epochs: 2,
      seed: 2,
    });
    const sha = await weightsSha256(model);
    model.dispose();
    optimizer.dispose();
    return sha;
  };
  assert.is(await trained(true), await trained(false));
});

// memory -------------------------------------------------------------------------------------------------------------

const cpu = fakeBackend('wasm', { alignment: 64, maxOperands: Number.POSITIVE_INFINITY });
const planOf = (request: Request): Plan =>
  makePlan(request, { backends: [cpu], share: false, keepFeeds: true });

/** A training step of `depth` layers of 64 units, a checkpoint around every `each` of them. */
function deepStep(depth: number, each: number, activation: (x: Tensor) => Tensor, batch = 1024): Request {
  const weights = Array.from(
    { length: depth },
    (_, i) => new Variable([64, 64], 'float32', () => ops.zeros([64, 64]), `w${i}`),
  );
  const { result: outputs, assignments } = traced(() => {
    let h: Tensor = new Tensor({ kind: 'input', index: 0 }, [batch, 64], 'float32');
    for (let i = 0; i < depth; i += each || depth) {
      const layers = weights.slice(i, i + (each || depth));
      const block = (x: Tensor): Tensor => layers.reduce((t, w) => activation(ops.matmul(t, w)), x);
      h = each > 0 ? checkpoint(block)(h) : block(h);
    }
    const loss = ops.mean(ops.square(h));
    for (const [i, g] of gradients(loss, weights).entries())
      weights[i]!.assign(ops.sub(weights[i]!, ops.mul(g, 0.1)));
    return [loss];
  });
  return { outputs, assignments };
}

test('a deep network takes about twice the square root of its depth, instead of its depth', () => {
  for (const [name, activation] of [
    ['tanh', ops.tanh],
    ['relu', ops.relu],
    ['gelu', ops.gelu],
  ] as const) {
    const [without, withThem] = [0, 6].map((each) => planOf(deepStep(36, each, activation)));
    for (const plan of [without!, withThem!]) assert.equal(replay(plan, true), []);
    const bytes = ({ liveBytes, arenaBytes }: Plan): [number, number] => [
      liveBytes.get('wasm')!,
      arenaBytes.get('wasm')!,
    ];
    const [[live, arena], [liveLess, arenaLess]] = [bytes(without!), bytes(withThem!)];
    console.log(
      `NOTE 36 ${name} layers, batch 1024: live ${live} bytes, arena ${arena}; with 6 checkpoints live ${liveLess}, arena ${arenaLess}`,
    );
    const layer = 4 * 1024 * 64;
    assert.ok(live > 36 * layer, `${live} bytes without checkpoints`);
    // Six results, six layers' values (four each for gelu, which is made of several ops), and what moves between.
    assert.ok(liveLess < (name === 'gelu' ? 30 : 17) * layer, `${liveLess / layer} layers live at once`);
    assert.ok(arenaLess <= 1.1 * liveLess && arenaLess < 0.6 * arena);
  }
});

test('nested checkpoints take less still', () => {
  const nested = (depth: number, levels: readonly number[]): Request => {
    const w = new Variable([64, 64], 'float32', () => ops.zeros([64, 64]), 'w');
    const layer = (x: Tensor): Tensor => ops.tanh(ops.matmul(x, w));
    const repeat = (f: (x: Tensor) => Tensor, n: number) => (x: Tensor) => {
      let h = x;
      for (let i = 0; i < n; i++) h = f(h);
      return h;
    };
    const f = levels.reduce((inner, n) => checkpoint(repeat(inner, n)), layer);
    const loss = ops.mean(
      ops.square(
        repeat(
          f,
          depth / levels.reduce((a, b) => a * b, 1),
        )(new Tensor({ kind: 'input', index: 0 }, [1024, 64], 'float32')),
      ),
    );
    return { outputs: [loss, ...gradients(loss, [w])], assignments: new Map() };
  };
  const live = [[], [8], [4, 4]].map((levels) => {
    const plan = planOf(nested(64, levels));
    assert.equal(replay(plan, true), []);
    return plan.liveBytes.get('wasm')!;
  });
  console.log(
    `NOTE 64 layers, live at once: ${live[0]} bytes; 8 checkpoints of 8: ${live[1]}; 4 of 4 of 4: ${live[2]}`,
  );
  assert.ok(live[1]! < 0.35 * live[0]! && live[2]! < 0.8 * live[1]!, `${live}`);
});

test('what is computed again is computed after the gradient that needs it has come', () => {
  const plan = planOf(deepStep(8, 2, ops.tanh, 32));
  const names = plan.groups.map((g) => (g.kernel ?? g.chain[0]!).source.op.name);
  const forward = plan.groups.findIndex(
    (g) => g.kernel?.source.op.name === 'mean' || g.kernel?.source.op.name === 'sum',
  );
  const products = names.slice(0, forward).filter((n) => n === 'matmul').length;
  assert.is(products, 8, `${names}`);
  // 8 forward, 15 backward (none for the input), and again the first layer of each pair.
  assert.is(names.filter((n) => n === 'matmul').length, 8 + 15 + 4);
});

test.run();
