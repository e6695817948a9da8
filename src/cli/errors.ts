// How errors end a command: one clear message, exit code 1.
import { EverygradError } from '../index.js';

/** What a program gives back that was stopped by Ctrl-C. */
export const interruptedCode = 130;

export function failed(error: unknown): never {
  const debug = process.env.EVERYGRAD_DEBUG === '1';
  const text = error instanceof Error ? error.message : String(error);
  console.error(`error: ${text}`);
  if (debug) console.error(error);
  else if (!(error instanceof EverygradError)) console.error('EVERYGRAD_DEBUG=1 shows where it happened.');
  process.exit(1); // downloads or threads may still be busy
}
