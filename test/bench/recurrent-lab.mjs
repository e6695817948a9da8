// Laboratory of the recurrent kernels: time of an LSTM's step, forward and back, against the plain product in it.
//   node test/bench/recurrent-lab.mjs [--batch 32] [--hidden 128] [--steps 64] [--seconds 2] [build.wasm]
// Kernels take turns, and the best of many runs counts, in time of the processor: other processes share the machine.
// GFLOPS count the recurrent product alone, 2 B H 4H a step each way.
//
// Batch 32, 128 units, 64 steps; an AMD EPYC at a gemm/128 of 61 GFLOPS; ms of one thread, Node 24 relaxed / Node 20 plain:
//   product alone, by matmul_f32 5.0 / 5.3 each way; steps forward 6.8 / 7.9, of which gates 2.6 / 3.2; back 6.5 / 7.3, of
//   which gates 1.6 / 2.8; the 3 sigmoids and 2 tanh of the gates as elementwise kernels 1.3 / 2.0.
//   What did not win:
//   - all of a row's gates in one loop: its values spill; forward 6.8 / 12.3, back 7.0 / 10.4.
//   - states and gradients copied into the panels one by one instead of by packTransposed (part of the same change).
//   - matmul_f32 for a step and gates in a call of their own: the product alone packs the weights at each step and takes
//     0.6 ms longer than in place, and there is a second barrier.
import { loadBuild } from './builds.mjs';

const option = { batch: 32, hidden: 128, steps: 64, seconds: 2 };
let file = new URL('../../dist/kernels/relaxed.wasm', import.meta.url).pathname;
for (let i = 2; i < process.argv.length; i++) {
  const name = process.argv[i].slice(2);
  if (process.argv[i].startsWith('--')) option[name] = Number(process.argv[++i]);
  else file = process.argv[i];
}
const { batch: B, hidden: H, steps: T, seconds } = option;

const { memory, exports: kernels } = loadBuild(file);
let top = 4096;
const place = (floats) => {
  const at = top;
  top = (top + floats * 4 + 127) & ~63;
  if (top > memory.buffer.byteLength) memory.grow(Math.ceil((top - memory.buffer.byteLength) / 65536));
  return at;
};
const filled = (floats, scale = 1) => {
  const at = place(floats);
  const values = new Float32Array(memory.buffer, at, floats);
  for (let i = 0; i < floats; i++) values[i] = (((i * 7919) % 1013) / 1013 - 0.5) * scale;
  return at;
};
const block = (words) => {
  const at = place(words.length);
  new Int32Array(memory.buffer, at, words.length).set(words);
  return at;
};

const wide = 4 * H;
const plane = B * H * 4;
const x = filled(T * B * wide);
const u = filled(H * wide, 0.2);
const bias = filled(wide);
const packed = place(B * H * (4 * T + 2 * (T + 1)));
const hidden = packed + 4 * T * plane;
const cell = hidden + (T + 1) * plane;
const d = filled(B * H * (T + 1));
const out = place(B * wide * T);
const scratch = place(Math.ceil(H / 8) * 8 * wide + 2 * B * wide + 2 * B * H + 1e4);
const own = scratch + (Math.ceil(H / 8) * 8 * wide + 2 * B * wide + 2 * B * H) * 4;

const pack = block([scratch, u, 4, B, H, 0, 0, hidden, cell]);
const packBack = block([scratch, u, 4, B, H]);
const forward = [];
const back = [];
const plain = [];
const plainBack = [];
const gemmScratch = place(1e6);
for (let t = 0; t < T; t++) {
  const [h0, h1] = [hidden + t * plane, hidden + (t + 1) * plane];
  const [c0, c1] = [cell + t * plane, cell + (t + 1) * plane];
  const kept = packed + 4 * t * plane;
  forward.push(
    block([scratch, own, B, H, t, t % 2, +(t === 0), 0, x + t * 4 * plane, bias, kept, h0, h1, c0, c1]),
  );
  const last = +(t === T - 1);
  const dh = d + (t + 1) * plane;
  const parity = (T - 1 - t) % 2;
  back.unshift(
    block([scratch, own, B, H, t, parity, last, 0, kept, h0, h1, c0, c1, 0, dh, 0, out + 4 * t * plane]),
  );
  const sizes = (m, n, k) => [gemmScratch, kernels.matmulScratchBytes(m, n, k)];
  plain.push(block([kept, h0, u, B, wide, H, 0, 0, 1, 0, 0, 0, ...sizes(B, wide, H)]));
  plainBack.push(block([h0, out + 4 * t * plane, u, B, H, wide, 0, 1, 1, 0, 0, 0, ...sizes(B, H, wide)]));
}
/** The same steps with the flag that says that there is no state before, or no later step. */
const withoutProduct = (list) =>
  list.map((at) => {
    const words = [...new Int32Array(memory.buffer, at, 17)];
    words[6] = 1;
    return block(words);
  });
const square = block([gemmScratch + 3e6, x, x, 128, 128, 128, 0, 0, 1, 0, 0, 0, gemmScratch, 1e6]);

const all = (list, kernel, first) => () => {
  if (first) kernels[first[0]](first[1], 0, 1);
  for (const args of list) kernels[kernel](args, 0, 1);
};
const flops = 2 * B * H * wide * T;
const candidates = {
  'gemm 128': { run: all(new Array(64).fill(square), 'matmul_f32'), flops: 64 * 2 * 128 ** 3 },
  'products forward, matmul_f32': { run: all(plain, 'matmul_f32'), flops },
  'steps forward': { run: all(forward, 'lstmStep_f32', ['recurrentPack_f32', pack]), flops },
  'steps forward, gates alone': { run: all(withoutProduct(forward), 'lstmStep_f32'), flops: 0 },
  'products back, matmul_f32': { run: all(plainBack, 'matmul_f32'), flops },
  'steps back': { run: all(back, 'lstmBack_f32', ['recurrentPackBack_f32', packBack]), flops },
  'steps back, gates alone': { run: all(withoutProduct(back), 'lstmBack_f32'), flops: 0 },
};
const block1024 = (kernel) => {
  for (let i = 0; i < T * B * H; i += 1024) kernels[kernel](out + 4 * i, x + 4 * i, 0, 0, 1024);
};
candidates['3 sigmoid_f32, 2 tanh_f32'] = {
  run: () => ['sigmoid_f32', 'tanh_f32', 'sigmoid_f32', 'tanh_f32', 'sigmoid_f32'].forEach(block1024),
  flops: 0,
};
for (const c of Object.values(candidates)) c.best = Infinity;
const end = performance.now() + seconds * 1000;
while (performance.now() < end) {
  for (const c of Object.values(candidates)) {
    const start = process.cpuUsage();
    c.run();
    const { user, system } = process.cpuUsage(start);
    c.best = Math.min(c.best, (user + system) / 1000);
  }
}
for (const [name, { best, flops: n }] of Object.entries(candidates)) {
  const rate = n > 0 ? `${(n / best / 1e6).toFixed(1).padStart(8)} GFLOPS` : '';
  console.log(`${name.padEnd(32)}${best.toFixed(2).padStart(8)} ms${rate}`);
}
