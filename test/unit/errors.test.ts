// The form of error messages, and what programs can read from an error.
import * as assert from 'uvu/assert';
import { DataError, EverygradError, ShapeError } from '../../src/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('errors');

const parts = {
  where: 'matmul',
  problem: 'inner dimensions differ: (32,784) x (512,10)',
  hint: 'transpose one',
};

test('the message is [where] problem (hint)', () => {
  assert.is(
    new ShapeError(parts).message,
    '[matmul] inner dimensions differ: (32,784) x (512,10) (transpose one)',
  );
});

test('without a hint there are no empty brackets', () => {
  assert.is(new DataError({ where: 'fit', problem: 'no samples' }).message, '[fit] no samples');
});

test('the name is that of the class, also for a subclass', () => {
  class PlanError extends EverygradError {}
  assert.is(new ShapeError(parts).name, 'ShapeError');
  assert.is(new PlanError(parts).name, 'PlanError');
  assert.ok(String(new ShapeError(parts)).startsWith('ShapeError: [matmul]'));
});

test('every class is an EverygradError and an Error, and no other class', () => {
  const error = new ShapeError(parts);
  assert.instance(error, EverygradError);
  assert.instance(error, Error);
  assert.not(error instanceof DataError);
});

test('parts are readable as fields', () => {
  const error = new ShapeError({ ...parts, values: { a: [32, 784] } });
  assert.is(error.where, parts.where);
  assert.is(error.problem, parts.problem);
  assert.is(error.hint, parts.hint);
  assert.equal(error.values, { a: [32, 784] });
  const bare = new DataError({ where: 'fit', problem: 'no samples' });
  assert.is(bare.hint, undefined);
  assert.equal(bare.values, {});
});

test('the cause is kept, and absent where there is none', () => {
  const cause = new Error('ENOSPC');
  assert.is(new DataError({ where: 'save', problem: 'disk full', cause }).cause, cause);
  assert.not('cause' in new DataError({ where: 'save', problem: 'disk full' }));
});

test.run();
