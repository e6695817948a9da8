// Elementary functions of the host: near the engine's own, and the same bits everywhere.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import { cosPi, exponential, logarithm, root, wholePower } from '../../src/exact.js';
import { suite } from '../helpers/suite.js';

const test = suite('exact functions');

const near = (actual: number, wanted: number, what: string): void =>
  assert.ok(
    Math.abs(actual - wanted) <= 1e-15 * Math.max(1, Math.abs(wanted)) * 4,
    `${what}: ${actual}, ${wanted}`,
  );

test('cosPi', () => {
  for (let t = -2.5; t <= 2.5; t += 1 / 64) near(cosPi(t), Math.cos(Math.PI * t), `cosPi(${t})`);
  assert.equal(
    [0, 0.5, 1, 1.5, 2, -1].map(cosPi),
    [1, 0, -1, 0, 1, -1].map((v) => v),
  );
  assert.is(cosPi(1 / 3), 0.5000000000000001);
});

test('logarithm', () => {
  for (const x of [1e-300, 2 ** -24, 0.1, 0.75, 1, 1.4999, 1.5, 2, Math.E, 12345.678, 1e300])
    near(logarithm(x), Math.log(x), `log(${x})`);
  assert.is(logarithm(1), 0);
  assert.is(logarithm(0.3), -1.203972804325936); // the bits that every engine must have
});

test('exponential', () => {
  for (let x = -745; x < 709; x += 0.37) {
    const expected = Math.exp(x);
    const error = Math.abs(exponential(x) - expected);
    assert.ok(
      error <= Math.max(4 * 2 ** -52 * expected, 2 ** -1073),
      `exp(${x}) is off by ${error / expected}`,
    );
  }
  assert.equal([0, -800, 800, Number.NEGATIVE_INFINITY].map(exponential), [
    1,
    0,
    Number.POSITIVE_INFINITY,
    0,
  ]);
  assert.ok(Number.isNaN(exponential(Number.NaN)));
});

test('powers and roots', () => {
  assert.is(wholePower(3, 13), 1594323);
  assert.is(wholePower(0.1, 0), 1);
  for (const [x, n] of [
    [2, 2],
    [1e7, 99],
    [1e-7, 99],
    [7, 1],
    [1, 5],
  ] as const)
    near(root(x, n), x ** (1 / n), `root(${x}, ${n})`);
});

test.run();
