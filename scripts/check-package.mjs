// Checks the package as its users get it: packs it, lints the tarball, installs it in an empty folder and uses
// it there in Node, Deno, Bun and from an esbuild bundle. Needs `npm run build` and `npm run runtimes` before.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arch, execPath, platform } from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const installed = join(root, '.runtimes/node_modules');
const folder = mkdtempSync(join(tmpdir(), 'everygrad-package-'));
const userProgram = join(folder, 'use.mjs');
const expected = '[17,39]';

let failures = 0;

function run(command, args, cwd = folder) {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe', timeout: 120_000 });
}

async function check(name, task) {
  try {
    const said = await task();
    console.log(`ok   ${name}${said ? `: ${said}` : ''}`);
  } catch (error) {
    failures++;
    const output = [error.stdout, error.stderr].filter(Boolean).join('\n').trim();
    console.error(`FAIL ${name}\n${output || error.stack}`);
  }
}

/** The user's program prints a matrix product, so that the kernels were found and ran. */
function use(command, args, program = userProgram) {
  const printed = run(command, [...args, program]).trim();
  if (printed !== expected) throw new Error(`printed ${printed}, expected ${expected}`);
}

function pack() {
  const [packed] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root),
  );
  const kilobytes = (bytes) => `${Math.round(bytes / 1000)} kB`;
  const text = `${packed.entryCount} files, ${kilobytes(packed.size)} packed, ${kilobytes(packed.unpackedSize)} unpacked`;
  return { tarball: join(folder, packed.filename), text };
}

async function bundleAndUse() {
  const out = join(folder, 'bundle');
  const options = { bundle: true, minify: true, format: 'esm', platform: 'node' };
  const external = ['webgpu'];
  await build({ ...options, external, entryPoints: [userProgram], outfile: join(out, 'use.mjs') });
  // As the guide says for bundlers: the kernels and the thread's script lie beside the bundle.
  for (const name of ['kernels', 'thread.js', 'chunks']) {
    const from = join(folder, 'node_modules/everygrad/dist', name);
    if (existsSync(from)) cpSync(from, join(out, name), { recursive: true });
  }
  use(execPath, [], join(out, 'use.mjs'));
}

/** An app for browsers, without types of Node, that takes a close look at those of its packages. */
function checkTypes() {
  const compilerOptions = {
    ...{
      target: 'es2022',
      module: 'esnext',
      moduleResolution: 'bundler',
      strict: true,
      noEmit: true,
      types: [],
    },
    lib: ['es2023', 'dom', 'dom.iterable', 'esnext.disposable'],
  };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['use.mts', 'worker.mts'] }),
  );
  writeFileSync(join(folder, 'use.mts'), readFileSync(userProgram, 'utf8'));
  writeFileSync(
    join(folder, 'worker.mts'),
    `import { trainer } from 'everygrad/worker';
const lab = await trainer({ threads: 1 });
export const model: number = await lab.create([['linear', 2, 3], ['relu']], 1);
`,
  );
  run(execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.']);
}

function installTarball(tarball) {
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--omit=peer', tarball]);
  writeFileSync(
    userProgram,
    `import { tensor } from 'everygrad';
const product = tensor([[1, 2], [3, 4]]).matmul(tensor([[5], [6]]));
console.log(JSON.stringify(Array.from(await product.data())));
`,
  );
}

try {
  const { tarball, text } = pack();
  console.log(`packed: ${text}`);
  const bin = (name) => join(installed, '.bin', name);
  await check('publint', () => run(bin('publint'), ['run', '--strict', tarball]) && undefined);
  await check('are the types wrong', () => run(bin('attw'), ['--profile', 'esm-only', tarball]) && undefined);
  await check('npm install of the tarball', () => installTarball(tarball));
  const node24 = join(installed, `node-${platform}-${arch}/bin/node`);
  const deno = join(installed, `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}/deno`);
  const bun = join(installed, `@oven/bun-${platform}-${arch === 'arm64' ? 'aarch64' : arch}/bin/bun`);
  await check('types in an app for browsers', checkTypes);
  await check('import in Node', () => use(execPath, []));
  await check('import in Node 24', () => use(node24, []));
  await check('import in Deno', () =>
    use(deno, ['run', '--allow-all', '--node-modules-dir=manual', '--no-lock']),
  );
  await check('import in Bun', () => use(bun, ['run']));
  await check('esbuild bundle in Node', bundleAndUse);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failures > 0 ? 1 : 0;
