// Builds everything: the four kernel builds, the bundles and the type declarations.
//   node scripts/build.mjs [--kernels] [--bundles] [--types] [--tests [--suite=PART-OF-PATH]]
// With no flag: kernels, bundles and types. Whoever uses dist/ meanwhile finds the old files or the new ones, and whole ones.
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { bundleOptions, withSamples } from './bundle.mjs';

const run = promisify(execFile);
const flags = new Set(process.argv.slice(2));
const suitePattern = [...flags].find((f) => f.startsWith('--suite='))?.slice('--suite='.length) ?? '';
const wants = (flag) => flags.size === 0 || flags.has(flag);

const exists = (path) =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Newest change below a folder, in milliseconds. */
async function newest(folder) {
  const entries = await readdir(folder, { recursive: true });
  const times = await Promise.all(entries.map(async (e) => (await stat(`${folder}/${e}`)).mtimeMs));
  return Math.max(...times);
}

/** The modules of a build of the kernels: what is added to the name of its file, where it begins, options of asc. */
const kernelModules = [
  { suffix: '', entry: 'assembly/index.ts', options: [] },
  { suffix: '-extra', entry: 'assembly/extra.ts', options: ['--importTable'] },
];

async function buildKernels() {
  const targets = Object.entries(JSON.parse(await readFile('asconfig.json', 'utf8')).targets);
  const changed = Math.max(await newest('assembly'), (await stat('asconfig.json')).mtimeMs);
  for (const [target, { outFile: main }] of targets) {
    for (const { suffix, entry, options } of kernelModules) {
      const outFile = main.replace(/\.wasm$/, `${suffix}.wasm`);
      if ((await exists(outFile)) && (await stat(outFile)).mtimeMs > changed) continue;
      const made = `build/${outFile}`;
      const args = [entry, '--target', target, '--outFile', made, ...options];
      const { stderr } = await run(process.execPath, ['node_modules/assemblyscript/bin/asc.js', ...args]);
      const said = stderr.replaceAll('Last converge was suboptimal.', '').trim(); // no fault of ours
      if (said) console.error(said);
      await checkNoData(made);
      await mkdir(dirname(outFile), { recursive: true });
      await rename(made, outFile);
    }
  }
}

/** The modules of a build share one memory, so none may put data of its own there. */
async function checkNoData(file) {
  const bytes = await readFile(file);
  if (!WebAssembly.validate(bytes)) return; // Node 20 has no relaxed SIMD; the plain builds are of the same source
  const shared = file.includes('-threads');
  const memory = new WebAssembly.Memory({ initial: 1, ...(shared && { maximum: 65536, shared }) });
  const table = new WebAssembly.Table({ initial: 1, element: 'anyfunc' });
  await WebAssembly.instantiate(bytes, { env: { memory, table } });
  if (new Uint8Array(memory.buffer).some((byte) => byte !== 0)) {
    throw new Error(`${file} has static data; kernels take what they need as arguments or globals`);
  }
}

const common = {
  splitting: true,
  sourcemap: true,
  legalComments: 'linked',
  chunkNames: 'chunks/[name]-[hash]',
};

/** Bundles for dist/; chunks come first, as what imports them by name does so at once. */
async function bundle(options) {
  const { metafile, outputFiles } = await build({
    ...bundleOptions,
    ...common,
    outdir: 'dist',
    metafile: true,
    write: false,
    ...options,
  });
  const isChunk = ({ path }) => Number(basename(dirname(path)) === 'chunks');
  for (const file of outputFiles.sort((a, b) => isChunk(b) - isChunk(a))) {
    const { path, contents, text } = file;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.new`, contents, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
    await rename(`${path}.new`, path);
  }
  return metafile;
}

async function buildBundles() {
  // A file with a fixed name, so that package.json's `browser` field can name it.
  const node = { in: 'src/platform-node.ts', out: 'platform-node' };
  const names = ['index', 'worker', 'bench', 'bench/first-step'];
  const parts = ['nn', 'loss', 'optim', 'data', 'inspect', 'search', 'plot'].map((name) => ({
    in: `src/${name}/index.ts`,
    out: name,
  }));
  const entryPoints = [...names.map((name) => ({ in: `src/${name}.ts`, out: name })), ...parts, node];
  // Comlink is bundled, so that browsers can start worker-thread.js as it is.
  const external = ['webgpu', 'echarts', 'node:*'];
  const metafile = await bundle({ external, entryPoints });
  // Workers have bundles of their own, without what only the library's other parts need; no bundler of the app's makes them
  // smaller. Names of classes and functions stay, for messages and stacks.
  const { outputs } = await bundle({
    ...{ external, minify: true, keepNames: true },
    entryPoints: [...['worker-thread', 'thread'].map((name) => ({ in: `src/${name}.ts`, out: name })), node],
    chunkNames: 'chunks/worker-[name]-[hash]',
  });
  for (const name of await readdir('dist/chunks')) {
    const path = `dist/chunks/${name}`;
    if (!(path in metafile.outputs) && !(path in outputs)) await rm(path, { recursive: true });
  }
  await writeFile('dist/LICENSES.txt', await licencesOf(metafile));
  await buildCommandLine();
  await linkForExamples();
}

/** The examples import the library by its name, as a program does that has it installed. */
async function linkForExamples() {
  const folder = 'demo/examples/node_modules';
  if (await exists(`${folder}/everygrad/package.json`)) return;
  await rm(`${folder}/everygrad`, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await symlink(process.platform === 'win32' ? process.cwd() : '../../..', `${folder}/everygrad`, 'junction');
}

/** The command line uses the built library as any program does; the packages that it needs are bundled into it. */
async function buildCommandLine() {
  const library = {
    name: 'library',
    setup: ({ onResolve }) =>
      onResolve({ filter: /^\.\.\/(index|bench|inspect\/index)\.js$/ }, ({ path }) => ({
        path: path.slice(1).replace('/inspect/index', '/inspect'),
        external: true,
      })),
  };
  const metafile = await bundle({
    entryPoints: ['src/cli.ts'],
    platform: 'node',
    splitting: false,
    plugins: [library],
    // Packages in CommonJS ask for Node's own modules by require.
    banner: {
      js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
    },
  });
  await writeFile('dist/cli.js.LEGAL.txt', await licencesOf(metafile));
}

/** The licences of all packages in a bundle; what they say in comments is not all of it. */
async function licencesOf({ inputs }) {
  const found = Object.keys(inputs).map((path) => /^.*node_modules\/(@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0]);
  const packages = [...new Set(found.filter(Boolean))].sort();
  const texts = packages.map(async (folder) => {
    const file = (await readdir(folder)).find((name) => /^licen[cs]e/i.test(name));
    if (!file) throw new Error(`${folder} has no licence`);
    return `${folder.replace(/^.*node_modules\//, '')}\n\n${(await readFile(`${folder}/${file}`, 'utf8')).trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`);
}

/**
 * The test suites, each a module that runs in every runtime, beside the kernels that they load.
 * What an earlier build left stays for the runs that still use it, and goes when it is an hour old.
 */
async function buildTests() {
  const listed = await readdir('test', { recursive: true });
  const own = listed.filter((f) => !f.includes('node_modules')); // test/bench/peers has packages of its own
  const files = own.map((f) => `test/${f.replaceAll('\\', '/')}`);
  const suites = files.filter((f) => f.endsWith('.test.ts') && f.includes(suitePattern));
  const workers = files.filter((f) => f.endsWith('.worker.ts'));
  const { metafile } = await build({
    ...withSamples,
    ...common,
    entryPoints: [
      ...suites,
      ...workers,
      'test/runtime/harness.ts',
      ...(await present(['src/thread.ts', 'src/worker-thread.ts'])),
    ],
    entryNames: '[name]',
    outdir: 'build/test',
    external: ['webgpu', 'node:*'],
    // echarts asks for NODE_ENV, as bundlers of pages have it
    define: { ...withSamples.define, 'process.env.NODE_ENV': '"production"' },
    metafile: true,
  });
  const old = Date.now() - 3600e3;
  for (const file of await readdir('build/test', { recursive: true })) {
    const path = `build/test/${file.replaceAll('\\', '/')}`;
    if (path in metafile.outputs || path.includes('/kernels')) continue;
    const { mtimeMs } = await stat(path);
    if (mtimeMs < old) await rm(path, { recursive: true, force: true });
  }
  await cp('dist/kernels', 'build/test/kernels', { recursive: true });
}

async function buildTypes() {
  const made = 'build/types';
  await rm(made, { recursive: true, force: true });
  const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json', '--outDir', made];
  await run(process.execPath, tsc);
  await rm('dist/types', { recursive: true, force: true });
  await rename(made, 'dist/types');
}

const present = async (paths) => {
  const found = await Promise.all(paths.map(exists));
  return paths.filter((_, i) => found[i]);
};

try {
  if (wants('--kernels')) await buildKernels();
  if (wants('--bundles')) await buildBundles();
  if (flags.has('--tests')) await buildTests();
  if (wants('--types')) await buildTypes();
} catch (error) {
  console.error(error.stdout || error.stderr || error);
  process.exit(1);
}
