// What an app has to load: sizes of bundles, minified, in bytes gzip and brotli. Exits with 1 if the core is too large.
//   node scripts/size.mjs [--json]
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { papaparse } from './papaparse.mjs';
import { wgsl } from './wgsl.mjs';

/** Gzip bytes that the core with both backends and one build of the kernels may have. */
const limit = 80_000;

/** What an app uses, by the kind of app; each is the one before it and something more. */
const apps = {
  'tensors and gradients': `export { tensor, variable, grad, valueAndGrad, compile, configure } from 'everygrad';`,
  core: `
    import * as nn from 'everygrad/nn';
    import * as loss from 'everygrad/loss';
    import * as optim from 'everygrad/optim';
    export { tensor, variable, grad, valueAndGrad, compile, configure } from 'everygrad';
    export { fit, evaluate, predict, save, load } from 'everygrad';
    export const layers = [nn.sequential, nn.linear, nn.relu, nn.sigmoid, nn.tanh, nn.softmax, nn.flatten, nn.dropout];
    export const losses = [loss.crossEntropy, loss.binaryCrossEntropy, loss.meanSquaredError];
    export const optimizers = [optim.sgd, optim.adam, optim.adamW];`,
  everything: `export * from 'everygrad';`,
};

const compressed = (bytes) => ({
  gzip: gzipSync(bytes, { level: 9 }).length,
  brotli: brotliCompressSync(bytes).length,
});
const sum = (sizes) =>
  sizes.reduce((a, b) => ({ gzip: a.gzip + b.gzip, brotli: a.brotli + b.brotli }), { gzip: 0, brotli: 0 });

/** Sizes of the files that load at once, of those that load with the GPU backend, and of its further shaders. */
async function bundle(code) {
  const folder = await mkdtemp(join(tmpdir(), 'everygrad-size-'));
  try {
    const entry = join(folder, 'app.ts');
    await writeFile(
      entry,
      code.replace(/'everygrad(\/?.*?)'/g, (_, part) => JSON.stringify(resolve(`src${part}/index.ts`))),
    );
    await build({
      entryPoints: [entry],
      outdir: join(folder, 'out'),
      bundle: true,
      minify: true,
      splitting: true,
      format: 'esm',
      target: 'es2022',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      external: ['comlink', 'webgpu', 'node:*'],
      plugins: [wgsl, papaparse],
    });
    const files = (await readdir(join(folder, 'out'))).filter((f) => f.endsWith('.js'));
    const sizes = await Promise.all(
      files.map(async (f) => ({ f, ...compressed(await readFile(join(folder, 'out', f))) })),
    );
    const gpu = sizes.filter(({ f }) => f.startsWith('webgpu'));
    const more = sizes.filter(({ f }) => f.startsWith('shaders-extra'));
    const csv = sizes.filter(({ f }) => f.startsWith('papaparse')); // loaded by readCsv and csvRows alone
    // Loaded when a training fails, to find out why.
    const seldom = sizes.filter(({ f }) => f.startsWith('replay'));
    const node = sizes.filter(({ f }) => f.startsWith('platform-node')); // loaded by no page
    const main = sizes.filter((s) => ![gpu, more, csv, seldom, node].some((files) => files.includes(s)));
    return { main: sum(main), webgpu: sum(gpu), moreShaders: sum(more) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const kernels = compressed(await readFile('dist/kernels/simd.wasm'));
const moreKernels = compressed(await readFile('dist/kernels/simd-extra.wasm'));
const rows = {};
for (const [name, code] of Object.entries(apps)) {
  const { main, webgpu, moreShaders } = await bundle(code);
  const more = name === 'everything';
  const wasm = [main, kernels, ...(more ? [moreKernels] : [])];
  rows[name] = {
    'WASM only': sum(wasm),
    'with WebGPU': sum([...wasm, webgpu, ...(more ? [moreShaders] : [])]),
  };
}
const core = rows.core['with WebGPU'].gzip;
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ kernels, moreKernels, apps: rows, core, limit }));
} else {
  const text = ({ gzip, brotli }) => `${gzip} gzip, ${brotli} brotli`;
  console.log(`kernels, one build: ${text(kernels)}`);
  console.log(
    `its further module, loaded by convolutions, recurrent layers and the like: ${text(moreKernels)}\n`,
  );
  console.table(
    Object.fromEntries(
      Object.entries(rows).map(([name, sizes]) => [
        name,
        Object.fromEntries(Object.entries(sizes).map(([kind, size]) => [kind, text(size)])),
      ]),
    ),
  );
  console.log(`core with both backends and one build of the kernels: ${core} bytes gzip, limit ${limit}`);
}
if (core > limit) process.exitCode = 1;
