// What an app has to load: sizes of bundles, minified, in bytes gzip and brotli. What an app or a part of it loads is what it
// imports by statements, and what that does; a chunk that comes by import() later counts where that is said, and once. Exits
// with 1 if the core is too large, or if the table in the docs is no longer right.
//   node scripts/size.mjs [--json] [--write]     --write brings the docs up to date
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { bundleOptions } from './bundle.mjs';

/** Gzip bytes that the core with both backends and one build of the kernels may have. */
const limit = 80_000;

/** Where the table is kept, and by how much a size in it may be off. */
const docs = 'docs/embedding.md';
const tolerance = 0.05;

const core = `
    import * as nn from 'everygrad/nn';
    import * as loss from 'everygrad/loss';
    import * as optim from 'everygrad/optim';
    export { tensor, variable, grad, valueAndGrad, compile, configure } from 'everygrad';
    export { fit, evaluate, predict, save, load } from 'everygrad';
    export const layers = [nn.sequential, nn.linear, nn.relu, nn.sigmoid, nn.tanh, nn.softmax, nn.flatten, nn.dropout];
    export const losses = [loss.crossEntropy, loss.binaryCrossEntropy, loss.meanSquaredError];
    export const optimizers = [optim.sgd, optim.adam, optim.adamW];`;

/** Parts that an app may use besides, and what is said of them. */
const parts = {
  nn: 'all layers, `everygrad/nn`',
  loss: 'all losses, `everygrad/loss`',
  optim: 'all optimizers and schedules, `everygrad/optim`',
  data: 'tables, images, streams, the embedded digits, `everygrad/data`',
  inspect: '`everygrad/inspect`',
  search: '`everygrad/search`',
  bench: '`everygrad/bench`',
};

const compressed = (bytes) => ({
  gzip: gzipSync(bytes, { level: 9 }).length,
  brotli: brotliCompressSync(bytes).length,
});
const sum = (sizes) =>
  sizes.reduce((a, b) => ({ gzip: a.gzip + b.gzip, brotli: a.brotli + b.brotli }), { gzip: 0, brotli: 0 });

const sourceOf = (part) => {
  const folder = resolve(`src${part}/index.ts`);
  return existsSync(folder) ? folder : resolve(`src${part}.ts`);
};

/** Sizes of what loads at once, of what loads with the GPU backend, its further shaders, and the like; none of it twice. */
async function bundle(code) {
  const contents = code.replace(/'everygrad(\/?.*?)'/g, (_, part) => JSON.stringify(sourceOf(part)));
  const { metafile, outputFiles } = await build({
    ...bundleOptions,
    stdin: { contents, resolveDir: process.cwd() },
    outdir: 'build/size',
    minify: true,
    splitting: true,
    metafile: true,
    write: false,
  });
  const chunks = metafile.outputs;
  const left = new Map(
    outputFiles.map(({ path, contents }) => [relative('', path).replaceAll('\\', '/'), compressed(contents)]),
  );
  /** The size of what a chunk loads that was not there before. */
  const take = (path) => {
    const own = left.get(path);
    if (!own) return sum([]);
    left.delete(path);
    const statements = chunks[path].imports.filter(({ kind }) => kind === 'import-statement');
    return sum([own, ...statements.map((i) => take(i.path))]);
  };
  const loaded = (source) =>
    take(Object.keys(chunks).find((path) => chunks[path].entryPoint?.endsWith(source)));
  const sizes = {
    main: loaded('<stdin>'),
    webgpu: loaded('webgpu/index.ts'),
    moreShaders: loaded('webgpu/shaders-extra.ts'),
    csv: loaded('papaparse.js'), // by readCsv and csvRows alone
    costs: sum([loaded('schedule/costs.ts'), loaded('webgpu/tuning.ts')]),
    node: loaded('src/platform-node.ts'), // by no page
  };
  // Loaded when a plan is to be explained, changed by hand or profiled, and when something goes wrong.
  return { ...sizes, seldom: sum([...left.values()]) };
}

const added = (with_, without) => ({
  gzip: with_.gzip - without.gzip,
  brotli: with_.brotli - without.brotli,
});

/** A script of dist/ with all that it imports at once. */
async function scripts(name, found = new Map()) {
  if (found.has(name)) return found;
  const text = await readFile(`dist/${name}`);
  found.set(name, compressed(text));
  for (const [, path] of text.toString().matchAll(/(?:from|^import|;import)\s*"(\.[^"]+\.js)"/gm))
    await scripts(join(dirname(name), path), found);
  return found;
}

/** Rows of the table: a name, and bytes. */
async function measure() {
  const kernels = compressed(await readFile('dist/kernels/simd.wasm'));
  const moreKernels = compressed(await readFile('dist/kernels/simd-extra.wasm'));
  const [least, small, all, page] = await Promise.all(
    [
      `export { tensor, variable, grad, valueAndGrad, compile, configure } from 'everygrad';`,
      core,
      `export * from 'everygrad';`,
      `export { trainer, setAssetsUrl } from 'everygrad/worker';`,
    ].map(bundle),
  );
  const more = await Promise.all(
    Object.keys(parts).map((part) => bundle(`${core}\nexport * as more from 'everygrad/${part}';`)),
  );
  return [
    ['tensors and gradients', sum([least.main, kernels])],
    [
      "core: and a multilayer perceptron's layers, losses, optimizers, `fit`, files",
      sum([small.main, kernels]),
    ],
    ['+ WebGPU, loaded where there is one', small.webgpu],
    ['+ what measures costs and kernels, loaded before plans for a GPU', small.costs],
    ['+ explanations, profiles, recovery, loaded when they are needed', small.seldom],
    ['+ further kernels, loaded by convolutions, recurrent layers and the like', moreKernels],
    ['+ their shaders', small.moreShaders],
    ...Object.values(parts).map((name, i) => [`+ ${name}`, added(more[i].main, small.main)]),
    ['+ the parser of CSV, loaded by `readCsv` and `csvRows`', all.csv],
    ['everything, with WebGPU', sum([all.main, kernels, moreKernels, all.webgpu, all.moreShaders, all.csv])],
    ['`everygrad/worker` alone: in the page', page.main],
    [
      'its worker, which any model can be made in',
      sum([...(await scripts('worker-thread.js')).values(), kernels]),
    ],
  ];
}

const kB = (bytes) => (bytes / 1000).toFixed(1);
const markers = ['<!-- sizes: npm run size -- --write -->\n', '<!-- end of sizes -->'];

/** The text of the docs with the table in it, and whether the one that is there is right. */
async function table(rows) {
  const text = await readFile(docs, 'utf8');
  const [from, to] = [text.indexOf(markers[0]) + markers[0].length, text.indexOf(markers[1])];
  const lines = ['| | gzip, kB | brotli, kB |', '| --- | --- | --- |'];
  for (const [name, { gzip, brotli }] of rows) lines.push(`| ${name} | ${kB(gzip)} | ${kB(brotli)} |`);
  const numbers = (part) => part.split('\n').map((l) => l.split('|').slice(2, 4).map(Number));
  const [there, now] = [numbers(text.slice(from, to).trim()), numbers(lines.join('\n'))];
  const near = (a, b) =>
    Math.abs(a - b) <= Math.max(0.2, tolerance * b) || (Number.isNaN(a) && Number.isNaN(b));
  const isRight =
    there.length === now.length && now.every((row, i) => row.every((n, j) => near(there[i][j], n)));
  return { isRight, text: `${text.slice(0, from)}\n${lines.join('\n')}\n\n${text.slice(to)}` };
}

const rows = await measure();
const [coreSize, webgpu] = [rows[1][1], rows[2][1]];
const withBoth = coreSize.gzip + webgpu.gzip;
const { isRight, text } = await table(rows);
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ rows: Object.fromEntries(rows), core: withBoth, limit }));
} else {
  console.table(Object.fromEntries(rows.map(([name, sizes]) => [name.replaceAll('`', ''), sizes])));
  console.log(`core with both backends and one build of the kernels: ${withBoth} bytes gzip, limit ${limit}`);
}
if (process.argv.includes('--write')) await writeFile(docs, text);
else if (!isRight) {
  console.error(`the table of sizes in ${docs} is not right any more: npm run size -- --write`);
  process.exitCode = 1;
}
if (withBoth > limit) process.exitCode = 1;
