// Laboratory of the matmul kernels: GFLOPS of kernel builds side by side, shapes of real training.
//   node test/bench/gemm-lab.mjs [--shape 10x100x784[:tA][:tB]] [--seconds 0.3] [build.wasm ...]
// Builds take turns in a run, and the best of many runs counts: other processes share the machine.
// The last column is this moment's limit: multiply-adds on registers alone, in the instructions of the best build.
//
// Micro-kernels, GFLOPS at a limit of 51.8, panels in cache (Node 20 plain / Node 24 plain / Node 24 relaxed):
//   5x8 40/40/51   4x8 38/40/50   3x12 37/39/50   2x16 33/37/49   6x8 26/26/50   4x12 25/25/31   3x16 25/25/24
//   What did not win:
//   - do-while without the `if` around it, or code between the loop and the stores: 5x8 21 in Node 20 (a sum spills,
//     12 cycles of store and load on its chain); the same loop nested in the loop over tiles: unrolled by V8, 25.
//   - unrolling k by 2 or 4 in one block: 27 to 33 everywhere; with a break between the copies: 21 in Node 20.
//   - four rows of A in one load, then shuffles: 31/33/43; pairs by load64_splat: 30/31/42.
//   - columns outer, rows inner, reloading A: 5x8 21/28/26.
//   - dot products of 3x3 rows: 31 alone, but 19 in place in Node 20 (9 sums + 6 loads); 2x4: 30/30/43; 5x2: 29/29/41.
//   - BLOCK_K x BLOCK_N 256x384, 128x1024, 512x192, 192x512: 0 to 5 % slower than 384x256.
//   - strips of 8 columns over all k when C is one row: 15, against 20 to 23 for four rows at a time.
//   - packing B for up to 40 rows: 5 rows 24, 20 rows 34, against 36 and 37 where it lies (unless 1 KB strides).
//   - the chain behind a product (bias, activation) run by the kernel itself on each 4096 or 1024 elements as they are
//     finished, instead of by a pass of its own. Expected from bytes: 8 % for 6272x32x144. Time of the pass of its own
//     over that inside (Node 24 relaxed, one thread, best and 2 % quantile of thousands of runs in turns, other load):
//     6272x32x144 relu 0.99 0.99, 25088x16x9 0.97 0.98, 100352x16x9 0.97 to 0.98, 25088x32x144 gelu 1.03 1.02,
//     128x800x800 1.00, 64x64x64 1.00, 10x100x784 1.00, train/mlp100_b10 0.99, train/mlp800_b128 between 0.8 and 1.1
//     (noise). The pass streams from L2 and L3 ahead of its use, and is bound by its instructions; on the way from tile
//     to tile it costs the L1 cache its panels.
import { headOf, loadBuilds, peakKernel, race } from './builds.mjs';

const files = [];
const shapes = [];
let seconds = 0.3;
for (let i = 2; i < process.argv.length; i++) {
  const arg = process.argv[i];
  if (arg === '--shape') shapes.push(process.argv[++i]);
  else if (arg === '--seconds') seconds = Number(process.argv[++i]);
  else files.push(arg);
}
if (!shapes.length) {
  shapes.push(
    // M x N x K
    '1024x1024x1024',
    '256x256x256',
    '64x64x64',
    '32x32x32',
    '16x16x16',
    '8x8x8',
    // MLP 784-100-10, batch 10: forward, gradients of inputs and of weights
    '10x100x784',
    '10x10x100',
    '10x100x10:tB',
    '784x100x10:tA',
    '100x10x10:tA',
    '10x784x100:tB',
    // MLP 784-800-800-10, batch 128
    '128x800x784',
    '784x800x128:tA',
    '128x784x800:tB',
    '128x10x800',
    '800x10x128:tA',
    '128x800x10:tB',
    // matrix times vector
    '1x1000x1000',
    '1x1000x1000:tB',
    '1000x1x1000',
    '1000x1x1000:tA',
    '4x1000x1000',
    '4x1000x1000:tB',
    // convolution as im2col: positions x channels x patch, and its gradients
    '4608x16x150',
    '16x150x4608:tA',
    '4608x150x16:tB',
    '1000x3x50',
    '3x1000x50',
    '2x2x10000:tB',
    '64x64x64:tA:tB',
  );
}

const builds = loadBuilds(files);
const peak = await peakKernel();

const align = (n) => (n + 63) & ~63;
console.log(`${'M x N x K'.padEnd(20)}${headOf(builds)}`);
for (const shape of shapes) {
  const [size, ...flags] = shape.split(':');
  const [M, N, K] = size.split('x').map(Number);
  const flops = 2 * M * N * K;
  for (const b of builds) {
    const scratch = b.exports.matmulScratchBytes(M, N, K);
    const args = 1024;
    const pa = 4096;
    const pb = align(pa + 4 * M * K) + 64;
    const pc = align(pb + 4 * K * N) + 64;
    const ps = align(pc + 4 * M * N) + 64;
    const missing = ps + scratch - b.memory.buffer.byteLength;
    if (missing > 0) b.memory.grow(Math.ceil(missing / 65536));
    new Float32Array(b.memory.buffer, pa, (pc - pa) / 4).forEach((_, i, all) => {
      all[i] = (i % 17) / 17 - 0.5;
    });
    new Int32Array(b.memory.buffer, args, 14).set([
      pc,
      pa,
      pb,
      M,
      N,
      K,
      +flags.includes('tA'),
      +flags.includes('tB'),
      1,
      0,
      0,
      0,
      ps,
      scratch,
    ]);
  }
  const run = ({ exports }) => exports.matmul_f32(1024, 0, 1);
  console.log(`${shape.padEnd(20)}${race(builds, run, { flops, seconds, peak })}`);
}
