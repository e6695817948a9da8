// An instance of the kernels, the same on every thread: its functions by name, and all of them in the table.

type Kernel = (...words: number[]) => number;

/** The functions of `assembly/program.ts`, which run lists of kernel calls. */
export interface Runner {
  heapBase(): number;
  runAlone(calls: number, count: number): void;
  start(control: number, calls: number, count: number): void;
  lead(control: number, calls: number, count: number, threads: number): void;
  work(control: number, thread: number, threads: number, once: number): number;
}

export interface Kernels {
  readonly runner: Runner;
  readonly functions: ReadonlyMap<string, Kernel>;
  /** Indices in the function table by name. */
  readonly indices: ReadonlyMap<string, number>;
}

/** Offsets of the control block's words, as in `assembly/program.ts`, in units of 4 bytes. */
export const control = { run: 0, count: 2, spin: 3, failed: 4, ready: 5, left: 6, opened: 32 } as const;
export const controlBytes = 320;

/** Puts all exports into the table, in the module's order, so that an index means the same on every thread. */
export async function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Kernels> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const table = exports.table as WebAssembly.Table;
  const functions = new Map<string, Kernel>();
  const indices = new Map<string, number>();
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== 'function') continue;
    functions.set(name, value as Kernel);
    indices.set(name, table.length + indices.size);
  }
  let index = table.grow(functions.size);
  for (const f of functions.values()) table.set(index++, f);
  return { runner: exports as unknown as Runner, functions, indices };
}
