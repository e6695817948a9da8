// Differentiation as such: accumulation, un-broadcasting, views, second derivatives, errors. Ops are tested in test/ops.
import * as assert from 'uvu/assert';
import { DTypeError, ShapeError, StateError } from '../../src/errors.js';
import {
  compile,
  configure,
  engine,
  grad,
  gradients,
  hessianVectorProduct,
  ones,
  stopGradient,
  type Tensor,
  tensor,
  valueAndGrad,
  variable,
  vjp,
} from '../../src/index.js';
import { failsWith } from '../helpers/errors.js';
import { Interpreter } from '../helpers/interpret.js';
import { suite } from '../helpers/suite.js';

const test = suite('grad');

/** Values in double precision, with no backend. */
const values = (t: Tensor): number[] => [...new Interpreter().evaluate([t])[0]!];
const near = (actual: readonly number[], wanted: readonly number[], tolerance = 1e-12): void => {
  assert.is(actual.length, wanted.length);
  for (const [i, a] of actual.entries()) {
    assert.ok(Math.abs(a - wanted[i]!) <= tolerance, `${actual} instead of ${wanted}`);
  }
};

/** Recorded ops behind a tensor. */
const countOps = (t: Tensor, seen = new Set<Tensor>()): number => {
  if (seen.has(t) || t.source.kind !== 'op') return 0;
  seen.add(t);
  return t.source.inputs.reduce((n, i) => n + countOps(i, seen), 1);
};

test('a value that is used twice gets the sum of both gradients', () => {
  const x = tensor([2, -3]);
  const square = x.mul(x);
  near(values(grad((t: Tensor) => t.mul(t).add(t).sum())(x)), [5, -5]);
  const y = square.add(square).mul(square).sum(); // 2 x⁴
  near(values(gradients(y, [x])[0]!), [64, -216]);
  near(values(gradients(y, [square])[0]!), [16, 36]);
});

test('a diamond of n levels takes work that grows with n, not with 2^n', () => {
  const x = tensor([0.5]);
  let y = x;
  for (let i = 0; i < 40; i++) y = y.add(y.mul(0.5));
  const [dx] = gradients(y.sum(), [x]);
  near(values(dx!), [1.5 ** 40], 1e-4);
  assert.ok(countOps(dx!) < 300, `${countOps(dx!)} ops`);
});

test('a long chain does not exhaust the stack', () => {
  const x = tensor([1]);
  let y = x;
  for (let i = 0; i < 20000; i++) y = y.add(1);
  assert.equal(gradients(y.sum(), [x])[0]!.shape, [1]);
});

test('gradients have the shape of what was broadcast', () => {
  const [a, b, c] = [tensor([[1], [2]]), tensor([10, 20, 30]), tensor(3)];
  const weights = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  const y = a.mul(b).add(c).mul(weights).sum();
  const [da, db, dc] = gradients(y, [a, b, c]);
  assert.equal([da!.shape, db!.shape, dc!.shape], [[2, 1], [3], []]);
  near(values(da!), [140, 320]);
  near(values(db!), [9, 12, 15]);
  near(values(dc!), [21]);
  const [dx] = gradients(
    tensor([5]).broadcastTo([4, 1]).broadcastTo([2, 4, 3]).sum(),
    [tensor([5])].slice(0, 0),
  );
  assert.is(dx, undefined);
});

test('through views and movements', () => {
  const x = tensor([1, 2, 3, 4, 5, 6]);
  const y = x
    .reshape([2, 3])
    .transpose()
    .reshape([3, 2, 1])
    .slice([1])
    .pad([
      [0, 1],
      [0, 0],
      [0, 0],
    ])
    .flip([0]);
  const weights = tensor([100, 100, 1, 2, 3, 4], { shape: [3, 2, 1] });
  // After transpose: [1 4], [2 5], [3 6]; sliced: [2 5], [3 6]; padded below and flipped: [0 0], [3 6], [2 5].
  near(values(gradients(y.mul(weights).sum(), [x])[0]!), [0, 3, 1, 0, 4, 2]);
});

test('vjp with any cotangent, and null for what has no part', () => {
  const [x, other] = [tensor([1, 2]), tensor([3])];
  const [dx, none] = vjp(x.mul(3), [x, other], tensor([10, 20]));
  near(values(dx!), [30, 60]);
  assert.is(none, null);
  // A scalar cotangent stretches.
  near(values(vjp(x.mul(3), [x], tensor(2))[0]!), [6, 6]);
  // The gradient of a value by itself.
  near(values(gradients(x.sum(), [x])[0]!), [1, 1]);
  near(values(vjp(x, [x], tensor([7, 8]))[0]!), [7, 8]);
});

test('gradients by intermediate values', () => {
  const x = tensor([2]);
  const h = x.mul(3);
  const y = h.square().sum();
  const [dh, dx] = gradients(y, [h, x]);
  near(values(dh!), [12]);
  near(values(dx!), [36]);
});

test('valueAndGrad gives all gradients, grad the first', () => {
  const f = (a: Tensor, b: Tensor): Tensor => a.mul(b).sum();
  const [a, b] = [tensor([1, 2]), tensor([3, 4])];
  const [y, [da, db]] = valueAndGrad(f)(a, b) as [Tensor, [Tensor, Tensor]];
  near(values(y), [11]);
  near(values(da), [3, 4]);
  near(values(db), [1, 2]);
  near(values(grad(f)(a, b)), [3, 4]);
});

test('gradients of gradients', () => {
  const x = tensor([0.5]);
  const f = (t: Tensor): Tensor => t.tanh().sum();
  const second = grad((t: Tensor) => grad(f)(t).sum());
  const third = grad((t: Tensor) => second(t).sum());
  const y = Math.tanh(0.5);
  near(values(grad(f)(x)), [1 - y * y]);
  near(values(second(x)), [-2 * y * (1 - y * y)]);
  near(values(third(x)), [(1 - y * y) * (6 * y * y - 2)]);
});

test('hessianVectorProduct is the analytic Hessian times the vector', () => {
  // f = x0² x1 + exp(x1) x2: H = [[2 x1, 2 x0, 0], [2 x0, e x2, e], [0, e, 0]] with e = exp(x1)
  const x = tensor([1.5, 0.5, -2]);
  const pick = (t: Tensor, i: number): Tensor => t.slice([i], [i + 1]);
  const f = (t: Tensor): Tensor =>
    pick(t, 0)
      .square()
      .mul(pick(t, 1))
      .add(pick(t, 1).exp().mul(pick(t, 2)))
      .sum();
  const e = Math.exp(0.5);
  const hessian = [
    [1, 3, 0],
    [3, -2 * e, e],
    [0, e, 0],
  ];
  for (const v of [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
    [2, -1, 0.5],
  ]) {
    const wanted = hessian.map((row) => row.reduce((n, h, i) => n + h * v[i]!, 0));
    near(values(hessianVectorProduct(f, [x], [tensor(v)])[0]!), wanted);
  }
  // Over two arguments: f = sum(a² b), H (u, v) = (2 b u + 2 a v, 2 a u)
  const [a, b, u, w] = [tensor([3]), tensor([5]), tensor([1]), tensor([2])];
  const [ha, hb] = hessianVectorProduct((p, q) => p!.square().mul(q!).sum(), [a, b], [u, w]);
  near(values(ha!), [22]);
  near(values(hb!), [6]);
});

test('hessianVectorProduct of an argument in which the function is linear', () => {
  // f = sum(a² b): nothing of f is quadratic in b, yet the product is defined.
  const [a, b] = [tensor([3]), tensor([5])];
  const [hb] = hessianVectorProduct((q) => a.square().mul(q!).sum(), [b], [ones([1])]);
  near(values(hb!), [0]);
});

test('stopGradient, casts to whole numbers and comparisons cut the path', () => {
  const x = tensor([1.5, -2]);
  near(values(gradients(x.mul(stopGradient(x)).sum(), [x])[0]!), [1.5, -2]);
  assert.equal(vjp(stopGradient(x).sum(), [x], tensor(1)), [null]);
  assert.equal(vjp(x.cast('int32').cast('float32').sum(), [x], tensor(1)), [null]);
  assert.equal(vjp(x.floor().sum(), [x], tensor(1)), [null]);
  near(values(gradients(x.greater(0).where(x.mul(2), x).sum(), [x])[0]!), [2, 1]);
});

test('equal elements share a gradient', () => {
  const x = tensor([3, 1, 3]);
  near(values(gradients(x.max(), [x])[0]!), [0.5, 0, 0.5]);
  near(values(gradients(x.maximum(tensor([3, 0, 4])).sum(), [x])[0]!), [0.5, 1, 0]);
  near(values(gradients(tensor([0]).relu().sum().add(x.sum()), [x])[0]!), [1, 1, 1]);
});

test('errors', () => {
  const x = tensor([1, 2, 3]);
  failsWith(
    () => gradients(x.mul(2), [x]),
    ShapeError,
    '[grad] the result must be a scalar, it is (3) (reduce it with sum() or mean(), or use vjp)',
  );
  failsWith(
    () => gradients(x.argmax(), [x]),
    DTypeError,
    '[grad] only floats have gradients, this is int32 (cast before)',
  );
  failsWith(
    () => grad((_a: Tensor, b: Tensor) => b.sum())(x, tensor([1])),
    StateError,
    '[grad] the result does not depend on argument 0, Tensor(3) float32 from data (compute from it inside the function; data(), casts to whole numbers and stopGradient cut the path)',
  );
});

test('two steps of descent in one compiled function', async () => {
  const w = variable(tensor([3]));
  const twice = compile(() => {
    for (let i = 0; i < 2; i++) {
      const [dw] = gradients(w.square().sum(), [w]);
      w.assign(w.sub(dw!.mul(0.25))); // w - w/2
    }
  });
  await twice();
  assert.equal(await w.array(), [0.75]);
  const late = compile(() => {
    const loss = w.square().sum();
    w.assign(w.mul(10));
    return gradients(loss, [w])[0]!; // of the value that the loss was made of
  });
  const slope = await late();
  assert.equal([await slope.array(), await w.array()], [[1.5], [7.5]]);
});

test('values that were read are constants from then on', async () => {
  await configure({ device: 'reference' });
  const x = variable(tensor([1, 2]));
  const h = x.mul(2);
  await h.data();
  assert.throws(() => gradients(h.sum(), [x]), /does not depend on argument 0/);
  near([...(await gradients(x.mul(2).sum(), [x])[0]!.data())], [2, 2]);
  x.dispose();
  (await engine()).dispose();
});

test.run();
