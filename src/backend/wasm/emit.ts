// From steps to a program: kernel calls with addresses filled in, chains as calls of the fused loop.
import { DeviceError } from '../../errors.js';
import { hostBytes, type WasmArgument, type WasmCall } from '../../ops/define.js';
import type { KernelCall, Memory, Operand, Rates, Step } from '../backend.js';
import { floatWord, ProgramBuilder } from './builder.js';
import { planChain } from './chain.js';
import { epilogueWords } from './epilogue.js';
import type { Kernels } from './kernels.js';
import { emitLoop, loopScratchBytes } from './loop.js';

export interface Target {
  readonly indices: ReadonlyMap<string, number>;
  readonly functions: Kernels['functions'];
  readonly rates: Rates;
  readonly threads: number;
  /** Address of a part of a piece of memory; throws when it is not inside. */
  locate(memory: Memory, offset: number, bytes: number): number;
  /** Address of so many bytes that nothing else uses during a call. */
  scratch(bytes: number): number;
}

export interface Emitted {
  builder: ProgramBuilder;
  /** Number of calls up to the end of each step. */
  ends: readonly number[];
  /** What the program takes on one thread, estimated. */
  seconds: number;
  /** Whether it uses the scratch memory. */
  usesScratch: boolean;
}

export function emit(steps: readonly Step[], target: Target): Emitted {
  const builder = new ProgramBuilder(target.indices);
  const address = (operand: Operand) => target.locate(operand.memory, operand.offset, hostBytes(operand));
  const planned = steps.map(({ kernel, chain }) => ({
    // The kernel applies the chain, so that its result is the chain's.
    kernel: kernel && chain ? { ...kernel, output: chain.stores[0]!.to, chain } : kernel,
    calls: kernel ? callsOf(kernel) : [],
    loop: chain && !kernel && planChain(chain, address),
  }));
  const most = planned
    .flatMap(({ calls, loop }) => [
      ...calls.map((call) => scratchOf(call, target)),
      { shared: 0, each: loop ? loopScratchBytes(loop) : 0 },
    ])
    .reduce((n, { shared, each }) => Math.max(n, shared + each * target.threads), 0);
  const scratch = most && target.scratch(most);
  const ends: number[] = [];
  for (const { kernel, calls, loop } of planned) {
    const epilogue =
      kernel && 'chain' in kernel
        ? { data: builder.place(epilogueWords(builder, kernel.chain, kernel.output, address)) }
        : 0;
    for (const call of calls) {
      builder.call(
        call.kernel,
        call.args.map((argument) =>
          argument === 'epilogue'
            ? epilogue
            : word(argument, kernel as KernelCall, address, { ...scratchOf(call, target), address: scratch }),
        ),
      );
    }
    if (loop) emitLoop(builder, loop, scratch);
    ends.push(builder.count);
  }
  return { builder, ends, seconds: estimate(steps, target), usesScratch: most > 0 };
}

/** Bytes for all threads together, then for each of them. */
function scratchOf({ scratch }: WasmCall, { functions }: Target): { shared: number; each: number } {
  if (!scratch) return { shared: 0, each: 0 };
  if (!('bytesFrom' in scratch)) return scratch;
  return { shared: scratch.shared ?? 0, each: functions.get(scratch.bytesFrom)!(...scratch.args) };
}

function callsOf({ op, site }: KernelCall): readonly WasmCall[] {
  const calls = op.wasm.calls(site);
  if (calls) return calls;
  throw new DeviceError({
    where: op.name,
    problem: `has no WASM kernel for ${site.inputs.map(({ dtype }) => dtype).join(', ')}`,
    hint: 'convert with .cast(dtype)',
    values: { op: op.name },
  });
}

function word(
  argument: Exclude<WasmArgument, 'epilogue'>,
  { op, inputs, output }: KernelCall,
  address: (operand: Operand) => number,
  scratch: { address: number; shared: number; each: number },
): number {
  if (typeof argument === 'number') return argument;
  if (argument === 'scratch') return scratch.address;
  if (argument === 'ownScratch') return scratch.address + scratch.shared;
  if (argument === 'scratchBytes') return scratch.each;
  if (argument !== 'output' && 'float32' in argument) return floatWord(argument.float32);
  if (argument !== 'output' && 'scratch' in argument) return scratch.address + argument.scratch;
  const isOutput = argument === 'output' || 'output' in argument;
  const operand = isOutput ? output : inputs[argument.input];
  if (operand) return address(operand) + (argument === 'output' ? 0 : (argument.offset ?? 0));
  throw new DeviceError({
    where: op.name,
    problem: `its kernel needs ${isOutput ? 'an output' : `input ${argument.input}`}, there is none`,
    hint: 'this is a bug of everygrad, please report it',
  });
}

/** What the steps take on one thread, in seconds. */
function estimate(steps: readonly Step[], { rates, threads }: Target): number {
  let seconds = 0;
  for (const { kernel, chain } of steps) {
    for (const { op, site } of [kernel ?? [], chain?.instructions ?? []].flat()) {
      const { flops, bytes } = op.cost(site);
      // Inside a chain most operands come from the L1 cache: only what is stored counts.
      const moved = kernel ? bytes : 0;
      seconds += (flops * threads) / rates.flopsPerSecond + moved / rates.bytesPerSecond;
    }
    for (const { to } of chain?.stores ?? []) seconds += (3 * hostBytes(to)) / rates.bytesPerSecond;
    seconds += rates.overhead;
  }
  return seconds;
}
