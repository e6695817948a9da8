// Whether a worker still lives. Browsers say nothing when one is killed, but they free the locks that it held.
import { hasFiles } from './platform.js';

const locks = (): LockManager | undefined => (hasFiles ? undefined : globalThis.navigator?.locks);

/** In the worker: holds a lock until this thread ends. Resolves when it is held, or where there are no locks. */
export function holdLock(name: string): Promise<void> {
  return new Promise((resolve) => {
    const request = locks()?.request(name, () => {
      resolve();
      return new Promise(() => undefined);
    });
    // Forbidden in some private windows; then the death of the thread is not noticed.
    if (request) request.catch(() => resolve());
    else resolve();
  });
}

/** Calls back when the thread that holds the lock has ended. Gives what ends the waiting. */
export function onLockFreed(name: string, then: () => void): () => void {
  const end = new AbortController();
  locks()
    ?.request(name, { signal: end.signal }, then)
    .catch(() => undefined);
  return () => end.abort();
}
