// Chains that go to the GPU in one dispatch: which do, which must not, and that the values are those of one by one.
// @suite devices=webgpu runtimes=node24,deno

import * as assert from 'uvu/assert';
import type { Step } from '../../src/backend/backend.js';
import { createWebgpuBackend, type WebgpuBackend } from '../../src/backend/webgpu/index.js';
import { iotaShader } from '../../src/ops/shader-calls.js';
import { suite } from '../helpers/suite.js';
import {
  Arena,
  chainOf,
  handMade,
  instruction,
  kernelCall,
  operand,
  scalar,
  unlessAbsent,
} from '../helpers/webgpu.js';

const test = suite('webgpu together');
let backend: WebgpuBackend | undefined;
let arena: Arena;

const axpy = handMade(
  'axpy',
  ['float32', 'float32', 'float32'],
  'float32',
  'a + b * c',
  (a, b, c) => a! + b! * c!,
);
const double = handMade('double', ['float32'], 'float32', 'a * 2.0', (a) => 2 * a!);

const numbers = (n: number, from = 1): number[] => Array.from({ length: n }, (_, i) => from + i);

/** Runs and gives the number of dispatches. */
async function dispatches(...steps: Step[]): Promise<number> {
  const program = await backend!.compile(steps);
  await backend!.run(program);
  const { length } = program.commands;
  backend!.release(program);
  return length;
}

/** p = p + lr * g, in place. */
function update(n: number) {
  const p = arena.put(numbers(n), [n]);
  const g = arena.put(numbers(n, 100), [n]);
  const lr = arena.put([0.5], []);
  const step = (rate = lr): Step => ({
    kernel: null,
    chain: chainOf([n], [instruction(axpy, [n], operand(p), operand(g), operand(rate))], [0, p]),
  });
  const check = async (): Promise<void> => {
    assert.equal(
      [...(await arena.read(p))],
      numbers(n).map((v, i) => v + 0.5 * (100 + i)),
    );
  };
  return { step, check, p, g, lr };
}

test('updates of several sizes go together, with one learning rate, kernels between them', async () => {
  const [a, b, c] = [update(1000), update(7), update(64)];
  const out = arena.poisoned([70]);
  const kernel: Step = { kernel: kernelCall(iotaShader(70, 0, 1, 'f32'), [], out), chain: null };
  assert.is(await dispatches(a.step(), kernel, b.step(a.lr), c.step(a.lr)), 2);
  for (const { check } of [a, b, c]) await check();
  assert.equal([...(await arena.read(out))], numbers(70, 0));
});

test('more than there are buffers for: found by a table, of sizes that no four divides, some with a rate of their own', async () => {
  const many = Array.from({ length: 40 }, (_, i) => update(i === 7 ? 20_001 : 1 + 3 * i));
  const after = arena.poisoned([9]);
  assert.is(await dispatches(...many.map(({ step }, i) => step(i % 3 ? many[0]!.lr : undefined))), 1);
  for (const { check } of many) await check();
  assert.equal([...(await arena.read(after))], new Array(9).fill(7777.25));
});

test('an arena that is larger than what may be bound is bound in parts', async () => {
  const many = Array.from({ length: 40 }, (_, i) => update(60 + i));
  const { mostBound } = backend!;
  Object.assign(backend!, { mostBound: 8192 });
  try {
    const count = await dispatches(...many.map(({ step }) => step()));
    assert.ok(count > 1 && count < 30, `${count} dispatches`);
    // A gradient far away from its parameter.
    const far = update(50);
    arena.reserve([5000]);
    const g = arena.put(numbers(50, 100), [50]);
    const step = {
      kernel: null,
      chain: chainOf(
        [50],
        [instruction(axpy, [50], operand(far.p), operand(g), operand(far.lr))],
        [0, far.p],
      ),
    };
    assert.is(await dispatches(step), 1);
    await far.check();
  } finally {
    Object.assign(backend!, { mostBound });
  }
  for (const { check } of many) await check();
});

test('what no table has goes beside it: broadcasts, and numbers of another form', async () => {
  const many = Array.from({ length: 30 }, () => update(33));
  const column = arena.put(numbers(3), [3, 1]);
  // A row of four is a vector: the column then goes along with the vectors, but not with the elements.
  const outs = [8, 4].map((width) => arena.poisoned([3, width]));
  const broadcasts = outs.map((out): Step => {
    const { shape } = out;
    const row = operand(arena.put(numbers(shape[1]!), [shape[1]!]));
    const add = instruction(axpy, shape, operand(column), row, scalar(10));
    return { kernel: null, chain: chainOf(shape, [add], [0, out]) };
  });
  const one = arena.put([3], []);
  const power: Step = { kernel: null, chain: chainOf([], [instruction(double, [], operand(one))], [0, one]) };
  assert.is(await dispatches(power, ...many.map(({ step }) => step(many[0]!.lr)), ...broadcasts), 2);
  for (const { check } of many) await check();
  for (const out of outs) {
    const [, width] = out.shape as [number, number];
    assert.equal(
      [...(await arena.read(out))],
      numbers(3 * width, 0).map((i) => 1 + Math.floor(i / width) + 10 * (1 + (i % width))),
    );
  }
  assert.equal([...(await arena.read(one))], [6]);
});

test('what reads a result waits for it; what overwrites an operand comes after it', async () => {
  const a = update(12);
  const out = arena.poisoned([12]);
  const reader: Step = {
    kernel: null,
    chain: chainOf([12], [instruction(double, [12], operand(a.p))], [0, out]),
  };
  // Takes the memory of the gradient.
  const next: Step = { kernel: kernelCall(iotaShader(12, -5, 1, 'f32'), [], a.g), chain: null };
  assert.is(await dispatches(a.step(), reader, next), 3);
  await a.check();
  assert.equal(
    [...(await arena.read(out))],
    numbers(12).map((v, i) => 2 * (v + 0.5 * (100 + i))),
  );
  assert.equal([...(await arena.read(a.g))], numbers(12, -5));
});

test('two that need the same functions', async () => {
  const log = handMade('log', ['float32'], 'float32', 'logarithm(a)', (a) => Math.log(a!));
  const [x, y] = [arena.put(numbers(9), [9]), arena.put(numbers(300), [300])];
  const outs = [arena.poisoned([9]), arena.poisoned([300])];
  const steps = [x, y].map((t, i): Step => {
    const { shape } = t;
    return { kernel: null, chain: chainOf(shape, [instruction(log, shape, operand(t))], [0, outs[i]!]) };
  });
  assert.is(await dispatches(...steps), 1);
  for (const out of outs) {
    (await arena.read(out)).forEach((v, i) => {
      assert.ok(Math.abs(v - Math.log(i + 1)) < 1e-5, `${v} at ${i}`);
    });
  }
});

test('a buffer that one takes in fours and another one by one', async () => {
  const x = arena.put(numbers(8), [8]);
  const [wide, narrow] = [arena.poisoned([8]), arena.poisoned([3, 8])];
  const column = { ...x, shape: [3, 1] };
  const steps: Step[] = [
    { kernel: null, chain: chainOf([8], [instruction(double, [8], operand(x))], [0, wide]) },
    {
      kernel: null,
      chain: chainOf([3, 8], [instruction(axpy, [3, 8], operand(column), scalar(0), scalar(1))], [0, narrow]),
    },
  ];
  assert.is(await dispatches(...steps), 2);
  assert.equal(
    [...(await arena.read(wide))],
    numbers(8).map((v) => 2 * v),
  );
  assert.equal(
    [...(await arena.read(narrow))],
    numbers(24, 0).map((i) => 1 + Math.floor(i / 8)),
  );
});

backend = await unlessAbsent('webgpu together', () => createWebgpuBackend());
if (backend) {
  test.before.each(() => {
    arena = new Arena(backend!);
  });
  test.after.each(() => arena.free());
  test.after(() => backend!.dispose());
  test.run();
}
