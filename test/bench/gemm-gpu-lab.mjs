// Laboratory of products on a GPU: TFLOPS of each row of the table of variants, by the GPU's clock where it has one. A row
// that waits for a trial is tried first, and says so where it is refused.
//   node test/bench/gemm-gpu-lab.mjs [--size 1024 --size 4096] [--only matrix] [--half 1] [--runs 10]
// Dawn's experimental features are on here (matrix units), elsewhere in Node they are not. Nothing was measured yet.
import { build } from 'esbuild';
import { create, globals } from 'webgpu';
import { bundleOptions } from '../../scripts/bundle.mjs';

const options = { sizes: [], only: '', half: 0, runs: 10 };
for (let i = 2; i < process.argv.length; i += 2) {
  const [name, value] = [process.argv[i], process.argv[i + 1]];
  if (name === '--size') options.sizes.push(Number(value));
  else if (name === '--only') options.only = value;
  else options[name.slice(2)] = Number(value);
}
if (options.sizes.length === 0) options.sizes.push(1024, 4096);

const outfile = new URL('../../build/gemm-gpu-lab/library.mjs', import.meta.url).pathname;
await build({
  ...bundleOptions,
  stdin: {
    contents: `
      export { createWebgpuBackend } from './src/backend/webgpu/index.ts';
      export { loadShaders } from './src/backend/webgpu/shaders.ts';
      export { tryOut } from './src/backend/webgpu/trials.ts';
      export { variants } from './src/backend/webgpu/variants.ts';
      export { matmulShader } from './src/ops/shader-calls.ts';`,
    resolveDir: new URL('../../', import.meta.url).pathname,
  },
  outfile,
});
const { createWebgpuBackend, loadShaders, tryOut, variants, matmulShader } = await import(outfile);

Object.assign(globalThis, globals);
const gpu = create(['enable-dawn-features=allow_unsafe_apis']);
Object.defineProperty(globalThis, 'navigator', { value: { ...globalThis.navigator, gpu } });
const backend = await createWebgpuBackend();
console.log(`${backend.description}; ${backend.features.join(', ')}`);
backend.variants = 'hardware';
await loadShaders(backend, () => ['matvec']);
const c = backend.capabilities;
const table = variants.subgroups.filter(
  ({ name, needs }) => name.includes(options.only) && (needs?.(c) ?? true),
);

/** Best seconds of some runs of one row. */
async function secondsOf(variant, n) {
  const [general] = matmulShader({
    ...{ batch: 1, m: n, n, k: n, transA: false, transB: false, strideA: n * n, strideB: n * n },
  });
  const calls = variant.calls({ ...general, constants: { ...general.constants, HALF: options.half } }, c);
  const bytes = 4 * n * n;
  const memory = backend.allocate(3 * bytes);
  const place = (i) => ({ shape: [n * n], dtype: 'float32', memory, offset: i * bytes });
  const values = Float32Array.from({ length: n * n }, (_, i) => ((i * 7919) % 4001) / 2000 - 1);
  for (const i of [0, 1]) backend.write(memory, i * bytes, values, 'float32');
  const [inputs, output] = [[place(0), place(1)], place(2)];
  const op = {
    kind: 'kernel',
    name: variant.name,
    webgpu: { calls: () => calls, epilogue: calls.length === 1 },
  };
  const kernel = { op, site: { inputs, output, attributes: {} }, inputs, output };
  const program = await backend.compile([{ kernel, chain: null }]);
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < options.runs; run++) best = Math.min(best, ...(await backend.profile(program)));
  backend.release(program);
  backend.free(memory);
  return best;
}

for (const variant of table) {
  if (variant.fits?.({ HALF: options.half }) === false) continue;
  const problem = variant.trial ? await tryOut(backend, variant, variants.subgroups.at(-1)) : '';
  if (problem) {
    console.log(`${variant.name.padEnd(32)} refused: ${problem}`);
    continue;
  }
  const rates = [];
  for (const n of options.sizes) {
    const seconds = await secondsOf(variant, n);
    rates.push(`${n}: ${((2 * n ** 3) / seconds / 1e12).toFixed(3)}`);
  }
  console.log(`${variant.name.padEnd(32)} ${rates.join('   ')}`);
}
backend.dispose();
process.exit(0);
