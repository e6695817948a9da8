// The matmul kernels against a plain reference: shapes, transposes, batches, threads, guard zones.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Kernels, kernelBuilds, loadKernels } from '../helpers/kernels';

interface Case {
  M: number;
  N: number;
  K: number;
  transA?: boolean;
  transB?: boolean;
  batch?: number;
  /** A or B is one matrix for all batch items. */
  sharedA?: boolean;
  sharedB?: boolean;
}

const GUARD = 64;
const GUARD_BYTE = 0xa5;

let seed = 1;
/** xorshift32: the same numbers in every runtime. */
function random(): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) / 2 ** 31 - 1;
}
const pick = <T>(list: readonly T[]): T => list[Math.floor(((random() + 1) / 2) * list.length)]!;

function reference(
  c: Case,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): { out: Float64Array; bound: Float64Array } {
  const { M, N, K, batch = 1 } = c;
  const out = new Float64Array(batch * M * N);
  const bound = new Float64Array(batch * M * N);
  for (let n = 0; n < batch; n++) {
    const a0 = c.sharedA ? 0 : n * M * K;
    const b0 = c.sharedB ? 0 : n * K * N;
    for (let i = 0; i < M; i++) {
      for (let j = 0; j < N; j++) {
        let sum = 0;
        let size = 0;
        for (let k = 0; k < K; k++) {
          const product =
            a[a0 + (c.transA ? k * M + i : i * K + k)]! * b[b0 + (c.transB ? j * K + k : k * N + j)]!;
          sum += product;
          size += Math.abs(product);
        }
        out[(n * M + i) * N + j] = sum;
        bound[(n * M + i) * N + j] = size;
      }
    }
  }
  return { out, bound };
}

const label = (c: Case) =>
  `${c.M}x${c.N}x${c.K}${c.transA ? ' tA' : ''}${c.transB ? ' tB' : ''} batch ${c.batch ?? 1}` +
  `${c.sharedA ? ' sharedA' : ''}${c.sharedB ? ' sharedB' : ''}`;

/** Runs one case with 1, 2, 3, 8 threads; checks values, equal bits and guard zones. */
function check(
  kernels: Kernels,
  kernel: 'matmul_f32' | 'matmul_f64',
  c: Case,
  threadCounts = [1, 2, 3, 8],
): void {
  const { M, N, K, batch = 1 } = c;
  const double = kernel === 'matmul_f64';
  const Floats = double ? Float64Array : Float32Array;
  const width = Floats.BYTES_PER_ELEMENT;
  const counts = { a: (c.sharedA ? 1 : batch) * M * K, b: (c.sharedB ? 1 : batch) * K * N, c: batch * M * N };
  const scratchBytes = double ? 0 : kernels.exports.matmulScratchBytes!(M, N, K);
  const maxThreads = Math.max(...threadCounts);
  const sizes = [counts.a * width, counts.b * width, counts.c * width, maxThreads * scratchBytes];
  // One zone: guard, A, guard, B, guard, C, guard, scratch, guard. Made anew at each call from the same place.
  const total = sizes.reduce((sum, size) => sum + size + GUARD, GUARD);
  const zone = zoneOf(kernels, total + 128);
  const bytes = new Uint8Array(kernels.memory.buffer, zone, total + 64);
  const starts: number[] = [];
  let at = zone + GUARD;
  for (const size of sizes) {
    starts.push(at);
    at += size + GUARD;
  }
  const [pa, pb, pc, ps] = starts as [number, number, number, number];
  const data = (n: number) => new Floats(n).map(random);
  const a = data(counts.a);
  const b = data(counts.b);
  const { out, bound } = reference(c, a, b);
  const args = zoneOf(kernels, 0) - 64;
  const view = new DataView(kernels.memory.buffer);
  [
    pc,
    pa,
    pb,
    M,
    N,
    K,
    +!!c.transA,
    +!!c.transB,
    batch,
    c.sharedA ? 0 : M * K,
    c.sharedB ? 0 : K * N,
    M * N,
    ps,
    scratchBytes,
    0,
  ].forEach((word, i) => {
    view.setInt32(args + 4 * i, word, true);
  });
  let first: string | undefined;
  for (const threads of threadCounts) {
    bytes.fill(GUARD_BYTE);
    new Uint8Array(kernels.memory.buffer, pc, sizes[2]).fill(0xff); // NaN
    new Uint8Array(kernels.memory.buffer, ps, sizes[3]).fill(0xff);
    new Uint8Array(kernels.memory.buffer, pa, sizes[0]).set(new Uint8Array(a.buffer));
    new Uint8Array(kernels.memory.buffer, pb, sizes[1]).set(new Uint8Array(b.buffer));
    for (let thread = 0; thread < threads; thread++) kernels.exports[kernel]!(args, thread, threads);
    const raw = kernels.memory.buffer.slice(pc, pc + counts.c * width);
    const got = new Floats(raw);
    const epsilon = (double ? 2 ** -53 : 2 ** -24) * (K + 2);
    for (let i = 0; i < got.length; i++) {
      if (!(Math.abs(got[i]! - out[i]!) <= epsilon * bound[i]!)) {
        assert.unreachable(`${label(c)}, ${threads} threads: c[${i}] = ${got[i]}, expected ${out[i]}`);
      }
    }
    const bits = new Uint8Array(raw).join();
    first ??= bits;
    if (bits !== first) assert.unreachable(`${label(c)}: other bits with ${threads} threads`);
    let end = zone;
    for (let i = 0; i <= sizes.length; i++) {
      const guard = bytes.subarray(end - zone, end - zone + GUARD);
      if (guard.some((byte) => byte !== GUARD_BYTE))
        assert.unreachable(`${label(c)}: guard ${i} overwritten`);
      end += GUARD + (sizes[i] ?? 0);
    }
  }
}

const zones = new WeakMap<Kernels, { start: number; size: number }>();
/** The test's zone of at least that size; 64 bytes before it are free for arguments. */
function zoneOf(kernels: Kernels, size: number): number {
  let zone = zones.get(kernels);
  if (!zone || zone.size < size) {
    zone = { start: kernels.alloc(size + 128) + 64, size };
    zones.set(kernels, zone);
  }
  return zone.start;
}

const SIZES = [...Array.from({ length: 17 }, (_, i) => i + 1), 31, 33, 63, 64, 65, 100] as const;
const TRANSPOSES = [0, 1, 2, 3].map((bits) => ({ transA: !!(bits & 1), transB: !!(bits & 2) }));

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const test = suite(`gemm ${build}`);

  for (const t of TRANSPOSES) {
    const name = `${t.transA ? 'A^T' : 'A'} ${t.transB ? 'B^T' : 'B'}`;
    test(`matmul_f32 ${name}: all small shapes`, () => {
      for (let M = 1; M <= 13; M++) {
        for (let N = 1; N <= 13; N++)
          for (const K of [1, 2, 3, 4, 5, 7, 8, 9]) check(kernels, 'matmul_f32', { M, N, K, ...t });
      }
    });
    test(`matmul_f32 ${name}: random shapes`, () => {
      for (let i = 0; i < 150; i++)
        check(kernels, 'matmul_f32', { M: pick(SIZES), N: pick(SIZES), K: pick(SIZES), ...t });
    });
    test(`matmul_f32 ${name}: long dimensions`, () => {
      for (const long of [257, 784, 1030]) {
        for (const other of [1, 2, 3, 5, 10, 17]) {
          const wide = pick(SIZES);
          check(kernels, 'matmul_f32', { M: long, N: other, K: wide, ...t });
          check(kernels, 'matmul_f32', { M: other, N: long, K: wide, ...t });
          check(kernels, 'matmul_f32', { M: other, N: wide, K: long, ...t });
          check(kernels, 'matmul_f32', { M: wide, N: other, K: long, ...t });
        }
      }
      check(kernels, 'matmul_f32', { M: 70, N: 410, K: 530, ...t }, [1, 3]);
    });
    test(`matmul_f32 ${name}: batches`, () => {
      for (let i = 0; i < 40; i++) {
        check(
          kernels,
          'matmul_f32',
          {
            M: pick(SIZES),
            N: pick(SIZES),
            K: pick(SIZES),
            batch: pick([2, 3, 5]),
            sharedA: random() > 0.5,
            sharedB: random() > 0.5,
            ...t,
          },
          [1, 2, 3, 7],
        );
      }
    });
    test(`matmul_f64 ${name}`, () => {
      for (let i = 0; i < 60; i++) {
        check(kernels, 'matmul_f64', {
          M: pick(SIZES),
          N: pick(SIZES),
          K: pick(SIZES),
          batch: pick([1, 2, 3]),
          sharedA: random() > 0.5,
          sharedB: random() > 0.5,
          ...t,
        });
      }
    });
  }

  test('no k gives zeros, no rows or columns give nothing', () => {
    for (const kernel of ['matmul_f32', 'matmul_f64'] as const) {
      for (const t of TRANSPOSES) {
        for (const [M, N, K] of [
          [5, 7, 0],
          [0, 7, 3],
          [5, 0, 3],
          [0, 0, 0],
          [1, 9, 0],
          [9, 1, 0],
          [100, 3, 0],
        ] as const) {
          check(kernels, kernel, { M, N, K, batch: 2, ...t });
        }
      }
    }
  });

  test('NaN and infinity reach only their own row and column', () => {
    for (const [M, N, K] of [
      [9, 11, 10],
      [1, 33, 70],
      [33, 1, 70],
      [3, 50, 70],
      [50, 3, 70],
    ] as const) {
      for (const t of TRANSPOSES) checkSpread(kernels, { M, N, K, ...t });
    }
  });

  test.run();
}

/** A NaN in A's row 0 must show in C's row 0 and nowhere else. */
function checkSpread(kernels: Kernels, c: Case): void {
  const { M, N, K } = c;
  const scratchBytes = kernels.exports.matmulScratchBytes!(M, N, K);
  const [args, pa, pb, pc, ps] = [64, M * K * 4, K * N * 4, M * N * 4, scratchBytes].map((n) =>
    kernels.alloc(n),
  ) as [number, number, number, number, number];
  const a = new Float32Array(kernels.memory.buffer, pa, M * K).fill(1);
  new Float32Array(kernels.memory.buffer, pb, K * N).fill(2);
  const k = K - 1;
  a[c.transA ? k * M : k] = NaN;
  new Int32Array(kernels.memory.buffer, args, 15).set([
    pc,
    pa,
    pb,
    M,
    N,
    K,
    +!!c.transA,
    +!!c.transB,
    1,
    0,
    0,
    0,
    ps,
    scratchBytes,
    0,
  ]);
  kernels.exports.matmul_f32!(args, 0, 1);
  const out = new Float32Array(kernels.memory.buffer, pc, M * N);
  for (let i = 0; i < M * N; i++) {
    assert.is(Number.isNaN(out[i]), i < N, `${label(c)}: c[${i}] = ${out[i]}`);
  }
}
