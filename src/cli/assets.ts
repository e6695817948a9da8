// `everygrad assets`: copies what pages load by address, for apps whose bundler moves the library's code.
import { copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StorageError } from '../index.js';

const library = fileURLToPath(new URL('.', import.meta.url));

/** A script and all that it imports, now or later, but what only Node, Deno and Bun have. */
async function scriptsOf(script: string, found = new Set<string>()): Promise<Set<string>> {
  if (found.has(script) || script === 'platform-node.js') return found;
  found.add(script);
  const text = await readFile(join(library, script), 'utf8');
  for (const [, path] of text.matchAll(/(?:from|import)\s*\(?\s*["'](\.[^"']+\.js)["']/g))
    await scriptsOf(relative(library, join(library, dirname(script), path!)), found);
  return found;
}

/** Kernels, threads, the training worker, and their licences. */
async function assetNames(): Promise<string[]> {
  const [worker, thread, kernels] = await Promise.all([
    scriptsOf('worker-thread.js'),
    scriptsOf('thread.js'),
    readdir(join(library, 'kernels')),
  ]);
  return [
    ...new Set([...worker, ...thread, ...kernels.map((name) => join('kernels', name)), 'LICENSES.txt']),
  ];
}

/** What an earlier version left; its names have a hash. */
async function removeOld(folder: string, names: readonly string[]): Promise<void> {
  const old = (await readdir(join(folder, 'chunks'))).filter(
    (name) => /^worker-[\w-]+-[A-Z\d]{8}\.js$/.test(name) && !names.includes(join('chunks', name)),
  );
  for (const name of old) await rm(join(folder, 'chunks', name));
}

/** Copies them into a folder, which is made if it is not there. Throws StorageError. */
export async function assets(folder: string): Promise<void> {
  const names = await assetNames();
  try {
    for (const name of names) {
      const to = join(folder, name);
      await mkdir(dirname(to), { recursive: true });
      await copyFile(join(library, name), to);
    }
    await removeOld(folder, names);
  } catch (cause) {
    throw new StorageError({
      where: folder,
      problem: `the files cannot be copied: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'name a folder that may be written, as in everygrad assets public/everygrad',
      values: { folder },
      cause,
    });
  }
  console.log(`copied ${names.length} files to ${folder}`);
}
