// Where measured costs are kept between runs: a file each in Node, Deno and Bun, IndexedDB in browsers. All may fail.
import { cacheFolder } from '../platform-folder.js';

export interface CostStore {
  get(key: string): Promise<string | undefined>;
  put(key: string, text: string): Promise<void>;
}

const store = 'costs';

/** A name for a file, not too long. */
const fileName = (key: string): string => `${encodeURIComponent(key).slice(0, 200)}.json`;

async function inDatabase<T>(
  mode: IDBTransactionMode,
  ask: (s: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('everygrad costs', 1); // throws where pages may keep nothing
    request.onupgradeneeded = () => request.result.createObjectStore(store);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  try {
    return await new Promise<T>((resolve, reject) => {
      const request = ask(db.transaction(store, mode).objectStore(store));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } finally {
    db.close();
  }
}

export const costStore: CostStore = {
  async get(key) {
    const folder = await cacheFolder();
    if (!folder) return inDatabase<string | undefined>('readonly', (s) => s.get(key));
    const { readFile } = await import('../platform-node.js');
    return readFile(`${folder}/costs/${fileName(key)}`, 'utf8');
  },

  async put(key, text) {
    const folder = await cacheFolder();
    if (!folder) {
      await inDatabase('readwrite', (s) => s.put(text, key));
      return;
    }
    const { mkdir, rename, writeFile } = await import('../platform-node.js');
    const file = `${folder}/costs/${fileName(key)}`;
    await mkdir(`${folder}/costs`, { recursive: true });
    // A reader beside us finds the old text or the new one.
    const temporary = `${file}.${crypto.randomUUID()}.tmp`;
    await writeFile(temporary, text);
    await rename(temporary, file);
  },
};

/** What was put under a key, as an object that names it; null where there is none, or it is damaged, or cannot be read. */
export async function keptAs<T extends { key: string }>(
  store: CostStore | null,
  key: string,
): Promise<T | null> {
  const text = await store?.get(key).catch(() => undefined);
  try {
    const kept = JSON.parse(text ?? 'null') as T | null;
    return kept?.key === key ? kept : null; // names of files are cut off
  } catch {
    return null;
  }
}
