// Checkpoints in the three browsers: a page that is hidden saves one at once; where storage is full or forbidden that is said
// once, and training goes on to the same weights.
// @suite devices=wasm runtimes=node timeout=1200
import { rm } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import { browserNames, labFolder, openTab, type Site, serveSite, type Tab, whyNoBrowser } from './browser.js';

const test = suite('storage in a page');
/** For pages that lie in frames of no origin, too. */
const headers = { 'Access-Control-Allow-Origin': '*' };
let folder: string;
let site: Site;

test.before(async () => {
  folder = await labFolder();
  site = await serveSite(folder, { watched: true, isolated: false, headers });
});
test.after(async () => {
  await site.stop();
  await rm(folder, { recursive: true });
});

/** Does something in a fresh browser, which lets pages store so much. */
async function inBrowser(name: string, use: (tab: Tab) => Promise<void>, quota?: number): Promise<void> {
  const opened = await openTab(name, quota === undefined ? {} : { quota });
  if (typeof opened === 'string') throw new Error(opened);
  try {
    await use(opened.tab);
  } finally {
    await opened.close();
  }
}

interface Trained {
  sha: string;
  heard: number[];
}

/** What an expression comes to; a page's promises are waited for here, as not all drivers do. */
async function result<T>(tab: Tab, expression: string): Promise<T> {
  await tab.evaluate(`void (window.result = undefined, ${expression}.then((r) => (window.result = r)))`);
  await tab.until('window.result !== undefined');
  return tab.evaluate<T>('window.result');
}

/** Bytes of the checkpoint with this key. */
const kept = (key: string): string => `new Promise((resolve, reject) => {
  const open = indexedDB.open('everygrad');
  open.onerror = () => reject(open.error);
  open.onsuccess = () => {
    const db = open.result;
    const done = (value) => (db.close(), resolve(value));
    if (!db.objectStoreNames.contains('checkpoints')) return done(0);
    const get = db.transaction('checkpoints').objectStore('checkpoints').get('${key}');
    get.onsuccess = () => done(get.result?.length ?? 0);
  };
})`;

/** Stores random bytes until no more are taken: what it was told then. */
const fill = `new Promise((resolve, reject) => {
  const open = indexedDB.open('full', 1);
  open.onupgradeneeded = () => open.result.createObjectStore('bytes');
  open.onerror = () => reject(open.error);
  open.onsuccess = () => {
    let records = 0;
    const put = () => {
      const transaction = open.result.transaction('bytes', 'readwrite');
      const request = transaction.objectStore('bytes').put(crypto.getRandomValues(new Uint8Array(65536)), records++);
      transaction.oncomplete = () => (records < 1000 ? put() : resolve('it takes anything'));
      transaction.onabort = () => resolve((transaction.error ?? request.error).name);
    };
    put();
  };
})`;

async function hidden(tab: Tab): Promise<void> {
  await tab.goto(`${site.address}index.html`);
  await tab.evaluate(`void (async () => {
    const lab = await trainer({ device: 'wasm', build: 'simd', threads: 1 });
    const model = await lab.create(layers, 3);
    const checkpoint = { key: 'hidden', everySeconds: 1e6 };
    window.running = lab.fit(model, train, { ...rule, epochs: 1e6, checkpoint });
  })()`);
  await tab.until('window.running?.getSnapshot().epoch > 3');
  assert.is(await result(tab, kept('hidden')), 0);
  await tab.hide();
  let bytes = 0;
  for (let i = 0; i < 400 && bytes === 0; i++) {
    bytes = await result(tab, kept('hidden'));
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.ok(bytes > 784 * 24 * 4 * 3, `${bytes} bytes kept`);
}

/** Trains undisturbed and with checkpoints, both in a worker: the same weights, and one complaint. */
async function trainsOn(tab: Tab, key: string): Promise<string> {
  const undisturbed = await result<Trained>(tab, 'training()');
  assert.is(undisturbed.heard.length, 12);
  const trained = await result<Trained>(tab, `training({ key: '${key}' })`);
  assert.is(trained.sha, undisturbed.sha);
  const complaints = await tab.evaluate<string[]>('complaints');
  assert.is(complaints.length, 1, complaints.join('\n'));
  return complaints[0]!;
}

/** Quotas are smaller than what the page stores before, so that a checkpoint no longer fits. */
async function full(tab: Tab): Promise<void> {
  await tab.goto(`${site.address}index.html`);
  assert.is(await result(tab, fill), 'QuotaExceededError');
  const said = await trainsOn(tab, 'full');
  assert.match(said, /^warn: everygrad: \[checkpoint full\] the storage refuses: .*quota.*is it full/i);
}

async function forbiddenInWorker(tab: Tab): Promise<void> {
  await tab.goto(`${site.address}index.html`);
  const said = await trainsOn(tab, 'forbidden');
  assert.match(
    said,
    /^warn: everygrad: \[checkpoint forbidden\] the storage refuses: .*forbidden as in some/,
  );
}

async function forbiddenInPage(tab: Tab): Promise<void> {
  await tab.goto(`${site.address}forbidden.html`);
  await tab.until('window.told');
  const { failed, said, same } = await tab.evaluate<{ failed?: string; said: string[]; same: boolean }>(
    'window.told',
  );
  assert.not(failed, failed);
  assert.ok(same, 'the weights differ');
  assert.is(said.length, 1, said.join('\n'));
  assert.match(said[0]!, /^StorageError: \[checkpoint here\] the storage refuses: /);
}

for (const name of browserNames) {
  const why = whyNoBrowser(name);
  if (why !== undefined) {
    if (environment.require) test(name, () => assert.unreachable(`${why}, and all is required`));
    else skip(`storage in ${name}`, why);
    continue;
  }
  test(`on the main thread, forbidden; a page that is hidden saves a checkpoint at once: ${name}`, () =>
    inBrowser(name, async (tab) => {
      await forbiddenInPage(tab);
      await hidden(tab);
    }));
  if (name === 'webkit') {
    skip('storage that is full, or forbidden in a worker: webkit', 'it has no setting for that');
    continue;
  }
  test(`in a worker, full: ${name}`, () => inBrowser(name, full, 2 ** 21));
  test(`in a worker, forbidden: ${name}`, () => inBrowser(name, forbiddenInWorker, 0));
}

test.run();
