// Measures everygrad against other libraries: `npm run bench:peers -- [options]`.
//   --filter gemm,train/mlp   workloads with one of these in their name
//   --peers tfjs,jax          only these competitors; all where not said
//   --runtime node,chromium   node (24, from .runtimes), node20 (the node that runs this), chromium
//   --rounds 5 --seconds 0.3  rounds of each competitor, and how long each is at least
//   --clock wall              or cpu, by CPU time (Linux): for machines that have other things to do, where the time by
//                             the clock depends on how a library's threads wait as much as on how they compute
//   --threads 1               of every library that can be told
//   --write                   writes docs/benchmarks-peers.md
// All competitors first compute the same from the same numbers, and are compared; then they take turns with everygrad,
// round by round, so that what else the machine does hits both. A ratio is the median of the ratios of neighbours.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runtimes } from '../../runtime/runtimes.mjs';
import { Pages, ProcessAgent } from './agents.mjs';
import { compare, referenceOf } from './compare.mjs';
import { busyCores, describe, printResult, table, writeDocument } from './report.mjs';
import { workloads } from './workloads.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Rounds are few for what is slow: of that many seconds. */
const roundsOf = (took) => (took > 4 ? 1 : took > 1.5 ? 2 : Number.POSITIVE_INFINITY);

const ours = 'everygrad';
const names = [ours, 'tfjs', 'jax', 'ort-web', 'brain', 'ort-node', 'pytorch'];
const native = new Set(['ort-node', 'pytorch']);

const { values: given } = parseArgs({
  options: {
    filter: { type: 'string', default: '' },
    peers: { type: 'string', default: names.join(',') },
    runtime: { type: 'string', default: 'node' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.3' },
    threads: { type: 'string', default: '1' },
    clock: { type: 'string', default: 'wall' },
    write: { type: 'boolean', default: false },
  },
});

function fail(message) {
  console.error(message);
  process.exit(2);
}

function count(name) {
  const value = Number(given[name]);
  if (value > 0 && (name === 'seconds' || Number.isInteger(value))) return value;
  return fail(`--${name} ${given[name]}: a number > 0 is needed`);
}

const [rounds, seconds, threads] = ['rounds', 'seconds', 'threads'].map(count);
const { clock } = given;
if (clock !== 'wall' && clock !== 'cpu') fail(`--clock ${clock}: wall or cpu`);
const settings = { rounds, seconds, threads, clock };
const listed = (text) => text.split(',').filter(Boolean);
const filters = listed(given.filter);
const chosen = workloads.filter(({ name }) => filters.length === 0 || filters.some((f) => name.includes(f)));
if (chosen.length === 0)
  fail(`--filter ${given.filter}: there are ${workloads.map((w) => w.name).join(', ')}`);
const unknown = listed(given.peers).find((name) => !names.includes(name));
if (unknown) fail(`--peers ${unknown}: there are ${names.join(', ')}`);
const competitors = names.filter((name) => name === ours || listed(given.peers).includes(name));
if (!existsSync(here('node_modules'))) fail('npm ci --ignore-scripts --prefix test/bench/peers, first');
if (!existsSync(here('../../../dist/index.js'))) fail('npm run build, first');

/** A Python that has PyTorch. */
function python() {
  return ['python3', '/usr/bin/python3'].find((path) => {
    try {
      execFileSync(path, ['-c', 'import torch'], { stdio: 'pipe' });
      return true;
    } catch {
      return false;
    }
  });
}

/** How competitors are started in a runtime: `agent(name)`, and why some are not there. */
async function placeOf(runtime) {
  const absent = new Map();
  if (runtime === 'chromium') {
    const found = runtimes.chromium();
    if (typeof found === 'string') fail(`chromium: ${found}`);
    const pages = new Pages(found.path, found.env);
    await pages.launch();
    for (const name of native) if (competitors.includes(name)) absent.set(name, 'native, in Node only');
    const agent = (name) => pages.agent(name, threads);
    return { version: pages.version(), absent, agent, stop: () => pages.close() };
  }
  const known = { node: 'node24', node20: 'node' }[runtime];
  if (!known) fail(`--runtime ${runtime}: node, node20 or chromium`);
  const found = runtimes[known]();
  if (typeof found === 'string') fail(`${runtime}: ${found}`);
  const wanted = competitors.includes('pytorch');
  const python3 = wanted && python();
  if (wanted && !python3) absent.set('pytorch', 'not on this machine');
  const agent = async (name) =>
    name === 'pytorch'
      ? new ProcessAgent(python3, [here('peers/pytorch.py')], { OPENBLAS_NUM_THREADS: String(threads) })
      : new ProcessAgent(found.path, [here('agent.mjs'), name]);
  return { version: `Node ${found.version()}`, absent, agent, stop: async () => {} };
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

/** Prepares, compares, and takes turns; gives for each competitor a rate and a ratio, or why there is none. */
async function measure(workload, place) {
  const results = new Map();
  const agents = new Map();
  const drop = async (name, why) => {
    results.set(name, { ...results.get(name), ...why });
    await agents.get(name)?.stop();
    agents.delete(name);
  };
  /** The value of a call; a competitor that fails is out of this workload. */
  const call = async (name, command, argument) => {
    const { value, ...why } = await agents.get(name).call(command, argument);
    if (value === undefined) await drop(name, why);
    return value;
  };
  try {
    let expected = referenceOf(workload);
    for (const name of competitors) {
      if (place.absent.has(name)) continue;
      agents.set(name, await place.agent(name));
      const prepared = await call(name, 'prepare', { workload, threads });
      if (!prepared) continue;
      results.set(name, { version: prepared.version, rates: [], ratios: [] });
      if (prepared.check) expected ??= prepared.check;
      const problem = prepared.check && compare(prepared.check, expected, workload.tolerance);
      if (problem) await drop(name, { error: problem });
    }
    const speeds = new Map();
    for (const name of [...agents.keys()]) {
      const warm = await call(name, 'warmUp', { seconds });
      if (warm) speeds.set(name, warm);
    }
    const round = async (name) => {
      const before = clock === 'cpu' ? agents.get(name).cpu() : 0;
      let took = await call(name, 'round');
      if (!took) return undefined;
      if (clock === 'cpu') took = agents.get(name).cpu() - before;
      const rate = (speeds.get(name).count * workload.perRun) / took;
      results.get(name).rates.push(rate);
      return rate;
    };
    for (let i = 0; i < rounds; i++) {
      const peers = [...agents.keys()].filter((n) => n !== ours);
      if (peers.length === 0 && agents.has(ours)) await round(ours);
      for (const name of peers) {
        if (i >= roundsOf(speeds.get(name).took)) continue;
        const own = agents.has(ours) ? await round(ours) : undefined;
        const other = await round(name);
        if (own && other) results.get(name).ratios.push(own / other);
      }
    }
  } finally {
    for (const agent of agents.values()) await agent.stop();
  }
  for (const result of results.values()) {
    if (!result.rates?.length) continue;
    result.rate = median(result.rates);
    if (result.ratios.length > 0) result.ratio = median(result.ratios);
  }
  return results;
}

const columns = [];
const others = [];
for (const runtime of listed(given.runtime)) {
  const place = await placeOf(runtime);
  const present = competitors.filter((name) => !place.absent.has(name));
  console.log(`\n${place.version}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`);
  for (const [name, why] of place.absent) console.log(`${name}: ${why}`);
  const rows = [];
  try {
    for (const workload of chosen) {
      others.push(await busyCores());
      const results = await measure(workload, place);
      printResult(workload, results);
      rows.push({ workload, results });
    }
  } finally {
    await place.stop();
  }
  const run = { runtime: place.version, competitors: present, absent: place.absent, rows };
  columns.push(run);
  console.log(`\n${table(run)}`);
}
console.log(describe(columns, settings));
const other = others.reduce((a, b) => a + b, 0) / others.length;
if (given.write) await writeDocument(columns, { ...settings, other });
