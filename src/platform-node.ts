// What only Node, Deno and Bun have, in one file: package.json's `browser` field lets bundlers leave it out of pages.
import { readdir } from 'node:fs/promises';
import { isMainThread } from 'node:worker_threads';

export { appendFile, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
export { availableParallelism, homedir } from 'node:os';
export { join } from 'node:path';
export { fileURLToPath } from 'node:url';
export { parentPort, Worker } from 'node:worker_threads';

/** Dawn's WebGPU, where the optional package is installed, or why there is none. */
export async function openDawn(): Promise<GPU | string> {
  try {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    return create([]);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    return code === 'ERR_MODULE_NOT_FOUND'
      ? 'the optional package webgpu is not installed (npm install webgpu)'
      : `the package webgpu does not load: ${message ?? error}`;
  }
}

/**
 * Whether Dawn is worth asking for a GPU. On Linux without any GPU device, it takes long to find none and prints what its
 * drivers complain about; a driver that is named by the environment is another matter. When a worker thread that used it
 * ends, its binding for Node can take the whole process along (webgpu 0.6.2): there it must be asked for by name.
 */
export async function mayHaveGpu(): Promise<boolean> {
  if (!isMainThread) return false;
  const { env, platform } = process;
  if (platform !== 'linux' || env.VK_ICD_FILENAMES || env.VK_DRIVER_FILES) return true;
  const list = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
  const devices = [...(await list('/dev')), ...(await list('/dev/dri'))];
  return devices.some((name) => /^(renderD\d+|nvidia\d+|dxg|kgsl.*|mali\d*)$/.test(name));
}
