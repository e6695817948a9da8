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
  readonly memory: WebAssembly.Memory;
  readonly table: WebAssembly.Table;
  readonly functions: Map<string, Kernel>;
  /** Indices in the function table by name. */
  readonly indices: Map<string, number>;
}

/** Offsets of the control block's words, as in `assembly/program.ts`, in units of 4 bytes. */
export const control = {
  run: 0,
  count: 2,
  spin: 3,
  failed: 4,
  ready: 5,
  left: 6,
  extended: 7,
  opened: 32,
} as const;
export const controlBytes = 320;

export async function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Kernels> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const runner = exports as unknown as Runner;
  const table = exports.table as WebAssembly.Table;
  const kernels: Kernels = { runner, memory, table, functions: new Map(), indices: new Map() };
  addFunctions(kernels, exports);
  return kernels;
}

/** Adds the kernels of a further module, which works on the same memory. */
export async function extend(kernels: Kernels, module: WebAssembly.Module): Promise<void> {
  const { memory, table } = kernels;
  const { exports } = await WebAssembly.instantiate(module, { env: { memory, table } });
  addFunctions(kernels, exports);
}

/** Puts all exports into the table, in the module's order, so that an index means the same on every thread. */
function addFunctions({ table, functions, indices }: Kernels, exports: WebAssembly.Exports): void {
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== 'function') continue;
    functions.set(name, value as Kernel);
    const index = table.grow(1); // the value as its second argument is lost in WebKit
    table.set(index, value);
    indices.set(name, index);
  }
}
