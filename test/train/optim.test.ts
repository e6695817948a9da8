// Optimizers: rates that change without a new plan, groups, averages; second-order methods against known minima.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import {
  add,
  compile,
  configure,
  data,
  fit,
  loss,
  memoryStats,
  minimise,
  mul,
  nn,
  optim,
  slice,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  type Variable,
  variable,
} from '../../src/index.js';
import { inference } from '../../src/nn/module.js';
import { pairOf, twoLoopDirection } from '../../src/optim/minimise.js';
import { RandomStream } from '../../src/philox.js';
import { environment } from '../helpers/environment.js';
import { rejectsWith } from '../helpers/errors.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const near = (a: ArrayLike<number>, b: ArrayLike<number>, allowed: number, what = ''): void => {
  assert.is(a.length, b.length, what);
  for (let i = 0; i < a.length; i++)
    assert.ok(Math.abs(a[i]! - b[i]!) <= allowed, `${what} element ${i}: ${a[i]} instead of ${b[i]}`);
};

/** Two parameters of known values and gradients, and a step of an optimizer on them. */
function stepOf(optimizer: optim.Optimizer) {
  const value = (shape: number[], at: number, decays: boolean) =>
    new nn.Parameter(shape, nn.init.constant(at), { fanIn: 1, fanOut: 1 }, decays);
  const [w, b] = [value([2, 1], 1, true), value([1], 1, false)];
  const step = compile((g: Tensor) => {
    optimizer.update([w, b], [mul(g, tensor([[1], [1]])), mul(g, tensor([1]))]);
  });
  return {
    w,
    b,
    run: (g = 1) => step(tensor(g)),
    explain: () => step.explain(tensor(1)),
    dispose() {
      for (const d of [w, b, step, optimizer]) d.dispose();
    },
  };
}

/** Plans go when their promises have settled. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

for (const device of environment.devices) {
  const test = suite(`optimizers on ${device}`);

  test.before(async () => {
    await configure({ device });
  });

  test('the learning rate changes between steps of one plan; groups follow in proportion', async () => {
    const optimizer = optim.sgd({ lr: 0.5, groups: [{ parameters: (p) => p.rank === 1, lr: 0.05 }] });
    const s = stepOf(optimizer);
    await s.run();
    near(await s.w.data(), [0.5, 0.5], 1e-6);
    near(await s.b.data(), [0.95], 1e-6);
    await optimizer.setLearningRate(0.1);
    await s.run();
    near(await s.w.data(), [0.4, 0.4], 1e-6);
    near(await s.b.data(), [0.94], 1e-6);
    s.dispose();
  });

  test('decay and L1 leave biases alone unless told otherwise', async () => {
    const each = async (options: Partial<optim.SgdOptions>): Promise<number[]> => {
      const s = stepOf(optim.sgd({ lr: 0.1, ...options }));
      await s.run(0);
      const values = [(await s.w.data())[0]!, (await s.b.data())[0]!];
      s.dispose();
      return values;
    };
    near(await each({ weightDecay: 0.5 }), [0.95, 1], 1e-6);
    near(await each({ weightDecay: 0.5, decayBiases: true }), [0.95, 0.95], 1e-6);
    near(await each({ l1: 0.2 }), [0.98, 1], 1e-6);
    near(await each({ maxNorm: 0.7 }), [0.7 * Math.SQRT1_2, 1], 1e-6);
    near(
      await each({ weightDecay: 0.5, groups: [{ parameters: () => true, weightDecay: 0 }] }),
      [1, 1],
      1e-6,
    );
  });

  test('averages of the weights: after each step, exchanged for evaluation and back', async () => {
    const optimizer = optim.sgd({ lr: 1, averageDecay: 0.75 });
    const s = stepOf(optimizer);
    await rejectsWith(optimizer.swap(), /there are no averages/);
    await s.run();
    await s.run(); // weights 1, 0, -1; average 1, 0.75, 0.3125
    near(await s.w.data(), [-1, -1], 1e-6);
    await optimizer.swap();
    near(await s.w.data(), [0.3125, 0.3125], 1e-6);
    near(await s.b.data(), [0.3125], 1e-6);
    await optimizer.swap();
    near(await s.w.data(), [-1, -1], 1e-6);
    assert.is(optimizer.state().length, 3);
    s.dispose();
  });

  test('every optimizer lowers a loss, and frees what it took', async () => {
    const before = (await memoryStats())[device]!.pieces;
    const made: Record<string, optim.Optimizer> = {
      sgd: optim.sgd({ lr: 0.3, momentum: 0.5, nesterov: true }),
      adam: optim.adam({ lr: 0.02 }),
      adamW: optim.adamW({ lr: 0.02 }),
      amsGrad: optim.amsGrad({ lr: 0.02 }),
      adagrad: optim.adagrad({ lr: 0.05 }),
      rmsProp: optim.rmsProp({ lr: 0.01, centered: true, momentum: 0.5 }),
      adadelta: optim.adadelta({ lr: 20 }),
      lamb: optim.lamb({ lr: 0.05, weightDecay: 0.01 }),
      lion: optim.lion({ lr: 0.01 }),
    };
    const { train } = await data.digits({ train: 200, test: 1 });
    for (const [name, optimizer] of Object.entries(made)) {
      const model = nn.sequential(nn.linear(784, 10));
      const options = { loss: loss.crossEntropy(), optimizer, batchSize: 50, epochs: 4, seed: 1 };
      const { epochs } = await fit(model, train, options);
      assert.ok(
        epochs.at(-1)!.trainLoss < 0.75 * epochs[0]!.trainLoss,
        `${name}: ${epochs.at(-1)!.trainLoss}`,
      );
      model.dispose();
      optimizer.dispose();
    }
    assert.is((await memoryStats())[device]!.pieces, before);
  });

  test('settings that make no sense are refused', () => {
    assert.throws(() => optim.sgd({ lr: 0.1, clipNorm: 0 }), /clipNorm is 0 \(a number > 0\)/);
    assert.throws(() => optim.adam({ averageDecay: 1 }), /averageDecay is 1 \(from 0, below 1\)/);
    assert.throws(() => optim.sgd({ lr: 0.1, groups: [{ parameters: [], lr: -1 }] }), /lr of a group is -1/);
    assert.throws(() => optim.rmsProp({ alpha: 1 }), /alpha is 1/);
  });

  /** Float64 shows the methods without rounding; GPUs have none. */
  const dtype = device === 'webgpu' ? 'float32' : 'float64';
  const starting = (values: number[]): Variable => variable(tensor(values, { dtype }));
  const methods = {
    lbfgs: minimise.lbfgs,
    'lbfgs backtracking': (f: minimise.ObjectiveFunction, vs: Variable[], o: object) =>
      minimise.lbfgs(f, vs, { ...o, lineSearch: 'backtracking' }),
    newtonCg: minimise.newtonCg,
  };

  for (const [name, method] of Object.entries(methods)) {
    test(`${name} finds the minimum of Rosenbrock's valley`, async () => {
      if (device === 'webgpu' && environment.runtime === 'firefox') {
        return skip(
          `${name} on webgpu in firefox`,
          'hundreds of values are read, and each waits for its GPU process; deno reads them on the same wgpu',
        );
      }
      const rosenbrock = (x: Tensor): Tensor => {
        const n = x.size;
        const [a, b] = [slice(x, [0], [n - 1]), slice(x, [1], [n])];
        return sum(add(mul(square(sub(b, square(a))), 100), square(sub(1, a))));
      };
      const x = starting([-1.2, 1, -1.2, 1, 0.5, 2]);
      const seen: number[] = [];
      const result = await method(rosenbrock, [x], {
        maxIterations: 300,
        tolerance: dtype === 'float64' ? 1e-8 : 1e-3,
        onIteration: ({ value }: { value: number }) => seen.push(value),
      });
      const exact = dtype === 'float64';
      assert.ok(result.ended === 'converged' || !exact, `${result.ended} at ${result.value}`);
      near(await x.data(), [1, 1, 1, 1, 1, 1], exact ? 1e-7 : 0.01, name);
      assert.ok(result.iterations < 200 && seen.length === result.iterations, `${result.iterations} steps`);
      assert.ok(
        seen.every((v, i) => i === 0 || v <= seen[i - 1]!),
        'never uphill',
      );
      x.dispose();
    });
  }

  test('newtonCg needs few steps for a quadratic form, and leaves a saddle', async () => {
    const a = starting([3, -2, 1]);
    const scale = tensor([1, 10, 100], { dtype });
    const bowl = (x: Tensor): Tensor => sum(mul(square(sub(x, tensor([1, 2, 3], { dtype }))), scale));
    const one = await minimise.newtonCg(bowl, [a], { tolerance: 1e-3 });
    assert.ok(one.iterations <= 6, `${one.iterations} steps`);
    near(await a.data(), [1, 2, 3], 1e-3);
    const b = starting([0.1, 0.001]);
    const saddle = (x: Tensor): Tensor => {
      const [u, v] = [slice(x, [0], [1]), slice(x, [1], [2])];
      return sum(add(square(u), sub(square(square(v)), square(v))));
    };
    const left = await minimise.newtonCg(saddle, [b], { tolerance: 1e-3 });
    near([left.value], [-0.25], 1e-3);
    a.dispose();
    b.dispose();
  });

  test('both train a network on all data at once, and tell why they end', async () => {
    const x = tensor([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    const y = tensor([[0], [1], [1], [0]]);
    for (const method of [minimise.lbfgs, minimise.newtonCg]) {
      const model = nn.sequential(nn.linear(2, 8), nn.tanh(), nn.linear(8, 1));
      await model.initialize(4);
      const parameters = model.parameters();
      const objective = (): Tensor => loss.binaryCrossEntropy()(model.forward(x, inference()), y);
      const result = await method(objective, parameters, { maxIterations: 60, tolerance: 1e-4 });
      assert.ok(result.value < 0.01, `${result.value} after ${result.iterations} steps: ${result.ended}`);
      await settled();
      const before = (await memoryStats())[device]!.pieces;
      const stopped = await method(objective, parameters, { tolerance: 0, onIteration: () => false });
      assert.ok(['stopped', 'precision'].includes(stopped.ended), stopped.ended);
      await settled();
      assert.is((await memoryStats())[device]!.pieces, before, 'nothing is left behind');
      model.dispose();
    }
    await rejectsWith(
      minimise.lbfgs(() => tensor(1), [], {}),
      /there are no variables/,
    );
    await rejectsWith(
      minimise.lbfgs((v) => sum(v), [starting([1])], { history: 0 }),
      /history is 0/,
    );
  });

  test.run();
}

const test = suite('L-BFGS');

test('the two-loop recursion is the BFGS formula, applied to the gradient', () => {
  const random = new RandomStream(5, 0);
  const n = 6;
  const draw = (): Float64Array => Float64Array.from({ length: n }, () => 2 * random.uniform() - 1);
  const dotted = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Array.from(a).reduce((t, v, i) => t + v * b[i]!, 0);
  const pairs = Array.from({ length: 4 }, () => {
    const x = draw();
    const gradient = x.map((v, i) => v * (i + 1)); // of sum((i + 1) x^2 / 2)
    return pairOf({ x: new Float64Array(n), gradient: new Float64Array(n) }, { x, gradient })!;
  });
  const last = pairs.at(-1)!;
  const scale = dotted(last.s, last.y) / dotted(last.y, last.y);
  let h = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? scale : 0)));
  for (const { s, y, rho } of pairs) {
    // H = (I - rho s y') H (I - rho y s') + rho s s'
    const left = h.map((_, i) => h.map((_, j) => Number(i === j) - rho * s[i]! * y[j]!));
    const times = (a: number[][], b: number[][]) =>
      a.map((row) =>
        b.map((_, j) =>
          dotted(
            row,
            b.map((r) => r[j]!),
          ),
        ),
      );
    const right = left.map((_, i) => left.map((row) => row[i]!));
    h = times(times(left, h), right).map((row, i) => row.map((v, j) => v + rho * s[i]! * s[j]!));
  }
  const g = draw();
  near(
    twoLoopDirection(g, pairs),
    h.map((row) => -dotted(row, g)),
    1e-10,
  );
  assert.is(
    pairOf({ x: draw(), gradient: draw() }, { x: draw(), gradient: new Float64Array(n).fill(Number.NaN) }),
    null,
  );
});

test.run();
