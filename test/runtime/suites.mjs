// Finds the suites, and what each says about itself in its name and first lines.
//   *.node.test.ts                    runs in Node, Deno and Bun only: files, child processes
//   test/unit/                        needs no backend: runs once per runtime, not once per device
//   // @suite devices=wasm runtimes=node,deno timeout=1200     in the first five lines overrides all that
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../', import.meta.url));
/** Seconds for a suite: enough for any machine, as it only ends what hangs. */
const defaultTimeout = 600;
const processes = ['node', 'node24', 'deno', 'bun'];

export function findSuites(pattern) {
  return readdirSync(folder, { recursive: true })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.test.ts') && `test/${file}`.includes(pattern))
    .sort()
    .map(readSuite);
}

function readSuite(file) {
  const head = readFileSync(`${folder}/${file}`, 'utf8').split('\n', 5).join('\n');
  const [, text = ''] = /^\/\/ @suite (.*)$/m.exec(head) ?? [];
  const said = Object.fromEntries(
    text
      .split(/\s+/)
      .filter(Boolean)
      .map((pair) => pair.split('=')),
  );
  for (const key of Object.keys(said)) {
    if (!['devices', 'runtimes', 'timeout'].includes(key))
      throw new Error(`test/${file}: unknown @suite option ${key}`);
  }
  return {
    name: file.replace(/\.test\.ts$/, ''),
    bundle: `./${basename(file, '.ts')}.js`,
    devices: said.devices?.split(',') ?? (file.startsWith('unit/') ? ['wasm'] : ['wasm', 'webgpu']),
    /** Undefined: all. */
    runtimes: said.runtimes?.split(',') ?? (file.endsWith('.node.test.ts') ? processes : undefined),
    timeout: Number(said.timeout ?? defaultTimeout),
  };
}
