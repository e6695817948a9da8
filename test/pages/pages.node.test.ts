// The pages in Chromium: they load without a complaint, train, come back as their address says, and are accessible.
// @suite devices=wasm runtimes=node timeout=150
import { mkdir, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { data, nn, weightsToBytes } from '../../src/index.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';

const test = suite('pages');
const root = (path: string): string => fileURLToPath(new URL(path, environment.root));
const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** As much of puppeteer as is used here. */
interface Page {
  on(event: string, hear: (what: never) => void): void;
  goto(address: string): Promise<unknown>;
  reload(): Promise<unknown>;
  $(selector: string): Promise<{ uploadFile(...paths: string[]): Promise<void> } | null>;
  click(selector: string): Promise<void>;
  focus(selector: string): Promise<void>;
  keyboard: { press(key: string): Promise<void> };
  select(selector: string, value: string): Promise<unknown>;
  waitForFunction(f: string, options?: { timeout: number }): Promise<unknown>;
  evaluate<T>(f: string): Promise<T>;
  addScriptTag(options: { url: string }): Promise<unknown>;
  setViewport(size: { width: number; height: number }): Promise<void>;
  emulateMediaFeatures(features: { name: string; value: string }[]): Promise<void>;
  screenshot(options: { path: string; fullPage: boolean }): Promise<unknown>;
  close(): Promise<void>;
}
interface Browser {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}
interface Site {
  served: Set<string>;
  address: string;
  stop(): Promise<void>;
}

const tools = (await import(root('test/pages/site.mjs'))) as {
  serveSite(folder: string, options?: object): Promise<Site>;
  openChromium(): Promise<Browser | string>;
};
const siteOf = tools.serveSite;
const shots = root('build/screenshots');
let browser: Browser;
let site: Site;

/** Opens a page and counts what it complains of. */
async function open(name: string, { width = 1280 } = {}): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (m: { type(): string; text(): string }) => {
    if (['error', 'warn', 'warning'].includes(m.type())) complaints.push(m.text());
  });
  page.on('pageerror', (e: Error) => complaints.push(e.message));
  page.on('response', (r: { status(): number; url(): string }) => {
    if (r.status() >= 400) complaints.push(`${r.status()} ${r.url()}`);
  });
  await page.setViewport({ width, height: 860 });
  await page.goto(site.address + name);
  await ready(page);
  return { page, complaints };
}

const ready = (page: Page): Promise<unknown> =>
  page.waitForFunction('document.documentElement.dataset.ready === "true"', { timeout: 30_000 });
const text = (page: Page, id: string): Promise<string> =>
  page.evaluate<string>(`document.getElementById(${JSON.stringify(id)}).textContent`);
const until = (page: Page, condition: string, timeout = 40_000): Promise<unknown> =>
  page.waitForFunction(condition, { timeout });
const number = (id: string): string => `parseFloat(document.getElementById("${id}").textContent)`;

/** Both themes, each at three widths: no sideways scrolling, pictures for people, no serious finding of axe. */
async function check(page: Page, name: string): Promise<void> {
  const findings: string[] = [];
  for (const theme of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
    for (const width of [360, 800, 1280]) {
      await page.setViewport({ width, height: 860 });
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      assert.ok(wide <= width, `${name} is ${wide} wide at ${width}`);
      await page.screenshot({ path: `${shots}/${name}-${width}-${theme}.png`, fullPage: true });
    }
    findings.push(
      ...(await page.evaluate<string[]>(`axe.run().then(({ violations }) => violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map((v) => '${theme}: ' + v.id + ' ' + v.nodes.map((n) => n.target.join(' ') + ' ' + n.failureSummary).join('; ')))`)),
    );
  }
  assert.equal(findings, []);
}

/** A file of MNIST's format. */
function idx(shape: readonly number[], values: ArrayLike<number>): Uint8Array {
  const head = new Uint8Array(4 + 4 * shape.length);
  head[2] = 8;
  head[3] = shape.length;
  for (const [i, size] of shape.entries()) new DataView(head.buffer).setUint32(4 + 4 * i, size);
  return Uint8Array.from([...head, ...Array.from(values)]);
}

/** Bytes of all that a page's first load brings, kernels and workers included, compressed. */
const firstLoadLimits = { index: 200_000, digits: 200_000, bench: 200_000 };

function pages(): void {
  test.before(async () => {
    const { build } = (await import(root('demo/node_modules/vite/dist/node/index.js'))) as {
      build(options: object): Promise<unknown>;
    };
    await build({ configFile: root('demo/vite.config.ts'), logLevel: 'warn' });
    site = await siteOf(root('demo/dist'), { axe: root('demo/node_modules/axe-core/axe.min.js') });
    await mkdir(shots, { recursive: true });
  });
  test.after(async () => {
    await browser.close();
    await site?.stop();
  });

  test('the playground trains to 97%, and comes back as its address says', async () => {
    const { page, complaints } = await open('index.html#data=xor&layers=8,4&lr=0.03');
    await page.click('#play');
    await until(page, `${number('accuracy')} >= 97 && ${number('epoch')} > 5`);
    await until(page, `${number('speed')} > 0`);
    await page.click('#play');
    await page.click('#more-layers');
    await page.select('#choose-activation', 'relu');
    await until(page, 'location.hash.includes("layers=8,4,4") && location.hash.includes("activation=relu")');
    await page.reload();
    await ready(page);
    assert.is(await text(page, 'layer-count'), '3 hidden layers');
    assert.is(await page.evaluate<string>('document.querySelector("#choose-lr").value'), '0.03');
    assert.is(await page.evaluate<number>('document.querySelectorAll(".node").length'), 2 + 8 + 4 + 4 + 1);
    await page.click('#step');
    await until(page, `${number('train-loss')} > 0`);
    await page.addScriptTag({ url: './axe.js' });
    await check(page, 'playground');
    assert.equal(complaints, []);
    await page.close();
  });

  test('the same seed trains to the same loss', async () => {
    const { page } = await open('index.html#seed=5');
    const losses: string[] = [];
    for (let i = 0; i < 2; i++) {
      for (let step = 0; step < 3; step++) await page.click('#step');
      await until(page, `${number('epoch')} >= 0`);
      await page.evaluate('new Promise((resolve) => setTimeout(resolve, 300))');
      losses.push(await text(page, 'train-loss'));
      await page.click('#reset');
      await page.evaluate('new Promise((resolve) => setTimeout(resolve, 300))');
    }
    assert.is(losses[0], losses[1]);
    await page.close();
  });

  test('addresses edited by hand are handled, points are set by mouse and keyboard', async () => {
    const { page, complaints } = await open(
      'index.html#layers=99&lr=abc&data=points&points=2_0_1&nonsense=1',
    );
    assert.match(await text(page, 'status'), /left out: layers=99, lr=abc, points=2_0_1, nonsense=1/);
    assert.is(await text(page, 'layer-count'), '2 hidden layers');
    await page.click('#surface');
    await page.focus('#surface');
    for (const key of ['ArrowUp', 'ArrowUp', 'c', 'Enter']) await page.keyboard.press(key);
    await until(page, 'location.hash.includes("points=") && location.hash.split(";").length === 2');
    await page.click('#play');
    await until(page, `${number('accuracy')} === 100`);
    assert.equal(complaints, []);
    await page.close();
  });

  test('digits: an MLP reaches 90%, LeNet runs, a drawing is answered, the model goes out and in', async () => {
    const { page, complaints } = await open('digits.html#examples=2000');
    await page.click('#play');
    await until(page, `${number('accuracy')} >= 90`);
    await page.click('#play');
    await until(page, 'document.getElementById("play").textContent === "Train"');
    await page.focus('#pad');
    await page.keyboard.press('3');
    await until(page, '/^[0-9]$/.test(document.getElementById("guess").textContent)');
    await until(page, 'document.querySelectorAll("#filters canvas").length === 30');
    assert.match(await text(page, 'plan'), /matmul.*wasm/);
    await page.addScriptTag({ url: './axe.js' });
    await check(page, 'digits');
    await page.reload();
    await ready(page);
    assert.is(await page.evaluate<string>('document.getElementById("examples").value'), '2000');
    await page.click('#models button:nth-child(2)');
    await until(page, 'document.getElementById("plan").textContent.includes("conv2d")');
    await page.click('#play');
    await until(page, `${number('accuracy')} >= 60`);
    assert.equal(complaints, []);
    await page.close();
  });

  test('digits: MNIST files and models are taken in, damaged ones are refused in words', async () => {
    const { mkdtemp, writeFile, rm } = await import('node:fs/promises');
    const folder = await mkdtemp(root('build/dropped-'));
    const { page, complaints } = await open('digits.html');
    const give = async (input: string, files: Record<string, Uint8Array>): Promise<void> => {
      await Promise.all(Object.entries(files).map(([name, bytes]) => writeFile(`${folder}/${name}`, bytes)));
      const element = await page.$(input);
      await element!.uploadFile(...Object.keys(files).map((name) => `${folder}/${name}`));
    };
    const says = (part: string): Promise<unknown> =>
      until(page, `document.getElementById("status").textContent.includes(${JSON.stringify(part)})`);
    try {
      const { train } = await data.digits({ train: 600, test: 1, seed: 9 });
      const images = idx([600, 28, 28], train.inputs);
      await give('#mnist', { 'images-idx3-ubyte': images, 'labels-idx1-ubyte': idx([600], train.targets) });
      await says('540 images for training, 60 for testing');
      await until(page, 'document.getElementById("source").textContent === "540 MNIST images"');
      await give('#mnist', { 'images-idx3-ubyte': images.slice(0, 1000) });
      await says('images-idx3-ubyte');
      const model = nn.sequential(nn.linear(784, 100), nn.relu(), nn.linear(100, 10));
      const bytes = await weightsToBytes(model);
      await give('#upload', { 'own.safetensors': bytes });
      await says('right on the test set');
      await give('#upload', { 'cut.safetensors': bytes.slice(0, 5000) });
      await says('[weights]');
      assert.equal(complaints, []);
    } finally {
      await page.close();
      await rm(folder, { recursive: true });
    }
  });

  test('the benchmark page runs a benchmark and exports it', async () => {
    const { page, complaints } = await open('bench.html');
    await page.select('#seconds', '0.5');
    await page.select('#filter', 'gemm');
    await page.click('#play');
    await until(page, 'document.querySelectorAll("#rows tr").length >= 2');
    await page.click('#play');
    const results = JSON.parse(await text(page, 'json')) as { name: string; value: number }[];
    assert.ok(
      results.length >= 2 && results.every(({ name, value }) => name.startsWith('gemm/') && value > 0),
    );
    await page.addScriptTag({ url: './axe.js' });
    await check(page, 'bench');
    assert.equal(complaints, []);
    await page.close();
  });

  test('the lines of the README train in a page of somebody else', async () => {
    const { readFile, mkdtemp, writeFile, cp, rm } = await import('node:fs/promises');
    const { build } = (await import(root('node_modules/esbuild/lib/main.js'))) as {
      build(options: object): Promise<unknown>;
    };
    const readme = await readFile(root('README.md'), 'utf8');
    const [, code] = /^```js\n([\s\S]*?)^```/m.exec(readme.slice(readme.indexOf('In an app of your own')))!;
    const folder = await mkdtemp(root('build/embedded-'));
    try {
      await writeFile(`${folder}/app.js`, code!.replace(/'everygrad\/(\w+)'/g, `'${root('dist/')}$1.js'`));
      const external = ['node:*', 'webgpu'];
      const options = { bundle: true, format: 'esm', platform: 'browser', external, logLevel: 'error' };
      await build({ ...options, entryPoints: [`${folder}/app.js`], outfile: `${folder}/bundle.js` });
      for (const name of ['kernels', 'chunks', 'thread.js', 'worker-thread.js'])
        await cp(root(`dist/${name}`), `${folder}/everygrad/${name}`, { recursive: true });
      await writeFile(
        `${folder}/index.html`,
        '<!doctype html><meta http-equiv="Content-Security-Policy" content="script-src \'self\' \'wasm-unsafe-eval\'"><link rel="icon" href="data:,"><script type="module" src="./bundle.js"></script>',
      );
      const embedded = await siteOf(folder);
      const page = await browser.newPage();
      await page.goto(embedded.address);
      await until(page, 'Number(document.title) > 0.7');
      await page.close();
      await embedded.stop();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('nothing jumps while a page comes up and trains', async () => {
    for (const name of ['index', 'digits', 'bench']) {
      for (const width of [360, 1280]) {
        const { page } = await open(`${name}.html`, { width });
        if (name !== 'bench') await page.click('#play');
        const shift = await page.evaluate<number>(`new Promise((resolve) => {
          let sum = 0;
          new PerformanceObserver((list) => {
            for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value;
          }).observe({ type: 'layout-shift', buffered: true });
          setTimeout(() => resolve(sum), 600);
        })`);
        assert.ok(shift < 0.05, `${name} at ${width}: ${shift}`);
        await page.close();
      }
    }
  });

  test('without cross-origin isolation it trains as well, on one thread', async () => {
    const plain = await siteOf(root('demo/dist'), { isolated: false });
    const before = site;
    site = plain;
    try {
      const { page, complaints } = await open('digits.html#examples=2000');
      await page.click('#play');
      await until(page, `${number('accuracy')} >= 80`);
      assert.is(await page.evaluate<boolean>('crossOriginIsolated'), false);
      assert.is(complaints.length, 1, complaints.join('\n'));
      assert.match(complaints[0]!, /running on 1 thread of \d+: the page is not cross-origin isolated/);
      await page.close();
    } finally {
      site = before;
      await plain.stop();
    }
  });

  test('the first load of each page is small', async () => {
    const { gzipSync } = await import('node:zlib');
    const { readFile } = await import('node:fs/promises');
    for (const [name, limit] of Object.entries(firstLoadLimits)) {
      site.served.clear();
      const { page } = await open(`${name}.html`);
      // What workers load is among it.
      const sizes = await Promise.all(
        [...site.served].map(async (file) => gzipSync(await readFile(root(`demo/dist/${file}`))).length),
      );
      const total = sizes.reduce((a, b) => a + b);
      console.log(`NOTE ${name}.html: ${Math.round(total / 1000)} kB in ${sizes.length} files`);
      assert.ok(total < limit, `${name} loads ${total} bytes`);
      await page.close();
    }
  });
}

const installed = await exists(root('demo/node_modules/vite'));
const { openChromium } = (await import(root('test/pages/site.mjs'))) as {
  openChromium(): Promise<Browser | string>;
};
const opened = installed
  ? await openChromium()
  : 'the packages of demo/ are not installed (npm run runtimes)';
if (typeof opened === 'string') {
  if (environment.require) test('the pages', () => assert.unreachable(`${opened}, and all is required`));
  else skip('all pages', opened);
} else {
  browser = opened;
  pages();
}

test.run();
