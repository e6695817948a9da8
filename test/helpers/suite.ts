// uvu's suite with two additions: the runner learns which test is running, so that it can name the one that
// hangs, and an error in a hook is a failure (uvu drops it). Suites that import uvu itself run just as well.
import { type Callback, type Test, suite as uvuSuite } from 'uvu';
import { describe } from './describe.js';

/** What a suite that runs tells the runner. */
export type HarnessEvent =
  /** The runtime runs what it was given. */
  | { type: 'up' }
  | { type: 'start'; test: string }
  | { type: 'line'; text: string }
  | { type: 'error'; message: string }
  /** Asks the runner to kill the browser's GPU process. */
  | { type: 'killGpu' }
  | { type: 'done'; passed: number; total: number; skipped: number; errors: string[]; adapter?: string };

declare global {
  /** Set by the harness; missing when a suite is started by hand. */
  var EVERYGRAD_REPORT: ((event: HarnessEvent) => void) | undefined;
}

type Context = Record<string, unknown>;

export function suite(name: string): Test<Context> {
  const test = uvuSuite<Context>(name);
  const { before, after } = test;
  const hook = (label: string, handler: Callback<Context>) =>
    watched(label, handler, (error) => {
      globalThis.EVERYGRAD_REPORT?.({ type: 'error', message: `${name}, ${label} hook: ${describe(error)}` });
    });
  test.before = Object.assign((h: Callback<Context>) => before(hook('before', h)), { each: before.each });
  test.after = Object.assign((h: Callback<Context>) => after(hook('after', h)), { each: after.each });
  return new Proxy(test, {
    apply: (_target, _self, [label, handler]: [string, Callback<Context>]) =>
      test(label, watched(label, handler)),
  });
}

function watched(
  label: string,
  handler: Callback<Context>,
  onError?: (error: unknown) => void,
): Callback<Context> {
  return async (context) => {
    globalThis.EVERYGRAD_REPORT?.({ type: 'start', test: label });
    try {
      await handler(context);
    } catch (error) {
      onError?.(error);
      // uvu prints the message, then the stack from its second line on: a message of many lines came twice.
      if (error instanceof Error) {
        const firstLine = error.message.split('\n', 1).join();
        error.stack = error.stack?.replace(error.message, () => firstLine) ?? '';
      }
      throw error;
    }
  };
}
