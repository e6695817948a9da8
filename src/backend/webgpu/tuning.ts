// Which of several kernels computes a product or a convolution fastest on this very GPU: measured where a shape comes for
// the first time, and kept. Loads on demand, and so gets what it needs of the core.
//
// The kernels sum up in different orders, so within a process a shape keeps the kernel that it had first.
import type { KernelOp, ShaderCall } from '../../ops/define.js';
import type { keyOf } from '../../ops/shader-calls.js';
import { type CostStore, costStore, keptAs } from '../../schedule/cost-store.js';
import { type Clock, Deadline, late, realClock } from '../../schedule/deadline.js';
import type { Operand, SitedOp, Step, Tuned } from '../backend.js';
import type { WebgpuBackend } from './index.js';
import type { loadShaders } from './shaders.js';
import type { Capabilities, choose, usable } from './variants.js';

declare const EVERYGRAD_VERSION: string;

/** What tuning needs of the core. */
export interface Choosing {
  readonly keyOf: typeof keyOf;
  readonly usable: typeof usable;
  readonly choose: typeof choose;
}

type Core = Choosing & { readonly loadShaders: typeof loadShaders };

/** What tuning asks of a backend. */
export type TunedBackend = Pick<
  WebgpuBackend,
  | 'alignment'
  | 'allocate'
  | 'bytesOf'
  | 'capabilities'
  | 'compile'
  | 'description'
  | 'free'
  | 'pieceBytes'
  | 'profile'
  | 'release'
  | 'tuned'
>;

/** Seconds that compilers are waited for in a plan, and after which no other shape is begun. */
const budget = 0.5;
/** Flops from which on it matters how a product is computed, and bytes of its operands at most. */
const [fewestFlops, mostBytes] = [2 ** 25, 2 ** 28];
/** Clocks of GPUs in browsers are coarse: a kernel runs so often that it takes as long as this, in seconds, or so many times. */
const [longEnough, mostRepeats] = [1e-3, 128];
/** Rounds, of which each kernel's best counts. */
const rounds = 3;
/** Kernels that take this many times as long as the best, and so many seconds more, are out before the last rounds. */
const [hopeless, coarse] = [2, 2e-4];
/** Parts of the time of the table's choice that another one may take to go before it. */
const better = 0.9;
/** Shapes that are remembered. */
const mostShapes = 1000;

/** A way to compute a call: which variants of which tables lead to it. */
export interface Rival {
  readonly name: string;
  readonly path: Readonly<Record<string, Tuned>>;
  readonly calls: readonly ShaderCall[];
}

interface Known {
  readonly tuned: Record<string, Tuned>;
  /** Shapes that were seen and for which there was no time: the table decides in this process. */
  readonly settled: Set<string>;
}

const sameCalls = (a: Rival, calls: readonly ShaderCall[]): boolean =>
  JSON.stringify(a.calls) === JSON.stringify(calls);

/** Tiles of which there are so many times fewer than a table wants may still be the best. */
const fewer = 4;

/** The ways to compute a call among which the fastest may be, each once: tiles have to be half full, at least. */
export function rivalsOf(call: ShaderCall, c: Capabilities, core: Choosing): Rival[] {
  const key = core.keyOf(call);
  const sizes = call.constants;
  // Tiles are counted for each matrix of a batch, and each group of channels.
  const batches = 'GROUPS' in sizes ? 'GROUPS' : 'BATCH';
  const relaxed = { ...sizes, [batches]: fewer * sizes[batches]! };
  const list = core.usable(call, c) ?? [];
  const byTable = list.find(({ when }) => when?.(sizes, c) ?? true);
  const found: Rival[] = [];
  for (const variant of list) {
    const { name, trial, table, when } = variant;
    if (trial && !(name in c.verdicts)) continue;
    const inner = table
      ? rivalsOf({ ...call, shader: table }, c, core)
      : [{ name, path: {}, calls: variant.calls(call, c) }];
    for (const rival of inner) {
      const { M, N, EXTENT0, EXTENT1 } = rival.calls[0]?.constants ?? {};
      const tiled = EXTENT0! > 0;
      const isFull = !tiled || (2 * M! >= EXTENT0! && 2 * N! >= EXTENT1!);
      const isWorth = isFull && (when?.(tiled ? relaxed : sizes, c) ?? true);
      if ((variant !== byTable && !isWorth) || found.some((known) => sameCalls(known, rival.calls))) continue;
      found.push({ ...rival, path: { ...rival.path, [key]: { variant: name } } });
    }
  }
  return found;
}

const known = new Map<string, Promise<Known>>();

/** What was measured on such an adapter, by this process or one before it. */
function knownBy(key: string, store: CostStore | null): Promise<Known> {
  const open = async (): Promise<Known> => {
    // Where nothing can be kept, or what was kept is damaged, it is measured again.
    const kept = await keptAs<{ key: string; tuned?: Record<string, Tuned> }>(store, key);
    const sound = Object.entries(kept?.tuned ?? {}).filter(([, found]) => typeof found?.variant === 'string');
    return { tuned: Object.fromEntries(sound), settled: new Set() };
  };
  const opened = known.get(key) ?? open();
  known.set(key, opened);
  return opened;
}

/** Forgets what this process has measured, but not what is kept. */
export const forgetTuned = (): void => known.clear();

/** Measures the shapes of these products and convolutions that are new, those with most work first. */
export async function tune(
  backend: TunedBackend,
  ops: readonly SitedOp[],
  runtime: string,
  core: Core,
  store: CostStore | null = costStore,
  clock: Clock = realClock,
): Promise<void> {
  const key = `fastest kernels ${EVERYGRAD_VERSION} ${runtime} ${backend.description}`;
  const { tuned, settled } = await knownBy(key, store);
  backend.tuned = tuned;
  const shapes = new Map<string, { sited: SitedOp; call: ShaderCall; flops: number }>();
  for (const sited of ops) {
    const { op, site } = sited;
    if (op.kind !== 'kernel' || !op.webgpu.epilogue) continue; // a product or a convolution has one
    const calls = op.webgpu.calls(site) ?? [];
    const { flops } = op.cost(site);
    const [call] = calls;
    if (calls.length !== 1 || !call || flops < fewestFlops) continue;
    const shape = core.keyOf(call);
    if (!(shape in tuned) && !settled.has(shape)) shapes.set(shape, { sited, call, flops });
  }
  if (shapes.size === 0) return;
  const deadline = new Deadline(clock, budget);
  for (const [shape, { sited, call }] of [...shapes].sort(([, a], [, b]) => b.flops - a.flops)) {
    settled.add(shape);
    if (deadline.left <= 0) continue;
    try {
      const shaders = () => core.choose(call, backend.capabilities).map(({ shader }) => shader);
      await core.loadShaders(backend as WebgpuBackend, shaders);
      Object.assign(tuned, await fastest(backend, sited, call, deadline, core));
    } catch (error) {
      // What is wrong with the device shows again, and is said, when the plan is compiled.
      if (!/^Device/.test((error as Error).name)) throw error;
    }
  }
  deadline.dispose();
  for (const old of Object.keys(tuned).slice(0, -mostShapes)) delete tuned[old];
  await store?.put(key, JSON.stringify({ key, tuned })).catch(() => undefined);
}

/** The variants that lead to the fastest kernel for a call; none where there is nothing to choose from. */
async function fastest(
  backend: TunedBackend,
  { op, site }: SitedOp,
  call: ShaderCall,
  deadline: Deadline,
  core: Core,
): Promise<Record<string, Tuned>> {
  const { capabilities: c } = backend;
  const rivals = rivalsOf(call, c, core);
  const chosen = core.choose(call, c);
  const byTable = rivals.findIndex((rival) => sameCalls(rival, chosen));
  if (rivals.length < 2 || byTable < 0) return {};
  const specs = [...site.inputs, site.output];
  const sizes = specs.map((spec) => Math.ceil(backend.bytesOf(spec) / backend.alignment) * backend.alignment);
  const bytes = sizes.reduce((a, b) => a + b, 0);
  if (bytes > Math.min(mostBytes, backend.pieceBytes)) return {};
  const memory = backend.allocate(bytes);
  const compiling: Promise<void>[] = [];
  try {
    let offset = 0;
    const operands = specs.map(({ shape, dtype }, i): Operand => {
      offset += sizes[i - 1] ?? 0;
      return { memory, offset, shape, dtype };
    });
    const stepOf = ({ name, calls }: Rival, repeats: number): Step => {
      const repeated = Array.from({ length: repeats }, () => calls).flat();
      const own = { ...op, name: `${op.name} ${name}`, webgpu: { calls: () => repeated } };
      return {
        kernel: {
          op: own as unknown as KernelOp,
          site,
          inputs: operands.slice(0, -1),
          output: operands.at(-1)!,
        },
        chain: null,
      };
    };
    const seconds = await race(backend, rivals, stepOf, deadline, compiling);
    if (!seconds) return {};
    const best = seconds.indexOf(Math.min(...seconds));
    const winner = seconds[best]! < better * seconds[byTable]! ? best : byTable;
    const names = rivals.flatMap(({ name }, i) => (Number.isFinite(seconds[i]) ? [[name, seconds[i]]] : []));
    const { path } = rivals[winner]!;
    const top = core.keyOf(call);
    return { ...path, [top]: { ...path[top]!, seconds: Object.fromEntries(names) } };
  } finally {
    // Kernels that nobody waits for are still being given their operands.
    void Promise.allSettled(compiling).then(() => backend.free(memory));
  }
}

/** Seconds of each rival, Infinity of those that do not compile; null where a compiler is not done in time. */
async function race(
  backend: TunedBackend,
  rivals: readonly Rival[],
  stepOf: (rival: Rival, repeats: number) => Step,
  deadline: Deadline,
  compiling: Promise<void>[],
): Promise<number[] | null> {
  let isLate = false;
  const seconds = await Promise.all(
    rivals.map(async (rival) => {
      try {
        const compiled = backend.compile([stepOf(rival, 1)]).then((program) => backend.release(program));
        compiling.push(compiled);
        if ((await deadline.within(compiled)) === late) isLate = true;
        return 0;
      } catch (error) {
        if ((error as Error).name !== 'DeviceError') throw error;
        return Number.POSITIVE_INFINITY;
      }
    }),
  );
  const repeats = rivals.map(() => 1);
  /** Runs those that are in the race in turn; the best of so many rounds counts. */
  const run = async (count: number): Promise<void> => {
    const entered = [...rivals.keys()].filter((i) => Number.isFinite(seconds[i]));
    const program = await backend.compile(entered.map((i) => stepOf(rivals[i]!, repeats[i]!)));
    try {
      for (let round = 0; round < count; round++) {
        const times = await backend.profile(program);
        for (const [k, i] of entered.entries()) {
          const took = times[k]! / repeats[i]!;
          seconds[i] = round > 0 ? Math.min(seconds[i]!, took) : took;
        }
      }
    } finally {
      backend.release(program);
    }
  };
  if (isLate || !seconds.includes(0)) return null;
  const total = (): number => seconds.reduce((n, s, i) => n + (Number.isFinite(s) ? s * repeats[i]! : 0), 0);
  // Some drivers compile at the first run: it counts only where there is no time for a second one.
  await run(1);
  if (total() > deadline.left) return seconds;
  await run(1);
  const limit = hopeless * Math.min(...seconds) + coarse;
  for (const [i, took] of seconds.entries()) {
    if (took > limit) seconds[i] = Number.POSITIVE_INFINITY;
    repeats[i] = Math.max(1, Math.min(mostRepeats, Math.ceil(longEnough / took)));
  }
  if (rounds * total() < deadline.left) await run(rounds);
  return seconds;
}
