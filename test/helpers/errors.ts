// What must be refused: that an error comes, of which class, and what it says.
import * as assert from 'uvu/assert';
import { EverygradError } from '../../src/errors.js';

type Kind = abstract new (...parts: never[]) => Error;
/** The class (any of the library's where not said), and the whole message or a pattern. */
type Rule<K extends Kind> = [kind: K, message: string | RegExp] | [message: string | RegExp];

function check<K extends Kind>(error: unknown, rule: Rule<K>): InstanceType<K> {
  const message = rule.at(-1) as string | RegExp;
  const kind = rule.length > 1 ? (rule[0] as K) : EverygradError;
  assert.ok(error !== undefined, `nothing was refused, not: ${message}`);
  assert.ok(error instanceof kind, `${error} is not a ${kind.name}`);
  if (typeof message === 'string') assert.is((error as Error).message, message);
  else assert.match((error as Error).message, message);
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

/** The error that a promise, or that of `f`, ends in. */
export async function rejectsWith<K extends Kind = typeof EverygradError>(
  work: Promise<unknown> | (() => Promise<unknown>),
  ...rule: Rule<K>
): Promise<InstanceType<K>> {
  const thrown = await (typeof work === 'function' ? work() : work).then(
    () => undefined,
    (error: unknown) => error,
  );
  return check(thrown, rule);
}
