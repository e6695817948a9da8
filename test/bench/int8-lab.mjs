// Laboratory of the kernels for smaller weights: a layer with 8-bit weights (rows of x quantised, then the product) and
// one with float16 weights (widened, then the product) beside matmul_f32, in GFLOPS of the float product.
//   node test/bench/int8-lab.mjs [--shape 128x784x800] [--seconds 0.3] [build.wasm ...]
// All take turns in one run, on one thread, and the best of many runs counts: other processes share the machine. Weights
// are taken from a row of copies, 64 MB of them, so that they come from memory as those of a large model do; with
// --warm there is one copy, which stays in cache.
//
// Counted: a tile of 2 x 4 rows makes 64 multiply-adds of 8 k from 6 widening loads, 8 dots and 8 sums, 2.9 each; the
// f32 tiles 2.4 (6 x 8, fused) and 1.5 (5 x 8, plain). Single inputs are bound by memory: a quarter of the bytes.
// Measured (AMD EPYC, Node 24, relaxed build, GFLOPS f32 / int8 / f16):
//   1x784x800 9/29/6   1x1024x1024 9/29/6   8x1024x1024 26/62/20   128x784x800 61/84/60   128x100x10 49/41/48
//   with --warm, weights in cache: 1x784x800 30/56, 1x1024x1024 15/38, 8x1024x1024 27/60
// Whole models, compiled, one thread, ms f32 / int8 / f16: 784-800-800-10 single 0.074/0.046/0.48, batch 128 5.6/4.2/5.8;
//   1024-2048-2048-10 single 1.51/0.51/2.7; 784-100-10 single 0.008/0.007/0.032, batch 128 0.34/0.31/0.35.
// What lost, or was not taken:
//   - 10 outputs: two tiles of four columns and two single ones, and the rows are quantised for few products: 0.8.
//   - float16 for single inputs: widened to memory, then multiplied, 0.7 of f32. Widening by integers (14 operations for
//     four halves, 0.34 ns each, Node 20) lost to the multiplication by 2^112 (8 operations, 0.15 ns, subnormals no slower
//     on this machine). Without infinity and NaN it would take 0.09 ns, but then the op would be wrong for them.
//   - relaxed_dot_i8x16_i7x16_add: half of the operations, but only for inputs of 7 bits without sign; with 8 bits its result
//     depends on the machine. Not measured.
import { loadBuilds } from './builds.mjs';

const files = [];
const shapes = [];
let seconds = 0.3;
let warm = false;
for (let i = 2; i < process.argv.length; i++) {
  const arg = process.argv[i];
  if (arg === '--shape') shapes.push(process.argv[++i]);
  else if (arg === '--seconds') seconds = Number(process.argv[++i]);
  else if (arg === '--warm') warm = true;
  else files.push(arg);
}
// M x K x N
if (!shapes.length) shapes.push('1x784x800', '128x784x800', '1x1024x1024', '8x1024x1024', '128x100x10');

const builds = loadBuilds(files);

/** The three ways through a layer, as functions that run it once. */
function ways({ memory, exports }, M, K, N) {
  let top = 4096;
  const place = (bytes) => {
    const at = top;
    top = (top + bytes + 127) & ~63;
    const missing = top - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    return at;
  };
  const words = 2 * Math.ceil(K / 8);
  const copies = (bytes) =>
    Array.from({ length: warm ? 1 : Math.max(1, Math.ceil(2 ** 26 / bytes)) }, () => place(bytes));
  const weights = copies(4 * K * N);
  const halves = copies(2 * K * N);
  const packed = copies(4 * words * N);
  const x = place(4 * M * K);
  const factor = place(4 * M);
  const scale = place(4 * N);
  const rows = place(4 * M * words);
  const wide = place(4 * K * N);
  const y = place(4 * M * N);
  const scratchBytes = exports.matmulScratchBytes(M, N, K);
  const scratch = place(scratchBytes);
  const fill = (at, n, f) =>
    new Float32Array(memory.buffer, at, n).forEach((_, i, all) => {
      all[i] = f(i);
    });
  for (const at of weights) fill(at, K * N, (i) => (i % 17) / 17 - 0.5);
  for (const at of packed)
    new Uint8Array(memory.buffer, at, 4 * words * N).forEach((_, i, all) => {
      all[i] = i * 7;
    });
  for (const at of halves) new Uint16Array(memory.buffer, at, K * N).fill(0x2e66);
  fill(x, M * K, (i) => (i % 13) / 13 - 0.5);
  fill(factor, M, () => 200);
  fill(scale, N, () => 0.01);
  const block = (list) => {
    const at = place(4 * list.length);
    new Int32Array(memory.buffer, at, list.length).set(list);
    return at;
  };
  const product = (b) => block([y, x, b, M, N, K, 0, 0, 1, 0, 0, 0, scratch, scratchBytes]);
  const float = weights.map(product);
  const fromWide = product(wide);
  const widening = halves.map((at) => block([wide, at, K * N]));
  const quantizing = block([rows, x, factor, M, K, words]);
  const int8 = packed.map((at) => block([y, rows, at, factor, scale, M, N, words]));
  let turn = 0;
  const next = (list) => list[turn++ % list.length];
  return {
    f32: () => exports.matmul_f32(next(float), 0, 1),
    int8: () => {
      exports.quantizeRows_f32(quantizing, 0, 1);
      exports.matmulInt8_f32(next(int8), 0, 1);
    },
    f16: () => {
      exports.fromHalf_f32(next(widening), 0, 1);
      exports.matmul_f32(fromWide, 0, 1);
    },
  };
}

console.log(`${'M x K x N'.padEnd(16)}${'build'.padEnd(16)}  GFLOPS f32   int8    f16     int8/f32  f16/f32`);
for (const shape of shapes) {
  const [M, K, N] = shape.split('x').map(Number);
  const flops = 2 * M * K * N;
  const calls = Math.max(1, Math.round(4e6 / flops));
  const runs = builds.flatMap((b) =>
    Object.entries(ways(b, M, K, N)).map(([way, f]) => ({ build: b.name, way, f, best: Infinity })),
  );
  const stop = performance.now() + 1000 * seconds * runs.length;
  for (let i = 0; i < 5 || performance.now() < stop; i++) {
    for (const r of runs) {
      const start = performance.now();
      for (let n = 0; n < calls; n++) r.f();
      r.best = Math.min(r.best, (performance.now() - start) / calls);
    }
  }
  for (const { name } of builds) {
    const speed = (way) => flops / runs.find((r) => r.build === name && r.way === way).best / 1e6;
    const [f32, int8, f16] = ['f32', 'int8', 'f16'].map(speed);
    const columns = [f32, int8, f16].map((v) => v.toFixed(1).padStart(8)).join('');
    const ratios = [int8, f16].map((v) => (v / f32).toFixed(2).padStart(10)).join('');
    console.log(`${shape.padEnd(16)}${name.padEnd(16)}${columns}    ${ratios}`);
  }
}
