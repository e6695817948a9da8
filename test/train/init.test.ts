// First values of parameters: their distributions, the same bits everywhere, files.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import {
  configure,
  FormatError,
  nn,
  weightsFromBytes,
  weightsSha256,
  weightsToBytes,
} from '../../src/index.js';
import { rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('first values');

test.before(async () => {
  await configure({ device: 'wasm', build: 'simd', threads: 1 });
});

const fans = { fanIn: 1, fanOut: 1 };
const draw = async (initializer: nn.init.Initializer, shape: number[], seed = 5): Promise<Float32Array> =>
  (await initializer(shape, fans, { seed, stream: 3 }).data()) as Float32Array;
const moment = (values: Float32Array, power: number): number =>
  values.reduce((n, v) => n + v ** power, 0) / values.length;

test('orthogonal: columns, or rows if there are fewer, of length gain and at right angles', async () => {
  for (const [shape, gain] of [
    [[30, 20], 1],
    [[20, 30], 2],
    [[3, 3, 4, 10], 1],
    [[7, 7], 0.5],
    [[5], 1],
  ] as const) {
    const columns = shape.at(-1)!;
    const values = await draw(nn.init.orthogonal(gain), [...shape]);
    const rows = values.length / columns;
    const [count, at] =
      rows >= columns
        ? [columns, (k: number, i: number) => values[i * columns + k]!]
        : [rows, (k: number, i: number) => values[k * columns + i]!];
    for (let a = 0; a < count; a++) {
      for (let b = 0; b <= a; b++) {
        let dot = 0;
        for (let i = 0; i < Math.max(rows, columns); i++) dot += at(a, i) * at(b, i);
        const wanted = a === b ? gain * gain : 0;
        assert.ok(Math.abs(dot - wanted) < 1e-6, `${shape}: ${a} times ${b} is ${dot} instead of ${wanted}`);
      }
    }
  }
});

test('truncated normal: nothing beyond the cut, and the deviation that this leaves', async () => {
  const values = await draw(nn.init.truncatedNormal(0.5, { mean: 1 }), [200, 100]);
  assert.ok(values.every((v) => v >= 0 && v <= 2));
  assert.ok(Math.abs(moment(values, 1) - 1) < 0.01);
  // Of a normal number cut at two deviations the variance is 0.7737.
  assert.ok(
    Math.abs(
      moment(
        values.map((v) => v - 1),
        2,
      ) -
        0.25 * 0.7737,
    ) < 0.005,
  );
  const wide = await draw(nn.init.truncatedNormal(1, { cut: 100 }), [200, 100]);
  assert.ok(
    Math.abs(moment(wide, 2) - 1) < 0.03 && Math.abs(moment(wide, 4) - 3) < 0.2,
    'a normal one if not cut',
  );
  assert.throws(() => nn.init.truncatedNormal(1, { cut: 0 }), /cut is 0/);
});

test('a seed gives the same bits everywhere, another one others', async () => {
  const layer = (seed: number) =>
    nn
      .sequential(
        nn.linear(20, 20, { weightInit: nn.init.orthogonal(), biasInit: nn.init.constant(0.1) }),
        nn.linear(20, 20, { weightInit: nn.init.truncatedNormal(), biasInit: nn.init.zeros }),
      )
      .initialize(seed);
  assert.is(
    await weightsSha256(await layer(1)),
    'd267c4ce135bde7acca0830e98b0350d373ee5428a0f7e548200a267aa5d83d3',
  );
  assert.is.not(await weightsSha256(await layer(2)), await weightsSha256(await layer(1)));
});

test('from a file: by name, and refused when it does not fit', async () => {
  const model = await nn.sequential(nn.linear(3, 2), nn.linear(2, 3)).initialize(4);
  const saved = await nn.init.fromFile(await weightsToBytes(model));
  const copy = nn.sequential(
    nn.linear(3, 2, { weightInit: saved('0.weight'), biasInit: saved('0.bias') }),
    nn.linear(2, 3, { weightInit: saved('1.weight'), biasInit: saved('1.bias') }),
  );
  await copy.initialize(9);
  assert.is(await weightsSha256(copy), await weightsSha256(model));
  await weightsFromBytes(copy, await weightsToBytes(model)); // the values are the model's own
  assert.throws(
    () => saved('2.weight'),
    (e: Error) => e instanceof FormatError && /no 2\.weight.*0\.weight, /.test(e.message),
  );
  const wrong = nn.linear(4, 2, { weightInit: saved('0.weight') });
  const says = /0\.weight is float32 \(3,2\), the parameter float32 \(4,2\)/;
  await rejectsWith(wrong.initialize(), says);
});

test.run();
