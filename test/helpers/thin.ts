// Which cases a runtime takes on a GPU whose implementation another runtime tests with all of them.
import { environment } from './environment.js';
import { skip } from './skip.js';

/** Firefox has wgpu, as Deno; Node 20 the very Dawn of Node 24. In software each pipeline costs them seconds. Every n-th is taken. */
const sameAs: Readonly<Record<string, readonly [other: string, nth: number]>> = {
  firefox: ['deno', 8],
  node: ['node24', 4],
};

/** The first case of each op and every n-th of the others, where another runtime takes all; says how many are left out. */
export function thinned<C>(what: string, cases: readonly C[], opOf: (c: C) => string): readonly C[] {
  const [other, nth] = sameAs[environment.runtime] ?? [];
  if (!other || !nth || !environment.devices.includes('webgpu')) return cases;
  const seen = new Map<string, number>();
  const kept = cases.filter((c) => {
    const count = seen.get(opOf(c)) ?? 0;
    seen.set(opOf(c), count + 1);
    return count % nth === 0;
  });
  skip(
    what,
    `${cases.length - kept.length} of ${cases.length} cases, which ${other} takes on the same WebGPU`,
  );
  return kept;
}
