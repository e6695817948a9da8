// Where the results of a search are kept, so that one that was interrupted goes on: JSON lines in a file, or anything else.
import { FormatError, OptionError, StorageError } from '../errors.js';
import { forNode, hasFiles, readBytes, writeFileAtomic } from '../platform.js';

/** Keeps lines in order. */
export interface SearchStorage {
  /** All lines so far, none where the search is new. */
  load(): Promise<readonly string[]> | readonly string[];
  /** Adds a line; what it gives is awaited before the next trial counts as done. */
  append(line: string): Promise<void> | void;
}

/**
 * One line of JSON for each trial, in a file (Node, Deno, Bun). A last line without an end, as a killed process leaves it,
 * is dropped. Errors: StorageError.
 */
export function fileStorage(path: string | URL): SearchStorage {
  if (!hasFiles) {
    throw new OptionError({
      where: 'search.fileStorage',
      problem: 'there are no files here',
      hint: 'pass { load, append } as storage, over localStorage for instance',
    });
  }
  return {
    async load() {
      const { stat } = await forNode();
      const isThere = await stat(path).then(
        () => true,
        () => false,
      );
      if (!isThere) return [];
      const text = new TextDecoder().decode(await readBytes(path));
      const whole = text.slice(0, text.lastIndexOf('\n') + 1);
      if (whole.length < text.length) await writeFileAtomic(path, new TextEncoder().encode(whole));
      return whole.split('\n').slice(0, -1);
    },
    async append(line) {
      const { appendFile } = await forNode();
      await appendFile(path, `${line}\n`).catch((cause) => {
        throw new StorageError({
          where: String(path),
          problem: `a result cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
          hint: 'check that the folder is there and can be written',
          cause,
        });
      });
    },
  };
}

/** The object that a line holds. */
export function parseLine(line: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (value && typeof value === 'object') return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new FormatError({
    where: 'search',
    problem: `line ${number} of the results is no JSON object: ${line.slice(0, 60)}`,
    hint: 'the file is damaged, or not one of a search',
    values: { line: number },
  });
}
