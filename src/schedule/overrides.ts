// Ops that the user places himself. Loads on demand.
import type { BackendName } from '../backend/backend.js';
import type { OptionError } from '../errors.js';
import type { OpTensor } from './graph.js';
import type { PlanParts } from './plan.js';

/** Backends by op, as `matmul`, or by op and shape of the result, as `matmul (128,800)`. */
export type Overrides = Readonly<Record<string, 'wasm' | 'webgpu'>>;

/** Which backend was asked for, if one was. Throws OptionError for one that is none. */
export function overrideOf(
  overrides: Overrides,
  { showShape }: PlanParts,
  Class: typeof OptionError,
): (t: OpTensor) => BackendName | undefined {
  for (const [op, backend] of Object.entries(overrides)) {
    if (backend === 'wasm' || backend === 'webgpu') continue;
    throw new Class({
      where: 'placement',
      problem: `'${backend}' is no backend for ${op}`,
      hint: "e.g. { matmul: 'webgpu', 'softmax (128,10)': 'wasm' }",
      values: { [op]: backend },
    });
  }
  return ({ source: { op }, shape }) => overrides[`${op.name} ${showShape(shape)}`] ?? overrides[op.name];
}
