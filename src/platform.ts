// The only file that knows which runtime it is in: its name, files, HTTP, the cache, checksums, gzip, workers.
import { FormatError, StateError, StorageError } from './errors.js';
import { cacheFolder } from './platform-folder.js';

type NodeTransferable = import('node:worker_threads').Transferable;
export type Bytes = Uint8Array<ArrayBuffer>;

export interface Runtime {
  name: 'node' | 'deno' | 'bun' | 'chromium' | 'firefox' | 'webkit' | 'unknown';
  /** As the runtime itself gives it, e.g. `24.9.0`. */
  version: string;
}

const globals = globalThis as {
  Deno?: { version: { deno: string } };
  Bun?: { version: string };
  process?: NodeJS.Process;
};

/** The runtime in which this code runs. */
export function runtime(): Runtime {
  if (globals.Deno) return { name: 'deno', version: globals.Deno.version.deno };
  if (globals.Bun) return { name: 'bun', version: globals.Bun.version };
  const node = globals.process?.versions?.node;
  if (node) return { name: 'node', version: node };
  return parseUserAgent(globalThis.navigator?.userAgent ?? '');
}

/** A browser's engine and version from its user agent string. */
export function parseUserAgent(agent: string): Runtime {
  const firefox = /Firefox\/([\d.]+)/.exec(agent)?.[1];
  if (firefox) return { name: 'firefox', version: firefox };
  const chromium = /Chrom(?:e|ium)\/([\d.]+)/.exec(agent)?.[1];
  if (chromium) return { name: 'chromium', version: chromium };
  const webkit = /AppleWebKit\/([\d.]+)/.exec(agent)?.[1];
  if (webkit) return { name: 'webkit', version: /Version\/([\d.]+)/.exec(agent)?.[1] ?? webkit };
  return { name: 'unknown', version: '' };
}

/** True in Node, Deno and Bun, which have files. */
export const hasFiles = ['node', 'deno', 'bun'].includes(runtime().name);

/**
 * The modules that come with those.
 * @internal Apps for browsers have no types for them.
 */
export const forNode = (): Promise<typeof import('./platform-node.js')> => import('./platform-node.js');

/** Bytes so far and in all; total is undefined when the server does not say. */
export type OnProgress = (progress: { loaded: number; total: number | undefined }) => void;

export interface ReadOptions {
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

const errorCode = (error: unknown): string | undefined => (error as { code?: string } | undefined)?.code;
const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** True for paths that are fetched; without files (browsers) every path is, relative to the page. */
export const isUrl = (path: string | URL): boolean => !hasFiles || /^(https?|blob|data):/i.test(String(path));

/**
 * Reads a file (Node, Deno, Bun: a path or a `file:` URL) or fetches an address.
 * Throws StorageError (`values.missing` is true when there is no such file) or the signal's reason.
 */
export async function readBytes(path: string | URL, options: ReadOptions = {}): Promise<Bytes> {
  options.signal?.throwIfAborted();
  try {
    return isUrl(path) ? await fetchBytes(path, options) : await readFileBytes(path, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof StorageError) throw error;
    throw new StorageError({
      where: String(path),
      problem: `cannot be read: ${errorText(error)}`,
      hint: isUrl(path)
        ? 'is the address right, and does the server allow this origin?'
        : 'is the path right?',
      values: { path: String(path), code: errorCode(error), missing: errorCode(error) === 'ENOENT' },
      cause: error,
    });
  }
}

async function readFileBytes(path: string | URL, { signal, onProgress }: ReadOptions): Promise<Bytes> {
  const { readFile } = await forNode();
  const file = String(path).startsWith('file:') ? new URL(path) : path;
  const bytes = (await readFile(file, signal ? { signal } : {})) as Bytes;
  onProgress?.({ loaded: bytes.length, total: bytes.length });
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A response with a body. Throws StorageError for a status that is none of success. */
export async function fetchOk(
  url: string | URL,
  signal?: AbortSignal,
): Promise<Response & { body: ReadableStream }> {
  const response = await fetch(url, signal ? { signal } : {});
  if (response.ok && response.body) return response as Response & { body: ReadableStream };
  await response.body?.cancel();
  throw new StorageError({
    where: String(url),
    problem: `the server answered ${response.status} ${response.statusText}`.trim(),
    values: { path: String(url), status: response.status, missing: response.status === 404 },
  });
}

async function fetchBytes(url: string | URL, { signal, onProgress }: ReadOptions): Promise<Bytes> {
  const response = await fetchOk(url, signal);
  // The length of an encoded body is not the number of bytes that arrive here.
  const stated = response.headers.has('content-encoding') ? null : response.headers.get('content-length');
  const total = stated === null ? undefined : Number(stated);
  const chunks: Uint8Array[] = [];
  let loaded = 0;
  const reader = response.body.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    chunks.push(read.value);
    loaded += read.value.length;
    onProgress?.({ loaded, total });
  }
  if (total !== undefined && loaded !== total) {
    throw new StorageError({
      where: String(url),
      problem: `the connection ended after ${loaded} of ${total} bytes`,
      hint: 'try again',
      values: { path: String(url), loaded, total },
    });
  }
  return concatenated(chunks, loaded);
}

function concatenated(chunks: Uint8Array[], length: number): Bytes {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/**
 * Writes a file whole or not at all: into a temporary file beside it, which then takes its name.
 * On failure the old file is as it was, the temporary one is gone, and a StorageError tells why.
 */
export async function writeFileAtomic(path: string | URL, bytes: Uint8Array): Promise<void> {
  if (!hasFiles) {
    throw new StorageError({
      where: String(path),
      problem: `${runtime().name} has no files to write`,
      hint: 'encode to bytes and offer them as a download',
    });
  }
  const { open, rename, rm, fileURLToPath } = await forNode();
  const target = String(path).startsWith('file:') ? fileURLToPath(String(path)) : String(path);
  const temporary = `${target}.${crypto.randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new StorageError({
      where: target,
      problem: `${bytes.length} bytes cannot be written: ${errorText(error)}`,
      hint:
        errorCode(error) === 'ENOSPC'
          ? 'the disk is full'
          : 'does the folder exist, and may you write into it?',
      values: { path: target, bytes: bytes.length, code: errorCode(error) },
      cause: error,
    });
  }
}

/** SHA-256 in lower-case hexadecimal. Throws StateError where the runtime withholds crypto.subtle. */
export async function sha256(
  bytes: Uint8Array,
  subtle: SubtleCrypto | null = globalThis.crypto?.subtle ?? null,
): Promise<string> {
  if (!subtle) {
    throw new StateError({
      where: 'sha256',
      problem: 'crypto.subtle is missing, as in pages that were not loaded over a secure connection',
      hint: 'serve the page over https or from localhost',
    });
  }
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes as Bytes));
  return Array.from(digest, (b) => b.toString(16).padStart(2, '0')).join('');
}

/**
 * Bytes kept between runs, by key: a folder in Node, Deno and Bun (EVERYGRAD_CACHE, or everygrad in
 * XDG_CACHE_HOME or ~/.cache), the Cache API in browsers. Entries start with their SHA-256 (64 characters);
 * one that does not match it is dropped. Where nothing can be kept, `get` finds nothing and `put` gives false.
 */
export const cache = {
  async get(key: string): Promise<Bytes | undefined> {
    const store = await openStore();
    const entry = await store?.read(key).catch(() => undefined);
    if (!store || !entry) return undefined;
    const bytes = entry.subarray(64);
    if ((await sha256(bytes)) === new TextDecoder().decode(entry.subarray(0, 64))) return bytes;
    await store.remove(key).catch(() => {});
    return undefined;
  },

  async put(key: string, bytes: Uint8Array): Promise<boolean> {
    const store = await openStore();
    if (!store) return false;
    const entry = concatenated([new TextEncoder().encode(await sha256(bytes)), bytes], 64 + bytes.length);
    return store.write(key, entry).then(
      () => true,
      () => false, // a cache that is full or may not be written only costs time
    );
  },
};

interface Store {
  read(key: string): Promise<Bytes | undefined>;
  write(key: string, entry: Bytes): Promise<void>;
  remove(key: string): Promise<unknown>;
}

async function openStore(): Promise<Store | undefined> {
  const folder = await cacheFolder();
  if (folder) return folderStore(folder);
  if (!globalThis.caches || !globalThis.crypto?.subtle) return undefined;
  const opened = await caches.open('everygrad').catch(() => undefined); // denied in some private windows
  const address = (key: string) => `https://everygrad.invalid/${encodeURIComponent(key)}`;
  return (
    opened && {
      read: async (key) => {
        const found = await opened.match(address(key));
        return found && new Uint8Array(await found.arrayBuffer());
      },
      write: (key, entry) => opened.put(address(key), new Response(entry)),
      remove: (key) => opened.delete(address(key)),
    }
  );
}

async function folderStore(folder: string): Promise<Store> {
  const { mkdir, rm, join } = await forNode();
  const file = async (key: string) => join(folder, await sha256(new TextEncoder().encode(key)));
  return {
    read: async (key) => readBytes(await file(key)),
    write: async (key, entry) => {
      await mkdir(folder, { recursive: true });
      await writeFileAtomic(await file(key), entry);
    },
    remove: async (key) => rm(await file(key), { force: true }),
  };
}

export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

export interface GunzipOptions {
  /** No more than this is ever kept; a stream that holds more is a FormatError. */
  maxBytes: number;
  /** File name for errors. */
  file?: string | undefined;
  /** Gives the first maxBytes of a longer stream instead of an error. */
  firstOnly?: boolean;
}

/** Unpacks gzip. Throws FormatError when the stream is damaged, cut off, or holds more than maxBytes. */
export async function gunzip(
  bytes: Uint8Array,
  { maxBytes, file = 'gzip', firstOnly = false }: GunzipOptions,
): Promise<Bytes> {
  // Some runtimes unpack all that they are given at once, which can be 1032 times as much.
  const step = Math.ceil(Math.min(16384, Math.max(512, maxBytes / 64)));
  let given = 0;
  const source = new ReadableStream<BufferSource>({
    pull(controller) {
      if (given >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(given, given + step));
      given += step;
    },
  });
  const reader = source.pipeThrough(new DecompressionStream('gzip')).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    while (length <= maxBytes) {
      const { done, value } = await reader.read();
      if (done) return concatenated(chunks, length);
      chunks.push(value);
      length += value.length;
    }
  } catch (error) {
    throw new FormatError({
      where: file,
      problem: `the gzip stream of ${bytes.length} bytes is damaged: ${errorText(error)}`,
      hint: 'the file is corrupt or cut off; fetch it again',
      values: { file, bytes: bytes.length },
      cause: error,
    });
  }
  await reader.cancel().catch(() => {});
  if (firstOnly) return concatenated(chunks, length).slice(0, maxBytes);
  throw new FormatError({
    where: file,
    problem: `the gzip stream holds more than the ${maxBytes} bytes that it should`,
    hint: 'the file is corrupt or not what its name says',
    values: { file, bytes: bytes.length, maxBytes },
  });
}

// Cores, shared memory, the files beside this module, and workers.

const isNode = runtime().name === 'node';
/** Deno's own workers keep the process alive. */
const hasNodeWorkers = isNode || runtime().name === 'deno';

/** How many threads the machine runs at once; 1 where the runtime does not say. */
export async function coreCount(): Promise<number> {
  const cores = globalThis.navigator?.hardwareConcurrency;
  if (cores || !isNode) return cores || 1;
  return (await forNode()).availableParallelism(); // Node 20 has no navigator
}

/** Why memory cannot be shared with workers, in words; null when it can. */
export function whyNoSharedMemory(): string | null {
  if (!hasFiles && !globalThis.crossOriginIsolated) {
    return 'the page is not cross-origin isolated (headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp)';
  }
  return typeof SharedArrayBuffer === 'undefined' ? 'this runtime has no SharedArrayBuffer' : null;
}

/** Whether this thread may sleep until another one wakes it; a page's main thread may not. */
export function canBlock(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}

// With code splitting this file may lie in a folder of chunks, one below the files that it looks for. No `new URL(...)`:
// bundlers would look for the file that it means.
let assetsUrl = import.meta.url.replace(/(chunks\/)?[^/]*$/, '');

/** Says where `kernels/` and `thread.js` lie, when a bundler moved this code away from them. */
export function setAssetsUrl(url: string | URL): void {
  const folder = String(url).endsWith('/') ? String(url) : `${url}/`;
  assetsUrl = new URL(folder, globalThis.location?.href ?? import.meta.url).href;
}

/** Address of a file that belongs to the library. */
export const assetUrl = (path: string): URL => new URL(path, assetsUrl);

/** Compiles a WASM file, while it loads where that is possible. */
export async function compileWasm(url: URL): Promise<WebAssembly.Module> {
  if (isUrl(url)) {
    // Servers that do not know the MIME type of .wasm are common; readBytes names the address in its errors.
    const streamed = await WebAssembly.compileStreaming(fetch(url)).catch(() => null);
    if (streamed) return streamed;
  }
  return WebAssembly.compile(await readBytes(url));
}

/** The other end of a worker. */
export interface WorkerHandle {
  post(message: unknown, transfer?: readonly Transferable[]): void;
  terminate(): void;
}

export interface WorkerEvents {
  onMessage(message: unknown): void;
  /** It could not start, or died. */
  onError(problem: string): void;
}

/** Starts a module worker; one that does not `keepAlive` lets the process end without it. */
export async function startWorker(
  url: URL,
  { onMessage, onError }: WorkerEvents,
  { keepAlive = false } = {},
): Promise<WorkerHandle> {
  if (hasNodeWorkers) {
    const { Worker } = await forNode();
    const worker = new Worker(url);
    worker.on('message', onMessage);
    worker.on('error', (error) => onError(errorText(error)));
    worker.on('exit', (code) => onError(`exited with code ${code}`));
    if (!keepAlive) worker.unref();
    return {
      post: (message, transfer = []) => worker.postMessage(message, transfer as readonly NodeTransferable[]),
      terminate: () => void worker.terminate(),
    };
  }
  const worker = new Worker(url, { type: 'module' });
  worker.addEventListener('message', ({ data }) => onMessage(data));
  worker.addEventListener('messageerror', () => onError('a message to it could not be read'));
  worker.addEventListener('error', (event) => {
    event.preventDefault(); // Bun would end the process
    onError(event.message || 'it could not be loaded');
  });
  if (!keepAlive) (worker as { unref?(): void }).unref?.();
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    terminate: () => worker.terminate(),
  };
}

/** Sends to the thread that started this worker. */
export type Post = (answer: unknown, transfer?: readonly Transferable[]) => void;

/** For the code inside a worker: takes messages from the thread that started it. */
export function onHostMessage(handle: (message: unknown, post: Post) => void): void {
  if (hasNodeWorkers) {
    void forNode().then(({ parentPort }) => {
      const post: Post = (answer, transfer = []) =>
        parentPort?.postMessage(answer, transfer as readonly NodeTransferable[]);
      parentPort?.on('message', (message) => handle(message, post));
    });
  } else {
    const scope = globalThis as unknown as Worker;
    const post: Post = (answer, transfer = []) => scope.postMessage(answer, [...transfer]);
    scope.addEventListener('message', ({ data }) => handle(data, post));
  }
}

// The event loop ------------------------------------------------------------------------------------------------------

/**
 * Lets timers, input and messages have their turn; unlike a resolved promise and scheduler.yield, which come back
 * before timers. A plain timer is the last resort, since hidden pages slow timers down.
 */
export function breathe(): Promise<void> {
  const { setImmediate, scheduler } = globalThis as {
    setImmediate?: (f: () => void) => void;
    scheduler?: { postTask?: (f: () => void) => Promise<void> };
  };
  if (scheduler?.postTask) return scheduler.postTask(() => undefined);
  return new Promise((resolve) => (setImmediate ? setImmediate(resolve) : setTimeout(resolve)));
}
