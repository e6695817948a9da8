// Updates of all parameters in one dispatch, whatever their number: how many that takes, and that they have the bits of one
// dispatch for a few tensors each.
// @suite devices=webgpu runtimes=node24,deno

import * as assert from 'uvu/assert';
import type { WebgpuBackend } from '../../src/backend/webgpu/index.js';
import { late } from '../../src/backend/webgpu/shaders.js';
import { type Shape, sizeOf } from '../../src/dtype.js';
import { Engine } from '../../src/engine.js';
import { gradients } from '../../src/grad.js';
import { Tensor, traced, type Variable } from '../../src/graph.js';
import * as loss from '../../src/loss/index.js';
import * as nn from '../../src/nn/index.js';
import { inference, Parameter } from '../../src/nn/module.js';
import * as optim from '../../src/optim/index.js';
import { RandomStream } from '../../src/philox.js';
import { membersOf } from '../../src/schedule/fuse.js';
import { suite } from '../helpers/suite.js';
import { unlessAbsent } from '../helpers/webgpu.js';
import '../../src/tensor.js';

const test = suite('webgpu updates');
let engine: Engine | undefined;

const data = (shape: Shape, seed: number): Tensor => {
  const random = new RandomStream(seed, 0);
  const values = Float32Array.from({ length: sizeOf(shape) }, () => 2 * random.uniform() - 1);
  return new Tensor({ kind: 'data', data: values }, shape, 'float32');
};

interface Network {
  readonly parameters: readonly Parameter[];
  readonly gradients: () => readonly Tensor[];
}

/** Forty weights and biases, of one element to some thousand. */
function forty(): Network {
  const shapes = Array.from({ length: 20 }, (_, i): Shape[] => [[3 * i + 1, 2 * i + 1], [2 * i + 1]]).flat();
  const parameters = shapes.map(
    (shape, i) => new Parameter(shape, () => data(shape, i), { fanIn: 1, fanOut: 1 }, shape.length > 1),
  );
  return { parameters, gradients: () => shapes.map((shape, i) => data(shape, 100 + i)) };
}

/** Two convolutions, three layers, ten parameters. */
function leNet(): Network {
  const model = nn.sequential(
    ...[nn.conv2d(1, 3, 3), nn.relu(), nn.maxPool2d(2), nn.conv2d(3, 5, 3), nn.relu(), nn.flatten()],
    ...[nn.linear(45, 17), nn.relu(), nn.linear(17, 13), nn.relu(), nn.linear(13, 10)],
  );
  const parameters = model.parameters();
  const labels = new Tensor({ kind: 'data', data: Int32Array.from([3, 1, 7, 0]) }, [4], 'int32');
  const run = () =>
    gradients(loss.crossEntropy()(model.forward(data([4, 12, 12, 1], 5), inference()), labels), parameters);
  return { parameters, gradients: run as () => readonly Tensor[] };
}

/** Three steps; the dispatches in which parameters are updated without a kernel, and all values. */
async function train(make: () => Network, optimizer: optim.Optimizer, together: boolean) {
  const gpu = engine!.backends.get('webgpu') as WebgpuBackend;
  const { parameters, gradients: make1 } = make();
  const request = traced(() => {
    optimizer.update(parameters, make1());
    return [];
  });
  const compile = Object.getPrototypeOf(gpu).compile as WebgpuBackend['compile'];
  const steps: number[] = [];
  gpu.compile = async (list) => {
    const program = await compile.call(gpu, list);
    steps.push(...program.commands.map(({ step }) => step));
    return program;
  };
  const kept = late.together;
  if (!together) delete late.together;
  const executable = await engine!.prepare({ outputs: [], assignments: request.assignments });
  if (kept) late.together = kept;
  for (let i = 0; i < 3; i++) await engine!.run(executable, [], []);
  const { groups, inPlace } = executable.plan;
  const updates = groups.map(
    (g) => !g.kernel && membersOf(g).some((t) => parameters.includes(inPlace.get(t) as Parameter)),
  );
  const variables: Variable[] = [...parameters, ...optimizer.state()];
  const values = await engine!.evaluate(variables);
  executable.dispose();
  for (const v of variables) v.dispose();
  return {
    dispatches: steps.filter((s) => updates[s]).length,
    alone: updates.filter(Boolean).length,
    values,
  };
}

const optimizers: Record<string, () => optim.Optimizer> = {
  'SGD with momentum, and decay of weights': () =>
    optim.sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.01, clipNorm: 1 }),
  Adam: () => optim.adam({ lr: 0.1, clipNorm: 1 }),
  'AdamW with two rates': () =>
    optim.adamW({ lr: 0.1, clipNorm: 1, groups: [{ parameters: (p) => p.shape.length === 1, lr: 0.2 }] }),
};

for (const [name, make] of Object.entries(optimizers)) {
  // The LeNet's gradients are the same for all: with one of them it is enough.
  const networks = {
    'forty parameters': forty,
    ...(name === 'Adam' && { 'ten parameters of a LeNet': leNet }),
  };
  for (const [network, build] of Object.entries(networks)) {
    test(`${name}: ${network}`, async () => {
      const one = await train(build, make(), true);
      assert.is(one.dispatches, 1, `${one.alone} updates`);
      assert.ok(one.alone >= 10);
      const several = await train(build, make(), false);
      if (build === forty) assert.ok(several.dispatches > 1);
      for (const [i, values] of one.values.entries()) {
        assert.equal(
          [...new Uint32Array(values.buffer)],
          [...new Uint32Array(several.values[i]!.buffer)],
          `variable ${i}`,
        );
      }
    });
  }
}

test('variables that share a buffer are read, written, copied and freed each by itself', async () => {
  const gpu = engine!.backends.get('webgpu') as WebgpuBackend;
  const before = gpu.stats();
  const pieces = Array.from({ length: 50 }, (_, i) => gpu.allocate(4 * (1 + 7 * i), true));
  assert.ok(gpu.stats().systemAllocations <= before.systemAllocations + 1, 'one buffer for all');
  const values = (i: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: 1 + 7 * i }, (_, k) => 100 * i + k);
  const spec = (i: number) => ({ shape: [1 + 7 * i], dtype: 'float32' as const });
  for (const [i, piece] of pieces.entries()) gpu.write(piece, 0, values(i), 'float32');
  for (let i = 0; i < 50; i += 3) gpu.free(pieces[i]!);
  // Into the gaps.
  const others = Array.from({ length: 17 }, (_, i) => gpu.allocate(4 * (1 + 7 * i), true));
  for (const [i, piece] of others.entries())
    gpu.copy(pieces[3 * i + 1] ?? pieces[49]!, 0, piece, 0, 4 * (1 + 7 * i));
  for (const [i, piece] of pieces.entries())
    if (i % 3) assert.equal(await gpu.read(piece, 0, spec(i)), values(i), `piece ${i}`);
  for (const [i, piece] of others.entries())
    assert.equal(
      await gpu.read(piece, 0, spec(i)),
      values(Math.min(3 * i + 1, 49)).slice(0, 1 + 7 * i),
      `copy ${i}`,
    );
  for (const [i, piece] of pieces.entries()) if (i % 3) gpu.free(piece);
  for (const piece of others) gpu.free(piece);
  const { pieces: left, bytes } = gpu.stats();
  assert.equal([left, bytes], [before.pieces, before.bytes]);
});

engine = await unlessAbsent('webgpu updates', () => Engine.create({ device: 'webgpu' }));
if (engine) {
  test.after(() => engine!.dispose());
  test.run();
}
