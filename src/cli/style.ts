// Colours, which are used only where somebody looks, and numbers as text.
import * as util from 'node:util';

type Format = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** https://no-color.org; FORCE_COLOR is for those who pipe into a pager. */
const coloured = process.env.NO_COLOR
  ? false
  : process.env.FORCE_COLOR
    ? process.env.FORCE_COLOR !== '0'
    : Boolean(process.stdout.isTTY);

/** Node's styleText is there from 20.12. */
const styleText = (util as { styleText?: (format: Format, text: string) => string }).styleText;

const styled =
  (format: Format) =>
  (text: string): string =>
    coloured && styleText ? styleText(format, text) : text;

export const bold = styled('bold');
export const dim = styled('dim');
export const red = styled('red');
export const green = styled('green');
export const yellow = styled('yellow');

/** 12,345 */
export const grouped = (n: number): string => Math.round(n).toLocaleString('en-US');

/** 97.35 %, or a dash where there is none. */
export const percent = (part: number): string =>
  Number.isFinite(part) ? `${(part * 100).toFixed(2)} %` : '-';

/** Four digits after the point, fewer for large numbers, or a dash. */
export function loss(value: number): string {
  if (!Number.isFinite(value)) return '-';
  return value < 100 ? value.toFixed(4) : value.toPrecision(4);
}

const visibleLength = (text: string): number => util.stripVTControlCharacters(text).length;

/** Breaks text between words, so that a line has at most `width` columns. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length > 0 ? `${lines.at(-1)} ${word}` : word;
    if (lines.length > 0 && visibleLength(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

const screenWidth = 79;

/** Two columns: names in quiet colour, and what they are. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const lines = rows.flatMap(([name, value]) =>
    wrap(value, screenWidth - width).map((line, i) => `${dim((i === 0 ? name : '').padEnd(width))}${line}`),
  );
  return lines.join('\n');
}
