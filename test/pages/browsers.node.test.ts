// The pages in Chromium, Firefox and WebKitGTK: each loads with no complaint, trains, survives a reload in the middle and
// a worker that is killed, with WebGPU where the browser has it, and with neither that nor cross-origin isolation.
// @suite devices=wasm runtimes=node timeout=1200
import { mkdir } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import {
  browserNames,
  buildSite,
  openTab,
  type Site,
  serveSite,
  type Tab,
  whyNoBrowser,
  whyNoSite,
} from './browser.js';
import { axe, number, seriousFindings, shots, widths } from './chromium.js';

const test = suite('browsers');

const says = (id: string, part: string): string =>
  `document.getElementById(${JSON.stringify(id)}).textContent.includes(${JSON.stringify(part)})`;

async function playground(tab: Tab, address: string): Promise<void> {
  await tab.goto(`${address}index.html#data=xor&layers=8,4&lr=0.03`);
  await tab.click('#play');
  await tab.until(`${number('accuracy')} >= 96 && ${number('epoch')} > 5`);
  // Written down once a second.
  const epoch = await tab.evaluate<number>(number('epoch'));
  await tab.until(`JSON.parse(sessionStorage.getItem('everygrad.playground'))?.losses.at(-1)[0] > ${epoch}`);
  await tab.reload();
  assert.ok((await tab.evaluate<number>(number('epoch'))) >= epoch, 'the network is as it was');
  assert.ok((await tab.evaluate<number>(number('accuracy'))) >= 80);
  await tab.click('#play');
  await tab.until(`${number('accuracy')} >= 96 && ${number('speed')} > 0`);
  await tab.click('#play');
}

/** Epochs of the model that the page has kept; looks for a later time. */
const keptEpochs = `(() => {
  const open = indexedDB.open('everygrad-pages');
  open.onsuccess = () => {
    const get = open.result.transaction('kept').objectStore('kept').get('mlp');
    get.onsuccess = () => (open.result.close(), (window.keptEpochs = get.result?.epochs));
  };
  return window.keptEpochs ?? 0;
})()`;

async function digits(tab: Tab, address: string): Promise<void> {
  await tab.goto(`${address}digits.html#examples=2000`);
  await tab.click('#play');
  await tab.until(`${number('accuracy')} >= 88`);
  await tab.until(`${keptEpochs} >= 1`); // every two seconds
  await tab.reload();
  const epochs = await tab.evaluate<number>(number('epoch'));
  assert.ok(epochs >= 1, 'the model is as it was');
  await tab.press('#pad', '3');
  await tab.until('/^[0-9]$/.test(document.getElementById("guess").textContent)');
  await tab.until('document.querySelectorAll("#maps canvas").length > 0');
  await tab.click('#play');
  await tab.until(`${number('epoch')} > ${epochs}`);
  assert.ok((await tab.evaluate<number>('killWorkers("worker-thread")')) > 0);
  await tab.until(says('status', 'another one goes on'));
  const then = await tab.evaluate<number>(number('epoch'));
  await tab.until(`${number('epoch')} >= ${Math.floor(then) + 2} && ${number('accuracy')} >= 88`);
  await tab.click('#play');
  await tab.until('document.getElementById("play").textContent === "Train"');
}

async function inside(tab: Tab, address: string): Promise<void> {
  await tab.goto(`${address}inside.html#model=mlp`);
  // The model of the digits page.
  await tab.until(`${number('accuracy')} >= 88 && document.querySelectorAll("#dreams li").length === 10`);
  await tab.until('document.querySelectorAll("#units tr").length === 3');
  await tab.click('#treat');
  await tab.until('parseFloat(document.querySelector(".patient.well dd").textContent) >= 150');
  assert.match(
    await tab.evaluate<string>('document.querySelector(".patient.ill").textContent'),
    /units are dead/,
  );
  assert.ok((await tab.evaluate<number>('killWorkers("inspector")')) > 0);
  await tab.until('parseFloat(document.querySelector(".patient.well dd").textContent) >= 250');
  await tab.click('#treat');
  assert.match(
    await tab.evaluate<string>('document.querySelector(".patient.well").textContent'),
    /it learns/,
  );
  const epochs = await tab.evaluate<number>(number('epoch'));
  await tab.click('#play');
  await tab.until(`${number('epoch')} > ${epochs}`);
  await tab.reload();
  assert.ok((await tab.evaluate<number>(number('epoch'))) >= epochs, 'the model is as it was');
  await tab.until(`${number('accuracy')} >= 88 && document.querySelectorAll("#dreams li").length === 10`);
}

async function bench(tab: Tab, address: string): Promise<void> {
  await tab.goto(`${address}bench.html`);
  await tab.select('#filter', 'gemm');
  await tab.select('#seconds', '0.5');
  await tab.evaluate(
    'void document.querySelectorAll("#engines input").forEach((e, i) => { e.checked = i === 0; })',
  );
  await tab.click('#play');
  await tab.until('document.querySelectorAll("#rows tr").length >= 2');
  await tab.reload();
  assert.ok(JSON.parse(await tab.text('json')).length >= 2, 'the results are as they were');
  await tab.select('#seconds', '0.5');
  await tab.evaluate(
    'void document.querySelectorAll("#engines input").forEach((e, i) => { e.checked = i === 0; })',
  );
  await tab.click('#play');
  await tab.until('document.querySelectorAll("#rows tr").length >= 1');
  assert.ok((await tab.evaluate<number>('killWorkers("worker")')) > 0);
  await tab.until(`${says('status', 'out of memory')} && ${says('progress', 'done')}`);
  assert.ok(JSON.parse(await tab.text('json')).length >= 1);
}

const pages = { playground, digits, inside, bench };

/** Both themes at three widths: nothing scrolls sideways, and axe finds nothing serious. */
async function look(tab: Tab): Promise<void> {
  await tab.evaluate(
    "void document.head.append(Object.assign(document.createElement('script'), { src: './axe.js' }))",
  );
  await tab.until('Boolean(window.axe)');
  const found: string[] = [];
  for (let theme = 0; theme < 2; theme++) {
    for (const width of widths) {
      await tab.resize(width);
      const over = 'document.documentElement.scrollWidth - innerWidth';
      await tab.until(`${over} <= 0`, 20).catch(() => found.push(`it scrolls sideways at ${width}`));
    }
    // Colours change gradually.
    await tab.until('document.getAnimations().length === 0');
    await tab.evaluate(`void (window.found = undefined, ${seriousFindings}.then((f) => (window.found = f)))`);
    await tab.until('window.found !== undefined');
    found.push(...(await tab.evaluate<string[]>('window.found')));
    await tab.click('#theme');
  }
  await tab.resize(1280);
  assert.equal(found, []);
}

function testsOf(name: string): void {
  let tab: Tab;
  let close: () => Promise<void> = async () => undefined;
  let site: Site;

  test(`${name} starts`, async () => {
    const opened = await openTab(name);
    assert.not.type(opened, 'string');
    ({ tab, close } = opened as Exclude<typeof opened, string>);
    site = await serveSite(await buildSite(), { watched: true, axe });
    await mkdir(shots, { recursive: true });
  });

  for (const [page, scenario] of Object.entries(pages)) {
    test(`${name}, ${page}: loads, trains, comes back`, async () => {
      await scenario(tab, site.address);
      assert.equal(await tab.evaluate('complaints'), []);
      await tab.shot(`${shots}/${name}-${page}.png`);
      if (name !== 'chromium') await look(tab); // which the suite of the pages looks at
    });
  }

  if (name === 'webkit') skip(`${name}, with WebGPU`, 'it has none');
  else {
    test(`${name}, with WebGPU`, async () => {
      await tab.goto(`${site.address}digits.html#examples=2000&batch=128&lr=0.003&device=webgpu`);
      await tab.click('#reset');
      await tab.until(`${says('plan-sum', 'on webgpu')} && ${number('epoch')} === 0`);
      await tab.click('#play');
      await tab.until(`${number('accuracy')} >= 75`);
      await tab.click('#play');
      await tab.until('document.getElementById("play").textContent === "Train"');
      assert.equal(await tab.evaluate('complaints'), []);
    });
  }

  test(`${name}, without isolation and with WebGPU blocked`, async () => {
    const plain = await serveSite(await buildSite(), { watched: true, isolated: false, gpu: 'blocked' });
    await tab.goto(`${plain.address}digits.html#examples=2000&device=webgpu`);
    assert.is(await tab.evaluate('Boolean(window.crossOriginIsolated)'), false);
    assert.match(await tab.text('status'), /WebGPU cannot be used here, so WASM computes: /);
    await tab.click('#play');
    await tab.until(`${number('accuracy')} >= 80`);
    assert.match(await tab.text('plan-sum'), /^\d+ on wasm$/);
    assert.equal(await tab.evaluate('complaints'), []);
    await plain.stop();
  });

  // Each in one browser: unit/platform-gpu has all in all of them.
  const trouble = { chromium: 'without device', firefox: 'silent', webkit: 'refused' }[name];
  test(`${name}, with a GPU that does not come: ${trouble}`, async () => {
    const troubled = await serveSite(await buildSite(), { watched: true, gpu: trouble });
    await tab.goto(`${troubled.address}digits.html#examples=2000`);
    await tab.click('#play');
    await tab.until(`${number('accuracy')} >= 80`);
    assert.match(await tab.text('plan-sum'), /^\d+ on wasm$/);
    assert.equal(await tab.evaluate('complaints'), []);
    await troubled.stop();
  });

  test(`${name} ends`, async () => {
    await close();
    await site?.stop();
  });
}

for (const name of browserNames) {
  const why = whyNoSite() ?? whyNoBrowser(name);
  if (why === undefined) testsOf(name);
  else if (environment.require) test(name, () => assert.unreachable(`${why}, and all is required`));
  else skip(`the pages in ${name}`, why);
}

test.run();
