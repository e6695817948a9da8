// The code blocks of a page as a program: each block in order, against the built package; what the comment behind a
// `console.log` says is what it printed.
import { environment, readFixture } from './environment.js';

const { mkdtemp, rm, writeFile } = await import('node:fs/promises');
const { join } = await import('node:path');
const { fileURLToPath } = await import('node:url');
const { execFile } = await import('node:child_process');
const { promisify } = await import('node:util');

const root = fileURLToPath(environment.root);

/** A file of the repository. */
export const textOf = async (path: string): Promise<string> =>
  new TextDecoder().decode(await readFixture(path));

/** Code blocks that begin with ``` and these words. */
export const blocksOf = (text: string, words: string): string[] =>
  [...text.matchAll(/^```(.+)\n([\s\S]*?)^```/gm)].filter(([, w]) => w === words).map(([, , code]) => code!);

/** Lines of the blocks for a shell, without comments. */
export const commandsOf = (text: string): string[] =>
  blocksOf(text, 'sh')
    .flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.replace(/ #.*$/, '').trim())
    .filter(Boolean);

/** Engines break lines and put spaces and quotes in ways of their own. */
const plain = (text: string): string =>
  text
    .replaceAll(/\s+/g, '')
    .replaceAll('"', "'")
    .replaceAll(/,(?=[\]}])/g, '');

/** What stands in the output before and behind what a promise is about. */
const marks = { from: '@from', to: '@to ' };

/**
 * The program of a page. Around each `console.log(...); // text`, or with the text in the comment lines below it, it prints
 * what was promised; `...` stands for anything.
 */
function programOf(blocks: readonly string[]): string {
  const library = (part = 'index') => new URL(`dist/${part}.js`, environment.root).href;
  const print = (text: string): string => `console.log(${JSON.stringify(text)});`;
  return blocks
    .join('\n')
    .replaceAll(
      /^( *)((?:await .*)?console\.log\(.*\)|await says\(.*\));(?: \/\/ (.*))?\n((?: *\/\/ .*\n)*)/gm,
      (_, indent: string, call: string, beside: string | undefined, below: string) => {
        const lines = below.split('\n').flatMap((line) => (line.trim() ? [line.trim().slice(3)] : []));
        const promised = beside ?? lines.join('\n');
        if (!promised) return `${indent}${call};\n`;
        return `${indent}${print(marks.from)} ${call}; ${print(marks.to + JSON.stringify(promised))}\n`;
      },
    )
    .replaceAll(/from 'everygrad(?:\/(\w+))?'/g, (_, part) => `from '${library(part)}'`);
}

/** What was promised and not printed, and how many promises there are. */
function compare(stdout: string): { broken: string[]; count: number } {
  const broken: string[] = [];
  let [printed, count] = ['', 0];
  for (const line of stdout.split('\n')) {
    if (line === marks.from) printed = '';
    else if (!line.startsWith(marks.to)) printed += `${line}\n`;
    else {
      count++;
      const promised = JSON.parse(line.slice(marks.to.length)) as string;
      const parts = plain(promised)
        .split('...')
        .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
      if (!new RegExp(`^${parts.join('[^]*')}$`).test(plain(printed)))
        broken.push(`promised: ${promised}\nprinted:  ${printed}`);
    }
  }
  return { broken, count };
}

/** What a page's program needs besides its own code. */
export interface Surroundings {
  /** Code before and behind it. */
  before?: string;
  after?: string;
  /** Options of Deno. */
  flags?: readonly string[];
  /** Puts files into its folder. */
  prepare?: (folder: string) => Promise<unknown>;
}

/** Runs the blocks of a page as one program, in a folder of its own. */
export async function runBlocks(
  blocks: readonly string[],
  { before = '', after = '', flags = [], prepare }: Surroundings = {},
): Promise<{ broken: string[]; count: number }> {
  const folder = await mkdtemp(join(root, 'build', 'page-'));
  try {
    await prepare?.(folder);
    await writeFile(join(folder, 'page.mjs'), `${before}\n${programOf(blocks)}\n${after}\n`);
    const run = environment.runtime === 'deno' ? ['run', '-A', ...flags, 'page.mjs'] : ['page.mjs'];
    const env = { ...process.env, EVERYGRAD_CACHE: folder };
    const options = { cwd: folder, env, timeout: 600_000 };
    return compare((await promisify(execFile)(process.execPath, run, options)).stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}
