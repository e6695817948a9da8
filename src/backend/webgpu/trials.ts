// Trials of kernels that depend on what a GPU and its driver make of them: they have to compute on the device what an
// ordinary kernel does before they are used. Loads with the variants that want one.
import type { KernelOp, ShaderCall } from '../../ops/define.js';
import type { Operand, Step } from '../backend.js';
import type { WebgpuBackend } from './index.js';
import type { Variant } from './variants.js';

/** More than a tile, with edges: odd sizes, fours with each way to store the operands. */
const cases = [
  { m: 150, n: 133, k: 45, transA: false, transB: false },
  { m: 136, n: 260, k: 72, transA: false, transB: true },
  { m: 132, n: 68, k: 100, transA: true, transB: false },
] as const;

type Case = (typeof cases)[number];

/**
 * Difference of elements for each term of their sums, where the factors are below 2. Float32 in any order is within about
 * 2^-24; operands or sums rounded to 11 bits or fewer (halves, bfloat16, TensorFloat-32) are not within 2^-20.
 */
const tolerance = 2 ** -20;

function callOf({ m, n, k, transA, transB }: Case, HALF: number): ShaderCall {
  const four = [m, n, k].every((size) => size % 4 === 0);
  const sizes = { M: m, N: n, K: k, BATCH: 1, STRIDE0: m * k, STRIDE1: k * n };
  const stored = { TRANS_A: Number(transA), TRANS_B: Number(transB), LANES: four ? 4 : 1, HALF };
  const bindings = [{ input: 0 }, { input: 1 }, 'output'] as const;
  return { shader: 'subgroups', constants: { ...sizes, ...stored }, bindings, workgroups: [1, 1, 1] };
}

/** Words that hold `count` numbers with all bits of their fractions in use: floats, or halves in pairs. */
function operandWords(count: number, half: boolean, salt: number): Int32Array {
  let state = salt;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 8;
  };
  // Either sign, exponents from -3 to 0: magnitudes from 1/8 to 2.
  const float = (r: number): number => ((r & 1) << 31) | ((124 + ((r >> 1) & 3)) << 23) | (r & 0x7fffff);
  const word = (r: number): number => ((r & 1) << 15) | ((12 + ((r >> 1) & 3)) << 10) | ((r >> 3) & 0x3ff);
  return Int32Array.from({ length: half ? Math.ceil(count / 2) : count }, () =>
    half ? word(random()) | (word(random()) << 16) : float(random()),
  );
}

/** Why the variant is not to be used; '' if it computes what `ordinary` does. Never throws. */
export async function tryOut(backend: WebgpuBackend, variant: Variant, ordinary: Variant): Promise<string> {
  try {
    for (const half of variant.trial ?? []) {
      for (const shape of cases) {
        const problem = await compare(backend, shape, half, [variant, ordinary]);
        if (problem) return problem;
      }
    }
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function compare(
  backend: WebgpuBackend,
  shape: Case,
  half: number,
  variants: readonly [Variant, Variant],
): Promise<string> {
  const { m, n, k } = shape;
  const inputs = [m * k, k * n].map((size, i) => operandWords(size, half > 0, 17 + i));
  const bytes = (words: number): number => Math.ceil((4 * words) / backend.alignment) * backend.alignment;
  const memory = backend.allocate(inputs.reduce((sum, words) => sum + bytes(words.length), bytes(m * n)));
  try {
    let offset = 0;
    const put = (words: Int32Array, dtype: Operand['dtype'] = 'int32'): Operand => {
      const operand: Operand = { shape: [words.length], dtype, memory, offset };
      backend.write(memory, offset, words, 'int32');
      offset += bytes(words.length);
      return operand;
    };
    const operands = inputs.map((words) => put(words));
    const output = put(new Int32Array(m * n), 'float32');
    const results: ArrayLike<number>[] = [];
    for (const variant of variants) {
      // What is not written is NaN.
      backend.write(memory, output.offset, new Int32Array(m * n).fill(-1), 'int32');
      const calls = variant.calls(callOf(shape, half), backend.capabilities);
      const op = { kind: 'kernel', name: variant.name, webgpu: { calls: () => calls, epilogue: true } };
      const site = { inputs: operands, output, attributes: {} };
      const step: Step = {
        kernel: { op: op as unknown as KernelOp, site, inputs: operands, output },
        chain: null,
      };
      const program = await backend.compile([step]);
      await backend.run(program);
      results.push((await backend.read(memory, output.offset, output)) as Float32Array);
      backend.release(program);
    }
    const [own, expected] = results as [Float32Array, Float32Array];
    const wrong = own.findIndex((value, i) => !(Math.abs(value - expected[i]!) <= k * tolerance));
    if (wrong < 0) return '';
    return `element ${wrong} of ${m} x ${n}, k ${k}, is ${own[wrong]}, not ${expected[wrong]}`;
  } finally {
    backend.free(memory);
  }
}

const held = new WeakMap<WebgpuBackend, Promise<void>>();

/**
 * Tries the variants of a table that want it and that the adapter can run, each once, where a shader called 'trial' is
 * waited for; the last row is the ordinary one.
 */
export async function holdTrials(
  backend: WebgpuBackend,
  shaders: readonly string[],
  table: readonly Variant[],
): Promise<void> {
  if (!shaders.includes('trial')) return;
  const hold = async (): Promise<void> => {
    const { verdicts } = backend;
    for (const variant of table) {
      if (!variant.trial || variant.name in verdicts || !variant.needs?.(backend.capabilities)) continue;
      verdicts[variant.name] = await tryOut(backend, variant, table.at(-1)!);
    }
  };
  const next = (held.get(backend) ?? Promise.resolve()).then(hold);
  held.set(backend, next);
  return next;
}
