// Random graphs with variables, planned and run on every backend, against an evaluation without plan and backend.
// @suite devices=wasm,webgpu timeout=300
import * as assert from 'uvu/assert';
import type { HostArray } from '../../src/dtype.js';
import { type Device, Engine } from '../../src/engine.js';
import { storageOf } from '../../src/execute.js';
import { environment } from '../helpers/environment.js';
import { type GraphOptions, type RandomGraph, randomGraph } from '../helpers/graphs.js';
import { Interpreter } from '../helpers/interpret.js';
import { suite } from '../helpers/suite.js';
import { largest, report } from './evaluate.js';

const test = suite('random graphs');

/** Where the results are not near: roundings of some ten ops in single precision. */
function far(actual: HostArray, wanted: HostArray): string | null {
  if (actual.length !== wanted.length) return `${actual.length} elements instead of ${wanted.length}`;
  const allowed = 2e-4 * Math.max(1, largest(wanted));
  for (let i = 0; i < wanted.length; i++) {
    if (!(Math.abs(actual[i]! - wanted[i]!) <= allowed))
      return `element ${i} is ${actual[i]} instead of ${wanted[i]}`;
  }
  return null;
}

async function compareRuns(graph: RandomGraph, engine: Engine, label: string): Promise<string[]> {
  const found: string[] = [];
  const interpreter = new Interpreter();
  const executable = await engine.prepare(graph);
  const used = graph.variables.filter((v) => v.storage);
  for (let run = 0; run < 3 && found.length === 0; run++) {
    await engine.run(executable, [], []);
    const wanted = interpreter.step(graph);
    for (const [i, values] of wanted.entries()) {
      const text = far(await executable.read(i), values);
      if (text) found.push(`${label}, run ${run}, output ${i} ${graph.outputs[i]}: ${text}`);
    }
    for (const v of used) {
      const text = far(await storageOf(v).read(), interpreter.variable(v));
      if (text) found.push(`${label}, run ${run}, ${v.name}: ${text}`);
    }
  }
  executable.dispose();
  for (const v of graph.variables) v.dispose();
  return found;
}

const kinds: Record<string, GraphOptions> = {
  'values only': { ops: 14, variables: 0 },
  'variables, updates and swaps': { ops: 14, variables: 4 },
  'training steps': { ops: 8, variables: 2, training: true },
};

const devices: [Exclude<Device, 'auto'> | 'auto', number][] = environment.devices.flatMap(
  (device): [Device, number][] =>
    device === 'wasm'
      ? [
          ['reference', 150],
          ['wasm', 300],
        ]
      : // Each new shape is a pipeline to compile.
        [['webgpu', environment.runtime.startsWith('node') ? 25 : 6]],
);

for (const [device, count] of devices) {
  for (const [kind, options] of Object.entries(kinds)) {
    test(`${count} on ${device}: ${kind}`, async () => {
      const engine = await Engine.create({ device });
      const found: string[] = [];
      let assigned = 0;
      for (let seed = 1; seed <= count; seed++) {
        const graph = randomGraph(seed, options);
        assigned += graph.assignments.size;
        found.push(
          ...(await compareRuns(graph, engine, `seed ${seed}`).catch((e) => [`seed ${seed}: ${e}`])),
        );
      }
      if (options.variables > 0) assert.ok(assigned > count / 2, `only ${assigned} assignments`);
      const left = Object.entries(engine.stats()).filter(([, { pieces }]) => pieces > 0);
      if (left.length > 0) found.push(`memory is left: ${JSON.stringify(left)}`);
      engine.dispose();
      report(found);
    });
  }
}

test.run();
