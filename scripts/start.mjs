// `npm start`: trains a digit classifier, and builds the library before if that was not done yet.
// What is given after `npm start --` goes to `everygrad train`.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const commandLine = new URL('dist/cli.js', root);
const isBuilt = ['dist/cli.js', 'dist/index.js', 'dist/kernels/simd.wasm'].every((path) =>
  existsSync(new URL(path, root)),
);
if (!isBuilt) {
  console.log('building everygrad ...');
  const script = fileURLToPath(new URL('scripts/build.mjs', root));
  execFileSync(process.execPath, [script, '--kernels', '--bundles'], {
    cwd: fileURLToPath(root),
    stdio: 'inherit',
  });
}
process.argv.splice(2, 0, 'train', '--epochs', '15', '--out', 'models/digits-mlp.safetensors');
await import(commandLine.href);
