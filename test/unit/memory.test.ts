// Memory of plans: arenas against what lives at once, models of real shapes, sums of gradients, large graphs.
import * as assert from 'uvu/assert';
import { gradients } from '../../src/grad.js';
import { Tensor, traced, Variable } from '../../src/graph.js';
import * as ops from '../../src/ops/index.js';
import { RandomStream } from '../../src/philox.js';
import { membersOf } from '../../src/schedule/fuse.js';
import type { Request } from '../../src/schedule/graph.js';
import { assignOffsets, type Block, largestLiveSet } from '../../src/schedule/offsets.js';
import { makePlan, type Plan } from '../../src/schedule/plan.js';
import { randomGraph } from '../helpers/graphs.js';
import { alexnet, autoencoder, lenet, mlp, trainingStep } from '../helpers/models.js';
import { fakeBackend, replay } from '../helpers/plans.js';
import { suite } from '../helpers/suite.js';

const test = suite('memory');

const cpu = fakeBackend('wasm', { alignment: 64, maxOperands: Number.POSITIVE_INFINITY });
const planOf = (request: Request): Plan =>
  makePlan(request, { backends: [cpu], share: false, keepFeeds: true });
const arenaOf = (plan: Plan): number => plan.arenaBytes.get('wasm')!;
const liveOf = (plan: Plan): number => plan.liveBytes.get('wasm')!;
const input = (shape: readonly number[], index = 0): Tensor =>
  new Tensor({ kind: 'input', index }, shape, 'float32');
const owned = (shape: readonly number[], name = 'v'): Variable =>
  new Variable(shape, 'float32', () => ops.zeros(shape), name);

// offsets ------------------------------------------------------------------------------------------------------------

function checkLayout(blocks: readonly Block[], pieceBytes = Number.POSITIVE_INFINITY): number {
  const { offsets, bytes } = assignOffsets(blocks, pieceBytes);
  for (const [i, a] of blocks.entries()) {
    assert.ok(offsets[i]! + a.bytes <= bytes);
    assert.ok((offsets[i]! % pieceBytes) + a.bytes <= pieceBytes, `block ${i} lies across two pieces`);
    for (const [j, b] of blocks.slice(0, i).entries()) {
      const together = a.first <= b.last && b.first <= a.last;
      const apart = offsets[i]! >= offsets[j]! + b.bytes || offsets[j]! >= offsets[i]! + a.bytes;
      assert.ok(!together || apart, `blocks ${i} and ${j} overlap`);
    }
  }
  assert.equal(assignOffsets(blocks, pieceBytes).offsets, offsets, 'the same again');
  const live = largestLiveSet(blocks);
  assert.ok(bytes >= live);
  return blocks.length > 0 ? bytes / live : 1;
}

test('offsets: no overlap, and close to the lower bound on random lifetimes of all kinds', () => {
  const random = new RandomStream(11, 0);
  const ratios: number[] = [];
  for (let n = 0; n < 300; n++) {
    const count = random.integer(120);
    const moments = 1 + random.integer(100);
    const longest = 1 + random.integer(moments);
    const blocks = Array.from({ length: count }, () => {
      const first = random.integer(moments);
      return {
        bytes: 64 * (1 + random.integer(n % 3 === 0 ? 4 : 1000)),
        first,
        last: Math.min(moments, first + random.integer(longest)),
      };
    });
    ratios.push(checkLayout(blocks));
  }
  ratios.sort((a, b) => a - b);
  const [median, worst] = [ratios[150]!, ratios.at(-1)!];
  console.log(
    `NOTE arena / live at once on random lifetimes: median ${median.toFixed(3)}, worst ${worst.toFixed(3)}`,
  );
  assert.ok(median < 1.05 && worst < 1.3, `${median} ${worst}`);
});

test('offsets: lifetimes as forward and backward passes make them', () => {
  const random = new RandomStream(12, 0);
  for (let n = 0; n < 100; n++) {
    // Activation i lives until its gradient; gradients and workspaces are short.
    const layers = 3 + random.integer(60);
    const blocks: Block[] = [];
    for (let i = 0; i < layers; i++) {
      const bytes = 64 * (1 + random.integer(5000));
      const back = 2 * layers - i;
      blocks.push({ bytes, first: i, last: back }, { bytes, first: back, last: back + 1 });
      if (random.uniform() < 0.3) blocks.push({ bytes: 64 * random.integer(9000), first: i, last: i + 1 });
    }
    const ratio = checkLayout(blocks);
    assert.ok(ratio <= 1.1, `${ratio} at ${layers} layers`);
  }
});

test('offsets: in pieces of memory no block lies across two', () => {
  const random = new RandomStream(13, 0);
  const ratios: number[] = [];
  for (let n = 0; n < 200; n++) {
    const blocks = Array.from({ length: 1 + random.integer(80) }, () => {
      const first = random.integer(40);
      return { bytes: 64 * (1 + random.integer(100)), first, last: first + random.integer(12) };
    });
    ratios.push(checkLayout(blocks, 64 * (100 + random.integer(300))));
  }
  // What does not fit into the rest of a piece leaves it free: at most half of it with blocks of all sizes.
  const worst = Math.max(...ratios);
  assert.ok(worst < 2, `${worst}`);
});

test('offsets: nothing at all, and a single block', () => {
  assert.equal(assignOffsets([], 64), { offsets: [], bytes: 0 });
  assert.equal(assignOffsets([{ bytes: 64, first: 3, last: 3 }], 64), { offsets: [0], bytes: 64 });
});

// models -------------------------------------------------------------------------------------------------------------

test('the arena of a training step is at most 1.1 times what lives at once', () => {
  for (const [name, request] of [
    ['MLP 784-100-10, batch 10, SGD', trainingStep(mlp(784, 100, 10), 10)],
    ['MLP 784-800-800-10, batch 128, Adam', trainingStep(mlp(784, 800, 800, 10), 128, 'adam')],
    ['autoencoder, batch 128, Adam', trainingStep(autoencoder, 128, 'adam')],
    ['LeNet with batch norm, batch 128, SGD', trainingStep(lenet, 128)],
    ['AlexNet, batch 32, SGD', trainingStep(alexnet, 32)],
  ] as const) {
    const plan = planOf(request);
    assert.equal(replay(plan, true), [], name);
    const [arena, live] = [arenaOf(plan), liveOf(plan)];
    console.log(`NOTE ${name}: arena ${arena} bytes, live at once ${live} bytes`);
    assert.ok(arena >= live && arena <= 1.1 * live, `${name}: ${arena} bytes for ${live}`);
    assert.is(plan.inPlace.size, request.assignments.size, 'parameters and state are updated in place');
  }
});

test('gradients die as soon as their parameters are updated', () => {
  // 30 layers of 256 x 256: the gradients together are 7.9 MB, one of them 256 KB.
  const request = trainingStep(mlp(...new Array<number>(31).fill(256)), 8);
  const plan = planOf(request);
  const gradient = 4 * 256 * 256;
  assert.ok(liveOf(plan) < 3 * gradient, `${liveOf(plan)} bytes`);
});

// sharing of places --------------------------------------------------------------------------------------------------

test('an activation takes the place of what it is made of, if that is read for the last time', () => {
  const [x, w] = [input([64, 256]), input([256, 256], 1)];
  let h = ops.tanh(ops.matmul(x, w));
  for (let i = 0; i < 3; i++) h = ops.tanh(ops.matmul(h, w));
  const plan = planOf({ outputs: [h], assignments: new Map() });
  assert.equal(replay(plan, true), []);
  // The weights, and what goes into a product and comes out of it.
  assert.is(liveOf(plan), 4 * (256 * 256 + 2 * 64 * 256));
  const kept = ops.matmul(x, w);
  const both = planOf({ outputs: [ops.tanh(kept), kept], assignments: new Map() });
  assert.equal(replay(both, true), []);
  const [first, second] = both.graph.outputs.map((t) => both.slots.get('wasm')!.get(t)!.offset);
  assert.is.not(first, second, 'a result that is read afterwards keeps its place');
});

test('a broadcast operand is not written over', () => {
  const row = ops.mean(input([32, 64]), 0);
  const y = ops.add(row, input([64, 64], 1));
  const plan = planOf({ outputs: [ops.sum(y, 1)], assignments: new Map() });
  assert.equal(replay(plan, true), []);
  const slots = plan.slots.get('wasm')!;
  assert.is.not(slots.get(row)!.offset, slots.get(y)!.offset);
  // Of other element size: a mask and a float.
  const mask = ops.greater(ops.matmul(input([8, 8]), input([8, 8], 1)), 0);
  const z = ops.matmul(ops.where(mask, 1, 0), input([8, 8], 2));
  assert.equal(replay(planOf({ outputs: [z, ops.sum(z)], assignments: new Map() }), true), []);
});

// sums of gradients --------------------------------------------------------------------------------------------------

/** n layers that share one weight matrix. */
function sharedWeights(n: number): Request {
  const w = owned([256, 256], 'w');
  const { result: outputs, assignments } = traced(() => {
    let h: Tensor = input([8, 256]);
    for (let i = 0; i < n; i++) h = ops.tanh(ops.matmul(h, w));
    const loss = ops.mean(ops.square(h));
    const [g] = gradients(loss, [w]);
    w.assign(ops.sub(w, ops.mul(g!, 0.1)));
    return [loss];
  });
  return { outputs, assignments };
}

test('n gradients of one tensor are added as they come: one of them and the sum are alive', () => {
  const weight = 4 * 256 * 256;
  for (const n of [2, 3, 10, 40]) {
    const plan = planOf(sharedWeights(n));
    assert.equal(replay(plan, true), []);
    const activations = (n + 3) * 4 * 8 * 256;
    console.log(
      `NOTE a weight used ${n} times: live at once ${liveOf(plan)} bytes, one gradient is ${weight}`,
    );
    assert.ok(liveOf(plan) <= 2 * weight + activations, `${liveOf(plan)} bytes for ${n} uses`);
    assert.ok(arenaOf(plan) <= 1.1 * liveOf(plan));
  }
});

// large graphs -------------------------------------------------------------------------------------------------------

test('graphs of 5,000 ops are planned, whatever their form', () => {
  let deep: Tensor = input([64, 64]);
  for (let i = 0; i < 5000; i++) deep = ops.add(deep, 1);
  const x = input([64, 64]);
  const wide = Array.from({ length: 2500 }, (_, i) => ops.sum(ops.mul(x, i), 1));
  let fed: Tensor = x;
  for (let i = 0; i < 5000; i++) fed = ops.add(fed, input([64, 64], i + 1));
  const requests: [string, Request, number][] = [
    ['one long chain', { outputs: [deep], assignments: new Map() }, 1],
    ['a chain with 5,000 operands', { outputs: [fed], assignments: new Map() }, 1],
    ['2,500 branches', { outputs: wide, assignments: new Map() }, 5000],
    ['150 layers with Adam', trainingStep(mlp(...new Array<number>(150).fill(64), 10), 32, 'adam'), 0],
  ];
  for (const [name, request, groups] of requests) {
    const start = performance.now();
    const plan = planOf(request);
    console.log(
      `NOTE planning ${name}: ${plan.graph.ops.length} ops, ${plan.groups.length} steps, ${(performance.now() - start).toFixed(0)} ms`,
    );
    if (groups > 0) assert.is(plan.groups.length, groups);
    assert.is(
      plan.groups.reduce((n, g) => n + membersOf(g).length, 0),
      plan.graph.ops.length,
    );
    assert.ok(arenaOf(plan) <= 1.1 * liveOf(plan));
  }
});

test('arenas of random graphs', () => {
  const ratios: number[] = [];
  for (let seed = 1; seed <= 200; seed++) {
    const plan = planOf(randomGraph(seed, { ops: 60, variables: seed % 5, training: seed % 2 === 0 }));
    assert.equal(replay(plan, true), [], `seed ${seed}`);
    if (liveOf(plan) > 0) ratios.push(arenaOf(plan) / liveOf(plan));
  }
  assert.ok(Math.max(...ratios) <= 1.1, `${Math.max(...ratios)}`);
});

test.run();
