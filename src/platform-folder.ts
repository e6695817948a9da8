// Where things are kept between runs. A file of its own that imports nothing at once, so that what loads on demand can use
// it.

/** Where Node, Deno and Bun keep what was fetched or measured; null in browsers, which have a cache of their own. */
export async function cacheFolder(): Promise<string | null> {
  const { process } = globalThis as { process?: NodeJS.Process };
  if (!process?.versions?.node) return null; // Deno and Bun have it, too
  const { join, homedir } = await import('./platform-node.js');
  const { env } = process;
  return env.EVERYGRAD_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'everygrad');
}
