// What tests of the WASM backend share: operands in its memory, programs that run once, ops that are made by hand.
import type { Operand, Step } from '../../src/backend/backend.js';
import type { WasmBackend } from '../../src/backend/wasm/index.js';
import { type DType, dtypes, type Shape, sizeOf } from '../../src/dtype.js';

const bytesFor = (shape: Shape, dtype: DType) => sizeOf(shape) * dtypes[dtype].bytes;

export function place(backend: WasmBackend, shape: Shape, dtype: DType, values?: ArrayLike<number>): Operand {
  const memory = backend.allocate(bytesFor(shape, dtype));
  // 0xff is NaN, -1 and an impossible bool: what is not written shows.
  backend.write(memory, 0, new Uint8Array(memory.bytes).fill(0xff), 'uint8');
  if (values) backend.write(memory, 0, new dtypes[dtype].array(values), dtype);
  return { memory, offset: 0, shape, dtype };
}

export const read = async (backend: WasmBackend, o: Operand) => [
  ...(await backend.read(o.memory, o.offset, o)),
];

/** What was thrown and warned of. */
export async function silently(
  action: () => Promise<unknown>,
): Promise<{ error: unknown; warnings: string[] }> {
  const warnings: string[] = [];
  const { warn } = console;
  console.warn = (text: string) => void warnings.push(text);
  try {
    await action();
    return { error: undefined, warnings };
  } catch (error) {
    return { error, warnings };
  } finally {
    console.warn = warn;
  }
}

export async function runOnce(backend: WasmBackend, steps: readonly Step[]): Promise<void> {
  const program = await backend.compile(steps);
  await backend.run(program);
  backend.release(program);
}

export const opBase = {
  infer: () => {
    throw new Error('not used here');
  },
  gradient: null,
  reference: () => {},
  cost: () => ({ flops: 1, bytes: 1 }),
  samples: [],
};
export const unused = { expression: () => '', calls: () => null };
