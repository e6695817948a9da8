// Reads the values of options; commander turns what is wrong with one into a message that names the option.
import { InvalidArgumentError, Option } from 'commander';

export function option<T>(flags: string, description: string, parse?: (text: string) => T): Option {
  const made = new Option(flags, description);
  return parse ? made.argParser(parse) : made;
}

interface Range {
  from?: number;
  above?: number;
  below?: number;
}

const ruleOf = ({ from, above, below }: Range): string =>
  [
    from === undefined ? [] : `at least ${from}`,
    above === undefined ? [] : `more than ${above}`,
    below === undefined ? [] : `less than ${below}`,
  ]
    .flat()
    .join(' and ');

/** A finite number in a range. */
export const number =
  (range: Range) =>
  (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    const { from = Number.NEGATIVE_INFINITY, above = Number.NEGATIVE_INFINITY, below = Infinity } = range;
    if (Number.isFinite(value) && value >= from && value > above && value < below) return value;
    throw new InvalidArgumentError(`It must be a number, ${ruleOf(range)}.`);
  };

/** A whole number. */
export const wholeNumber =
  (from: number) =>
  (text: string): number => {
    const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= from) return value;
    throw new InvalidArgumentError(`It must be a whole number, at least ${from}.`);
  };

/** A name or path: something, at least. */
export function someText(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('It must not be empty.');
}

/** `100,100`, or `0` for no hidden layer. */
export function layerSizes(text: string): number[] {
  if (text.trim() === '0') return [];
  const sizes = text.split(',').map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
  if (sizes.every((n) => Number.isSafeInteger(n) && n >= 1)) return sizes;
  throw new InvalidArgumentError('It must be whole numbers from 1 with commas between them, as in 100,100.');
}
