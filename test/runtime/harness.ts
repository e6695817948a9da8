// Runs one suite, in whichever runtime this is, and reports to the runner: by marked lines of output from a
// process, by HTTP from a page. With no suite it only tells which GPU adapter there is.
import { describe } from '../helpers/describe.js';
import type { TestEnvironment } from '../helpers/environment.js';
import type { HarnessEvent } from '../helpers/suite.js';

/** What uvu queues for each suite: runs it, gives [error text or true, passed, skipped, total]. */
type UvuRun = () => Promise<[string | true, number, number, number]>;
/**
 * uvu's own way to keep a suite from starting by itself: with UVU_DEFER, `test.run()` only queues it here.
 * uvu looks when it is imported, so that nothing here may import it.
 */
const uvu = globalThis as typeof globalThis & { UVU_DEFER?: boolean; UVU_QUEUE?: UvuRun[][] };

interface Job {
  /** Address of the suite's bundle relative to this file, or an empty string. */
  suite: string;
  environment: Omit<TestEnvironment, 'root'>;
}

const inPage = typeof document !== 'undefined';

function pageReport(event: HarnessEvent): void {
  // Synchronous, so that the order is kept and the last event before a crash or an endless loop is not lost.
  const request = new XMLHttpRequest();
  request.open('POST', `/report${location.search}`, false);
  request.send(JSON.stringify(event));
}

function processReport(event: HarnessEvent): void {
  process.stdout.write(`\n@everygrad ${JSON.stringify(event)}\n`);
}

const report = inPage ? pageReport : processReport;

function watchProcess(): void {
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    process.on(event, (error) => report({ type: 'error', message: describe(error) }));
  }
}

function watchPage(): void {
  for (const level of ['log', 'info', 'warn', 'error'] as const) {
    const original = console[level];
    console[level] = (...parts: unknown[]) => {
      original(...parts);
      report({
        type: 'line',
        text: parts.map((p) => (p instanceof Error ? describe(p) : String(p))).join(' '),
      });
    };
  }
  addEventListener('error', (e) => report({ type: 'error', message: describe(e.error ?? e.message) }));
  addEventListener('unhandledrejection', (e) => report({ type: 'error', message: describe(e.reason) }));
  addEventListener('securitypolicyviolation', (e) =>
    report({ type: 'error', message: `${e.violatedDirective} forbids ${e.blockedURI} (${e.sourceFile})` }),
  );
}

async function runSuite(suite: string): Promise<HarnessEvent> {
  const sum = { type: 'done' as const, passed: 0, total: 0, skipped: 0, errors: [] as string[] };
  uvu.UVU_DEFER = true;
  uvu.UVU_QUEUE = [[]];
  await import(new URL(suite, import.meta.url).href);
  for (const run of uvu.UVU_QUEUE[0] ?? []) {
    const [errors, passed, skipped, total] = await run();
    sum.passed += passed;
    sum.total += total;
    sum.skipped += skipped;
    if (errors !== true) sum.errors.push(errors);
  }
  return sum;
}

async function probe(): Promise<HarnessEvent> {
  const { describeAdapter } = await import('../helpers/gpu.js');
  const adapter = await describeAdapter();
  return { type: 'done', passed: 0, total: 0, skipped: 0, errors: [], ...(adapter ? { adapter } : {}) };
}

const job = JSON.parse(
  (inPage ? new URLSearchParams(location.search).get('job') : process.argv[2]) ?? '{}',
) as Job;
globalThis.EVERYGRAD_TEST = { ...job.environment, root: new URL('../../', import.meta.url).href };
globalThis.EVERYGRAD_REPORT = report;
if (inPage) watchPage();
else watchProcess();
report({ type: 'up' });
try {
  report(await (job.suite ? runSuite(job.suite) : probe()));
} catch (error) {
  report({ type: 'error', message: describe(error) });
  report({ type: 'done', passed: 0, total: 0, skipped: 0, errors: [] });
}
// Pools and devices that a suite left open must not keep the process alive.
if (!inPage) process.exit();
