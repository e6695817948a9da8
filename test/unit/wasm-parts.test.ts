// Parts of the WASM backend that need no kernels: allocator, memory limits, broadcast axes, one thread or all.
import * as assert from 'uvu/assert';
import { Allocator, alignment } from '../../src/backend/wasm/allocator.js';
import { mergedAxes } from '../../src/backend/wasm/chain.js';
import { Choice } from '../../src/backend/wasm/choice.js';
import { Heap } from '../../src/backend/wasm/heap.js';
import { RandomStream } from '../../src/philox.js';
import { suite } from '../helpers/suite.js';

const test = suite('wasm parts');

test('the allocator never hands out a byte twice, and joins what is freed', () => {
  const random = new RandomStream(2, 7);
  let end = 10_000;
  const allocator = new Allocator(100, end, (bytes) => {
    if (end + bytes > 200_000) return null;
    end += bytes + random.integer(3) * 500;
    return end;
  });
  const taken: { address: number; size: number }[] = [];
  let refused = 0;
  for (let n = 0; n < 20_000; n++) {
    if (random.integer(100) < 52) {
      const size = random.integer(8) ? random.integer(2000) : random.integer(20_000);
      const address = allocator.allocate(size);
      if (address === null) {
        refused++;
        continue;
      }
      assert.is(address % alignment, 0);
      assert.ok(address >= 100 && address + size <= end);
      for (const other of taken) {
        assert.ok(address + size <= other.address || address >= other.address + Math.max(other.size, 1));
      }
      taken.push({ address, size });
    } else if (taken.length) {
      const [gone] = taken.splice(random.integer(taken.length), 1);
      assert.ok(allocator.free(gone!.address));
      assert.not(allocator.free(gone!.address));
    }
    assert.is(allocator.pieces, taken.length);
  }
  assert.ok(refused > 10, 'the limit was reached');
  for (const { address } of taken) allocator.free(address);
  assert.is(allocator.bytes, 0);
  const all = Math.floor((end - 128) / alignment) * alignment;
  assert.is(allocator.allocate(all), 128, 'one range again');
});

test('a memory that is full says so, and goes on', () => {
  const heap = new Heap({ shared: false, maximumPages: 64 });
  heap.begin(1024);
  const piece = heap.allocate(3_000_000);
  assert.throws(() => heap.allocate(2_000_000), /2000000 bytes asked for, 3000000 bytes in use/);
  heap.free(piece);
  assert.is(heap.allocate(3_500_000), 1024);
});

test('axes of a broadcast operand are joined where one stride can walk them', () => {
  assert.equal(mergedAxes([5], [2, 3, 5]), [
    { size: 6, stride: 0 },
    { size: 5, stride: 1 },
  ]);
  assert.equal(mergedAxes([3, 1, 4, 5], [3, 2, 4, 5]), [
    { size: 3, stride: 20 },
    { size: 2, stride: 0 },
    { size: 20, stride: 1 },
  ]);
  assert.equal(mergedAxes([2, 1], [2, 1, 1, 7].slice(2)), [{ size: 7, stride: 0 }]);
});

test('what is faster on one thread runs on one', () => {
  let time = 0;
  const clock = () => time;
  const wrong = new Choice(1e-3, clock);
  assert.ok(wrong.together);
  const right = new Choice(20e-6, clock);
  assert.not(right.together);
  for (const choice of [wrong, right]) {
    const rests: number[] = [];
    for (let trial = 0; trial < 12; trial++) {
      for (let n = 0; n < 10; n++) {
        choice.compare((together) => {
          time += (together ? 3 : 1) + (n % 5 ? 0 : 100);
        });
      }
      assert.not(choice.together);
      rests.push(choice.rest);
    }
    assert.equal(rests, [64, 128, 256, 512, 1024, ...new Array(7).fill(2000)].slice(0, 12));
  }
  assert.is(new Choice(1).rest, Number.POSITIVE_INFINITY);
  assert.is(new Choice(1e-6).rest, Number.POSITIVE_INFINITY);
});

test('where runs of all threads end by a message, its time counts', async () => {
  let time = 0;
  // A step takes 3 ms alone, 2 ms on all threads; the message takes 4 ms, later on none.
  let message = 4;
  const choice = new Choice(1e-3, () => time);
  const compare = async (): Promise<void> => {
    for (let n = 0; n < 10; n++) {
      await choice.compare((together) => {
        time += together ? 2 : 3;
        if (!together) return;
        return Promise.resolve().then(() => {
          time += message;
        });
      });
    }
  };
  await compare();
  assert.not(choice.together);
  message = 0;
  await compare();
  assert.ok(choice.together);
  // A run that fails is not counted.
  const failed = await Promise.resolve(choice.compare(() => Promise.reject(new Error('gone')))).then(
    () => false,
    () => true,
  );
  assert.ok(failed);
  message = 4;
  await compare();
  assert.not(choice.together);
});

test.run();
