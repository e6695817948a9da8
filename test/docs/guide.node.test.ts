// The guide: the code blocks of each page run, in order, as one program against the built package, and what the comment behind a
// `console.log` says is what it printed. Commands of the command line run too. Every page is in the index.
// @suite devices=wasm timeout=400
import * as assert from 'uvu/assert';
import { environment, readFixture } from '../helpers/environment.js';
import { suite } from '../helpers/suite.js';

const test = suite('guide');

const { mkdtemp, readdir, rm, writeFile } = await import('node:fs/promises');
const { join } = await import('node:path');
const { fileURLToPath } = await import('node:url');
const { execFile } = await import('node:child_process');
const { promisify } = await import('node:util');

const root = fileURLToPath(environment.root);
const pages = (await readdir(join(root, 'docs/guide'))).filter((f) => f.endsWith('.md')).sort();
const textOf = async (page: string): Promise<string> =>
  new TextDecoder().decode(await readFixture(`docs/guide/${page}`));
const blocksOf = (text: string, language: string): string[] =>
  [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)]
    .filter(([, l]) => l === language)
    .map(([, , code]) => code!);
const run = async (args: readonly string[], cwd: string): Promise<string> => {
  const all = environment.runtime === 'deno' ? ['run', '-A', ...args] : args;
  return (await promisify(execFile)(process.execPath, all, { cwd, timeout: 120_000 })).stdout;
};

/** Engines break lines and put spaces and quotes in ways of their own. */
const plain = (text: string): string =>
  text
    .replaceAll(/\s+/g, '')
    .replaceAll('"', "'")
    .replaceAll(/,(?=[\]}])/g, '');

/** A line that the program prints where a comment ends: `...` stands for anything. */
const mark = '@promised ';

/**
 * The program of a page; behind each `console.log(...); // text`, or with the text in the comment lines below it, it prints what
 * was promised.
 */
function programOf(blocks: readonly string[]): string {
  const library = (part = 'index') => new URL(`dist/${part}.js`, environment.root).href;
  return blocks
    .join('\n')
    .replaceAll(
      /^( *)(console\.log\(.*\)|await says\(.*\));(?: \/\/ (.*))?\n((?: *\/\/ .*\n)*)/gm,
      (_, indent: string, call: string, beside: string | undefined, below: string) => {
        const lines = below.split('\n').flatMap((line) => (line.trim() ? [line.trim().slice(3)] : []));
        const promised = beside ?? lines.join('\n');
        return `${indent}${call};\n${promised ? `${indent}console.log(${JSON.stringify(mark + JSON.stringify(promised))});\n` : ''}`;
      },
    )
    .replaceAll(/from 'everygrad(?:\/(\w+))?'/g, (_, part) => `from '${library(part)}'`);
}

/** What was promised and not printed. */
function brokenPromises(stdout: string): string[] {
  const broken: string[] = [];
  let printed = '';
  for (const line of stdout.split('\n')) {
    if (!line.startsWith(mark)) {
      printed += `${line}\n`;
      continue;
    }
    const promised = JSON.parse(line.slice(mark.length)) as string;
    const parts = plain(promised)
      .split('...')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    if (!new RegExp(`^${parts.join('[^]*')}$`).test(plain(printed)))
      broken.push(`promised: ${promised}\nprinted:  ${printed}`);
    printed = '';
  }
  return broken;
}

test('the index has every page, and every page a program', async () => {
  const index = await textOf('README.md');
  const linked = [...index.matchAll(/\]\((\w[\w-]*\.md)\)/g)].map(([, page]) => page);
  assert.equal([...linked, 'README.md'].sort(), pages);
  for (const page of linked) {
    const text = await textOf(page!);
    assert.ok(blocksOf(text, 'js').length + blocksOf(text, 'sh').length > 0, page);
  }
});

for (const page of pages) {
  const text = await textOf(page);
  const blocks = blocksOf(text, 'js');
  if (blocks.length > 0) {
    test(`${page} runs and prints what it says`, async () => {
      const folder = await mkdtemp(join(root, 'build', 'guide-'));
      try {
        const program = programOf(blocks);
        assert.ok(program.includes(mark), 'it promises nothing');
        await writeFile(join(folder, 'page.mjs'), program);
        assert.equal(brokenPromises(await run(['page.mjs'], folder)), []);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
  for (const command of blocksOf(text, 'sh').flatMap((block) => block.trim().split('\n'))) {
    test(`${page}: ${command}`, async () => {
      const args = command.split(' ');
      assert.equal(args.splice(0, 2), ['npx', 'everygrad']);
      assert.ok((await run([join(root, 'dist/cli.js'), ...args], root)).length > 0);
    });
  }
}

test.run();
