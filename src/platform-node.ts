// What only Node, Deno and Bun have, in one file: package.json's `browser` field lets bundlers leave it out of pages.
export { appendFile, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
export { availableParallelism, homedir } from 'node:os';
export { join } from 'node:path';
export { fileURLToPath } from 'node:url';
export { parentPort, Worker } from 'node:worker_threads';

/** Dawn, where the optional package is installed. */
export const importWebgpu = (): Promise<typeof import('webgpu')> => import('webgpu');
