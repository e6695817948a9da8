// Chains that a product applies to its own result; assembly/epilogue.ts has the order of their parts and the format.
import { type Shape, sizeOf } from '../../dtype.js';
import type { Tensor } from '../../graph.js';
import type { ElementwiseOp, KernelOp, Site } from '../../ops/define.js';
import type { Chain, Operand } from '../backend.js';
import { floatWord, type ProgramBuilder, type Word } from './builder.js';

/** The parts in their order; each may be left out. */
const [bias, scale, shift, residual, relu, kernel] = [0, 1, 2, 3, 4, 5];

/**
 * The part that an op is behind those up to `last`, or -1. `other`: the shape of what the value that passes through is
 * added to or multiplied by, null for a number.
 */
function partOf(last: number, op: ElementwiseOp, site: Site, other: Shape | null | undefined): number {
  const { shape, dtype } = site.output;
  if (site.inputs.length === 1) {
    if (op.name === 'relu' && last < relu) return relu;
    return dtype === 'float32' && op.wasm.kernel(site) && last < kernel ? kernel : -1;
  }
  const size = other ? sizeOf(other) : null;
  const perColumn = size === null || size === shape.at(-1);
  if (op.name === 'mul' && perColumn && last < scale) return scale;
  if (op.name !== 'add') return -1;
  if (perColumn && last < shift) return last < bias ? bias : shift;
  return size === sizeOf(shape) && last < residual ? residual : -1;
}

/** Whether a kernel can apply the ops of a chain, each of which takes the result of the one before. */
export function takesEpilogue(product: Tensor, chain: readonly Tensor[]): boolean {
  const { source } = product;
  if (source.kind !== 'op' || product.dtype !== 'float32') return false;
  const calls = (source.op as KernelOp).wasm.calls({ ...source, output: product });
  if (!calls?.at(-1)?.args.includes('epilogue')) return false;
  let last = -1;
  let before = product;
  for (const t of chain) {
    if (t.source.kind !== 'op') return false;
    const { op, inputs } = t.source;
    const others = inputs.filter((x) => x !== before);
    if (others.length !== inputs.length - 1 || inputs.length > 2) return false;
    const [other] = others;
    const shape = other && (other.source.kind === 'constant' ? null : other.shape);
    last = partOf(last, op as ElementwiseOp, { ...t.source, output: t }, shape);
    if (last < 0) return false;
    before = t;
  }
  return true;
}

/** The words that describe a chain for which `takesEpilogue` holds. */
export function epilogueWords(
  builder: ProgramBuilder,
  { instructions }: Chain,
  output: Operand,
  address: (operand: Operand) => number,
): Word[] {
  const same = (value: number): Word[] => [{ data: builder.place(Array(4).fill(floatWord(value))) }, 0];
  const nothing = [-Infinity, -0].map(floatWord);
  const words = [...same(-0), ...same(1), ...same(-0), 0, ...nothing, 0, ...nothing, -1];
  let last = -1;
  for (const { op, site, inputs } of instructions) {
    const other = inputs.find(({ kind }) => kind === 'operand' || kind === 'constant');
    const operand = other?.kind === 'operand' ? other.operand : null;
    last = partOf(last, op, site, operand ? operand.shape : other && null);
    if (last === kernel) words[12] = builder.index(op.wasm.kernel(site)!);
    else if (last === relu && words[9]) words.fill(0, 10, 12);
    else if (last === relu) words.splice(6, 3, 1, 0, 0);
    else if (last === residual) words[9] = address(operand!) - address(output);
    else {
      words.splice(
        2 * last,
        2,
        ...(other?.kind === 'constant' ? same(other.value) : [address(operand!), -1]),
      );
      words[6] ||= Number(last > bias);
    }
  }
  return words;
}
