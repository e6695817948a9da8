// Builds the suites and runs them in every runtime that this machine has, on WASM and on WebGPU.
// `npm test -- --help` lists the options.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Outcome } from './outcome.mjs';
import { closingLine, printFailures, printTable, suiteLine } from './report.mjs';
import { runtimes } from './runtimes.mjs';
import { findSuites } from './suites.mjs';

const usage = `npm test -- [options]
  --runtime NAME[,NAME]    of ${Object.keys(runtimes).join(', ')}; default all
  --suite PART             only suites whose path contains this, as in --suite unit/shape
  --device wasm|webgpu|all default all
  --require-all            a runtime or adapter that is missing is a failure (or EVERYGRAD_REQUIRE_ALL=1)
  --jobs N                 runtimes that run at the same time; default 1
  --no-build               run what build/test holds
  --help`;

/** Time for a runtime or a page to start, and to answer which adapter it has. */
const startSeconds = 120;

function readOptions() {
  const { values } = parseArgs({
    options: {
      runtime: { type: 'string' },
      suite: { type: 'string', default: '' },
      device: { type: 'string', default: 'all' },
      'require-all': { type: 'boolean', default: process.env.EVERYGRAD_REQUIRE_ALL === '1' },
      jobs: { type: 'string', default: '1' },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const names = values.runtime?.split(',') ?? Object.keys(runtimes);
  const unknown = names.find((name) => !(name in runtimes));
  if (unknown !== undefined) throw new Error(`unknown runtime ${unknown}`);
  if (!['wasm', 'webgpu', 'all'].includes(values.device)) throw new Error(`unknown device ${values.device}`);
  const devices = values.device === 'all' ? ['wasm', 'webgpu'] : [values.device];
  return { ...values, names, devices, require: values['require-all'] };
}

/** True if it succeeded; it prints its own errors. */
function build({ suite }, suites) {
  // Suites for Node may start the command line from dist/.
  const bundles = suites.some((s) => s.name.endsWith('.node')) ? ['--bundles'] : [];
  const script = fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url));
  const cwd = fileURLToPath(new URL('../../', import.meta.url));
  const args = [script, '--kernels', ...bundles, '--tests', `--suite=${suite}`];
  return spawnSync(process.execPath, args, { cwd, stdio: 'inherit' }).status === 0;
}

/**
 * Runs one job with its time limit; after a hang or a crash the runtime is started anew. Where it did not even come to the
 * first test, it was the runtime that failed (a browser that does not load a page): that is said, and tried once more.
 */
async function runJob(runtime, job, timeout) {
  const outcome = await runOnce(runtime, job, timeout);
  if (outcome.began || outcome.failed === 0) return outcome;
  console.log(`AGAIN ${job.environment.runtime} ${job.suite || 'adapter'}: ${outcome.failures[0]}`);
  return runOnce(runtime, job, timeout);
}

async function runOnce(runtime, job, timeout) {
  const outcome = new Outcome();
  const limit = new AbortController();
  const timers = [
    setTimeout(() => outcome.up || limit.abort(`no start after ${startSeconds} s`), startSeconds * 1000),
    setTimeout(() => limit.abort(`no end after ${timeout} s`), timeout * 1000),
  ];
  let problem;
  try {
    problem = await runtime.run(job, outcome, limit.signal);
  } catch (error) {
    problem = limit.signal.aborted ? undefined : `the runtime failed: ${error.stack ?? error}`;
  }
  for (const timer of timers) clearTimeout(timer);
  if (limit.signal.aborted) problem = limit.signal.reason;
  outcome.finish(problem);
  if (problem) await runtime.stop().then(() => runtime.start());
  return outcome;
}

/** All suites of one runtime on one device, as a row of the table. */
async function runDevice(runtime, name, device, suites, options) {
  const row = { runtime: name, device, passed: 0, failed: 0, skipped: 0, seconds: 0, failures: [] };
  const started = performance.now();
  const environment = { runtime: name, devices: [device], require: options.require };
  if (device === 'webgpu') {
    const answer = await runJob(runtime, { suite: '', environment }, startSeconds);
    if (!answer.adapter)
      return missing(name, device, `no WebGPU adapter ${answer.failures[0] ?? ''}`.trim(), options);
    console.log(`${name}: WebGPU on ${answer.adapter}`);
  }
  for (const suite of suites) {
    const outcome = await runJob(runtime, { suite: suite.bundle, environment }, suite.timeout);
    console.log(suiteLine(name, device, suite.name, outcome));
    row.passed += outcome.passed;
    row.failed += outcome.failed;
    row.skipped += outcome.skips.length;
    if (outcome.failed > 0) row.failures.push({ suite: suite.name, messages: outcome.failures });
  }
  row.seconds = (performance.now() - started) / 1000;
  return row;
}

/** The row of what this machine does not have. */
function missing(runtime, device, reason, { require }) {
  console.log(`${require ? 'FAIL' : 'SKIP'} ${runtime} ${device}: ${reason}`);
  const row = { runtime, device, passed: 0, failed: 0, skipped: 1, seconds: 0, reason, failures: [] };
  if (!require) return row;
  const failures = [{ suite: '(start)', messages: [`${reason}, and all runtimes are required`] }];
  return { ...row, failed: 1, skipped: 0, failures };
}

async function runRuntime(name, suites, options) {
  const wanted = (device) =>
    suites.filter((s) => s.devices.includes(device) && (s.runtimes?.includes(name) ?? true));
  const runtime = runtimes[name]();
  const devices = options.devices.filter(
    (d) => wanted(d).length > 0 && (d === 'wasm' || runtime.has?.webgpu !== false),
  );
  if (devices.length === 0) return [];
  if (typeof runtime === 'string') return [missing(name, '-', runtime, options)];
  console.log(`${name}: ${runtime.version()} (${runtime.path})`);
  const rows = [];
  try {
    await runtime.start();
    for (const device of devices) rows.push(await runDevice(runtime, name, device, wanted(device), options));
  } catch (error) {
    rows.push(missing(name, '-', `could not be started: ${error.stack ?? error}`, { require: true }));
  } finally {
    await runtime.stop();
  }
  return rows;
}

/** Maps in order, up to `lanes` at a time. */
async function inLanes(items, lanes, task) {
  const results = [];
  const queue = items.entries();
  const work = async () => {
    for (const [i, item] of queue) results[i] = await task(item);
  };
  await Promise.all(Array.from({ length: lanes }, work));
  return results;
}

async function main() {
  const options = readOptions();
  if (options.help) return console.log(usage);
  const suites = findSuites(options.suite);
  if (suites.length === 0) throw new Error(`no suite's path contains ${options.suite}`);
  if (!options['no-build'] && !build(options, suites)) return finish([], 'the build failed');
  const results = await inLanes(options.names, Number(options.jobs), (name) =>
    runRuntime(name, suites, options),
  );
  finish(results.flat());
}

/** Prints what came out, the closing line last, and sets the exit code. */
function finish(rows, problem) {
  if (rows.length > 0) printTable(rows);
  printFailures(rows);
  if (problem) console.log(problem);
  const { text, ok } = closingLine(rows, problem ? 1 : 0);
  console.log(text);
  process.exitCode = ok ? 0 : 1;
}

try {
  await main();
} catch (error) {
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 1;
}
