// Functions of tensors, traced once for each combination of argument shapes and then run as a plan.

import { type Engine, engine } from './engine.js';
import { DeviceLostError, StateError } from './errors.js';
import type { Executable, Feed } from './execute.js';
import { type Spec, Tensor, traced, Variable } from './graph.js';
import type { PlanRow } from './schedule/explain.js';
import { type Plan, planParts } from './schedule/plan.js';

/** Runs of which a profile takes the median. */
const profiledRuns = 11;

/** What a compiled function may return. */
export type Results = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>> | void;

/** A function traced for arguments of certain shapes: feeds in, values out, nothing allocated between. */
export class Prepared<R extends Results = Results> {
  constructor(
    readonly engine: Engine,
    readonly executable: Executable,
    /** Position of each argument among the plan's feeds, -1 for one that is not used. */
    private readonly positions: readonly number[],
    /** What the function returned when it was traced. */
    readonly results: R,
    readonly outputs: readonly Tensor[],
  ) {}

  get plan(): Plan {
    return this.executable.plan;
  }

  /** Runs once. Arguments are host arrays or variables of the traced shapes; a promise comes only if it has to wait. */
  run(...values: readonly Feed[]): void | Promise<void> {
    return this.engine.run(this.executable, this.positions, values);
  }

  /** Runs once and copies the outputs into variables of their shapes. */
  runInto(results: readonly Variable[], values: readonly Feed[]): void | Promise<void> {
    return this.engine.run(this.executable, this.positions, values, results);
  }

  /** The rows of the plan with measured times: medians over that many runs, each of which has its effects. */
  async profile(values: readonly Feed[], runs: number): Promise<PlanRow[]> {
    return this.explain(await this.engine.profile(this.executable, this.positions, values, runs));
  }

  /** The rows of the plan. */
  async explain(seconds?: readonly number[]): Promise<PlanRow[]> {
    const { explain } = await import('./schedule/explain.js');
    return explain(planParts, this.plan, seconds, this.engine.backends);
  }

  /** The plan as a graph in the language of Graphviz. */
  async dot(): Promise<string> {
    return (await import('./schedule/explain.js')).dot(planParts, this.plan);
  }

  dispose(): void {
    this.executable.dispose();
  }
}

/** Traces `f` with arguments of the given shapes and compiles what it records, assignments included. */
export async function prepare<R extends Results>(
  f: (...args: Tensor[]) => R,
  specs: readonly Spec[],
): Promise<Prepared<R>> {
  const inputs = specs.map(({ shape, dtype }, index) => new Tensor({ kind: 'input', index }, shape, dtype));
  const { result, assignments } = traced(() => f(...inputs));
  if ((result as unknown) instanceof Promise) {
    throw new StateError({
      where: 'compile',
      problem: 'the function is asynchronous',
      hint: 'a traced function records ops and returns tensors; read values outside of it',
    });
  }
  const outputs = listOf(result);
  const e = await engine();
  const executable = await e.prepare({ outputs, assignments });
  const { feeds } = executable.plan.graph;
  return new Prepared(
    e,
    executable,
    inputs.map((t) => feeds.indexOf(t)),
    result,
    outputs,
  );
}

function listOf(result: Results): Tensor[] {
  if (!result) return [];
  return result instanceof Tensor ? [result] : [...Object.values(result)];
}

/** Puts values in the places that the traced tensors had. */
function likeResult<R extends Results>(result: R, values: readonly Variable[]): R {
  if (!result) return result;
  if (result instanceof Tensor) return values[0] as Tensor as R;
  if (Array.isArray(result)) return [...values] as readonly Tensor[] as R;
  return Object.fromEntries(Object.keys(result).map((key, i) => [key, values[i]!])) as unknown as R;
}

/** Runs a traced function and explains how. Results are tensors that own device memory: dispose them. */
export interface Compiled<A extends readonly Tensor[], R extends Results> {
  (...args: A): Promise<R>;
  /** Steps of the plan for these arguments: ops, shapes, backend, why, estimated time. */
  explain(...args: A): Promise<PlanRow[]>;
  /** The same with measured times: it runs the function some times, with all effects. */
  profile(...args: A): Promise<PlanRow[]>;
  /** The plan as a graph in the language of Graphviz. */
  dot(...args: A): Promise<string>;
  /** Frees the plans. */
  dispose(): void;
}

/**
 * Makes a function of tensors fast to call again and again: it is traced once for each combination of shapes, together
 * with the assignments of variables that it makes, and from then on only the plan runs.
 */
export function compile<A extends readonly Tensor[], R extends Results>(
  f: (...args: A) => R,
): Compiled<A, R> {
  const known = new Map<string, Promise<Prepared<R>>>();
  let owner: Engine | null = null;
  const preparedFor = async (args: A): Promise<Prepared<R>> => {
    const e = await engine();
    // The plans of an engine that was replaced are gone with it.
    if (owner !== e) known.clear();
    owner = e;
    // No waiting from here to `set`: calls at the same time share one plan.
    const key = args.map((t) => `${t.dtype}${t.shape}`).join(';');
    const before = known.get(key);
    if (before) return before;
    const made = prepare(f as unknown as (...args: Tensor[]) => R, args);
    known.set(key, made);
    made.catch(() => {
      if (known.get(key) === made) known.delete(key);
    });
    return made;
  };
  const call = async (...args: A): Promise<R> => {
    const prepared = await preparedFor(args);
    const feeds = await feedsOf(args, prepared.engine);
    const results = prepared.outputs.map((t) => {
      const variable = new Variable(t.shape, t.dtype, null, 'result');
      prepared.engine.adopt(variable, null);
      return variable;
    });
    try {
      await prepared.runInto(results, feeds);
    } catch (error) {
      if (!(error instanceof DeviceLostError)) throw error;
      throw (await import('./schedule/plan-size.js')).addLost(error, prepared.plan);
    }
    return likeResult(prepared.results, results);
  };
  return Object.assign(call, {
    explain: async (...args: A) => (await preparedFor(args)).explain(),
    profile: async (...args: A) => {
      const prepared = await preparedFor(args);
      return prepared.profile(await feedsOf(args, prepared.engine), profiledRuns);
    },
    dot: async (...args: A) => (await preparedFor(args)).dot(),
    dispose() {
      for (const prepared of known.values())
        prepared.then(
          (p) => p.dispose(),
          () => undefined,
        );
      known.clear();
    },
  });
}

/** Values of arguments: host data and variables as they are, anything else is computed first. */
async function feedsOf(args: readonly Tensor[], e: Engine): Promise<Feed[]> {
  const open = args.filter((t) => t.source.kind === 'op' || t.source.kind === 'constant');
  const computed = open.length > 0 ? await e.evaluate(open) : [];
  await e.initialize(args.filter((t) => t instanceof Variable));
  return args.map((t) => {
    if (t instanceof Variable) return t;
    if (t.source.kind === 'data') return t.source.data;
    return computed[open.indexOf(t)]!;
  });
}
