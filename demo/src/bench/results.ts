// Results of benchmarks: from files, in whichever of the two forms, and as a table.
import type { BenchResult } from 'everygrad/bench';

/** Results of one file or of this page. */
export interface Column {
  title: string;
  results: readonly BenchResult[];
  /** Measured on this page. */
  own?: boolean;
}

/** Results of one file by runtime and engine: what was measured on several of them has several columns. */
export function columnsOf(results: readonly BenchResult[]): Column[] {
  const columns = new Map<string, BenchResult[]>();
  for (const result of results) {
    const title = [result.runtime, result.engine].filter(Boolean).join(', ');
    columns.set(title, [...(columns.get(title) ?? []), result]);
  }
  return [...columns].map(([title, own]) => ({ title, results: own }));
}

const isResult = (value: unknown): value is BenchResult => {
  const { name, value: rate, unit } = (value ?? {}) as Partial<BenchResult>;
  return typeof name === 'string' && typeof rate === 'number' && typeof unit === 'string';
};

/** What this page exports, or the lines of `everygrad bench --json`. Throws for anything else. */
export function parseResults(text: string, file: string): BenchResult[] {
  let values: unknown[];
  try {
    const whole = text.trim();
    const parsed = (
      whole.startsWith('[') ? JSON.parse(whole) : whole.split('\n').map((line) => JSON.parse(line) as unknown)
    ) as unknown[];
    values = parsed;
  } catch (error) {
    throw new Error(`${file} is not JSON: ${(error as Error).message}`);
  }
  const found = values.filter(isResult);
  if (found.length === 0 || found.length < values.length)
    throw new Error(`${file} has no results of benchmarks, or not only such`);
  return found;
}

const element = (tag: string, text = '', kind = ''): HTMLElement => {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
};

const round = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);

/** A row for each benchmark, a column for each source, with bars in proportion to the row's best. */
export function table(columns: readonly Column[]): { head: HTMLElement; rows: HTMLElement[] } {
  const head = element('tr');
  head.append(element('th', 'Benchmark'), ...columns.map(({ title }) => element('th', title)));
  const names = [...new Set(columns.flatMap(({ results }) => results.map(({ name }) => name)))];
  const rows = names.map((name) => {
    const row = element('tr');
    row.append(element('td', name));
    const found = columns.map(({ results }) => results.find((r) => r.name === name));
    // One source alone is compared with itself, in the same unit.
    const peers = columns.length > 1 ? found : columns[0]!.results.filter((r) => r.unit === found[0]!.unit);
    const most = Math.max(...peers.map((r) => r?.value ?? 0));
    const least = Math.min(...peers.map((r) => r?.value ?? Number.POSITIVE_INFINITY));
    for (const [i, result] of found.entries()) {
      const cell = element('td', result ? '' : '–', columns[i]!.own ? 'value' : 'value other');
      if (result) {
        const bar = element('span', '', 'bar');
        const part = element('i');
        // Of seconds, fewer are better.
        const share = result.unit === 's' ? least / result.value : result.value / most;
        part.style.transform = `scaleX(${share.toFixed(3)})`;
        bar.append(part);
        cell.append(`${round(result.value)} ${result.unit} on ${result.backend}`, bar);
        cell.title = `best ${round(result.best)} ${result.unit} of ${result.rounds} rounds, ${result.engine}`;
      }
      row.append(cell);
    }
    return row;
  });
  return { head, rows };
}
