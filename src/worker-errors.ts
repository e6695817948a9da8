// Errors that cross a thread keep their class, their fields and their stack.
import { transferHandlers } from 'comlink';
import * as errors from './errors.js';

interface ThrownError {
  name: string;
  message: string;
  stack: string | undefined;
  parts: errors.ErrorParts | null;
}

const classes = errors as unknown as Record<string, new (parts: errors.ErrorParts) => errors.EverygradError>;

/** Comlink's way of sending what was thrown, with our error classes known. To be called at both ends. */
export function keepErrors(): void {
  const theirs = transferHandlers.get('throw')!;
  transferHandlers.set('throw', {
    canHandle: theirs.canHandle,
    serialize({ value }: { value: unknown }) {
      const error = value instanceof Error ? value : new Error(String(value));
      const { name, message, stack } = error;
      const parts = error instanceof errors.EverygradError ? partsOf(error) : null;
      return [{ name, message, stack, parts } satisfies ThrownError, []];
    },
    deserialize({ name, message, stack, parts }: ThrownError) {
      const error =
        parts && classes[name] ? new classes[name](parts) : Object.assign(new Error(message), { name });
      if (stack) error.stack = stack;
      throw error;
    },
  } as never);
}

const partsOf = ({ where, problem, hint, values }: errors.EverygradError): errors.ErrorParts => ({
  where,
  problem,
  ...(hint === undefined ? {} : { hint }),
  values,
});
