// Laboratory of pooling and normalisation: GB/s of whole plans as training runs them, beside a copy of memory.
//   node test/bench/norm-lab.mjs [--seconds 0.5] [--threads 1] [--shape 128,28,28,16] [--only maxPool]
// Bytes are those that must be moved at least: each operand of a pass once (max pool: x, y; gradient: x, dy, dx; batch
// norm: x twice and y; gradient: dy and x twice and dx). Cases take turns, the best of many runs counts.
//
// On two cores of an AMD EPYC (48 KB L1, 1 MB L2 each, 32 MB L3), one thread, Node, plain build, a copy at 95 GB/s, (128,28,28,16):
//   max pool 2x2 89 GB/s, its gradient 49; 3x3 by 2 15 and 10 (nine loads and comparisons for each window);
//   batch norm 47, its gradient 35. Statistics alone are bound by arithmetic (22 GB/s: four operations a vector), the
//   gradient's last pass by loads (two streams and four coefficients).
//   What did not win:
//   - batch norm as a chain of elementwise ops, (x - mean) * factor + shift: 9.6 GB/s, its gradient 10: each block
//     spreads three or four rows of coefficients out before it computes.
//   - maxima by f32x4.max, eight instructions in V8: 2x2 40 GB/s, 3x3 6.3.
//   - statistics in two looks at a chunk, mean first: the same time, and the rounded mean costs bits far from 0.
//   - the gradient's last pass in strips of 8 columns with all coefficients in registers: 37 instead of 35, within noise.
import { build } from 'esbuild';
import { bundleOptions } from '../../scripts/bundle.mjs';

const options = { seconds: 0.5, threads: 1, shapes: [], only: '' };
for (let i = 2; i < process.argv.length; i += 2) {
  const [name, value] = [process.argv[i], process.argv[i + 1]];
  if (name === '--shape') options.shapes.push(value.split(',').map(Number));
  else if (name === '--only') options.only = value;
  else options[name.slice(2)] = Number(value);
}
if (options.shapes.length === 0) {
  options.shapes.push([128, 28, 28, 16], [128, 14, 14, 32], [128, 7, 7, 64], [128, 28, 28, 6]);
}

const outfile = new URL('../../build/norm-lab/library.mjs', import.meta.url).pathname;
await build({
  ...bundleOptions,
  external: ['webgpu', 'node:*'],
  stdin: {
    contents: `export * from './src/index.js'; export { prepare } from './src/compile.js'; export { Variable } from './src/graph.js';`,
    resolveDir: new URL('../..', import.meta.url).pathname,
  },
  outfile,
  logLevel: 'error',
});
const { default: fs } = await import('node:fs');
const folder = outfile.replace(/[^/]*$/, '');
fs.cpSync(new URL('../../dist/kernels', import.meta.url).pathname, `${folder}kernels`, { recursive: true });
fs.copyFileSync(new URL('../../dist/thread.js', import.meta.url).pathname, `${folder}thread.js`);
fs.cpSync(new URL('../../dist/chunks', import.meta.url).pathname, `${folder}chunks`, { recursive: true });
const lib = await import(outfile);
const engine = await lib.configure({ device: 'wasm', threads: options.threads, build: 'simd' });

const size = (shape) => shape.reduce((n, d) => n * d, 1);
const variable = (shape) =>
  lib.variable(lib.mul(lib.randomNormal(shape, { seed: 1, stream: size(shape) }), 1));

/** Bytes of each tensor of a case, and the results that are kept. */
function casesFor(shape) {
  const channels = shape.at(-1);
  const full = 4 * size(shape);
  const [x, scale, shift] = [variable(shape), variable([channels]), variable([channels])];
  const dy = variable(shape);
  const gradientOf = (f, inputs, cotangent) => () =>
    lib.vjp(f(), inputs, cotangent).filter((g) => g !== null);
  const pool = (name, kernel, stride) => {
    const f = () => lib.maxPool2d(x, kernel, { stride });
    const pooled = f().shape;
    const part = 4 * size(pooled);
    const d = variable(pooled);
    return [
      [`${name}`, full + part, () => [f()]],
      [`${name} gradient`, 2 * full + part, gradientOf(f, [x], d)],
    ];
  };
  const norm = () => lib.batchNorm(x, { scale, shift }).output;
  return [
    ['copy', 2 * full, () => [lib.add(x, 0)]],
    ...pool('maxPool 2x2', 2, 2),
    ...(shape[1] >= 3 ? pool('maxPool 3x3 by 2', 3, 2) : []),
    ['batchNorm', 3 * full, () => [norm()]],
    ['batchNorm + relu', 3 * full, () => [lib.relu(norm())]],
    ['batchNorm statistics', full, () => [lib.moments(x, 0, shape.length - 1)]],
    ['batchNorm gradient', 5 * full, gradientOf(norm, [x, scale, shift], dy)],
    ['batchNorm sums', 2 * full, () => [lib.pairSums(dy, x, shift, 0, shape.length - 1)]],
    ['layerNorm', 2 * full, lib.layerNorm ? () => [lib.layerNorm(x, 1, { scale, shift })] : null],
    ['localResponseNorm', 2 * full, lib.localResponseNorm ? () => [lib.localResponseNorm(x, 5)] : null],
  ].filter(([name, , f]) => f && (name === 'copy' || name.includes(options.only)));
}

for (const shape of options.shapes) {
  const cases = [];
  for (const [name, bytes, f] of casesFor(shape)) {
    const prepared = await lib.prepare(f, []);
    cases.push({ name, bytes, prepared, best: Infinity });
  }
  const until = performance.now() + options.seconds * 1000 * cases.length;
  do {
    for (const c of cases) {
      for (let i = 0; i < 3; i++) {
        const start = performance.now();
        const waiting = c.prepared.run();
        if (waiting) await waiting;
        c.best = Math.min(c.best, performance.now() - start);
      }
    }
  } while (performance.now() < until);
  console.log(`(${shape}) float32, ${((4 * size(shape)) / 2 ** 20).toFixed(1)} MiB`);
  const copy = cases[0].bytes / cases[0].best;
  for (const { name, bytes, best } of cases) {
    const rate = bytes / best;
    console.log(
      `  ${name.padEnd(28)} ${(best * 1000).toFixed(0).padStart(7)} us  ${(rate / 1e6).toFixed(1).padStart(5)} GB/s  ${((100 * rate) / copy).toFixed(0).padStart(4)} % of copy`,
    );
  }
}
engine.dispose();
process.exit(0);
