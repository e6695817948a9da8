// Keeps the tests of the cache out of the user's own: Node, Deno and Bun get a folder that is removed afterwards.
import { hasFiles } from '../../src/platform.js';

/** Call once at the top of a suite, and the function that it gives after the last test. */
export async function temporaryCache(): Promise<() => Promise<void>> {
  if (!hasFiles) return async () => {};
  const { mkdtemp, rm } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const before = process.env.EVERYGRAD_CACHE;
  const folder = await mkdtemp(`${tmpdir()}/everygrad-cache-`);
  process.env.EVERYGRAD_CACHE = folder;
  return async () => {
    if (before === undefined) delete process.env.EVERYGRAD_CACHE;
    else process.env.EVERYGRAD_CACHE = before;
    await rm(folder, { recursive: true, force: true });
  };
}
