// Functions of single numbers against the engine's own, which are right to a unit in the last place or so.
import * as assert from 'uvu/assert';
import { exponential, sineAndCosine } from '../../src/scalar-math.js';
import { suite } from '../helpers/suite.js';

const test = suite('scalar math');

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

test('sine and cosine', () => {
  for (let x = -2 * Math.PI; x <= 2 * Math.PI; x += 0.0173) {
    const { sine, cosine } = sineAndCosine(x);
    assert.ok(Math.abs(sine - Math.sin(x)) < 4e-15, `sin(${x})`);
    assert.ok(Math.abs(cosine - Math.cos(x)) < 4e-15, `cos(${x})`);
  }
  assert.equal(sineAndCosine(0), { sine: 0, cosine: 1 });
});

test.run();
