// An app with everygrad in it, as its users make one: from the packed package, by each bundler or none, in Chromium.
// @suite devices=wasm runtimes=node timeout=1200
import { cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { data } from '../../src/index.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import {
  type Browser,
  open,
  openChromium,
  type Page,
  root,
  run,
  type Site,
  serveSite,
  unpackInto,
} from './browser.js';

const test = suite('embedding');
const examples = root('demo/examples/web');
/** How many of the first test digits the small network reads right after three epochs, at least. */
const reached = 17;
const { test: few } = await data.digits({ train: 1, test: 20 });

let browser: Browser;
let folder: string;
let library: string;

/** Copies an example to where the package is; `assets` are in public/everygrad, by the command line. */
async function appOf(name: string): Promise<string> {
  const app = `${folder}/${name}`;
  await cp(`${examples}/${name}`, app, { recursive: true });
  await run([process.execPath, `${library}/dist/cli.js`, 'assets', 'public/everygrad'], app);
  return app;
}

/** The app built by a bundler; what the bundler complains of is a failure. */
async function built(bundler: string, app: string): Promise<string> {
  const out = `${app}/out-${bundler}`;
  assert.is(await run([process.execPath, root('test/bundlers/build.mjs'), bundler, app, out], folder), '');
  if (bundler !== 'vite') await cp(`${app}/public`, out, { recursive: true });
  return out;
}

async function trained(page: Page, complaints: readonly string[]): Promise<void> {
  const read = '/read as ([\\d ]+)/.exec(document.querySelector("output")?.textContent)?.[1]';
  await page.waitForFunction(read).catch(async (error) => {
    const text = await page.evaluate<string>('document.body.textContent');
    throw new Error(`not trained: ${error}\n${text}\n${complaints.join('\n')}`);
  });
  const labels = (await page.evaluate<string>(read)).split(' ').map(Number);
  const right = labels.filter((label, i) => label === few.targets[i]).length;
  assert.ok(labels.length === 20 && right >= reached, `read as ${labels}: they are ${few.targets}`);
}

/** Notes what a page shows on the way. */
const first = `window.seen = '';
  new MutationObserver(() => (window.seen += document.querySelector('output')?.textContent + '|'))
    .observe(document, { subtree: true, childList: true, characterData: true });`;

/** Trains in a page that lies in a folder; gives what was served and complained of. */
async function trainsIn(
  served: string,
  { name = '', options = {} }: { name?: string; options?: object } = {},
): Promise<{ site: Site; complaints: string[]; isolated: boolean }> {
  const site = await serveSite(served, options);
  // Each has storage of its own, so that no checkpoint is found.
  const context = await browser.createBrowserContext();
  try {
    const { page, complaints } = await open(context, site.address + name, { first });
    await trained(page, complaints);
    assert.match(await page.evaluate<string>('seen'), /epoch [123]/);
    return { site, complaints, isolated: await page.evaluate<boolean>('crossOriginIsolated') };
  } finally {
    await context.close();
    await site.stop();
  }
}

function embedding(): void {
  test.before(async () => {
    await mkdir(root('test/bundlers/build'), { recursive: true });
    folder = await mkdtemp(root('test/bundlers/build/app-'));
    library = await unpackInto(folder);
    await appOf('plain');
  });
  test.after(async () => {
    await browser.close();
    await rm(folder, { recursive: true });
  });

  for (const bundler of ['vite', 'webpack', 'rollup', 'esbuild']) {
    test(`an app built by ${bundler} trains, with all threads`, async () => {
      const { site, complaints, isolated } = await trainsIn(await built(bundler, `${folder}/plain`));
      assert.ok(isolated);
      assert.equal(complaints, []);
      assert.ok([...site.served].some((name) => /everygrad\/kernels\/\w+-threads\.wasm/.test(name)));
    });
  }

  for (const [framework, entry] of [
    ['React', 'react'],
    ['Svelte', 'svelte'],
  ] as const) {
    test(`a component of ${framework} shows a training and what was learned`, async () => {
      const { complaints } = await trainsIn(await built('vite', await appOf(entry)));
      assert.equal(complaints, []);
    });
  }

  test('an app trains while it is worked on, with the server of Vite', async () => {
    const { createServer } = (await import(root('test/bundlers/node_modules/vite/dist/node/index.js'))) as {
      createServer(options: object): Promise<{
        listen(): Promise<unknown>;
        close(): Promise<void>;
        resolvedUrls: { local: string[] };
      }>;
    };
    const server = await createServer({
      ...{ configFile: false, root: `${folder}/plain`, logLevel: 'error', cacheDir: `${folder}/vite` },
      server: { port: 0, host: '127.0.0.1' },
    });
    await server.listen();
    const context = await browser.createBrowserContext();
    try {
      const { page, complaints } = await open(context, server.resolvedUrls.local[0]!);
      await trained(page, complaints);
    } finally {
      await context.close();
      await server.close();
    }
  });

  /** The folder of a page without a bundler. */
  async function unbundled(): Promise<string> {
    const page = await mkdtemp(`${folder}/page-`);
    await cp(`${examples}/plain`, page, { recursive: true });
    await cp(`${examples}/offline`, page, { recursive: true });
    await symlink(`${library}/dist`, `${page}/everygrad`);
    return page;
  }

  test('a page without a bundler trains by an import map; without isolation on one thread, with one warning', async () => {
    const page = await unbundled();
    // A second trainer says nothing more.
    const more =
      '\nconst second = await trainer();\nawait second.create([["linear", 2, 2]]).then((m) => second.predict(m, new Float32Array(2), [1, 2]));\n';
    const code = await readFile(`${page}/app.js`, 'utf8');
    await writeFile(`${page}/app.js`, code.replace(/^(output\.value)/m, `${more}$1`));
    const name = 'no-bundler.html';
    const { complaints, isolated, site } = await trainsIn(page, { name, options: { isolated: false } });
    assert.not(isolated);
    assert.is(complaints.length, 1, complaints.join('\n'));
    assert.match(complaints[0]!, /running on 1 thread of \d+: the page is not cross-origin isolated/);
    assert.not([...site.served].some((file) => /threads\.wasm/.test(file)));
  });

  test('a page without a bundler trains under a strict content security policy, with addresses of its own', async () => {
    const page = await unbundled();
    const code = await readFile(`${page}/app.js`, 'utf8');
    await writeFile(`${page}/app.js`, code.replace(/'everygrad\/(\w+)'/g, "'./everygrad/$1.js'"));
    const headers = {
      'Content-Security-Policy':
        "default-src 'none'; img-src data:; connect-src 'self'; worker-src 'self'; script-src 'self' 'wasm-unsafe-eval'",
    };
    const { complaints } = await trainsIn(page, { options: { headers } });
    assert.equal(complaints, []);
  });

  test('offline, after one visit', async () => {
    const page = await unbundled();
    const code = await readFile(`${page}/app.js`, 'utf8');
    await writeFile(`${page}/app.js`, code.replace(/'everygrad\/(\w+)'/g, "'./everygrad/$1.js'"));
    const html = await readFile(`${page}/index.html`, 'utf8');
    await writeFile(`${page}/index.html`, html.replace('./app.js', './register.js'));
    const site = await serveSite(page);
    const context = await browser.createBrowserContext();
    try {
      const { page: tab, complaints } = await open(context, site.address);
      await trained(tab, complaints);
      await site.stop();
      await tab.reload();
      await trained(tab, complaints);
      assert.equal(
        complaints.filter((text) => !/net::ERR_CONNECTION_REFUSED/.test(text)),
        [],
      );
    } finally {
      await context.close();
    }
  });

  test('files that lie elsewhere are found by setAssetsUrl, missing ones are named in the error', async () => {
    const page = await unbundled();
    await cp(`${folder}/plain/public/everygrad`, `${page}/static/v1`, { recursive: true });
    const html = await readFile(`${page}/index.html`, 'utf8');
    const code = (await readFile(`${page}/app.js`, 'utf8')).replace(
      /'everygrad\/(\w+)'/g,
      "'./everygrad/$1.js'",
    );
    const write = async (name: string, from: string): Promise<void> => {
      await writeFile(`${page}/${name}.html`, html.replace('app.js', `${name}.js`));
      await writeFile(`${page}/${name}.js`, code.replace("'everygrad/' }", `${from} }`));
    };
    await write('elsewhere', "'static/v1'");
    await write('nowhere', "'no/such/folder'");
    const { site } = await trainsIn(page, { name: 'elsewhere.html' });
    assert.ok([...site.served].some((file) => /^static\/v1\/kernels\//.test(file)));
    assert.not([...site.served].some((file) => /^everygrad\/kernels\//.test(file)));
    const again = await serveSite(page);
    const { page: tab, complaints } = await open(browser, `${again.address}nowhere.html`);
    await tab.waitForFunction('true');
    for (let i = 0; i < 1000 && complaints.length < 2; i++) await new Promise((r) => setTimeout(r, 50));
    const said = complaints.join('\n');
    assert.match(
      said,
      /\[trainer\] the worker did not start: .*no\/such\/folder\/worker-thread\.js.*npx everygrad assets/,
    );
    await tab.close();
    await again.stop();
  });
}

const installed = await stat(root('test/bundlers/node_modules/webpack')).then(
  () => true,
  () => false,
);
const opened = installed ? await openChromium() : 'the bundlers are not installed (npm run runtimes)';
if (typeof opened === 'string') {
  if (environment.require) test('embedding', () => assert.unreachable(`${opened}, and all is required`));
  else skip('embedding', opened);
} else {
  browser = opened;
  embedding();
}

test.run();
