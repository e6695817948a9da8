// Prints the cases as JSON for make.py.
import { sizeOf } from '../../src/dtype.js';
import { weights } from '../ops/cases.js';
import { fingerprint, goldenCases, keptElements } from './cases.js';
import * as schedules from './schedules.js';
import { batch, materials, networks, normBatches, steps } from './trajectories.js';

const cases = goldenCases.map((c) => ({
  key: c.key,
  op: c.op,
  attributes: c.attributes,
  fingerprint: fingerprint(c),
  inputs: c.specs.map(({ shape, dtype }, i) => ({ shape, dtype, values: [...c.values[i]!] })),
}));

/** Enough numbers for the largest result, and which elements are kept of a result of n elements. */
const largest = Math.max(
  ...goldenCases.map((c) => sizeOf(c.specs[0]?.shape ?? []) * 4),
  ...goldenCases.map((c) => sizeOf((c.attributes as { shape?: number[] }).shape ?? [])),
  100,
);
console.log(
  JSON.stringify({
    cases,
    cotangents: [...weights(largest, 0)],
    kept: Object.fromEntries(Array.from({ length: largest + 1 }, (_, n) => [n, keptElements(n).length])),
    networks: Object.entries(networks).map(([name, network]) => ({
      name,
      ...network,
      ...materials(network),
    })),
    normBatches: normBatches(),
    batch,
    steps,
    schedules: { names: Object.keys(schedules.made), length: schedules.length, losses: schedules.losses },
  }),
);
