// Gradients of every op: first and second ones against finite differences in double precision, on the reference and on
// WASM; then those in single precision, on every backend, against the ones in double precision.
// @suite devices=wasm,webgpu timeout=1200
import * as assert from 'uvu/assert';
import { type HostArray, isFloat, sizeOf } from '../../src/dtype.js';
import { Engine } from '../../src/engine.js';
import { vjp } from '../../src/grad.js';
import { constant, type Spec, type Tensor } from '../../src/graph.js';
import type { OpDefinition } from '../../src/ops/define.js';
import { add, cast, mul, opTable, stopGradient, sum, tanh, zeros } from '../../src/ops/index.js';
import { RandomStream } from '../../src/philox.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import { thinned } from '../helpers/thin.js';
import {
  type Case,
  dataTensor as data,
  type Float,
  inputsOf,
  recordCase,
  specsOf,
  spread,
  takes,
  weights,
} from './cases.js';
import { evaluateAll, largest, report } from './evaluate.js';
import { plan } from './function.js';
import { composedTwice, extraSamples } from './sizes.js';
import { gradientTolerance } from './tolerances.js';

const test = suite('gradients');

const differentiable = opTable.filter((op) => op.gradient !== null);

/** Cases with a float among the inputs and a float as the result. */
function casesOf(op: OpDefinition, samples = op.samples): Case[] {
  return samples
    .map((sample) => spread(op, sample))
    .filter((c) => c.specs.some((s) => isFloat(s.dtype)) && takes(op, c.specs, c.attributes))
    .filter((c) => isFloat(c.op.infer(specsOf(c, 'float64'), c.attributes).dtype));
}

/** Indices of the inputs that are floats. */
const floatInputs = (c: Case): number[] => [...c.specs.keys()].filter((i) => isFloat(c.specs[i]!.dtype));

const total = (terms: readonly Tensor[], float: Float): Tensor =>
  terms.reduce((a, b) => add(a, sum(b)), constant(0, float));

/**
 * The op's result contracted with `dy`, its gradients, those contracted with fixed weights, and the gradients of that by
 * the inputs and by `dy`: [value, ...gradients, value of the second, ...second gradients].
 */
function derivatives(c: Case, inputs: readonly Tensor[], dy: Tensor, float: Float): Tensor[] {
  const xs = floatInputs(c).map((i) => inputs[i]!);
  const y = recordCase(c, float, inputs);
  const orZero = (g: Tensor | null, x: Tensor): Tensor => g ?? zeros(x.shape, x.dtype);
  const first = vjp(y, xs, dy).map((g, i) => orZero(g, xs[i]!));
  const contracted = first.map((g, i) => mul(g, data(weights(g.size, i + 1), g)));
  const second = total(contracted, float);
  const by = [...xs, dy];
  const seconds = vjp(second, by, constant(1, float)).map((g, i) => orZero(g, by[i]!));
  return [total([mul(y, dy)], float), ...first, second, ...seconds];
}

const outputSpec = (c: Case, float: Float): Spec => {
  const { shape, dtype } = recordCase(c, float);
  return { shape, dtype };
};

/** Directions to try in a space of n dimensions: each axis, or some of them and some signs at random. */
function directions(n: number, most: number): Float64Array[] {
  const axis = (i: number): Float64Array => new Float64Array(n).fill(1, i, i + 1);
  if (n <= most) return Array.from({ length: n }, (_, i) => axis(i));
  const random = new RandomStream(14, n);
  const some = Array.from({ length: most / 2 }, () => axis(random.integer(n)));
  const signs = () => Float64Array.from({ length: n }, () => (random.uniform() < 0.5 ? -1 : 1));
  return [...some, ...Array.from({ length: 8 }, signs)];
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let n = 0;
  for (let i = 0; i < a.length; i++) n += a[i]! * b[i]!;
  return n;
};

const h = 2 ** -17;

/** Compares the gradients of a case with central differences. */
async function compareWithDifferences(c: Case, engine: Engine, most: number): Promise<string[]> {
  const found: string[] = [];
  const specs = specsOf(c, 'float64');
  const out = outputSpec(c, 'float64');
  const f = await plan(engine, [...specs, out], (inputs) =>
    derivatives(c, inputs.slice(0, -1), inputs.at(-1)!, 'float64'),
  );
  const xs = floatInputs(c);
  const values = [...c.values, weights(sizeOf(out.shape), 0)];
  const results = await f(values);
  const [value, secondValue] = [0, 1 + xs.length];
  for (const [k, i] of [...xs, specs.length].entries()) {
    const gradients = { first: results[1 + k], second: results[secondValue + 1 + k]! };
    for (const direction of directions(values[i]!.length, most)) {
      const at = async (step: number): Promise<HostArray[]> => {
        const moved = values[i]!.map((v, j) => v + step * direction[j]!);
        return f(values.with(i, moved), [value, secondValue]);
      };
      const [above, below] = [await at(h), await at(-h)];
      for (const [j, order] of (['first', 'second'] as const).entries()) {
        // The first gradient by dy is the result itself.
        if (order === 'first' && i === specs.length) continue;
        const difference = (above[j]![0]! - below[j]![0]!) / (2 * h);
        const gradient = dot(gradients[order]!, direction);
        if (Math.abs(difference - gradient) <= 1e-6 * (1 + Math.abs(gradient))) continue;
        const by = i === specs.length ? 'dy' : `input ${i}`;
        found.push(`${c.name}: ${order} gradient by ${by} is ${gradient}, differences give ${difference}`);
        break;
      }
    }
  }
  f.dispose();
  return found;
}

/** All gradients of a case with inputs as host data, or only the first ones. */
function gradientTensors(c: Case, float: Float, twice: boolean): Tensor[] {
  const out = outputSpec(c, float);
  const inputs = inputsOf(c, float);
  const dy = data(weights(sizeOf(out.shape), 0), out);
  if (!twice) {
    const xs = floatInputs(c).map((i) => inputs[i]!);
    return vjp(recordCase(c, float, inputs), xs, dy).map((g, i) => g ?? zeros(xs[i]!.shape, float));
  }
  const all = derivatives(c, inputs, dy, float);
  const n = floatInputs(c).length;
  return [...all.slice(1, 1 + n), ...all.slice(2 + n)];
}

if (environment.devices.includes('wasm')) {
  for (const [device, most] of [
    ['reference', 12],
    ['wasm', 120],
  ] as const) {
    let engine: Engine;
    test.before(async () => {
      engine = await Engine.create({ device });
    });
    test.after(() => engine.dispose());
    for (const op of differentiable) {
      test(`${device} float64 against differences: ${op.name}`, async () => {
        const cases = casesOf(op);
        // A cast between floats changes the dtype, which has a test of its own.
        if (op !== cast.definition) assert.ok(cases.length > 0, `${op.name} has no sample with floats`);
        const found: string[] = [];
        for (const c of cases) found.push(...(await compareWithDifferences(c, engine, most)));
        report(found);
      });
    }
  }
}

if (environment.devices.includes('wasm')) {
  test('a wrong gradient is found', async () => {
    const engine = await Engine.create({ device: 'reference' });
    const { definition } = tanh;
    const wrongFirst: OpDefinition = { ...definition, gradient: ({ dy }) => [mul(dy, 0.5)] };
    // Right, but with a part that differentiation does not see.
    const wrongSecond: OpDefinition = {
      ...definition,
      gradient: (c) => definition.gradient!(c).map((g) => g && stopGradient(g)),
    };
    for (const [op, order] of [
      [wrongFirst, 'first'],
      [wrongSecond, 'second'],
    ] as const) {
      const found = await compareWithDifferences(casesOf(op)[0]!, engine, 8);
      assert.ok(found.length > 0 && found.every((text) => text.includes(`${order} gradient`)), order);
    }
    engine.dispose();
  });

  test('cast between floats', async () => {
    for (const device of ['reference', 'wasm'] as const) {
      const engine = await Engine.create({ device });
      const x = data([1.5, -2, 0.1], { shape: [3], dtype: 'float32' });
      const y = cast(x, 'float64');
      const [dx] = vjp(mul(y, y), [x], constant(1, 'float64'));
      assert.is(dx!.dtype, 'float32');
      const [forward, back, there] = await engine.evaluate([y, dx!, cast(y, 'float32')]);
      assert.equal(forward, Float64Array.of(1.5, -2, Math.fround(0.1)), device);
      assert.equal(back, Float32Array.of(3, -4, 0.2), device);
      assert.equal(there, Float32Array.of(1.5, -2, 0.1), device);
      engine.dispose();
    }
  });
}

for (const device of environment.devices) {
  test(`${device} float32 against float64`, async () => {
    const [engine, reference] = [
      await Engine.create({ device }),
      await Engine.create({ device: 'reference' }),
    ];
    const all = differentiable.flatMap((op) => [
      ...casesOf(op).map((c) => ({ c, twice: device === 'wasm' || !composedTwice.has(op.name) })),
      ...casesOf(op, extraSamples(op)).map((c) => ({ c, twice: !composedTwice.has(op.name) })),
    ]);
    const cases = thinned('gradients', all, ({ c }) => c.op.name);
    const where = device === 'wasm' ? 'of awkward sizes' : 'on a GPU';
    skip(`second gradients ${where}`, `compositions of many ops: ${[...composedTwice].join(', ')}`);
    const tensors = cases.map(({ c, twice }) => gradientTensors(c, 'float32', twice));
    const started = performance.now();
    // Graphs of one op at a time are faster to plan; on a GPU all pipelines are compiled together.
    const evaluated = new Map<Tensor, HostArray | { error: string }>();
    for (const op of device === 'webgpu' ? [null] : differentiable) {
      const own = cases.flatMap(({ c }, k) => (op === null || c.op === op ? tensors[k]! : []));
      for (const [i, value] of (await evaluateAll(engine, own)).entries()) evaluated.set(own[i]!, value);
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const found: string[] = [];
    let at = 0;
    for (const [k, { c, twice }] of cases.entries()) {
      const exact = await evaluateAll(reference, gradientTensors(c, 'float64', twice));
      for (const [i, t] of tensors[k]!.entries()) {
        const text = compare(c.op.name, evaluated.get(t)!, exact[i]!, device);
        if (text) found.push(`${c.name}: gradient ${i} ${text}`);
        at++;
      }
    }
    console.log(`${device}: ${at} gradients of ${cases.length} cases in ${seconds} s`);
    engine.dispose();
    reference.dispose();
    report(found);
  });
}

/** Compares gradients by their largest element. */
function compare(
  name: string,
  actual: HostArray | { error: string },
  exact: HostArray | { error: string },
  device: 'wasm' | 'webgpu',
): string | null {
  if ('error' in actual) return actual.error;
  if ('error' in exact) return `reference: ${exact.error}`;
  if (actual.length !== exact.length) return `has ${actual.length} elements instead of ${exact.length}`;
  const allowed = gradientTolerance(name, device) * Math.max(1, largest(exact));
  let [worst, where] = [0, 0];
  for (let i = 0; i < exact.length; i++) {
    const error = Math.abs(actual[i]! - exact[i]!);
    if (!(error <= worst)) [worst, where] = [error, i];
  }
  if (worst <= allowed) return null;
  return `element ${where} is ${actual[where]} instead of ${exact[where]}, allowed ${allowed}`;
}

test('ops without a gradient', () => {
  const without = opTable.filter((op) => op.gradient === null).map((op) => op.name);
  console.log(`no gradient by definition: ${without.join(', ')}`);
  const y = opTable
    .filter((op) => op.gradient === null)
    .flatMap((op) => casesOf(op).slice(0, 1))
    .map((c) => ({ c, inputs: inputsOf(c, 'float64') }));
  for (const { c, inputs } of y) {
    const made = recordCase(c, 'float64', inputs);
    assert.equal(
      vjp(made, inputs, constant(1, 'float64')),
      inputs.map(() => null),
      c.name,
    );
  }
});

test.run();
