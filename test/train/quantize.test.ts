// Smaller weights: accuracy, bytes in memory and in files, files that do not fit, on every device of this run.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import {
  add,
  compile,
  configure,
  DataError,
  data,
  engine,
  evaluate,
  FormatError,
  fit,
  gather,
  loss,
  mul,
  nn,
  OptionError,
  optim,
  predict,
  quantize,
  quantizedFromBytes,
  reshape,
  StateError,
  softmax,
  type Tensor,
  tensor,
  transpose,
  weightsFromBytes,
  weightsToBytes,
} from '../../src/index.js';
import { nearestEven } from '../../src/ops/half.js';
import { RandomStream } from '../../src/philox.js';
import { hasFiles, runtime } from '../../src/platform.js';
import { decodeSafetensors, encodeSafetensors, type SavedTensor } from '../../src/safetensors.js';
import { environment } from '../helpers/environment.js';
import { rejectsWith } from '../helpers/errors.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const kinds = ['int8', 'float16'] as const;
const mlp = (hidden: number) => nn.sequential(nn.linear(784, hidden), nn.relu(), nn.linear(hidden, 10));

async function trained(sets: { train: data.Dataset }, model: nn.Module, epochs: number): Promise<nn.Module> {
  const options = { loss: loss.crossEntropy(), batchSize: 50, epochs, seed: 5 };
  await fit(model, sets.train, { ...options, optimizer: optim.adam({ lr: 0.001 }) });
  return model;
}

const random = new RandomStream(21, 0);
const randomValues = (n: number) => Float32Array.from({ length: n }, () => 4 * random.uniform() - 2);
const largestOf = (list: ArrayLike<number>) => Array.from(list).reduce((m, v) => Math.max(m, Math.abs(v)), 0);

/** A model with weights used in many ways, some of which no 8-bit product fits. */
class Odd extends nn.Module {
  readonly #name = 'private fields do not get in the way';
  readonly inner = nn.sequential(
    nn.linear(6, 9),
    nn.tanh(),
    nn.dropout(0.5),
    nn.linear(9, 4, { bias: false }),
  );
  readonly table = new nn.Parameter([7, 6], nn.init.normal(), { fanIn: 7, fanOut: 6 }, true);
  readonly tied = new nn.Parameter([4, 5], nn.init.normal(), { fanIn: 4, fanOut: 5 }, true);
  readonly gain = new nn.Parameter([4], nn.init.uniform(1, 2), { fanIn: 1, fanOut: 4 }, false);
  readonly filter = new nn.Parameter([2, 1, 2, 3], nn.init.normal(), { fanIn: 4, fanOut: 3 }, true);

  forward(indices: Tensor, context: nn.Context): Tensor {
    if (!this.#name) throw new Error('no name');
    const rows = gather(this.table, indices); // (batch, 6)
    const y = mul(this.inner.forward(rows, context), this.gain);
    const left = y.matmul(this.tied); // (batch, 5)
    const right = left.matmul(this.tied, { transB: true }); // (batch, 4)
    const filtered = y.matmul(reshape(this.filter, [4, 3]));
    const turned = transpose(this.tied).matmul(transpose(right)); // (5, batch)
    return add(softmax(add(left, transpose(turned))), filtered.sum(1, { keepDims: true }));
  }
}

for (const device of environment.devices) {
  const test = suite(`smaller weights on ${device}`);
  const options = device === 'wasm' ? { device, threads: 1 } : { device };

  test.before(async () => {
    await configure(options);
  });

  test('a layer computes what its 8-bit numbers say', async () => {
    const [rows, inputs, outputs] = [5, 37, 11];
    const layer = nn.linear(inputs, outputs);
    await layer.weight.assign(tensor(randomValues(inputs * outputs), { shape: [inputs, outputs] }));
    const x = randomValues(rows * inputs);
    x.fill(0, 0, inputs); // a row of zeros
    const small = await quantize(layer, { weights: 'int8' });
    const got = await (await predict(small, tensor(x, { shape: [rows, inputs] }))).data();
    const [w, bias] = [await layer.weight.data(), await layer.bias!.data()];
    const scaled = (list: number[]) => {
      const scale = Math.max(largestOf(list), 1e-30) / 127;
      return { scale, q: list.map((v) => nearestEven(v / scale)) };
    };
    const columns = Array.from({ length: outputs }, (_, j) =>
      scaled(Array.from({ length: inputs }, (_, k) => w[k * outputs + j]!)),
    );
    for (let i = 0; i < rows; i++) {
      const row = scaled([...x.subarray(i * inputs, (i + 1) * inputs)]);
      for (let j = 0; j < outputs; j++) {
        const column = columns[j]!;
        const sum = row.q.reduce((n, q, k) => n + q * column.q[k]!, 0);
        const wanted = sum * row.scale * column.scale + bias[j]!;
        const error = Math.abs(got[i * outputs + j]! - wanted);
        // A number that lies between two whole ones may be rounded the other way.
        assert.ok(
          error < 127 * 1.01 * row.scale * column.scale,
          `[${i}, ${j}] is ${got[i * outputs + j]}, not ${wanted}`,
        );
        if (i === 0) assert.is(got[j], bias[j]);
      }
    }
    layer.dispose();
    small.dispose();
  });

  test('NaN in an input stays in its row', async () => {
    const small = await quantize(nn.linear(9, 3), { weights: 'int8' });
    const x = new Float32Array(18).fill(1);
    x[3] = Number.NaN;
    const y = await (await predict(small, tensor(x, { shape: [2, 9] }))).data();
    if (device === 'wasm') assert.ok([...y.subarray(0, 3)].every(Number.isNaN));
    assert.ok([...y.subarray(3)].every(Number.isFinite));
    small.dispose();
  });

  test('weights used in any way, in modules of any kind', async () => {
    const model = await new Odd().initialize(3);
    const indices = tensor(new Int32Array([6, 0, 3, 3, 1]));
    const wanted = await (await predict(model, indices)).data();
    for (const weights of kinds) {
      const small = await quantize(model, { weights });
      const got = await (await predict(small, indices)).data();
      const error = largestOf(got.map((v, i) => v - wanted[i]!));
      assert.ok(error < (weights === 'int8' ? 0.1 : 0.01) * largestOf(wanted), `${weights}: off by ${error}`);
      assert.ok(error > 0);
      const copy = await quantizedFromBytes(new Odd(), await weightsToBytes(small));
      assert.equal(await (await predict(copy, indices)).data(), got);
      copy.dispose();
      small.dispose();
    }
    model.dispose();
  });

  test('convolutions have small weights and compute with them', async () => {
    const depthwise = nn.conv2d(6, 6, 3, { groups: 6 });
    const grouped = nn.conv2d(6, 4, 3, { groups: 2, padding: 1 });
    const layers = [nn.conv2d(3, 6, 3, { padding: 1 }), nn.relu(), depthwise, grouped, nn.flatten()];
    const make = () => nn.sequential(...layers, nn.linear(4 * 9, 4));
    const model = await make().initialize(7);
    const x = tensor(randomValues(3 * 25 * 3), { shape: [3, 5, 5, 3] });
    const integer = await quantize(model, { weights: 'int8' });
    const plan = compile((input: Tensor) => integer.forward(input, nn.inference()));
    const ops = (await plan.explain(x)).flatMap((row) => row.ops.split(' '));
    const count = (name: string) => ops.filter((op) => op === name).length;
    assert.equal([count('conv2dInt8'), count('conv2d'), count('matmulInt8')], [2, 1, 1], String(ops));
    integer.dispose();
    const wanted = await (await predict(model, x)).data();
    for (const weights of kinds) {
      const small = await quantize(model, { weights });
      const bytes = await weightsToBytes(small);
      const saved = decodeSafetensors(bytes).tensors.get('0.weight')!;
      assert.equal([saved.shape, saved.stored], [[3, 3, 3, 6], weights === 'int8' ? 'I8' : 'F16']);
      const copy = await quantizedFromBytes(make(), bytes);
      for (const m of [small, copy]) {
        const y = await (await predict(m, x)).data();
        const error = largestOf(y.map((v, i) => v - wanted[i]!));
        assert.ok(error > 0 && error < 0.03 * largestOf(wanted), `${weights}: off by ${error}`);
        m.dispose();
      }
    }
    model.dispose();
  });

  test('sequences are convolved in whole numbers, too', async () => {
    const model = await nn.sequential(nn.conv1d(7, 5, 4, { stride: 2, padding: 1 })).initialize(3);
    const x = tensor(randomValues(2 * 21 * 7), { shape: [2, 21, 7] });
    const wanted = await (await predict(model, x)).data();
    const small = await quantize(model, { weights: 'int8' });
    const y = await (await predict(small, x)).data();
    const error = largestOf(y.map((v, i) => v - wanted[i]!));
    assert.ok(error > 0 && error < 0.02 * largestOf(wanted), `off by ${error}`);
    const plan = compile((input: Tensor) => small.forward(input, nn.inference()));
    assert.ok((await plan.explain(x)).some(({ ops }) => ops.includes('conv2dInt8')));
    small.dispose();
    model.dispose();
  });

  test('a quarter and half of the bytes, in the engine and in the file', async () => {
    await configure(options);
    const e = await engine();
    const bytesNow = () => {
      e.clearPlans();
      return Object.values(e.stats()).reduce((n, s) => n + s!.bytes, 0);
    };
    assert.is(bytesNow(), 0);
    const model = await mlp(800).initialize(1);
    const inputs = tensor(randomValues(2 * 784), { shape: [2, 784] });
    const wanted = await (await predict(model, inputs)).data();
    const before = bytesNow();
    const file = (await weightsToBytes(model)).length;
    for (const weights of kinds) {
      const small = await quantize(model, { weights });
      const own = await mlp(800).initialize(2);
      const copy = await quantizedFromBytes(own, await weightsToBytes(small));
      own.dispose(); // the structure's own weights are not needed
      const y = await (await predict(copy, inputs)).data();
      assert.equal(y, await (await predict(small, inputs)).data());
      copy.dispose();
      // What the engine holds, on one backend: predictions were made on this device, so the weights are there.
      const bytes = bytesNow() - before;
      const part = weights === 'int8' ? 3.9 : 1.99;
      const host = device === 'webgpu' ? 2 : 1; // first values are computed beside the GPU
      assert.ok(bytes <= (host * before) / part, `${weights}: ${bytes} bytes, ${before} before`);
      assert.ok(small.bytes * part < file, `${small.bytes}`);
      const saved = (await weightsToBytes(small)).length;
      assert.ok(saved * part < file, `${weights}: the file has ${saved} bytes, ${file} before`);
      const error = largestOf(y.map((v, i) => v - wanted[i]!));
      assert.ok(error < 0.03 * largestOf(wanted), `${weights}: off by ${error}`);
      small.dispose();
      assert.is(bytesNow(), before);
    }
    const halves = await weightsToBytes(model, { dtype: 'float16' });
    assert.ok(halves.length * 1.99 < file);
    model.dispose();
    assert.is(bytesNow(), 0);
  });

  test('the model it was made from can be disposed or trained on', async () => {
    const model = await mlp(16).initialize(4);
    const inputs = tensor(randomValues(784), { shape: [1, 784] });
    for (const weights of kinds) {
      const small = await quantize(model, { weights });
      const y = await (await predict(small, inputs)).data();
      const p = model.parameters()[0]!;
      await p.assign(mul(p, 2));
      assert.equal(await (await predict(small, inputs)).data(), y);
      const own = await mlp(16).initialize(5);
      const other = await quantize(own, { weights });
      const z = await (await predict(other, inputs)).data();
      own.dispose();
      assert.equal(await (await predict(other, inputs)).data(), z);
      await rejectsWith(predict(own, inputs), StateError, /disposed/);
      small.dispose();
      await rejectsWith(predict(small, inputs), StateError, /disposed/);
      other.dispose();
    }
    model.dispose();
  });

  test('float16 files go back into float32 models', async () => {
    const model = await mlp(8).initialize(6);
    const bytes = await weightsToBytes(model, { dtype: 'float16', metadata: { epoch: '3' } });
    assert.is(decodeSafetensors(bytes).metadata.epoch, '3');
    const copy = mlp(8);
    await weightsFromBytes(copy, bytes);
    const [w, v] = [await model.parameters()[0]!.data(), await copy.parameters()[0]!.data()];
    assert.ok(w.every((x, i) => Math.abs(x - v[i]!) <= 2 ** -11 * Math.abs(x) + 2 ** -25));
    assert.ok(w.some((x, i) => x !== v[i]));
    const held = await quantizedFromBytes(mlp(8), bytes);
    const inputs = tensor(randomValues(784), { shape: [1, 784] });
    const [y, z] = [await predict(copy, inputs), await predict(held, inputs)];
    assert.equal(await z.data(), await y.data());
    for (const m of [model, copy, held]) m.dispose();
  });

  test('what cannot be done is said', async () => {
    const model = await mlp(4).initialize();
    await rejectsWith(quantize(model, { weights: 'int4' as 'int8' }), OptionError, /weights is int4/);
    await rejectsWith(quantize(model, undefined as never), OptionError, /weights is undefined/);
    await rejectsWith(
      quantize(model, { weights: 'int8', bits: 8 } as never),
      OptionError,
      /unknown option bits \(the options are weights\)/,
    );
    await rejectsWith(quantize(nn.sequential(nn.relu()), { weights: 'int8' }), StateError, /no weights/);
    const small = await quantize(model, { weights: 'int8' });
    await rejectsWith(quantize(small, { weights: 'int8' }), StateError, /no weights/);
    await rejectsWith(weightsToBytes(small, { dtype: 'float16' }), OptionError, /quantized/);
    await rejectsWith(weightsToBytes(model, { dtype: 'int8' as 'float16' }), OptionError, /dtype is int8/);
    await rejectsWith(weightsToBytes(model, { epoch: '3' } as never), OptionError, /unknown option epoch/);
    await rejectsWith(weightsToBytes(nn.sequential(small, nn.relu())), StateError, /part of another/);
    await rejectsWith(
      weightsFromBytes(mlp(4), await weightsToBytes(small)),
      FormatError,
      /use loadQuantized/,
    );
    const { train } = await data.digits({ train: 20, test: 10 });
    const fitting = { loss: loss.crossEntropy(), optimizer: optim.sgd({ lr: 1 }) };
    await rejectsWith(fit(small, train, fitting), StateError, /no parameter to train/);
    const p = model.parameters()[0]!;
    const values = await p.data();
    for (const [bad, weights] of [
      [Number.NaN, 'int8'],
      [Infinity, 'int8'],
      [65520, 'float16'],
    ] as const) {
      values[5] = bad;
      await p.assign(tensor(values.slice(), { shape: p.shape }));
      await rejectsWith(
        quantize(model, { weights }),
        DataError,
        new RegExp(`0.weight\\] weight 5 is ${bad}`),
      );
    }
    await rejectsWith(weightsToBytes(model, { dtype: 'float16' }), DataError, /F16 value 65520 at index 5/);
    for (const m of [model, small]) m.dispose();
  });

  test('files that do not fit', async () => {
    const model = () => nn.sequential(nn.linear(5, 3), nn.relu(), nn.linear(3, 2));
    const small = await quantize(model(), { weights: 'int8' });
    const { tensors } = decodeSafetensors(await weightsToBytes(small));
    assert.equal(tensors.get('0.weight')?.shape, [5, 3]);
    assert.is(tensors.get('0.weight')?.stored, 'I8');
    assert.equal(tensors.get('0.weight.scale')?.shape, [3]);
    const refused = async (pattern: RegExp, change: (t: Map<string, SavedTensor>) => void) => {
      const changed = new Map(tensors);
      change(changed);
      await rejectsWith(quantizedFromBytes(model(), encodeSafetensors(changed), 'w'), FormatError, pattern);
    };
    const floats = (...list: number[]): SavedTensor => ({
      dtype: 'float32',
      shape: [list.length],
      data: Float32Array.from(list),
    });
    await refused(/^\[w\] 0.weight.scale is missing/, (t) => t.delete('0.weight.scale'));
    await refused(/2.weight is missing/, (t) => t.delete('2.weight'));
    await refused(/2.bias is missing/, (t) => t.delete('2.bias'));
    await refused(/not in the model more/, (t) => t.set('more', floats(1)));
    await refused(/0.weight.scale is \(2\) in the file, \(3\)/, (t) => t.set('0.weight.scale', floats(1, 2)));
    for (const bad of [0, -1, Number.NaN, Infinity])
      await refused(/0.weight.scale has \S+ at index 1/, (t) => t.set('0.weight.scale', floats(1, bad, 1)));
    const ints: SavedTensor = { dtype: 'int32', shape: [3], data: new Int32Array([1, 2, 3]) };
    await refused(/0.weight.scale is int32/, (t) => t.set('0.weight.scale', ints));
    await refused(/0.bias is int32 in the file, expected float32/, (t) => t.set('0.bias', ints));
    await refused(/0.bias is I8 in the file/, (t) => t.set('0.bias', { ...ints, stored: 'I8' }));
    const { stored, ...wide } = tensors.get('0.weight')!;
    assert.is(stored, 'I8');
    await refused(/0.weight is int32 in the file, expected I8 or F16/, (t) => t.set('0.weight', wide));
    await refused(/0.weight is \(3,5\) in the file, \(5,3\)/, (t) =>
      t.set('0.weight', { ...wide, shape: [3, 5] }),
    );
    const plain = encodeSafetensors(decodeSafetensors(await weightsToBytes(model())).tensors);
    await rejectsWith(quantizedFromBytes(model(), plain), FormatError, /0.weight is float32.*quantize\(\)/);
    small.dispose();
  });

  test('damaged files end in a FormatError or a model', async () => {
    const model = nn.sequential(nn.linear(5, 3), nn.relu(), nn.linear(3, 2));
    const small = await quantize(model, { weights: 'int8' });
    const original = await weightsToBytes(small);
    const headerEnd = 8 + new DataView(original.buffer).getUint32(0, true);
    let errors = 0;
    let results = 0;
    for (let n = 0; n < (device === 'wasm' ? 1500 : 100); n++) {
      const bytes = original.slice();
      const at =
        n % 3 === 0 ? headerEnd + random.integer(bytes.length - headerEnd) : random.integer(headerEnd);
      if (n % 3 === 2) bytes[at] = '0123456789[]{},:"IFU8632'.charCodeAt(random.integer(23));
      else bytes[at]! ^= 1 << random.integer(8);
      try {
        const found = await quantizedFromBytes(model, bytes, 'x');
        assert.equal((await predict(found, tensor([[1, 2, 3, 4, 5]]))).shape, [1, 2]);
        found.dispose();
        results++;
      } catch (error) {
        assert.instance(error, FormatError, String((error as Error).stack));
        assert.match((error as Error).message, /^\[x\] ./);
        errors++;
      }
    }
    assert.ok(errors > results / 4 && results > errors / 10, `${errors} errors, ${results} results`);
    small.dispose();
    model.dispose();
  });

  test('digits: what is lost', async () => {
    const sets = await data.digits({ train: device === 'wasm' ? 2000 : 300, test: 500 });
    const model = await trained(sets, mlp(32), 3);
    const before = await evaluate(model, sets.test);
    for (const weights of kinds) {
      const small = await quantize(model, { weights });
      const after = await evaluate(small, sets.test);
      assert.ok(
        after.accuracy >= before.accuracy - 0.02,
        `${weights}: ${after.accuracy}, ${before.accuracy} before`,
      );
      assert.ok(
        Math.abs(after.loss - before.loss) < 0.02 * before.loss + 0.005,
        `${after.loss} ${before.loss}`,
      );
      small.dispose();
    }
    model.dispose();
  });

  const real = `MNIST: accuracy after quantisation on ${device}`;
  const folder = device === 'wasm' ? await mnistFolder() : { reason: 'measured on wasm' };
  if ('reason' in folder) skip(real, folder.reason);
  else {
    test(real, async () => {
      await configure({ device });
      const sets = await data.mnist(folder.path);
      const images = {
        train: sets.train.take(12_800).reshape([28, 28, 1]),
        test: sets.test.reshape([28, 28, 1]),
      };
      for (const { name, make, own, epochs } of [
        { name: '784-100-10', make: () => mlp(100), own: sets, epochs: 3 },
        { name: '784-800-10', make: () => mlp(800), own: sets, epochs: 1 },
        { name: 'LeNet', make: () => nn.lenet(), own: images, epochs: 1 },
      ]) {
        const model = await trained(own, make(), epochs);
        const before = await evaluate(model, own.test);
        for (const weights of kinds) {
          const small = await quantize(model, { weights });
          const after = await evaluate(small, own.test);
          const lost = 100 * (before.accuracy - after.accuracy);
          console.log(
            `NOTE ${name} after ${epochs} epoch${epochs > 1 ? 's' : ''}: ${(100 * before.accuracy).toFixed(2)} %, with ${weights} weights ${(100 * after.accuracy).toFixed(2)} %, ${lost.toFixed(2)} points lost`,
          );
          assert.ok(lost < 0.1, `${weights}: ${lost} points lost`);
          small.dispose();
        }
        model.dispose();
      }
    });
  }

  test.run();
}

async function mnistFolder(): Promise<{ path: string } | { reason: string }> {
  if (!hasFiles) return { reason: `${runtime().name} reads no files from disk` };
  const { access } = await import('node:fs/promises');
  const { fileURLToPath } = await import('node:url');
  const path =
    process.env.EVERYGRAD_MNIST ?? fileURLToPath(new URL('../shared/data/mnist', environment.root));
  return access(path).then(
    () => ({ path }),
    () => ({ reason: `there is no folder ${path}; set EVERYGRAD_MNIST` }),
  );
}
