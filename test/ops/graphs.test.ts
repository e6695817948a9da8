// Random graphs with variables, planned and run on every backend, against an evaluation without plan and backend.
// @suite devices=wasm,webgpu
import * as assert from 'uvu/assert';
import type { Backend } from '../../src/backend/backend.js';
import { ReferenceBackend } from '../../src/backend/reference.js';
import { createWasmBackend } from '../../src/backend/wasm/index.js';
import { dtypes, type HostArray } from '../../src/dtype.js';
import { type Device, Engine } from '../../src/engine.js';
import { DeviceStorage, Executable, storageOf } from '../../src/execute.js';
import { makePlan } from '../../src/schedule/plan.js';
import { environment } from '../helpers/environment.js';
import { type GraphOptions, type RandomGraph, randomGraph } from '../helpers/graphs.js';
import { Interpreter } from '../helpers/interpret.js';
import { suite } from '../helpers/suite.js';
import { largest, report } from './evaluate.js';

const test = suite('random graphs');
const [device] = environment.devices;

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

async function compareRuns(
  graph: RandomGraph,
  executable: Executable,
  run: () => void | Promise<void>,
  label: string,
): Promise<string[]> {
  const found: string[] = [];
  const interpreter = new Interpreter();
  const used = graph.variables.filter((v) => v.storage);
  for (let n = 0; n < 3 && found.length === 0; n++) {
    await run();
    const wanted = interpreter.step(graph);
    for (const [i, values] of wanted.entries()) {
      const text = far(await executable.read(i), values);
      if (text) found.push(`${label}, run ${n}, output ${i} ${graph.outputs[i]}: ${text}`);
    }
    for (const v of used) {
      const text = far(await storageOf(v).read(), interpreter.variable(v));
      if (text) found.push(`${label}, run ${n}, ${v.name}: ${text}`);
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

for (const [name, count] of devices) {
  for (const [kind, options] of Object.entries(kinds)) {
    test(`${count} on ${name}: ${kind}`, async () => {
      const engine = await Engine.create({ device: name });
      const found: string[] = [];
      let assigned = 0;
      for (let seed = 1; seed <= count; seed++) {
        const graph = randomGraph(seed, options);
        assigned += graph.assignments.size;
        const executable = await engine.prepare(graph);
        const run = () => engine.run(executable, [], []);
        found.push(...(await compareRuns(graph, executable, run, `seed ${seed}`)));
      }
      if (options.variables > 0) assert.ok(assigned > count / 2, `only ${assigned} assignments`);
      const left = Object.entries(engine.stats()).filter(([, { pieces }]) => pieces > 0);
      if (left.length > 0) found.push(`memory is left: ${JSON.stringify(left)}`);
      engine.dispose();
      report(found);
    });
  }
}

/** Two backends of which the first does only some of the ops, so that values travel between them. */
async function mixedBackends(): Promise<[Backend, Backend]> {
  if (device === 'wasm') return [new ReferenceBackend(dtypes), await createWasmBackend({ threads: 1 })];
  const { createWebgpuBackend } = await import('../../src/backend/webgpu/index.js');
  return [await createWebgpuBackend(), await createWasmBackend({ threads: 1 })];
}

test('values travel between two backends', async () => {
  const [first, host] = await mixedBackends();
  const supports = first.supports.bind(first);
  const backends = new Map([first, host].map((b) => [b.name, b]));
  const found: string[] = [];
  let transfers = 0;
  for (let seed = 1; seed <= (device === 'wasm' ? 200 : 15); seed++) {
    first.supports = (op, site) => (op.name.length * 7 + seed) % 5 < 3 && supports(op, site);
    const graph = randomGraph(seed, kinds[Object.keys(kinds)[seed % 3]!]!);
    for (const v of graph.variables) {
      v.storage = new DeviceStorage(v, backends, Float32Array.from(new Interpreter().variable(v)));
    }
    const plan = makePlan(graph, { backends: [first, host], share: false, keepFeeds: true });
    transfers += plan.segments.reduce((n, s) => n + s.arrivals.length, 0);
    const executable = await Executable.compile(plan, backends);
    executable.writeHostFeeds();
    found.push(...(await compareRuns(graph, executable, () => executable.run(), `seed ${seed}`)));
  }
  console.log(`${transfers} values crossed between ${first.name} and ${host.name}`);
  assert.ok(transfers > 20, `only ${transfers} transfers`);
  for (const b of [first, host]) {
    assert.is(b.stats().pieces, 0, b.name);
    b.dispose();
  }
  report(found);
});

test.run();
