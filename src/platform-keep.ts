// Where checkpoints are kept between runs: files in Node, Deno and Bun, IndexedDB in browsers. By key, whole or not at all.
import { StorageError } from './errors.js';
import { type Bytes, forNode, readBytes, sha256, writeFileAtomic } from './platform.js';
import { cacheFolder } from './platform-folder.js';

/** A store of bytes by key. All fail with a StorageError where storage is full, forbidden or broken. */
export interface Keep {
  get(key: string): Promise<Bytes | undefined>;
  put(key: string, bytes: Uint8Array): Promise<void>;
  remove(key: string): Promise<void>;
}

/** The store of this runtime. */
export async function openKeep(): Promise<Keep> {
  const folder = await cacheFolder();
  return folder ? filesIn(folder) : database();
}

async function filesIn(cache: string): Promise<Keep> {
  const { mkdir, rm, join } = await forNode();
  const folder = join(cache, 'checkpoints');
  const file = async (key: string) =>
    join(folder, `${await sha256(new TextEncoder().encode(key))}.safetensors`);
  return {
    async get(key) {
      try {
        return await readBytes(await file(key));
      } catch (error) {
        if (error instanceof StorageError && error.values.missing) return undefined;
        throw error;
      }
    },
    async put(key, bytes) {
      await mkdir(folder, { recursive: true }).catch((error: unknown) => {
        throw refused(key, error);
      });
      await writeFileAtomic(await file(key), bytes);
    },
    async remove(key) {
      await rm(await file(key), { force: true }).catch((error: unknown) => {
        throw refused(key, error);
      });
    },
  };
}

const store = 'checkpoints';

async function database(): Promise<Keep> {
  const run = async <T>(
    key: string,
    mode: IDBTransactionMode,
    ask: (s: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T> => {
    try {
      // Opened for each use, so that no connection stands in the way of another page.
      const db = await open();
      try {
        return await new Promise<T>((resolve, reject) => {
          const transaction = db.transaction(store, mode);
          const request = ask(transaction.objectStore(store));
          transaction.oncomplete = () => resolve(request.result);
          transaction.onabort = () => reject(transaction.error ?? request.error);
          transaction.onerror = () => reject(transaction.error ?? request.error);
        });
      } finally {
        db.close();
      }
    } catch (error) {
      throw refused(key, error);
    }
  };
  return {
    get: (key) => run<Bytes | undefined>(key, 'readonly', (s) => s.get(key)),
    put: async (key, bytes) => void (await run(key, 'readwrite', (s) => s.put(bytes, key))),
    remove: async (key) => void (await run(key, 'readwrite', (s) => s.delete(key))),
  };
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('everygrad', 1); // throws where pages may keep nothing
    request.onupgradeneeded = () => request.result.createObjectStore(store);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

const refused = (key: string, cause: unknown): StorageError =>
  new StorageError({
    where: `checkpoint ${key}`,
    problem: `the storage refuses: ${cause instanceof Error ? cause.message || cause.name : String(cause)}`,
    hint: 'is it full, or forbidden as in some private windows?',
    values: { key },
    cause,
  });
