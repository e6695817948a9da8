// What must be refused: that an error comes, of which class, and what it says.
import * as assert from 'uvu/assert';
import { EverygradError } from '../../src/errors.js';

type Kind = abstract new (...parts: never[]) => Error;
/** The class (any of the library's where not said), and the whole message or a pattern; one of the two may be enough. */
type Rule<K extends Kind> = [kind: K, message?: string | RegExp] | [message: string | RegExp];

function check<K extends Kind>(error: unknown, rule: Rule<K>): InstanceType<K> {
  const [first, second] = rule;
  const [kind, message] =
    typeof first === 'function' ? [first as Kind, second] : [EverygradError, first as string | RegExp];
  assert.ok(error !== undefined, `nothing was refused, not: ${message ?? kind.name}`);
  assert.ok(error instanceof kind, `${error} is not a ${kind.name}`);
  if (typeof message === 'string') assert.is((error as Error).message, message);
  else if (message) assert.match((error as Error).message, message);
  return error as InstanceType<K>;
}

/** The error that `f` ends in. */
export function failsWith<K extends Kind = typeof EverygradError>(
  f: () => unknown,
  ...rule: Rule<K>
): InstanceType<K> {
  let thrown: unknown;
  try {
    f();
  } catch (error) {
    thrown = error;
  }
  return check(thrown, rule);
}

/** The error that a promise ends in, or `f`, at once or later. */
export async function rejectsWith<K extends Kind = typeof EverygradError>(
  work: Promise<unknown> | (() => unknown),
  ...rule: Rule<K>
): Promise<InstanceType<K>> {
  let thrown: unknown;
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    thrown = error;
  }
  return check(thrown, rule);
}
