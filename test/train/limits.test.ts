// What is too large: tensors that no memory could hold, and plans that this memory cannot.
// @suite devices=wasm
import * as assert from 'uvu/assert';
import { WasmBackend } from '../../src/backend/wasm/index.js';
import {
  configure,
  DeviceError,
  data,
  evaluate,
  fit,
  loss,
  memoryStats,
  nn,
  OptionError,
  optim,
  ShapeError,
  Variable,
  zeros,
} from '../../src/index.js';
import * as ops from '../../src/ops/index.js';
import { failsWith, rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('limits');

test('a tensor that cannot be addressed is refused where it is made, before anything is allocated', async () => {
  await configure({ device: 'wasm' });
  const before = await memoryStats();
  const [tall, wide] = [zeros([70_000, 10]), zeros([10, 70_000])];
  failsWith(
    () => ops.matmul(tall, wide),
    ShapeError,
    '[matmul] float32 (70000,70000) of (70000,10), (10,70000) has 4900000000 elements, 19600000000 bytes (a tensor has less than 2^31 elements and 4 GiB: use a smaller batch, or compute it in parts)',
  );
  const cases: [string, () => unknown][] = [
    ['add', () => ops.add(zeros([100_000, 1]), zeros([100_000]))],
    ['broadcastTo', () => zeros([2 ** 16, 2 ** 15])],
    // 2^31 bools would fit into 4 GiB, but not into the kernels' counters.
    ['equal', () => ops.equal(zeros([2 ** 16, 1], 'bool'), zeros([2 ** 15], 'bool'))],
    ['concat', () => ops.concat(Array.from({ length: 40 }, () => zeros([2 ** 25])))],
    ['randomUniform', () => ops.randomUniform([2 ** 20, 2 ** 12], { seed: 1 })],
    ['pad', () => ops.pad(zeros([4]), [[2 ** 31, 0]])],
    ['parameter', () => nn.linear(1_000_000, 1_000_000)],
    ['w', () => new Variable([2 ** 30, 2 ** 30, 2 ** 30], 'float32', null, 'w')],
  ];
  for (const [where, action] of cases) {
    const error = failsWith(action, ShapeError);
    assert.is(error.where, where);
    assert.ok(error.hint?.length, where);
  }
  assert.equal(await memoryStats(), before);
  // Just small enough is recorded; it is computed only where there is room.
  assert.equal(ops.add(zeros([2 ** 15, 1]), zeros([2 ** 14])).shape, [2 ** 15, 2 ** 14]);
});

const model = () => nn.sequential(nn.linear(784, 64), nn.relu(), nn.linear(64, 10));

for (const threads of [1, 2]) {
  test(`a plan that does not fit says what it needs, and a smaller one works, ${threads} threads`, async () => {
    const engine = await configure({ device: 'wasm', threads, maximumBytes: 16 * 2 ** 20 });
    const [backend] = engine.order as [WasmBackend];
    assert.ok(backend instanceof WasmBackend);
    await backend.ready();
    const digits = await data.digits({ train: 6000, test: 50 });
    const taken: number[] = [];
    const atFirst = await memoryStats();
    for (let round = 0; round < 3; round++) {
      const [m, optimizer] = [model(), optim.adam()];
      const options = { loss: loss.crossEntropy(), optimizer };
      await m.initialize(1);
      const before = await memoryStats();
      await rejectsWith(
        fit(m, digits.train, { ...options, batchSize: 6000, recovery: false }),
        DeviceError,
        /^\[wasm\] out of memory: (\d+) bytes asked for, \d+ bytes in use, the runtime gives no more; the plan needs \1 bytes on wasm, its largest tensors are Tensor\(6000,784\) float32 from \w+ 18816000 bytes; .* \(use a smaller batch or model/,
      );
      for (const v of optimizer.state()) if (v.storage) v.dispose();
      const after = await memoryStats();
      assert.is(after.wasm!.bytes, before.wasm!.bytes, 'bytes');
      assert.is(after.wasm!.pieces, before.wasm!.pieces, 'pieces');
      // The same optimizer was used up above.
      const again = optim.adam();
      const { epochs } = await fit(m, digits.train, { ...options, optimizer: again, batchSize: 100 });
      assert.ok(epochs[0]!.trainLoss < 2);
      assert.ok((await evaluate(m, digits.test)).accuracy > 0.5);
      for (const thing of [m, again, optimizer]) thing.dispose();
      taken.push(backend.bytesTaken);
    }
    const { pieces, bytes } = (await memoryStats()).wasm!;
    assert.equal({ pieces, bytes }, { pieces: atFirst.wasm!.pieces, bytes: atFirst.wasm!.bytes });
    assert.is(taken[2], taken[1], `${taken}`);
  });
}

test('a limit that is none', async () => {
  for (const maximumBytes of [0, 1000, 1.5e6 + 0.5, Number.NaN]) {
    const says = /\[maximumBytes\] .* is not a size of memory/;
    await rejectsWith(() => configure({ device: 'wasm', maximumBytes }), OptionError, says);
  }
});

test.run();
