// Laboratory of the convolution kernels: GFLOPS of kernel builds side by side, layers of real networks.
//   node test/bench/conv-lab.mjs [--only lenet2] [--op forward|input|filter] [--batch 8] [--seconds 0.3] [build.wasm ...]
// Builds take turns in a run, and the best of many runs counts: other processes share the machine. Where they take much
// of it, long runs are never undisturbed: --batch 2 makes them short.
// The last column is this moment's limit: multiply-adds on registers alone, in the instructions of the best build.
//
// GFLOPS at a limit of 63 to 70, one thread (Node 24 plain / relaxed; forward, input, filter), batches of 2 to 8:
//   LeNet 2     59 57 57 / 64 61 62     LeNet 3     61 59 57 / 66 64 64     LeNet 1 (3 x 3, 1 to 16)  31 9 34 / 35 9 35
//   AlexNet 2   61 56 60 / 65 63 64     AlexNet 3   -  57 59 / 63 63 64     AlexNet 4   58 59 60 / 62 63 65
//   AlexNet 5   59 60 60 / 63 63 64     (-: no run was undisturbed)
//   What did not win:
//   - BLOCK_K 256 or 512, BLOCK_A 32768 or 131072: AlexNet 5 the same within 1 %.
//   - tiles that keep to one image (5 + 5 + 4 positions of 14): LeNet 2 forward 60, input 57; across images 64 and 61.
//     For sums of less than 64 products the copies that this takes cost more.
//   - tiles of a filter gradient that keep to one column of the filter (6 + 5 + 5 of 16 channels): LeNet 2 61, LeNet 3 63;
//     across columns 65 and 66. A panel for each column of the filter then also takes kw times the memory.
//   - a copy of dy in panels where few rows read it: LeNet 1 filter 33; read where it lies 37.
//   - addresses in a list for single floats (images of one channel) and no short cut for floats in a row: LeNet 1 forward 30.
//   - depthwise as a product for each group: 2; vectors of channels 22 to 27. With two filters for each channel one lane at
//     a time: forward 2, input 4; four lanes 6 and 17.
//   What is slow: one to three columns, as in the gradient for a first layer's input (9): vectors of 4 are mostly padding.
import { headOf, loadBuilds, peakKernel, race } from './builds.mjs';

const files = [];
let only = '';
let onlyOp = '';
let onlyBatch = 0;
let seconds = 0.3;
for (let i = 2; i < process.argv.length; i++) {
  const arg = process.argv[i];
  if (arg === '--only') only = process.argv[++i];
  else if (arg === '--op') onlyOp = process.argv[++i];
  else if (arg === '--batch') onlyBatch = Number(process.argv[++i]);
  else if (arg === '--seconds') seconds = Number(process.argv[++i]);
  else files.push(arg);
}

/** batch, height, width, channels, filters, kernel, stride, padding, groups */
const layers = {
  lenet1: [128, 28, 28, 1, 16, 3, 1, 1, 1],
  lenet2: [128, 14, 14, 16, 32, 3, 1, 1, 1],
  lenet3: [128, 7, 7, 32, 64, 3, 1, 1, 1],
  'lenet2/10': [10, 14, 14, 16, 32, 3, 1, 1, 1],
  alexnet1: [8, 224, 224, 3, 96, 11, 4, 2, 1],
  alexnet2: [8, 27, 27, 96, 256, 5, 1, 2, 2],
  alexnet3: [8, 13, 13, 256, 384, 3, 1, 1, 1],
  alexnet4: [8, 13, 13, 384, 384, 3, 1, 1, 2],
  alexnet5: [8, 13, 13, 384, 256, 3, 1, 1, 2],
  'one image': [1, 56, 56, 64, 64, 3, 1, 1, 1],
  'stride 2': [8, 28, 28, 64, 128, 3, 2, 1, 1],
  'odd channels': [16, 20, 20, 13, 17, 3, 1, 1, 1],
  '4 x 4': [64, 4, 4, 64, 64, 3, 1, 1, 1],
  depthwise: [8, 28, 28, 96, 96, 3, 1, 1, 96],
  'depthwise x 2': [8, 28, 28, 48, 96, 3, 1, 1, 48],
  'groups of 4': [8, 28, 28, 96, 96, 3, 1, 1, 24],
};

const builds = loadBuilds(files);
const peak = await peakKernel();

/** For each op: kernel, operands and result out of x, w, y, and what its scratch memory depends on. */
const ops = {
  forward: ['conv2d', 'xwy', 'c f kh kw g'],
  input: ['conv2dInput', 'ywx', 'c f kh kw g'],
  filter: ['conv2dFilter', 'xyw', 'n oh ow f kh sh dh g'],
};

const align = (n) => (n + 63) & ~63;
console.log(`${'layer'.padEnd(24)}${headOf(builds)}`);
for (const [layer, [batch, h, w, c, f, k, s, p, g]] of Object.entries(layers)) {
  if (!layer.includes(only)) continue;
  const n = onlyBatch || batch;
  const oh = Math.floor((h + 2 * p - k) / s) + 1;
  const ow = Math.floor((w + 2 * p - k) / s) + 1;
  const flops = (2 * n * oh * ow * f * k * k * c) / g;
  const sizes = { x: n * h * w * c, w: (k * k * c * f) / g, y: n * oh * ow * f };
  const names = { n, h, w, c, oh, ow, f, kh: k, kw: k, sh: s, sw: s, top: p, left: p, dh: 1, dw: 1, g };
  for (const [op, [kernel, [a, b, out], scratchArgs]] of Object.entries(ops)) {
    if (!op.includes(onlyOp)) continue;
    for (const build of builds) {
      const bytes = build.exports[`${kernel}ScratchBytes`](
        ...scratchArgs.split(' ').map((name) => names[name]),
      );
      const args = 1024;
      const at = {};
      let top = 4096;
      for (const name of [a, b, out, 'scratch']) {
        at[name] = top;
        top = align(top + 4 * (sizes[name] ?? 0)) + 64;
      }
      const missing = at.scratch + bytes - build.memory.buffer.byteLength;
      if (missing > 0) build.memory.grow(Math.ceil(missing / 65536));
      new Float32Array(build.memory.buffer, 4096, (at[out] - 4096) / 4).forEach((_, i, all) => {
        all[i] = (i % 17) / 17 - 0.5;
      });
      const words = [at[out], at[a], at[b], ...Object.values(names), at.scratch, bytes];
      new Int32Array(build.memory.buffer, args, words.length).set(words);
    }
    const run = ({ exports }) => exports[`${kernel}_f32`](1024, 0, 1);
    console.log(`${`${layer} ${op}`.padEnd(24)}${race(builds, run, { flops, seconds, peak })}`);
  }
}
