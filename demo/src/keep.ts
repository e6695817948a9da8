// What a page has trained, kept by the browser (IndexedDB), so that a reload loses nothing.

const store = 'kept';

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('everygrad-pages', 1); // throws where pages may keep nothing
    request.onupgradeneeded = () => request.result.createObjectStore(store);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Records by key. A storage that is full or forbidden is told once; they last as long as the page, then. */
export class Keep<T> {
  #told = false;
  readonly #here = new Map<string, T>();

  constructor(private readonly onProblem: (why: string) => void) {}

  async get(key: string): Promise<T | undefined> {
    return this.#here.get(key) ?? this.#use('readonly', (s) => s.get(key) as IDBRequest<T | undefined>);
  }

  async put(key: string, value: T): Promise<void> {
    this.#here.set(key, value);
    await this.#use('readwrite', (s) => s.put(value, key));
  }

  async remove(key: string): Promise<void> {
    this.#here.delete(key);
    await this.#use('readwrite', (s) => s.delete(key));
  }

  async #use<R>(mode: IDBTransactionMode, ask: (s: IDBObjectStore) => IDBRequest<R>): Promise<R | undefined> {
    try {
      const db = await open();
      try {
        return await new Promise<R>((resolve, reject) => {
          const transaction = db.transaction(store, mode);
          const request = ask(transaction.objectStore(store));
          transaction.oncomplete = () => resolve(request.result);
          transaction.onabort = () => reject(transaction.error ?? request.error);
        });
      } finally {
        db.close();
      }
    } catch (error) {
      if (!this.#told) this.onProblem(error instanceof Error ? error.message || error.name : String(error));
      this.#told = true;
      return undefined;
    }
  }
}
