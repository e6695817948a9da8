// Tensors as users see them: making, reading, shapes and dtypes, and the messages of what goes wrong.
import * as assert from 'uvu/assert';
import {
  arange,
  concat,
  configure,
  DataError,
  DTypeError,
  EverygradError,
  engine,
  full,
  loss,
  memoryStats,
  OptionError,
  oneHot,
  ones,
  read,
  ShapeError,
  StateError,
  stack,
  Tensor,
  tensor,
  variable,
  zeros,
} from '../../src/index.js';
import { failsWith, rejectsWith } from '../helpers/errors.js';
import { suite } from '../helpers/suite.js';

const test = suite('tensor');

test.before(async () => {
  await configure({ device: 'reference' });
});

test('from nested arrays, numbers, typed arrays', async () => {
  const t = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  assert.equal([t.shape, t.dtype, t.rank, t.size], [[2, 3], 'float32', 2, 6]);
  assert.equal(await t.data(), Float32Array.of(1, 2, 3, 4, 5, 6));
  assert.equal(await t.array(), [
    [1, 2, 3],
    [4, 5, 6],
  ]);
  assert.equal(tensor(7).shape, []);
  assert.equal(tensor([]).shape, [0]);
  assert.equal(tensor([[], []]).shape, [2, 0]);
  assert.equal(
    [
      tensor(new Float64Array(2)),
      tensor(new Int32Array(2)),
      tensor(new Uint8Array(2)),
      tensor([true, false]),
      tensor([1, 2], { dtype: 'int32' }),
      tensor(Float32Array.of(1, 0), { dtype: 'bool' }),
    ].map((x) => x.dtype),
    ['float64', 'int32', 'uint8', 'bool', 'int32', 'bool'],
  );
  assert.equal(await tensor([1, 2, 3, 4], { shape: [2, 2] }).array(), [
    [1, 2],
    [3, 4],
  ]);
  assert.equal(await tensor([[true], [false]]).array(), [[true], [false]]);
  assert.is(await tensor([[[5]]]).item(), 5);
  assert.is(String(t), 'Tensor(2,3) float32 from data');
  assert.is(String(t.add(1)), 'Tensor(2,3) float32 from add');
});

test('a typed array of another type is converted, bools become 0 and 1', async () => {
  assert.equal(await tensor(Float64Array.of(1.5, 2), { dtype: 'float32' }).data(), Float32Array.of(1.5, 2));
  assert.equal(await tensor([2, 0, -1], { dtype: 'bool' }).data(), Uint8Array.of(1, 0, 1));
  assert.equal(await tensor(Int32Array.of(2, 0, -1), { dtype: 'bool' }).data(), Uint8Array.of(1, 0, 1));
});

test('what is given must fit', () => {
  failsWith(
    () => tensor([[1, 2], [3]]),
    ShapeError,
    '[tensor] row [1] has 1 elements, the first one has 2 (all rows must have one length)',
  );
  const ours = (error: unknown): boolean => error instanceof EverygradError;
  for (const wrong of [
    [[1, 2], 3],
    [1, [2]],
    [[1], [[2]]],
    ['a'],
    undefined,
    null,
    {},
    [null],
    [[1], undefined],
  ]) {
    assert.throws(() => tensor(wrong as never), ours, JSON.stringify(wrong));
  }
  for (const [values, dtype] of [
    [[2 ** 31], 'int32'],
    [[Number.NaN], 'int32'],
    [[-1], 'uint8'],
    [[256], 'uint8'],
    [Float32Array.of(1.5), 'int32'],
    [Int32Array.of(300), 'uint8'],
    [new Int8Array(1), undefined],
  ] as const) {
    assert.throws(() => tensor(values as never, dtype ? { dtype } : {}), ours, `${values} ${dtype}`);
  }
  failsWith(
    () => tensor([1, 2, 3], { shape: [2, 2] }),
    ShapeError,
    '[tensor] 3 values do not fill (2,2), which has 4 (give as many values as the shape has elements)',
  );
  failsWith(
    () => tensor([1, 2.5], { dtype: 'int32' }),
    DataError,
    "[tensor] element 1 is 2.5, dtype int32 holds whole numbers from -2^31 to 2^31 - 1 (use dtype: 'float32')",
  );
  failsWith(
    () => tensor([1], { dtype: 'float16' as never }),
    DTypeError,
    "[tensor] 'float16' is not a dtype (one of float32, float64, int32, uint8, bool)",
  );
  failsWith(
    () => tensor([1], { shape: [-1] }),
    ShapeError,
    '[tensor] (-1) is not a usable shape (sizes are whole numbers >= 0 with a product of at most 2^32)',
  );
});

test('messages of ops name the op, the shapes, the rule and a hint', () => {
  const at = (...shape: number[]): Tensor => zeros(shape);
  const cases: [() => unknown, abstract new (...parts: never[]) => Error, string][] = [
    [
      () => at(32, 784).matmul(at(512, 10)),
      ShapeError,
      '[matmul] inner dimensions differ: (32,784) x (512,10): 784 != 512 ((M,K) x (K,N) gives (M,N))',
    ],
    [
      () => at(2, 3).matmul(at(2, 4), { transA: true, transB: true }),
      ShapeError,
      '[matmul] inner dimensions differ: (2,3) transposed x (2,4) transposed: 2 != 4 ((M,K) x (K,N) gives (M,N))',
    ],
    [
      () => at().matmul(at(2, 2)),
      ShapeError,
      '[matmul] needs at least one axis on each side, got () and (2,2) (use mul for scalars)',
    ],
    [
      () => at(2, 3).add(at(4)),
      ShapeError,
      '[add] shapes do not broadcast: (2,3) and (4), 3 != 4 (sizes are aligned at the last axis and must be equal or 1)',
    ],
    [
      () => at(2).add(tensor([1, 2], { dtype: 'int32' })),
      DTypeError,
      '[add] operands have different dtypes: float32 and int32 (convert one with .cast(dtype))',
    ],
    [
      () => tensor([1], { dtype: 'int32' }).exp(),
      DTypeError,
      '[exp] dtype int32 is not supported, it takes float32, float64 (convert with .cast(dtype))',
    ],
    [
      () => tensor([1], { dtype: 'int32' }).mul(0.5),
      DTypeError,
      "[mul] 0.5 is not a whole number, the tensor beside it is int32 (use .cast('float32') first)",
    ],
    [
      () => at(2, 3).reshape([4, 2]),
      ShapeError,
      '[reshape] (2,3) has 6 elements, (4,2) has 8 (the number of elements stays; one size may be -1)',
    ],
    [
      () => at(2, 3).reshape([-1, 4]),
      ShapeError,
      '[reshape] (2,3) cannot be seen as (-1,4) (the number of elements stays; one size may be -1)',
    ],
    [
      () => at(2, 3).sum(2),
      ShapeError,
      '[sum] axis 2 is out of range for a tensor of 2 axes (axes go from -2 to 1)',
    ],
    [() => at(2, 3).sum([0, -2]), ShapeError, '[sum] axes [0,-2] name one axis twice (each axis once)'],
    [
      () => at(2, 0).max(1),
      ShapeError,
      '[max] there is nothing to reduce: an axis has size 0 (check the shape)',
    ],
    [
      () => at(2, 3).transpose([0, 0]),
      ShapeError,
      '[transpose] axes [0,0] do not name each of the 2 axes of (2,3) once (e.g. transpose(x, [0, 2, 1]))',
    ],
    [
      () => at(2, 3).broadcastTo([2, 4]),
      ShapeError,
      '[broadcastTo] shapes do not broadcast: (2,3) and (2,4), 3 != 4 (sizes are aligned at the last axis and must be equal or 1)',
    ],
    [
      () => at(2, 3).broadcastTo([3]),
      ShapeError,
      '[broadcastTo] (2,3) does not stretch to (3) (only axes of size 1 are stretched)',
    ],
    [
      () => at(2).pad([[1, -1]]),
      ShapeError,
      '[pad] amounts [[1,-1]] do not fit (2) (one [before, after] of whole numbers >= 0 for each axis)',
    ],
    [
      () => at(2).slice([0], [1], [0]),
      ShapeError,
      '[slice] starts [0], ends [1], steps [0] do not fit (2) (at most one start, end and step for each axis; steps are whole numbers >= 1)',
    ],
    [
      () => concat([at(2, 3), at(2, 4)], 0),
      ShapeError,
      '[concat] shapes differ outside of axis 0: (2,3) and (2,4) (all sizes but that of the axis must be equal)',
    ],
    [() => concat([]), ShapeError, '[concat] the list of tensors is empty (give at least one)'],
    [
      () => at(3).gather(at(2)),
      DTypeError,
      '[gather] dtype float32 is not supported, it takes int32 (convert with .cast(dtype))',
    ],
    [
      () => at(2).where(1, 0),
      DTypeError,
      '[where] dtype float32 is not supported, it takes bool (convert with .cast(dtype))',
    ],
    [
      () => at(2).cast('complex' as never),
      DTypeError,
      '[cast] dtype complex is not supported, it takes float32, float64, int32, bool (convert with .cast(dtype))',
    ],
    [
      () => loss.crossEntropy({ labelSmoothing: 1 }),
      OptionError,
      '[crossEntropy] labelSmoothing is 1 (from 0, below 1)',
    ],
  ];
  for (const [f, Class, message] of cases) failsWith(f, Class, message);
});

test('an error is thrown where the wrong op stands', () => {
  function line(): void {
    zeros([2, 3]).matmul(zeros([2, 3]));
  }
  try {
    line();
    assert.unreachable();
  } catch (error) {
    // The engines differ in the form of a stack, not in that it names the function.
    assert.match((error as Error).stack ?? '', /line/);
    assert.equal((error as EverygradError).values, { a: [2, 3], b: [2, 3] });
  }
});

test('numbers take the dtype of the tensor beside them', async () => {
  const x = tensor([1, 2], { dtype: 'int32' });
  assert.is(x.add(1).dtype, 'int32');
  assert.equal(await x.mul(3).sub(x).data(), Int32Array.of(2, 4));
  assert.is(tensor(new Float64Array(1)).add(0.1).dtype, 'float64');
  assert.is(await tensor(new Float64Array(1)).add(0.1).item(), 0.1);
  assert.is(tensor([1]).less(2).dtype, 'bool');
});

test('whole numbers and constants', async () => {
  assert.equal(await arange(4).data(), Int32Array.of(0, 1, 2, 3));
  assert.equal(await arange(10, { start: 4, step: 3, dtype: 'float32' }).data(), Float32Array.of(4, 7));
  assert.equal(await full([2, 2], 7).array(), [
    [7, 7],
    [7, 7],
  ]);
  assert.equal(await ones([2], 'bool').data(), Uint8Array.of(1, 1));
  assert.equal(await oneHot(tensor([2, 0], { dtype: 'int32' }), 3).array(), [
    [0, 0, 1],
    [1, 0, 0],
  ]);
  assert.equal(await stack([tensor([1, 2]), tensor([3, 4])], 1).array(), [
    [1, 3],
    [2, 4],
  ]);
});

test('the methods are the functions', async () => {
  const x = tensor([
    [1, -2],
    [3, 4],
  ]);
  assert.equal(await x.matmul(x).add(1).relu().sum(0).data(), Float32Array.of(16, 11));
  assert.equal(await x.max(1).data(), Float32Array.of(1, 4));
  assert.equal(await x.transpose().reshape([-1]).data(), Float32Array.of(1, 3, -2, 4));
});

test('reading: together, again, and what stays open', async () => {
  const x = tensor([1, 2]);
  const y = x.add(1);
  const [a, b, c] = await read([y, x, y.mul(2)]);
  assert.equal([a, b, c], [Float32Array.of(2, 3), Float32Array.of(1, 2), Float32Array.of(4, 6)]);
  assert.is(y.source.kind, 'data', 'what was read is not computed again');
  assert.is(await y.data(), await y.data());
  assert.equal(await read([]), []);
  await rejectsWith(
    tensor([1, 2]).item(),
    ShapeError,
    '[item] (2) has 2 elements (only a tensor of one element is one number; use data())',
  );
  const argument = new Tensor({ kind: 'input', index: 0 }, [2], 'float32');
  await rejectsWith(
    argument.add(1).data(),
    StateError,
    '[data] Tensor(2) float32 from input has no values: it is an argument of a function that is being compiled (return it from the function, and read it outside)',
  );
});

test('reading: a view of a result, by the plan of an earlier one', async () => {
  for (let i = 0; i < 3; i++) {
    const y = tensor([1, 2, i]).mul(2).reshape([3, 1]);
    assert.equal(await y.data(), Float32Array.of(2, 4, 2 * i));
  }
});

test('variables: first values, assignment, disposal', async () => {
  const v = variable(tensor([1, 2]), { name: 'v' });
  assert.equal(await v.data(), Float32Array.of(1, 2));
  await v.assign(v.mul(10));
  assert.equal(await v.add(1).data(), Float32Array.of(11, 21));
  await v.assign(v);
  assert.equal(await v.data(), Float32Array.of(10, 20));
  failsWith(
    () => v.assign(tensor([1, 2, 3])),
    ShapeError,
    '[assign] v is float32 (2), the new value is float32 (3) (shape and dtype of a variable stay)',
  );
  failsWith(
    () => v.assign(tensor([1, 2], { dtype: 'int32' })),
    ShapeError,
    '[assign] v is float32 (2), the new value is int32 (2) (shape and dtype of a variable stay)',
  );
  const lazy = variable(() => ones([2, 2]), { shape: [2, 2] });
  assert.is(await lazy.sum().item(), 4);
  assert.throws(
    () => variable(() => ones([2])),
    /\[variable\] a function for the first values needs a shape/,
  );
  v.dispose();
  v.dispose();
  failsWith(() => v.add(1), StateError, '[add] v (2) was disposed (it cannot be used any more)');
  await rejectsWith(v.data(), StateError, '[v] v (2) was disposed (make a new one)');
  lazy.dispose();
});

test('`using` disposes', async () => {
  let inside: ReturnType<typeof variable>;
  {
    const v = variable(tensor([1]));
    inside = v;
    assert.is(await v.item(), 1);
    v[Symbol.dispose]();
  }
  assert.ok(inside.disposed);
});

test('a variable can start from another', async () => {
  const a = variable(tensor([1, 2]), { name: 'a' });
  const b = variable(a.mul(2), { name: 'b' });
  assert.equal(await b.data(), Float32Array.of(2, 4));
  a.dispose();
  b.dispose();
});

test('calls at the same time do not disturb each other', async () => {
  const v = variable(tensor([0]), { name: 'count' });
  const before = v.data();
  const steps = Array.from({ length: 20 }, () => v.assign(v.add(1)));
  const after = v.data();
  await Promise.all(steps);
  assert.equal([...(await before), ...(await after)], [0, 20]);
  const many = await Promise.all(Array.from({ length: 30 }, (_, i) => tensor([i]).add(i).item()));
  assert.equal(
    many,
    Array.from({ length: 30 }, (_, i) => 2 * i),
  );
  // The same tensor, and what it is made of: one of them computes it, and the others find it computed.
  const x = tensor([1, 2]).mul(3);
  const y = x.add(1);
  const pair = stack([x, y]).sum(0);
  const shared = await Promise.all([
    y.data(),
    y.data(),
    x.data(),
    pair.data(),
    y.sum().item(),
    read([x, y, pair]),
  ]);
  const [three, four, seven] = [Float32Array.of(3, 6), Float32Array.of(4, 7), Float32Array.of(7, 13)];
  assert.equal(shared, [four, four, three, seven, 11, [three, four, seven]]);
  // One that fails does not hold up the others.
  const disposed = variable(tensor([1]));
  const wrong = disposed.add(1);
  disposed.dispose();
  const [failed, fine] = await Promise.allSettled([wrong.data(), tensor([1]).add(1).item()]);
  assert.equal([failed.status, fine.status], ['rejected', 'fulfilled']);
  v.dispose();
});

test('options of the engine', async () => {
  await rejectsWith(
    configure({ device: 'tpu' as never }),
    OptionError,
    "[device] 'tpu' is not a device (one of auto, wasm, webgpu, reference)",
  );
  assert.is(await tensor([1]).add(1).item(), 2, 'the engine before is still in use');
});

test('values do not outlive their engine; a variable that is given new ones does', async () => {
  const v = variable(tensor([1]), { name: 'old' });
  await v.data();
  await configure({ device: 'reference' });
  await rejectsWith(
    v.add(1).data(),
    StateError,
    '[old] the variable belongs to an engine that was replaced (call configure() before anything is computed, or assign it a tensor, or load() the model)',
  );
  await v.assign(tensor([4]));
  assert.equal(await v.add(1).array(), [5]);
  v.dispose();
});

test('nothing is left in memory', async () => {
  const current = await engine();
  current.clearPlans();
  assert.is((await memoryStats()).reference?.pieces, 0);
  current.dispose();
});

test.run();
