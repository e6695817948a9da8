// The pages in Chromium: what can be done on each of them, how they look and how accessible they are, how much they load.
// @suite devices=wasm runtimes=node timeout=1200
import * as assert from 'uvu/assert';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import { type Page, root, serveSite } from './browser.js';
import { check, number, Pages, ready, text, until } from './chromium.js';

const test = suite('pages');

/** Bytes of all that a page's first load brings, kernels and workers included, compressed. */
const firstLoadLimits = { index: 200_000, digits: 200_000, inside: 200_000, bench: 200_000 };

const value = (page: Page, id: string): Promise<string> =>
  page.evaluate<string>(`document.getElementById(${JSON.stringify(id)}).value`);

function testsOf(pages: Pages): void {
  test.after(() => pages.stop());

  test('the playground trains to 97%, goes on with another rate, and comes back as its address says', async () => {
    const { page, complaints, close } = await pages.open('index.html#data=xor&layers=8,4&lr=0.03');
    await page.click('#play');
    await until(page, `${number('accuracy')} >= 97 && ${number('epoch')} > 5`);
    await until(page, `${number('speed')} > 0`);
    // What is under way when it is paused is trained and shown before it is written down.
    await page.evaluate(`void (sessionStorage.clear(), document.getElementById('play').click())`);
    await until(page, 'sessionStorage.length > 0');
    const epoch = await page.evaluate<number>(number('epoch'));
    await page.select('#choose-lr', '0.01');
    await until(page, 'location.hash.includes("lr=0.01") || !location.hash.includes("lr=")');
    assert.is(await page.evaluate<number>(number('epoch')), epoch, 'another rate forgets nothing');
    await page.click('#more-layers');
    await page.select('#choose-activation', 'relu');
    await until(page, 'location.hash.includes("layers=8,4,4") && location.hash.includes("activation=relu")');
    await until(page, `${number('epoch')} === 0`);
    await page.reload();
    await ready(page);
    assert.is(await text(page, 'layer-count'), '3 hidden layers');
    assert.is(await value(page, 'choose-activation'), 'relu');
    assert.is(await page.evaluate<number>('document.querySelectorAll(".node").length'), 2 + 8 + 4 + 4 + 1);
    await page.click('#step');
    await until(page, `${number('train-loss')} > 0`);
    await check(page, 'playground');
    assert.equal(complaints, []);
    await close();
  });

  test('the same seed trains to the same loss', async () => {
    const { page, close } = await pages.open('index.html#seed=5');
    const losses: string[] = [];
    const before = await text(page, 'train-loss');
    for (let i = 0; i < 2; i++) {
      for (let step = 0; step < 3; step++) await page.click('#step');
      // Of before the first step and after each.
      await until(page, "JSON.parse(sessionStorage.getItem('everygrad.playground'))?.losses.length === 4");
      losses.push(await text(page, 'train-loss'));
      await page.click('#reset');
      await until(page, `document.getElementById("train-loss").textContent === ${JSON.stringify(before)}`);
    }
    assert.is(losses[0], losses[1]);
    assert.is.not(losses[0], before);
    await close();
  });

  test('points are set by mouse and keyboard, and taken back', async () => {
    const { page, complaints, close } = await pages.open('index.html#data=points');
    await page.click('#surface');
    await page.focus('#surface');
    for (const key of ['ArrowUp', 'ArrowUp', 'c', 'Enter']) await page.keyboard.press(key);
    await until(page, 'location.hash.includes("points=") && location.hash.split(";").length === 2');
    await page.click('#play');
    await until(page, `${number('accuracy')} === 100`);
    const epoch = await page.evaluate<number>(number('epoch'));
    await page.click('#undo');
    await until(page, 'location.hash.includes("points=") && location.hash.split(";").length === 1');
    assert.ok((await page.evaluate<number>(number('epoch'))) >= epoch, 'other points forget nothing');
    assert.equal(complaints, []);
    await close();
  });

  test('digits: a drawing is answered, what the network sees is shown, a correction is learned, LeNet runs', async () => {
    const first = `window.files = [];
      URL.createObjectURL = (blob) => (files.push(blob), 'about:blank');
      HTMLAnchorElement.prototype.click = () => undefined;`;
    const { page, complaints, close } = await pages.open('digits.html#examples=2000', { first });
    /** The header of the file that is offered for download. */
    const downloaded = async (): Promise<string> => {
      await page.click('#download');
      await until(page, 'files.length > 0');
      return page.evaluate('files.pop().slice(8, 2000).text()');
    };
    await page.click('#play');
    await until(page, `${number('accuracy')} >= 90`);
    await page.click('#play');
    await until(page, 'document.getElementById("play").textContent === "Train"');
    await page.focus('#pad');
    await page.keyboard.press('3');
    await until(page, '/^[0-9]$/.test(document.getElementById("guess").textContent)');
    await until(page, 'document.querySelectorAll("#filters canvas").length === 30');
    assert.match(await text(page, 'plan'), /matmul.*wasm/);
    // 100 units, on the image of which something is bright.
    await until(page, 'document.querySelectorAll("#maps canvas").length === 1');
    const bright = (id: string): string => `(() => { const c = document.querySelector("#${id} canvas");
      return c.getContext("2d").getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 === 0 && v > 150).length; })()`;
    assert.ok((await page.evaluate<number>(bright('saliency'))) > 5);
    await check(page, 'digits');
    await page.setViewport({ width: 1280, height: 860 });
    // What was learned lasts, and Adam's moments with it.
    for (let visit = 1; visit <= 2; visit++) {
      assert.match(await downloaded(), /"everygrad.optimizer":"adam"/);
      assert.match(await downloaded(), /"optimizer\.\d+":\{"dtype":"F32","shape":\[784,100\]/);
      if (visit > 1) break;
      await page.reload();
      await ready(page);
    }
    await page.focus('#pad');
    await page.keyboard.press('3');
    await until(page, '/^[0-9]$/.test(document.getElementById("guess").textContent)');
    const wrong = ((Number(await text(page, 'guess')) + 4) % 10) + 1;
    await page.click(`#bars li:nth-child(${wrong}) button`);
    await until(page, `document.getElementById("guess").textContent === "${wrong - 1}"`);
    assert.ok((await page.evaluate<number>(number('accuracy'))) > 60, 'it has not forgotten the others');
    assert.match(await text(page, 'source'), /1 of yours/);
    await page.click('#models button:nth-child(2)');
    await until(page, 'document.getElementById("plan").textContent.includes("conv2d")');
    await page.click('#play');
    await until(page, `${number('accuracy')} >= 60`);
    await page.click('#play');
    await until(page, 'document.getElementById("play").textContent === "Train"');
    await until(page, 'document.querySelectorAll("#maps canvas").length === 8 + 8 + 16 + 16 + 1');
    await page.click('#models button:nth-child(1)');
    await until(page, `document.getElementById("guess").textContent === "${wrong - 1}"`);
    assert.equal(complaints, []);
    await close();
  });

  test('inside: every sickness is told from health by its numbers, and the network is shown from all sides', async () => {
    const { page, complaints, close } = await pages.open('inside.html');
    const patient = (kind: string): Promise<string> =>
      page.evaluate<string>(`document.querySelector(".patient.${kind}").textContent`);
    const findings = [
      /cannot learn any more/,
      /at the bounds of tanh/,
      /cannot learn any more|jumps|units are 0/,
    ];
    for (const [i, button] of [2, 3, 1].entries()) {
      await page.click(`#sicknesses button:nth-child(${button})`);
      await until(page, 'document.querySelector(".patient.well dd").textContent === "0"');
      await page.click('#treat');
      await until(page, 'parseFloat(document.querySelector(".patient.well dd").textContent) >= 160');
      await page.click('#treat');
      assert.match(await patient('ill'), findings[i]!);
      assert.match(await patient('well'), /it learns/);
    }
    await page.click('#play');
    await until(page, `${number('accuracy')} >= 70`);
    await page.click('#play');
    await until(page, 'document.querySelectorAll("#dreams li").length === 10');
    await page.click('#picks button:nth-child(8)');
    await until(page, 'document.getElementById("verdict").textContent.startsWith("A 7")');
    assert.is(await page.evaluate<number>('document.querySelectorAll("#maps .maps-row").length'), 10);
    assert.match(await text(page, 'units'), /convolution, 28 × 28 × 8.*e-/);
    await check(page, 'inside');
    assert.equal(complaints, []);
    await close();
  });

  test('inside: a worker that ended without a word is replaced', async () => {
    // The page waits for a minute; for the first answer after the end, 1 s here.
    const first = `const workers = [];
      window.Worker = class extends Worker { constructor(...a) { super(...a); workers.push(this); } };
      let ended = 0;
      window.endWorkers = () => { ended = 1; workers.splice(0).forEach((w) => w.terminate()); };
      const own = setTimeout;
      window.setTimeout = (f, ms, ...a) => own(f, ms === 60_000 && ended-- === 1 ? 1000 : ms, ...a);`;
    const { page, complaints, close } = await pages.open('inside.html#model=mlp', { first });
    await page.click('#picks button:nth-child(4)');
    await until(page, 'document.getElementById("verdict").textContent.startsWith("A 3")');
    await page.evaluate('endWorkers()');
    await page.click('#picks button:nth-child(8)');
    await until(page, 'document.getElementById("verdict").textContent.startsWith("A 7")');
    assert.equal(complaints, []);
    await close();
  });

  test('the benchmark page asks another worker about the machine where one does not answer', async () => {
    // The page waits for half a minute; 0.1 s here.
    const first = `let asked = 0;
      window.Worker = class extends Worker { postMessage(...a) { if (asked++ > 0) super.postMessage(...a); } };
      const own = setTimeout;
      window.setTimeout = (f, ms, ...a) => own(f, ms === 30_000 ? 100 : ms, ...a);`;
    const { page, complaints, close } = await pages.open('bench.html', { first });
    assert.match(await text(page, 'machine'), /WASM.*threads/);
    assert.equal(complaints, []);
    await close();
  });

  test('the benchmark page runs a benchmark on one and on all threads, exports it, and takes it in again', async () => {
    const { writeFile, mkdtemp, rm } = await import('node:fs/promises');
    const { page, complaints, close } = await pages.open('bench.html');
    await page.select('#seconds', '0.5');
    await page.evaluate('void document.getElementById("filter").add(new Option("one", "gemm/64"))');
    await page.select('#filter', 'gemm/64');
    await page.click('#play');
    await until(page, 'document.getElementById("progress").textContent.endsWith("done")');
    const results = JSON.parse(await text(page, 'json')) as { name: string; value: number; engine: string }[];
    assert.ok(
      results.length >= 1 && results.every(({ name, value: rate }) => name === 'gemm/64' && rate > 0),
    );
    assert.match(results[0]!.engine, /1 thread$/);
    const folder = await mkdtemp(root('build/results-'));
    await writeFile(
      `${folder}/others.json`,
      JSON.stringify(results.map((r) => ({ ...r, runtime: 'deno 2.9' }))),
    );
    await (await page.$('#import'))!.uploadFile(`${folder}/others.json`);
    await until(page, `document.querySelectorAll("#head th").length === ${1 + 2 * results.length}`);
    assert.match(await text(page, 'head'), /deno 2\.9/);
    await rm(folder, { recursive: true });
    await check(page, 'bench');
    assert.equal(complaints, []);
    await close();
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
      const embedded = await serveSite(folder);
      const { page, close } = await pages.open('', { address: embedded.address, first: markReady });
      await until(page, 'Number(document.title) > 0.7');
      await close();
      await embedded.stop();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('nothing jumps while a page comes up and trains', async () => {
    const buttons = { index: '#play', digits: '#play', inside: '#treat', bench: '' };
    for (const [name, button] of Object.entries(buttons)) {
      for (const width of [360, 1280]) {
        const { page, close } = await pages.open(`${name}.html`, { width });
        if (button) await page.click(button);
        const shift = await page.evaluate<number>(`new Promise((resolve) => {
          let sum = 0;
          new PerformanceObserver((list) => {
            for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value;
          }).observe({ type: 'layout-shift', buffered: true });
          setTimeout(() => resolve(sum), 600);
        })`);
        assert.ok(shift < 0.05, `${name} at ${width}: ${shift}`);
        await close();
      }
    }
  });

  test('the first load of each page is small', async () => {
    const { gzipSync } = await import('node:zlib');
    const { readFile } = await import('node:fs/promises');
    for (const [name, limit] of Object.entries(firstLoadLimits)) {
      pages.site.served.clear();
      const { close } = await pages.open(`${name}.html`);
      // What workers load is among it.
      const sizes = await Promise.all(
        [...pages.site.served].map(
          async (file) => gzipSync(await readFile(root(`demo/dist/${file}`))).length,
        ),
      );
      // This Chromium has WebGPU, but no adapter.
      assert.not(
        [...pages.site.served].some((file) => file.includes('webgpu')),
        'the GPU backend is loaded',
      );
      const total = sizes.reduce((a, b) => a + b);
      console.log(`NOTE ${name}.html: ${Math.round(total / 1000)} kB in ${sizes.length} files`);
      assert.ok(total < limit, `${name} loads ${total} bytes`);
      await close();
    }
  });
}

/** For a page that does not tell when it can be used. */
const markReady =
  "addEventListener('DOMContentLoaded', () => { document.documentElement.dataset.ready = 'true'; })";

const started = await Pages.start();
if (typeof started !== 'string') testsOf(started);
else if (environment.require) test('the pages', () => assert.unreachable(`${started}, and all is required`));
else skip('all pages', started);

test.run();
