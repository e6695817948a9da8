// Pages with code: their blocks run as one program and print what they say, commands run or are at least ones that there are.
// A new page is here by itself.
// @suite devices=wasm timeout=1200
import * as assert from 'uvu/assert';
import { everygrad } from '../helpers/command.js';
import { blocksOf, commandsOf, runBlocks, type Surroundings, textOf } from '../helpers/docs.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const test = suite('code of the pages');

const { access, readdir, symlink } = await import('node:fs/promises');
const { join } = await import('node:path');
const { fileURLToPath } = await import('node:url');

const root = fileURLToPath(environment.root);
const pagesIn = async (folder: string): Promise<string[]> =>
  (await readdir(join(root, folder))).filter((f) => f.endsWith('.md')).map((f) => join(folder, f));
const folders = ['', 'docs', 'docs/guide', 'demo/examples'];
const pages = (await Promise.all(folders.map(pagesIn))).flat().sort();

/** Programs that need more than their page says. */
const special: Readonly<Record<string, Surroundings & { runtimes?: readonly string[] }>> = {
  // Its part for web pages, with a page's document, and what it loads by address.
  'README.md js': {
    runtimes: ['node24'],
    before: `globalThis.document = new EventTarget();
Object.assign(document, { baseURI: new URL('./', import.meta.url).href, visibilityState: 'visible' });`,
    after: 'process.exit(document.title > 0.8 ? 0 : 1);',
    prepare: (folder) => symlink(join(root, 'dist'), join(folder, 'everygrad')),
  },
  'README.md ts': { runtimes: ['node24'] },
  // Node's WebGPU does not end with the program.
  'docs/placement.md js': {
    ...{ runtimes: ['node24', 'deno'], flags: ['--unstable-webgpu'], after: 'process.exit();' },
  },
};
/** Their code is compiled, in a suite of its own. */
const compiled = ['CONTRIBUTING.md'];

for (const page of pages.filter((name) => !compiled.includes(name))) {
  const text = await textOf(page);
  for (const language of ['js', 'ts']) {
    const blocks = blocksOf(text, language);
    if (blocks.length === 0) continue;
    const name = `${page} ${language}`;
    const { runtimes, ...surroundings } = special[name] ?? {};
    if (runtimes && !runtimes.includes(environment.runtime)) {
      skip(name, `it runs in ${runtimes.join(' and ')}`);
      continue;
    }
    test(`${page} runs and prints what it says`, async () => {
      const { broken, count } = await runBlocks(blocks, surroundings);
      assert.equal(broken, []);
      assert.ok(count > 0 || name in special, 'it promises nothing');
    });
  }
}

test("the guide's index has every page, and every page a program", async () => {
  const guide = pages.filter((page) => page.startsWith('docs/guide/'));
  const index = await textOf('docs/guide/README.md');
  const linked = [...index.matchAll(/\]\((\w[\w-]*\.md)\)/g)].map(([, page]) => `docs/guide/${page}`);
  assert.equal([...linked, 'docs/guide/README.md'].sort(), guide);
  for (const page of linked) {
    const text = await textOf(page);
    assert.ok(blocksOf(text, 'js').length + commandsOf(text).length > 0, page);
  }
});

test('the app of "Put it into your app" is the example, which the suite pages/embed builds by every bundler', async () => {
  const page = await textOf('docs/embedding.md');
  assert.equal(blocksOf(page, 'html'), [await textOf('demo/examples/web/plain/index.html')]);
  assert.equal(blocksOf(page, 'js app.js'), [await textOf('demo/examples/web/plain/app.js')]);
});

for (const command of commandsOf(await textOf('docs/guide/command-line.md'))) {
  test(`the guide's ${command}`, async () => {
    const args = command.split(/ +/);
    assert.equal(args.splice(0, 2), ['npx', 'everygrad']);
    const { code, stdout, stderr } = await everygrad(args);
    assert.is(code, 0, stderr);
    assert.ok(stdout.length > 0);
  });
}

const helpTexts = new Map<string, Promise<string>>();
function helpOf(command: string): Promise<string> {
  const known = helpTexts.get(command) ?? everygrad([command, '--help']).then(({ stdout }) => stdout);
  helpTexts.set(command, known);
  return known;
}

test('commands on all pages: commands, options, scripts and files that there are', async () => {
  const { scripts } = JSON.parse(await textOf('package.json'));
  let seen = 0;
  for (const page of pages) {
    for (const line of commandsOf(await textOf(page)).flatMap((l) => l.split(' && '))) {
      const own = /^(?:npx everygrad|node dist\/cli\.js|everygrad) ([a-z]+)(.*)$/.exec(line);
      const script = /^npm (?:run (?:-s )?)?(start|test|(?<=run )[\w:]+|(?<=-s )[\w:]+)/.exec(line)?.[1];
      const file = /^(?:node|bash) (\S+)/.exec(line)?.[1];
      if (own) {
        const help = await helpOf(own[1]!);
        for (const [option] of own[2]!.matchAll(/--[\w-]+/g))
          assert.ok(help.includes(option), `${page}: ${own[1]} has no ${option}`);
      } else if (script) assert.ok(script in scripts, `${page}: no script ${script}`);
      else if (file) await access(join(root, file));
      else continue;
      seen++;
    }
  }
  assert.ok(seen > 20, `only ${seen} commands found`);
});

test.run();
