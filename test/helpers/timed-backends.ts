// Backends that compute nothing and take as long as a test says.
import type { Backend, Program, Step } from '../../src/backend/backend.js';
import { dtypes, sizeOf } from '../../src/dtype.js';
import type { FakeClock } from './clock.js';
import { fakeBackend } from './plans.js';

export interface Speed {
  /** Seconds of a step: overhead + flops / flopsPerSecond. */
  readonly overhead: number;
  readonly flopsPerSecond: number;
  /** Seconds of a compilation, and of waiting for a GPU. */
  readonly compiling?: number;
  readonly waiting?: number;
  /** Seconds of each byte that is brought there or back. */
  readonly transfer?: number;
  /** The GPU tells what each step took. */
  readonly stamps?: boolean;
}

interface List extends Program {
  readonly list: readonly Step[];
}

const opsOf = ({ kernel, chain }: Step) => [
  ...(kernel ? [kernel] : []),
  ...(chain?.instructions.map(({ op, site }) => ({ op, site })) ?? []),
];

/**
 * A host whose work cannot be interrupted, or a GPU that is waited for; what they take is not what their rates say.
 * `runs` counts how often each op was run.
 */
export function timedBackend(
  name: 'wasm' | 'webgpu',
  clock: FakeClock,
  speed: Speed,
  runs = new Map<string, number>(),
): Backend {
  const isGpu = name === 'webgpu';
  const { overhead, flopsPerSecond, compiling = 0, waiting = isGpu ? 3e-4 : 0, transfer = 0 } = speed;
  const secondsOf = (step: Step): number => {
    const ops = opsOf(step);
    for (const { op } of ops) runs.set(op.name, (runs.get(op.name) ?? 0) + 1);
    return ops.reduce((n, { op, site }) => n + op.cost(site).flops / flopsPerSecond, overhead);
  };
  const seconds = (program: Program): number[] => (program as List).list.map(secondsOf);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  /** What the GPU still has to do. */
  let queued = 0;
  return {
    ...fakeBackend(name, { rates: { transferOverhead: 1e-4 } }),
    ...(speed.stamps && {
      features: ['timestamp-query'],
      async profile(program: Program) {
        const each = seconds(program);
        await clock.sleep(waiting + queued + sum(each));
        queued = 0;
        return each;
      },
    }),
    allocate: (bytes) => ({ bytes }),
    free: () => {},
    write: (_memory, _offset, data) => clock.work(1e-6 + transfer * data.byteLength),
    async read(_memory, _offset, { shape, dtype }) {
      const work = waiting + queued + transfer * 4 * sizeOf(shape);
      queued = 0;
      await clock.sleep(work);
      return new dtypes[dtype].array(sizeOf(shape));
    },
    compile(list) {
      const program: List = { steps: list.length, list };
      return compiling > 0 ? clock.sleep(compiling).then(() => program) : program;
    },
    run(program) {
      const took = sum(seconds(program));
      if (isGpu) queued += took;
      else clock.work(took);
    },
    release: () => {},
  };
}
