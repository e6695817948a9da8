// What an app has to load: sizes of bundles, minified, in bytes gzip and brotli. Exits with 1 if the core is too large.
//   node scripts/size.mjs [--json]
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { wgsl } from './wgsl.mjs';

/** Gzip bytes that the core with both backends and one build of the kernels may have. */
const limit = 80_000;

/** What an app imports, by the kind of app. */
const apps = {
  'tensors and gradients': 'tensor, variable, grad, valueAndGrad, compile, configure',
  'core: training, evaluating, files':
    'tensor, grad, valueAndGrad, compile, configure, nn, optim, loss, fit, evaluate, predict, save, load',
  everything: '*',
};

const compressed = (bytes) => ({
  gzip: gzipSync(bytes, { level: 9 }).length,
  brotli: brotliCompressSync(bytes).length,
});
const sum = (sizes) =>
  sizes.reduce((a, b) => ({ gzip: a.gzip + b.gzip, brotli: a.brotli + b.brotli }), { gzip: 0, brotli: 0 });

/** Sizes of the files that load at once, and of those that load with the GPU backend. */
async function bundle(names) {
  const folder = await mkdtemp(join(tmpdir(), 'everygrad-size-'));
  try {
    const entry = join(folder, 'app.ts');
    const what = names === '*' ? '*' : `{ ${names} }`;
    await writeFile(entry, `export ${what} from ${JSON.stringify(resolve('src/index.ts'))};\n`);
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
      plugins: [wgsl],
    });
    const files = (await readdir(join(folder, 'out'))).filter((f) => f.endsWith('.js'));
    const sizes = await Promise.all(
      files.map(async (f) => ({ f, ...compressed(await readFile(join(folder, 'out', f))) })),
    );
    const gpu = sizes.filter(({ f }) => f.startsWith('webgpu'));
    return { wasmOnly: sum(sizes.filter((s) => !gpu.includes(s))), webgpu: sum(gpu) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const kernels = compressed(await readFile('dist/kernels/simd.wasm'));
const rows = {};
for (const [name, names] of Object.entries(apps)) {
  const { wasmOnly, webgpu } = await bundle(names);
  rows[name] = {
    'WASM only': sum([wasmOnly, kernels]),
    'with WebGPU': sum([wasmOnly, webgpu, kernels]),
  };
}
const core = rows['core: training, evaluating, files']['with WebGPU'].gzip;
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ kernels, apps: rows, core, limit }));
} else {
  console.log(`kernels, one build: ${kernels.gzip} bytes gzip, ${kernels.brotli} brotli\n`);
  const text = ({ gzip, brotli }) => `${gzip} gzip, ${brotli} brotli`;
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
