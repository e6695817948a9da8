// The pages in Chromium, Firefox and WebKitGTK: each loads with no complaint, trains, survives a reload in the middle and
// a worker that is killed, with WebGPU where the browser has it, and with neither that nor cross-origin isolation.
// @suite devices=wasm runtimes=node timeout=400
import { mkdir } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import { buildSite, root, type Site, serveSite, whyNoSite } from './browser.js';
import { number, shots } from './chromium.js';

const test = suite('browsers');

interface Tab {
  goto(address: string): Promise<void>;
  reload(): Promise<void>;
  evaluate<T>(expression: string): Promise<T>;
  until(condition: string, seconds?: number): Promise<void>;
  click(selector: string): Promise<void>;
  select(selector: string, value: string): Promise<void>;
  press(selector: string, key: string): Promise<void>;
  text(id: string): Promise<string>;
  shot(path: string): Promise<void>;
}

const { openTab } = (await import(root('test/pages/tabs.mjs'))) as {
  openTab(name: string): Promise<{ tab: Tab; close(): Promise<void> } | string>;
};
const says = (id: string, part: string): string =>
  `document.getElementById(${JSON.stringify(id)}).textContent.includes(${JSON.stringify(part)})`;

async function playground(tab: Tab, address: string): Promise<void> {
  await tab.goto(`${address}index.html#data=xor&layers=8,4&lr=0.03`);
  await tab.click('#play');
  await tab.until(`${number('accuracy')} >= 96 && ${number('epoch')} > 5`);
  await tab.until('sessionStorage.length > 0');
  await tab.reload();
  assert.ok((await tab.evaluate<number>(number('epoch'))) >= 1, 'the network is as it was');
  assert.ok((await tab.evaluate<number>(number('accuracy'))) >= 80);
  await tab.click('#play');
  await tab.until(`${number('accuracy')} >= 96 && ${number('speed')} > 0`);
  await tab.click('#play');
}

async function digits(tab: Tab, address: string): Promise<void> {
  await tab.goto(`${address}digits.html#examples=2000`);
  await tab.click('#play');
  await tab.until(`${number('accuracy')} >= 88`);
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
  await tab.click('#play');
  assert.ok(JSON.parse(await tab.text('json')).length >= 2);
}

const pages = { playground, digits, inside, bench };

function testsOf(name: string): void {
  let tab: Tab;
  let close: () => Promise<void> = async () => undefined;
  let site: Site;

  test(`${name} starts`, async () => {
    const opened = await openTab(name);
    assert.not.type(opened, 'string');
    ({ tab, close } = opened as Exclude<typeof opened, string>);
    site = await serveSite(await buildSite(), { watched: true });
    await mkdir(shots, { recursive: true });
  });

  for (const [page, scenario] of Object.entries(pages)) {
    test(`${name}, ${page}: loads, trains, comes back`, async () => {
      await scenario(tab, site.address);
      assert.equal(await tab.evaluate('complaints'), []);
      await tab.shot(`${shots}/${name}-${page}.png`);
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
    const plain = await serveSite(await buildSite(), { watched: true, isolated: false, gpu: false });
    await tab.goto(`${plain.address}digits.html#examples=2000&device=webgpu`);
    assert.is(await tab.evaluate('Boolean(window.crossOriginIsolated)'), false);
    assert.match(await tab.text('status'), /WebGPU cannot be used here, so WASM computes: /);
    await tab.click('#play');
    await tab.until(`${number('accuracy')} >= 80`);
    assert.match(await tab.text('plan-sum'), /^\d+ on wasm$/);
    assert.equal(await tab.evaluate('complaints'), []);
    await plain.stop();
  });

  test(`${name} ends`, async () => {
    await close();
    await site?.stop();
  });
}

for (const name of ['chromium', 'firefox', 'webkit']) {
  const why = whyNoSite() ?? (await installed(name));
  if (why === undefined) testsOf(name);
  else if (environment.require) test(name, () => assert.unreachable(`${why}, and all is required`));
  else skip(`the pages in ${name}`, why);
}

/** Why a browser is not here. */
async function installed(name: string): Promise<string | undefined> {
  const { runtimes } = (await import(root('test/runtime/runtimes.mjs'))) as {
    runtimes: Record<string, () => unknown>;
  };
  const found = runtimes[name]!();
  return typeof found === 'string' ? found : undefined;
}

test.run();
