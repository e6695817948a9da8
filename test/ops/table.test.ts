// Every op of the table on every backend against its own reference: samples, other dtypes, awkward sizes.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import type { HostArray } from '../../src/dtype.js';
import { type Device, Engine } from '../../src/engine.js';
import type { Tensor } from '../../src/graph.js';
import { opTable } from '../../src/ops/index.js';
import type { OpTensor } from '../../src/schedule/graph.js';
import { siteOf } from '../../src/schedule/place.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import { thinned } from '../helpers/thin.js';
import { type Case, casesOf, expected, type Float, hasMeaning, recordCase } from './cases.js';
import { backendOf, evaluateAll, report } from './evaluate.js';
import { difference, toleranceOf } from './tolerances.js';

const test = suite('op table');
const cases = thinned('op table', opTable.flatMap(casesOf), (c) => c.op.name);

interface Run {
  readonly device: Exclude<Device, 'auto'>;
  readonly float: Float;
}
const runs: Run[] = environment.devices.flatMap((device): Run[] =>
  device === 'webgpu'
    ? [{ device, float: 'float32' }]
    : [
        { device: 'reference', float: 'float32' },
        { device: 'reference', float: 'float64' },
        { device, float: 'float32' },
        { device, float: 'float64' },
      ],
);

type Result = { readonly tensor: Tensor; readonly values: HostArray | { error: string } };

/** Evaluates cases; on a GPU all of them at once, so that their pipelines are compiled in parallel. */
async function evaluateCases(run: Run, engine: Engine): Promise<Map<Case, Result>> {
  const wanted = cases.filter((c) => hasMeaning(c, run.float));
  const groups = run.device === 'webgpu' ? [wanted] : opTable.map((op) => wanted.filter((c) => c.op === op));
  const results = new Map<Case, Result>();
  for (const group of groups) {
    const tensors = group.map((c) => recordCase(c, run.float));
    const values = await evaluateAll(engine, tensors);
    for (const [i, c] of group.entries()) results.set(c, { tensor: tensors[i]!, values: values[i]! });
  }
  return results;
}

/** What is wrong with a result, in words. */
function problem(c: Case, { tensor, values }: Result, engine: Engine): string | null {
  if ('error' in values) return values.error;
  const tolerance = toleranceOf(c.op.name, siteOf(tensor as OpTensor), backendOf(engine, tensor));
  return difference(values, expected(c), tolerance, tensor.dtype);
}

for (const run of runs) {
  const label = `${run.device} ${run.float}`;
  let engine: Engine;
  let results = new Map<Case, Result>();

  test(`${label}: evaluates the table`, async () => {
    engine = await Engine.create({ device: run.device });
    const started = performance.now();
    results = await evaluateCases(run, engine);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${label}: ${results.size} cases of ${opTable.length} ops in ${seconds} s`);
    assert.ok(results.size > 0);
  });

  for (const op of opTable) {
    test(`${label}: ${op.name}`, () => {
      const own = [...results].filter(([c]) => c.op === op);
      if (run.float === 'float32') assert.ok(own.length > 0, `${op.name} has no samples`);
      const found = own.flatMap(([c, result]) => {
        const text = problem(c, result, engine);
        return text === null ? [] : [`${c.name}: ${text}`];
      });
      const elsewhere = own.filter(
        ([, { tensor }]) => op.kind !== 'view' && backendOf(engine, tensor) !== run.device,
      );
      if (elsewhere.length > 0) {
        const dtypes = new Set(elsewhere.map(([{ specs }]) => specs.map((s) => s.dtype).join(' x ')));
        skip(`${op.name} on ${run.device}`, `no kernel for ${[...dtypes].join(', ')}; computed on wasm`);
      }
      report(found);
    });
  }

  test(`${label}: nothing is left over`, () => {
    engine.clearPlans();
    for (const [name, { pieces }] of Object.entries(engine.stats())) assert.is(pieces, 0, name);
    engine.dispose();
  });
}

test('every op has samples, and their names differ', () => {
  const names = opTable.map((op) => op.name);
  assert.is(new Set(names).size, names.length, `a name is used twice: ${names}`);
  for (const op of opTable) assert.ok(op.samples.length > 0, `${op.name} has no samples`);
});

test.run();
