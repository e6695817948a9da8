// docs/coverage.md is what the op table says, and WebGPU has all that WASM has.
// @suite devices=wasm runtimes=node,node24
import * as assert from 'uvu/assert';
import { environment } from '../helpers/environment.js';
import { suite } from '../helpers/suite.js';
import { coverageTable, holes } from '../ops/coverage.js';

const test = suite('coverage');

test('WebGPU has a kernel for all that WASM has, but float64', () => {
  assert.equal(holes(), []);
});

test('docs/coverage.md is up to date (EVERYGRAD_WRITE=1 writes it)', async () => {
  const { readFile, writeFile } = await import('node:fs/promises');
  const file = new URL('docs/coverage.md', environment.root);
  const before = await readFile(file, 'utf8');
  const [start, end] = ['<!-- made by the tests -->\n', '<!-- end -->'];
  const [head, rest] = before.split(start);
  const [, tail] = rest!.split(end);
  const now = `${head}${start}${coverageTable()}\n${end}${tail}`;
  if (process.env.EVERYGRAD_WRITE === '1') await writeFile(file, now);
  else if (now !== before)
    assert.unreachable('it is not; EVERYGRAD_WRITE=1 npm test -- --suite docs/coverage writes it');
});

test.run();
