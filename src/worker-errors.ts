// Errors that cross a thread keep their class, their fields, their stack and what caused them.
import { transferHandlers } from 'comlink';
import * as errors from './errors.js';

/** An error as plain data. */
export interface SentError {
  name: string;
  message: string;
  stack: string | undefined;
  parts: Omit<errors.ErrorParts, 'cause'> | null;
  cause: SentError | undefined;
}

const classes = errors as unknown as Record<string, new (parts: errors.ErrorParts) => errors.EverygradError>;

/** Comlink's way of sending what was thrown, with our error classes known. To be called at both ends. */
export function keepErrors(): void {
  const theirs = transferHandlers.get('throw')!;
  transferHandlers.set('throw', {
    canHandle: theirs.canHandle,
    serialize: ({ value }: { value: unknown }) => [errorParts(value), []],
    deserialize(sent: SentError) {
      throw errorFrom(sent);
    },
  } as never);
}

/** What was thrown, as plain data. */
export function errorParts(value: unknown): SentError {
  const error = value instanceof Error ? value : new Error(String(value));
  const { name, message, stack, cause } = error;
  const parts = error instanceof errors.EverygradError ? partsOf(error) : null;
  return { name, message, stack, parts, cause: cause === undefined ? undefined : errorParts(cause) };
}

/** The error again, of its class. */
export function errorFrom({ name, message, stack, parts, cause: sent }: SentError): Error {
  const cause = sent && errorFrom(sent);
  const error =
    parts && classes[name]
      ? new classes[name]({ ...parts, cause })
      : Object.assign(new Error(message, cause && { cause }), { name });
  if (stack) error.stack = stack;
  return error;
}

function partsOf({ where, problem, hint, values }: errors.EverygradError): Omit<errors.ErrorParts, 'cause'> {
  return { where, problem, ...(hint === undefined ? {} : { hint }), values: sendable(values) };
}

/** Values that cannot be sent, such as functions, are sent as text. */
function sendable(values: Record<string, unknown>): Record<string, unknown> {
  const sent = (value: unknown): unknown => {
    try {
      return structuredClone(value);
    } catch {
      return String(value);
    }
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, sent(value)]));
}
