// A function of tensors, planned once on an engine and then called with host arrays.
import type { HostArray } from '../../src/dtype.js';
import type { Engine } from '../../src/engine.js';
import { type Spec, Tensor, traced } from '../../src/graph.js';

export interface PlannedFunction {
  /** Values of the results with the given indices; all of them where not said. */
  (values: readonly HostArray[], wanted?: readonly number[]): Promise<HostArray[]>;
  dispose(): void;
}

export async function plan(
  engine: Engine,
  specs: readonly Spec[],
  f: (inputs: Tensor[]) => readonly Tensor[],
): Promise<PlannedFunction> {
  const inputs = specs.map(({ shape, dtype }, index) => new Tensor({ kind: 'input', index }, shape, dtype));
  const { result: outputs, assignments } = traced(() => f(inputs));
  const executable = await engine.prepare({ outputs, assignments });
  const positions = inputs.map((t) => executable.plan.graph.feeds.indexOf(t));
  const call = async (
    values: readonly HostArray[],
    wanted: readonly number[] = outputs.map((_, i) => i),
  ): Promise<HostArray[]> => {
    await engine.run(executable, positions, values);
    return Promise.all(wanted.map((i) => executable.read(i)));
  };
  return Object.assign(call, { dispose: () => executable.dispose() });
}
