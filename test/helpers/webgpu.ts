// What the tests of the WebGPU backend share: operands in one arena, hand-made ops, poisoned outputs.
import type {
  Chain,
  ChainInput,
  Instruction,
  KernelCall,
  Memory,
  Operand,
  Step,
} from '../../src/backend/backend.js';
import type { WebgpuBackend } from '../../src/backend/webgpu/index.js';
import { type DType, dtypes, type HostArray, type Shape, sizeOf } from '../../src/dtype.js';
import { DeviceError } from '../../src/errors.js';
import type { Spec } from '../../src/graph.js';
import type { ElementwiseOp, KernelOp, ShaderCall } from '../../src/ops/define.js';
import { skip } from './skip.js';

/** What `make` makes with a GPU; undefined where there is none, which is said. */
export async function unlessAbsent<T>(suite: string, make: () => Promise<T>): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    skip(suite, error.problem);
    return undefined;
  }
}

/** Operands side by side in one buffer, as plans lay them out. */
export class Arena {
  readonly #backend: WebgpuBackend;
  readonly memory: Memory;
  #used = 0;

  constructor(backend: WebgpuBackend, bytes = 2 ** 22) {
    this.#backend = backend;
    this.memory = backend.allocate(bytes);
  }

  reserve(shape: Shape, dtype: DType = 'float32'): Operand {
    const operand: Operand = { shape, dtype, memory: this.memory, offset: this.#used };
    const { alignment } = this.#backend;
    this.#used += Math.ceil(this.#backend.bytesOf(operand) / alignment) * alignment;
    if (this.#used > this.memory.bytes) throw new RangeError('the arena of this test is too small');
    return operand;
  }

  /** An operand with these values. */
  put(values: ArrayLike<number>, shape: Shape = [values.length], dtype: DType = 'float32'): Operand {
    const operand = this.reserve(shape, dtype);
    this.set(operand, values);
    return operand;
  }

  set({ memory, offset, dtype }: Operand, values: ArrayLike<number>): void {
    this.#backend.write(memory, offset, new dtypes[dtype].array(values), dtype);
  }

  /** An operand full of values that no result has, so that what is not written shows. */
  poisoned(shape: Shape, dtype: DType = 'float32'): Operand {
    const value = { float32: 7777.25, float64: 0, int32: -77777, uint8: 177, bool: 1 }[dtype];
    return this.put(new Array<number>(sizeOf(shape)).fill(value), shape, dtype);
  }

  read(operand: Operand): Promise<HostArray> {
    return this.#backend.read(operand.memory, operand.offset, operand);
  }

  async run(...steps: Step[]): Promise<void> {
    const program = await this.#backend.compile(steps);
    await this.#backend.run(program);
    this.#backend.release(program);
  }

  /** Runs the calls of one kernel and reads its output. */
  async kernel(calls: ShaderCall[] | null, inputs: Operand[], output: Spec): Promise<HostArray> {
    const to = this.poisoned(output.shape, output.dtype);
    await this.run({ kernel: kernelCall(calls, inputs, to), chain: null });
    return this.read(to);
  }

  free(): void {
    this.#backend.free(this.memory);
  }
}

/** An op with these calls at these operands. */
export function kernelCall(
  calls: ShaderCall[] | null,
  inputs: readonly Operand[],
  output: Operand | null,
  { epilogue = false, spec = output as Spec, name = 'kernel' } = {},
): KernelCall {
  const op: KernelOp = {
    kind: 'kernel',
    name,
    infer: () => spec,
    gradient: null,
    reference: () => {},
    cost: () => ({ flops: 0, bytes: 0 }),
    samples: [],
    wasm: { calls: () => null },
    webgpu: { calls: () => calls, epilogue },
  };
  return { op, site: { inputs, output: spec, attributes: {} }, inputs, output };
}

/** An elementwise op and what it does, in JavaScript. */
export interface HandMade {
  readonly op: ElementwiseOp;
  readonly inputs: readonly DType[];
  readonly output: DType;
  readonly scalar: (...values: number[]) => number;
}

export function handMade(
  name: string,
  inputs: readonly DType[],
  output: DType,
  expression: string,
  scalar: (...values: number[]) => number,
): HandMade {
  const op: ElementwiseOp = {
    kind: 'elementwise',
    name,
    infer: () => ({ shape: [], dtype: output }),
    gradient: null,
    reference: () => {},
    cost: () => ({ flops: 0, bytes: 0 }),
    samples: [],
    wasm: { kernel: () => null },
    webgpu: { expression: () => expression },
  };
  return { op, inputs, output, scalar };
}

export function instruction(made: HandMade, shape: Shape, ...inputs: ChainInput[]): Instruction {
  const site = {
    inputs: made.inputs.map((dtype) => ({ shape, dtype })),
    output: { shape, dtype: made.output },
    attributes: {},
  };
  return { op: made.op, site, inputs };
}

export const operand = (o: Operand): ChainInput => ({ kind: 'operand', operand: o });
export const result = (index: number): ChainInput => ({ kind: 'instruction', index });
export const kernelResult: ChainInput = { kind: 'kernel' };
export const scalar = (value: number, dtype: DType = 'float32'): ChainInput => ({
  kind: 'constant',
  value,
  dtype,
});

export const chainOf = (
  shape: Shape,
  instructions: Instruction[],
  ...stores: (readonly [number, Operand])[]
): Chain => ({ shape, instructions, stores: stores.map(([index, to]) => ({ instruction: index, to })) });
