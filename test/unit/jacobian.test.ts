// Forward mode, Jacobians and gradient rules of users, against finite differences in double precision.
import * as assert from 'uvu/assert';
import { ShapeError, StateError } from '../../src/errors.js';
import {
  checkpoint,
  compile,
  configure,
  customGradient,
  gradients,
  hessianVectorProduct,
  jacobian,
  jvp,
  type Tensor,
  tensor,
  vjp,
} from '../../src/index.js';
import * as ops from '../../src/ops/index.js';
import { Interpreter } from '../helpers/interpret.js';
import { suite } from '../helpers/suite.js';

const test = suite('jacobian');

const values = (t: Tensor): number[] => [...new Interpreter().evaluate([t])[0]!];
const near = (actual: readonly number[], wanted: readonly number[], tolerance: number): void => {
  assert.is(actual.length, wanted.length);
  for (const [i, a] of actual.entries())
    assert.ok(
      Math.abs(a - wanted[i]!) <= tolerance * (1 + Math.abs(wanted[i]!)),
      `${actual} instead of ${wanted}`,
    );
};
const double = (shape: readonly number[], seed: number): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float64Array.from({ length: size }, (_, i) => Math.sin(1.3 * i + seed)),
    { shape, dtype: 'float64' },
  );
};
const shifted = (x: Tensor, v: Tensor, by: number): Tensor => {
  const [a, b] = [values(x), values(v)];
  return tensor(
    Float64Array.from(a, (value, i) => value + by * b[i]!),
    { shape: x.shape, dtype: 'float64' },
  );
};

/** df along vs, by central differences. */
function differences(f: (...xs: Tensor[]) => Tensor, xs: readonly Tensor[], vs: readonly Tensor[]): number[] {
  const h = 1e-5;
  const at = (by: number): number[] => values(f(...xs.map((x, i) => shifted(x, vs[i]!, by))));
  const [up, down] = [at(h), at(-h)];
  return up.map((value, i) => (value - down[i]!) / (2 * h));
}

const functions: [string, (...xs: Tensor[]) => Tensor, (readonly number[])[]][] = [
  ['elementwise', (x) => ops.mul(ops.tanh(x!), ops.exp(ops.sin(x!))), [[7]]],
  [
    'matmul',
    (a, b) => ops.sigmoid(ops.matmul(a!, b!)),
    [
      [3, 4],
      [4, 2],
    ],
  ],
  ['softmax', (x) => ops.softmax(ops.square(x!)), [[3, 5]]],
  ['broadcast', (a, b) => ops.div(ops.mul(a!, b!), ops.add(ops.square(b!), 1)), [[3, 1], [4]]],
  ['reductions', (x) => ops.add(ops.mean(x!, 0), ops.logSumExp(x!, 0)), [[3, 4]]],
  ['movement', (x) => ops.mul(ops.transpose(x!), ops.reshape(ops.flip(x!, [0]), [4, 3])), [[3, 4]]],
  [
    'checkpoint',
    checkpoint((x: Tensor) => ops.tanh(ops.mul(ops.sin(x), x))) as (...xs: Tensor[]) => Tensor,
    [[6]],
  ],
];

test('jvp is the derivative along a direction', () => {
  for (const [name, f, shapes] of functions) {
    const xs = shapes.map((shape, i) => double(shape, i + 1));
    const vs = shapes.map((shape, i) => double(shape, i + 7));
    const [y, dy] = jvp(f, xs, vs);
    near(values(y), values(f(...xs)), 0);
    assert.equal(dy.shape, y.shape, name);
    near(values(dy), differences(f, xs, vs), 1e-8);
    // Both products see the same Jacobian.
    const u = double(y.shape, 3);
    const backward = vjp(y, xs, u).reduce((n, g, i) => n + values(ops.sum(ops.mul(g!, vs[i]!)))[0]!, 0);
    near([values(ops.sum(ops.mul(dy, u)))[0]!], [backward], 1e-12);
  }
});

test('jvp of what does not depend on an argument, and of jvp', () => {
  const x = double([3], 1);
  const [, none] = jvp((a) => ops.ones(a!.shape, 'float64'), [x], [x]);
  near(values(none), [0, 0, 0], 0);
  const [, linear] = jvp((a) => ops.mul(a!, 3), [x], [double([3], 2)]);
  near(
    values(linear),
    values(double([3], 2)).map((v) => 3 * v),
    1e-15,
  );
  // Along the same direction twice: the second derivative.
  const one = tensor([1], { dtype: 'float64' });
  const [, second] = jvp(
    (a) => jvp((b) => ops.sin(b!), [a!], [one])[1],
    [tensor([0.5], { dtype: 'float64' })],
    [one],
  );
  near(values(second), [-Math.sin(0.5)], 1e-15);
  assert.throws(
    () => jvp((a) => a!, [x], [double([2], 1)]),
    (e: unknown) =>
      e instanceof ShapeError && /\[jvp\] arguments are \(3\), directions \(2\)/.test(e.message),
  );
  assert.throws(() => jvp((a) => a!, [x], [x, x]), /\[jvp\]/);
});

test('jvp computes nothing of the walk that it is derived from', async () => {
  await configure({ device: 'reference' });
  const f = compile((x: Tensor, v: Tensor) => jvp((a) => ops.sin(a!), [x], [v])[1]);
  const [x, v] = [tensor([1, 2]), tensor([3, 4])];
  const rows = await f.explain(x, v);
  assert.equal(
    rows.map((row) => row.ops),
    ['cos mul'],
  );
  f.dispose();
});

test('jacobian: rows where the value is small, columns where x is', () => {
  for (const [name, f, shapes] of functions) {
    if (shapes.length > 1) continue;
    const x = double(shapes[0]!, 1);
    const y = f(x);
    const j = jacobian(f as (x: Tensor) => Tensor)(x);
    assert.equal(j.shape, [...y.shape, ...x.shape], name);
    const found = values(j);
    for (let i = 0; i < x.size; i++) {
      const unit = tensor(
        Float64Array.from({ length: x.size }, (_, k) => Number(k === i)),
        {
          shape: x.shape,
          dtype: 'float64',
        },
      );
      const column = found.filter((_, at) => at % x.size === i);
      near(column, differences(f, [x], [unit]), 1e-8);
    }
  }
  const wide = jacobian((x) =>
    ops.mul(
      ops.broadcastTo(x, [4, 2]),
      tensor([
        [1, 2],
        [3, 4],
        [5, 6],
        [7, 8],
      ]),
    ),
  )(tensor([1, 1]));
  assert.equal(wide.shape, [4, 2, 2]);
  near(values(wide), [1, 0, 0, 2, 3, 0, 0, 4, 5, 0, 0, 6, 7, 0, 0, 8], 0);
  near(values(jacobian(() => tensor([1, 2]))(tensor([1, 2, 3]))), [0, 0, 0, 0, 0, 0], 0);
  near(values(jacobian((x) => ops.sum(x))(tensor([1, 2]))), [1, 1], 0);
});

// gradients given by the user ----------------------------------------------------------------------------------------

test('customGradient: the rule takes the place of what the ops would give', () => {
  const round = customGradient(
    (x: Tensor) => ops.floor(ops.add(x, 0.5)),
    ({ dy }) => [dy],
  );
  const x = tensor([0.2, 1.7, -2.4]);
  near(values(round(x)), [0, 2, -2], 0);
  near(values(gradients(ops.sum(ops.square(round(x))), [x])[0]!), [0, 4, -4], 0);
  const reversed = customGradient(
    (a: Tensor) => ops.mul(a, 1),
    ({ dy }) => [ops.neg(dy)],
  );
  near(values(gradients(ops.sum(ops.square(reversed(x))), [x])[0]!), [-0.4, -3.4, 4.8], 1e-7);
});

test('customGradient: several arguments, the result in the rule, second derivatives', () => {
  // log(exp(a) + exp(b)), with the derivatives by the result.
  const logAddExp = customGradient(
    (a: Tensor, b: Tensor) => ops.log(ops.add(ops.exp(a), ops.exp(b))),
    ({ inputs: [a, b], output, dy }) => [
      ops.mul(dy, ops.exp(ops.sub(a, output))),
      ops.mul(dy, ops.exp(ops.sub(b, output))),
    ],
  );
  const plain = (a: Tensor, b: Tensor): Tensor => ops.log(ops.add(ops.exp(a), ops.exp(b)));
  const [a, b, v, w] = [double([4], 1), double([4], 2), double([4], 3), double([4], 4)];
  near(values(logAddExp(a, b)), values(plain(a, b)), 0);
  const loss = (f: typeof plain) => (p: Tensor, q: Tensor) => ops.sum(ops.square(f(p, q)));
  for (const [i, g] of gradients(loss(logAddExp)(a, b), [a, b]).entries())
    near(values(g), values(gradients(loss(plain)(a, b), [a, b])[i]!), 1e-13);
  const [mine, derived] = [logAddExp, plain].map((f) =>
    hessianVectorProduct(loss(f) as (...xs: Tensor[]) => Tensor, [a, b], [v, w]),
  );
  for (const [i, h] of mine!.entries()) near(values(h), values(derived![i]!), 1e-12);
  near(
    values(jvp(logAddExp as (...xs: Tensor[]) => Tensor, [a, b], [v, w])[1]),
    differences(plain as (...xs: Tensor[]) => Tensor, [a, b], [v, w]),
    1e-8,
  );
});

test('customGradient: null, checkpoints around and inside, compiled', async () => {
  const first = customGradient(
    (a: Tensor, b: Tensor) => ops.mul(a, b),
    ({ inputs: [, b], dy }) => [ops.mul(dy, b), null],
  );
  const [a, b] = [tensor([1, 2]), tensor([3, 4])];
  const parts = vjp(ops.sum(first(a, b)), [a, b], tensor(1));
  near(values(parts[0]!), [3, 4], 0);
  assert.is(parts[1], null);
  const inside = checkpoint((x: Tensor) => ops.exp(first(ops.sin(x), ops.cos(x))));
  const around = customGradient(
    (x: Tensor) => checkpoint((h: Tensor) => ops.tanh(ops.sin(h)))(x),
    ({ output, dy }) => [ops.mul(dy, output)],
  );
  await configure({ device: 'wasm' });
  const f = compile((x: Tensor) => [
    ...gradients(ops.sum(inside(x)), [x]),
    ...gradients(ops.sum(around(x)), [x]),
  ]);
  const [g, h] = (await f(a)) as [Tensor, Tensor];
  const wanted = [1, 2].map((x) => Math.exp(Math.sin(x) * Math.cos(x)) * Math.cos(x) ** 2);
  near([...(await g.data())], wanted, 1e-6);
  near(
    [...(await h.data())],
    [1, 2].map((x) => Math.tanh(Math.sin(x))),
    1e-6,
  );
  f.dispose();
});

test('customGradient: errors name the argument', () => {
  const x = tensor([1, 2, 3]);
  const few = customGradient(
    (a: Tensor, b: Tensor) => ops.add(a, b),
    ({ dy }) => [dy],
  );
  assert.throws(
    () => gradients(ops.sum(few(x, x)), [x]),
    (e: unknown) =>
      e instanceof StateError &&
      e.message ===
        '[customGradient] the rule gave 1 gradients, the function has 2 arguments (return one for each argument, null where there is none)',
  );
  const wrong = customGradient(
    (a: Tensor) => ops.sum(a),
    ({ dy }) => [dy],
  );
  assert.throws(
    () => gradients(wrong(x), [x]),
    (e: unknown) =>
      e instanceof ShapeError &&
      e.message ===
        '[customGradient] gradient 0 is (), the argument is (3) (a gradient has the shape of its argument)',
  );
});

test.run();
