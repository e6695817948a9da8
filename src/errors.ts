// Every error that everygrad raises: where it happened, the actual values, the rule that broke, and a hint.

/** What an error is made of; all of it ends up in the message and stays readable as fields. */
export interface ErrorParts {
  /** The op, function, option or file in which it happened, e.g. `matmul` or `train-images-idx3-ubyte.gz`. */
  where: string;
  /** The rule that was broken, in words that include the actual values. */
  problem: string;
  /** What the user can do about it. */
  hint?: string;
  /** The actual values, for programs that handle the error. */
  values?: Record<string, unknown>;
  /** The error underneath, if there was one. */
  cause?: unknown;
}

/** Base class of all errors of this library: `[where] problem (hint)`. */
export class EverygradError extends Error {
  readonly where: string;
  readonly problem: string;
  readonly hint: string | undefined;
  readonly values: Record<string, unknown>;

  constructor({ where, problem, hint, values = {}, cause }: ErrorParts) {
    super(`[${where}] ${problem}${hint ? ` (${hint})` : ''}`, cause === undefined ? {} : { cause });
    this.name = new.target.name;
    this.where = where;
    this.problem = problem;
    this.hint = hint;
    this.values = values;
  }
}

// Their names are written out, since bundlers shorten those of classes.

/** Shapes, axes or indices that do not fit an op. */
export class ShapeError extends EverygradError {
  static override readonly name: string = 'ShapeError';
}
/** A dtype that an op, a backend or a file format does not take. */
export class DTypeError extends EverygradError {
  static override readonly name: string = 'DTypeError';
}
/** An option that is unknown, of the wrong type or out of range. */
export class OptionError extends EverygradError {
  static override readonly name: string = 'OptionError';
}
/** Values that cannot be used: NaN in the input, labels out of range, empty data. */
export class DataError extends EverygradError {
  static override readonly name: string = 'DataError';
}
/** A file or byte stream that is not what its format says: truncated, corrupt, wrong checksum. */
export class FormatError extends EverygradError {
  static override readonly name: string = 'FormatError';
}
/** A file or address that cannot be read or written. */
export class StorageError extends EverygradError {
  static override readonly name: string = 'StorageError';
}
/** A backend that is missing, was lost, or ran out of memory. */
export class DeviceError extends EverygradError {
  static override readonly name: string = 'DeviceError';
}
/** A GPU that was lost, or values that only it had. */
export class DeviceLostError extends DeviceError {
  static override readonly name: string = 'DeviceLostError';
}
/** A tensor, model or engine that is used after it was disposed, or in the wrong place. */
export class StateError extends EverygradError {
  static override readonly name: string = 'StateError';
}

/** Throws OptionError for an option that is none of these. */
export function checkOptionNames(where: string, options: object | undefined, known: readonly string[]): void {
  const unknown = Object.keys(options ?? {}).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new OptionError({
    where,
    problem: `unknown option ${unknown}`,
    hint: `the options are ${known.join(', ')}`,
    values: { option: unknown, known },
  });
}
