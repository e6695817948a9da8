// Encodes a planned chain as the argument block of the kernel `fusedLoop`; assembly/fused.ts has the format.
import { dtypes } from '../../dtype.js';
import { alignUp } from './allocator.js';
import type { ProgramBuilder, Word } from './builder.js';
import type { BlockStep, ChainPlan, Place, Row } from './chain.js';

/** All registers together stay below this: half of a small L1 cache, the operands stream through the rest. */
const registerBytes = 16384;
const mostElements = 2048;
const fewestElements = 128;

const streamMode = 1;
const scratchMode = 2;
const rowMode = 3;
const broadcast = -1;

/** Elements per block. Does not depend on the number of threads. */
function blockOf({ registers, rows, elementBytes }: ChainPlan): number {
  const held = Math.max(registers + rows.length, 1);
  const fitting = Math.floor(registerBytes / (held * elementBytes * 64)) * 64;
  return Math.min(Math.max(fitting, fewestElements), mostElements);
}

/** Bytes of a register. */
const stride = (plan: ChainPlan): number => blockOf(plan) * plan.elementBytes;

/** Elements of a repeated row: a block may begin anywhere in it. */
const repeated = (plan: ChainPlan, { length }: Row): number => Math.min(blockOf(plan), plan.size) + length;

/** Where the repeated rows lie in a thread's scratch memory, behind the registers, and where they end. */
function rowOffsets(plan: ChainPlan): number[] {
  const offsets = [alignUp(plan.registers * stride(plan))];
  for (const row of plan.rows) offsets.push(offsets.at(-1)! + alignUp(repeated(plan, row) * row.bytes));
  return offsets;
}

/** Scratch memory for each thread. */
export const loopScratchBytes = (plan: ChainPlan): number => rowOffsets(plan).at(-1)!;

export function emitLoop(builder: ProgramBuilder, plan: ChainPlan, scratch: number): void {
  const { size, rows, splats, body } = plan;
  if (size === 0) return;
  const block = blockOf(plan);
  const bytes = stride(plan);
  const prologue = splats.flatMap(({ register, from, dtype }): Word[] => [
    builder.index(`splat_${dtypes[dtype].bytes * 8}`),
    register * bytes,
    'value' in from ? builder.constant(from.value, dtype) : from.address,
    Math.min(block, size),
    0,
  ]);
  const offsets = rowOffsets(plan);
  for (const [i, row] of rows.entries())
    prologue.push(-row.bytes, offsets[i]!, row.address, repeated(plan, row), row.length);
  const place = (p: Place | undefined): Word[] => {
    if (!p) return [0, 0, 0];
    if (p.kind === 'stream') return [streamMode, p.address, p.bytes];
    if (p.kind === 'register') return [scratchMode, p.register * bytes, 0];
    return [rowMode + 4 * rows[p.row]!.length, offsets[p.row]!, rows[p.row]!.bytes];
  };
  const instructions = body.flatMap((step) => instruction(builder, step, place));
  const head = [size, block, body.length, splats.length + rows.length, scratch, loopScratchBytes(plan)];
  builder.call('fusedLoop', [...head, ...prologue, ...instructions]);
}

function instruction(
  builder: ProgramBuilder,
  step: BlockStep,
  place: (p: Place | undefined) => Word[],
): Word[] {
  if (step.kind === 'kernel') {
    const [a, b, c] = step.from;
    return [builder.index(step.kernel), ...place(step.to), ...place(a), ...place(b), ...place(c), 0];
  }
  const { axes } = step;
  const descriptor = [axes.length, ...axes.map((x) => x.size), ...axes.map((x) => x.stride)];
  const [mode, position] = place(step.to) as [Word, Word];
  const source = [0, step.address, 0, 0, { data: builder.place(descriptor) }, 0];
  return [broadcast, mode, position, step.bytes, ...source, 0, 0, 0, 0];
}
