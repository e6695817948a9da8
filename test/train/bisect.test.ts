// The bisector of backends: agreement, and a backend with a broken op that it must name.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import type { Step } from '../../src/backend/backend.js';
import { Engine } from '../../src/engine.js';
import { configure, data, loss, nn, OptionError, optim, weightsSha256 } from '../../src/index.js';
import { bisect } from '../../src/inspect/index.js';
import type { OpDefinition } from '../../src/ops/define.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

type Out = { [i: number]: number; length: number };

/** The op with changed results, if it is the one. */
function broken<O extends OpDefinition>(op: O, name: string, change: (out: Out) => void): O {
  if (op.name !== name) return op;
  const reference: O['reference'] = (context) => {
    op.reference(context);
    change(context.out);
  };
  return { ...op, reference };
}

/** A reference engine in which the results of one op are changed. */
async function brokenEngine(op: string, change: (out: Out) => void) {
  const engine = await Engine.create({ device: 'reference' });
  const [backend] = engine.order as [Engine['order'][number]];
  const { compile } = backend;
  backend.compile = (steps: readonly Step[]) =>
    compile.call(
      backend,
      steps.map((step) => ({
        kernel: step.kernel && { ...step.kernel, op: broken(step.kernel.op, op, change) },
        chain: step.chain && {
          ...step.chain,
          instructions: step.chain.instructions.map((i) => ({ ...i, op: broken(i.op, op, change) })),
        },
      })),
    );
  return engine;
}

const model = () => nn.sequential(nn.linear(784, 12), nn.tanh(), nn.dropout(0.2), nn.linear(12, 10));
const options = { loss: loss.crossEntropy(), batchSize: 4, steps: 3, seed: 2 };
const digits = await data.digits({ train: 8, test: 1 });

for (const device of environment.devices) {
  const test = suite(`bisect on ${device}`);

  test.before(async () => {
    await configure({ device });
  });

  test('agrees with the reference, also over epochs, and changes nothing', async () => {
    const m = model();
    await m.initialize(2);
    const before = await weightsSha256(m);
    const result = await bisect(m, digits.train, { ...options, optimizer: optim.adam() });
    assert.is(result.first, null, result.first?.text);
    assert.is(result.steps, 3);
    assert.ok(result.ops > 50 && result.largest!.difference < 1e-4);
    assert.match(result.devices.join(), new RegExp(`^${device} .*reference`));
    assert.is(await weightsSha256(m), before);
  });

  test('names op, layer, step and element of a broken op', async () => {
    const against = await brokenEngine('tanh', (out) => {
      out[5]! += 0.01;
    });
    const { first, amplified } = await bisect(model(), digits.train, {
      ...{ ...options, against, optimizer: optim.sgd({ lr: 0.1 }) },
    });
    assert.equal(
      [first!.op, first!.part, first!.layer, first!.step, first!.element, first!.shape],
      ['tanh', 'forward pass', '1 (tanh)', 1, [0, 5], [4, 12]],
    );
    assert.ok(Math.abs(first!.values[1] - first!.values[0] - 0.01) < 1e-4);
    assert.is(amplified, 0);
    against.dispose();
  });

  test('gradients of biases before batch norms are rounding alone, and no difference', async () => {
    if (device === 'webgpu' && environment.runtime === 'firefox') {
      skip('bisecting LeNet on webgpu in firefox', 'on a GPU in software its process is ended');
      return;
    }
    // Whatever the bias, the norm takes it off again: the true gradient is 0.
    const lenet = nn.sequential(nn.reshape([28, 28, 1]), nn.lenet());
    const against = device === 'webgpu' ? 'wasm' : 'reference';
    const optimizer = optim.sgd({ lr: 0.01, momentum: 0.9 });
    const settings = { ...options, batchSize: 2, steps: 2, optimizer };
    const { first, largest, cancelled } = await bisect(lenet, digits.train, { ...settings, against });
    assert.is(first, null, first?.text);
    assert.ok(cancelled > 0 && largest!.difference < 1e-4, `${cancelled}, ${largest!.text}`);
    // A wrong one among them is found all the same.
    const wrong = await brokenEngine('sum', (out) => {
      if (out.length === 32) out[7]! += 1e-3;
    });
    const found = await bisect(lenet, digits.train, { ...settings, steps: 1, against: wrong });
    assert.ok(found.first, 'nothing was found');
    const { op, part, step, element, shape } = found.first;
    assert.equal([op, part, step, element, shape], ['sum', 'gradient', 1, [7], [32]]);
    wrong.dispose();
  });

  test('one that gives NaN', async () => {
    const against = await brokenEngine('tanh', (out) => {
      out[47] = Number.NaN;
    });
    const { first } = await bisect(model(), digits.train, {
      ...{ ...options, against, optimizer: optim.sgd({ lr: 0.1 }) },
    });
    assert.equal([first!.op, first!.element, first!.difference], ['tanh', [3, 11], Number.POSITIVE_INFINITY]);
    assert.match(first!.text, /NaN at \[3,11\]$/);
    against.dispose();
  });

  test('NaN on both', async () => {
    const optimizer = optim.sgd({ lr: 1e30 });
    const wild = nn.sequential(nn.linear(784, 12), nn.relu(), nn.linear(12, 10));
    const result = await bisect(wild, digits.train, {
      ...options,
      steps: 9,
      loss: loss.quadratic(),
      optimizer,
    });
    assert.ok(result.nonFinite && result.steps < 9, JSON.stringify(result));
    assert.is(result.first, null);
  });

  test('what cannot be compared', async () => {
    for (const [wrong, message] of [
      [{ batchSize: 9 }, /digits\.train/],
      [{ steps: 0 }, /steps is 0/],
      [{ tolerance: -1 }, /tolerance is -1/],
    ] as const) {
      try {
        await bisect(model(), digits.train, { ...options, optimizer: optim.adam(), ...wrong });
        assert.unreachable(String(message));
      } catch (error) {
        assert.instance(error, OptionError);
        assert.match((error as Error).message, message);
      }
    }
  });

  test.run();
}
