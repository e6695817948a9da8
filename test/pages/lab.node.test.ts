// Training in a page's worker: what can happen to it in a real browser, and that the page stays free meanwhile.
// @suite devices=wasm runtimes=node timeout=1200
import { rm } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import {
  type Browser,
  browserNames,
  labFolder,
  type Opened,
  open,
  openChromium,
  type Page,
  runtimes,
  type Site,
  serveSite,
} from './browser.js';

const test = suite('training in a page');
let browser: Browser;
let folder: string;
let site: Site;

interface Told {
  failed?: string;
  ops: { webgpu?: number };
  losses: number[];
  killed: { heard: number[]; error: string; message: string };
  silent: { heard: number[]; error: string; message: string };
  last: { heard: number[]; sha: string };
  epochs: number;
  same: boolean;
}

/** Of Chromium's traces: an event of a thread, with its time in microseconds of the thread's own clock. */
interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  tdur?: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What a page told by asking for an address below report/. */
async function told(from: Site): Promise<Told> {
  for (let i = 0; i < 3000; i++, await pause(100)) {
    const name = [...from.served].find((address) => address.startsWith('report/'));
    if (name) return JSON.parse(decodeURIComponent(name.slice('report/'.length))) as Told;
  }
  throw new Error(`the page told nothing; it asked for ${[...from.served].join(', ')}`);
}

async function lab(): Promise<Opened & { close(): Promise<void> }> {
  const context = await browser.createBrowserContext();
  const opened = await open(context, `${site.address}index.html`);
  await opened.page.waitForFunction('window.isReady');
  return { ...opened, close: () => context.close() };
}

/** The error that a piece of the page's program ends in, as data. */
const errorOf = (page: Page, code: string): Promise<{ name: string; message: string; values: object }> =>
  page.evaluate(
    `(async () => { ${code} })().then(() => null, ({ name, message, values }) => ({ name, message, values }))`,
  );

/**
 * What a piece of the page's program comes to, and what each task of the page's main thread took meanwhile: in milliseconds
 * of its own time, which does not count what else the machine does.
 */
async function tasksDuring(page: Page, code: string): Promise<{ result: number; tasks: number[] }> {
  const categories = ['-*', 'disabled-by-default-devtools.timeline', 'blink.user_timing'];
  await page.tracing.start({ categories });
  // Which of the traced threads is this page's: the browser has pages of its own.
  await page.evaluate("void performance.mark('here')");
  const result = await page.evaluate<number>(code);
  const trace = new TextDecoder().decode(await page.tracing.stop());
  const { traceEvents } = JSON.parse(trace) as { traceEvents: TraceEvent[] };
  const here = traceEvents.find(({ name }) => name === 'here')!;
  const tasks = traceEvents.filter(
    ({ name, pid, tid }) => name === 'RunTask' && pid === here.pid && tid === here.tid,
  );
  return { result, tasks: tasks.map(({ tdur = 0 }) => tdur / 1000) };
}

function chromiumOnly(): void {
  test('no long task in the page while a worker starts, gets 90 MB and trains', async () => {
    const { page, close } = await lab();
    await page.evaluate(`(() => {
      const n = 30_000;
      window.inputs = new Float32Array(n * 784).map((_, i) => (i % 7) / 7);
      const set = { inputShape: [784], inputDType: 'float32', targetShape: [], targetDType: 'int32', classes: 10 };
      window.set = { inputs, targets: new Int32Array(n).map((_, i) => i % 10), ...set };
    })()`);
    const { result: heard, tasks } = await tasksDuring(
      page,
      `(async () => {
        const lab = await trainer({ device: 'wasm' });
        const model = await lab.create([['linear', 784, 64], ['relu'], ['linear', 64, 10]], 1);
        let heard = 0;
        const onProgress = () => heard++;
        const { epochs } = await lab.fit(model, set, { ...rule, batchSize: 100, epochs: 2, onProgress });
        await lab.predict(model, inputs.slice(0, 784 * 100), [100, 784]);
        await lab.save(model);
        await new Promise((resolve) => setTimeout(resolve, 100));
        lab.terminate();
        if (epochs.length !== 2 || inputs.length !== 30_000 * 784) throw new Error('it did not train');
        return heard;
      })()`,
    );
    await close();
    const longest = Math.max(...tasks);
    console.log(`NOTE the longest of ${tasks.length} tasks in the page: ${longest.toFixed(1)} ms`);
    assert.ok(heard > 0 && tasks.length >= heard, `${tasks.length} tasks, ${heard} reports`);
    assert.ok(longest < 50, `a task of ${longest} ms`);
  });

  test('errors of the worker come with class, fields and message; what was trained stays', async () => {
    const { page, close } = await lab();
    try {
      await page.evaluate(`(async () => {
        window.lab = await trainer({ device: 'wasm', threads: 1 });
        window.model = await lab.create(layers, 3);
        await lab.fit(model, train, { ...rule, epochs: 1 });
        window.before = await lab.save(model);
      })()`);
      const cases: [code: string, name: string, message: RegExp][] = [
        [
          'const other = await lab.create([["linear", 784, 24], ["relu"], ["linear", 24, 10]]); await lab.load(model, await lab.save(other))',
          'FormatError',
          /the file does not fit the model: missing 1\.scale/,
        ],
        ['await lab.load(model, before.slice(0, 900))', 'FormatError', /of 284/],
        ['await lab.load(model, new Uint8Array(50).fill(255))', 'FormatError', /./],
        [
          'await lab.load(model, "nothing-here.safetensors")',
          'StorageError',
          /index\.html|nothing-here\.safetensors.* 404/,
        ],
        ['await lab.save(model, "digits.safetensors")', 'StorageError', /chromium has no files to write/],
        ['await lab.predict(model, new Float32Array(10), [1, 10])', 'ShapeError', /matmul|linear/],
        ['await lab.fit(model, { ...train, inputs: train.inputs.slice(5) }, rule)', 'DataError', /./],
        ['await lab.fit(model, train, { ...rule, batchSize: 0 })', 'OptionError', /batchSize/],
        [
          'await lab.fit(model, train, { ...rule, optimizer: ["sgdd"] })',
          'OptionError',
          /'sgdd' is not a known optimizer/,
        ],
        [
          'await trainer({ device: "webgpu" }).then((l) => l.create(layers))',
          'DeviceError',
          /WebGPU|adapter/i,
        ],
      ];
      for (const [code, name, message] of cases) {
        const error = await errorOf(page, code);
        assert.ok(error, `no error: ${code}`);
        assert.match(error.message, message, code);
        assert.is(error.name, name, `${code}: ${error.message}`);
        assert.type(error.values, 'object');
      }
      assert.ok(
        await page.evaluate<boolean>(
          'lab.save(model).then((after) => after.every((b, i) => b === before[i]))',
        ),
      );
    } finally {
      await close();
    }
  });
}

test.before(async () => {
  folder = await labFolder();
  site = await serveSite(folder);
});
test.after(async () => {
  await browser?.close();
  await site.stop();
  await rm(folder, { recursive: true });
});

for (const name of browserNames) {
  const driver = runtimes[name]();
  const title = `left in the middle, then with its worker killed, then with one that fell silent, it comes to the same weights: ${name}`;
  if (typeof driver === 'string') {
    if (environment.require) test(title, () => assert.unreachable(`${driver}, and all is required`));
    else skip(title, driver);
    continue;
  }
  test(title, async () => {
    const own = await serveSite(folder);
    await driver.launch();
    try {
      await driver.open(`${own.address}index.html?journey=0`);
      const { failed, killed, silent, last, epochs, same } = await told(own);
      assert.not(failed);
      assert.equal([killed.error, silent.error], ['DeviceError', 'DeviceError']);
      assert.match(killed.message, /\[trainer\] the worker ended: it was killed/);
      assert.match(silent.message, /\[trainer\] the worker ended: it has not answered for 1 s/);
      // Not from the beginning, neither after it was left nor after the worker was killed, nor after one fell silent.
      assert.ok(killed.heard[0]! >= 4, `${killed.heard}`);
      assert.ok(silent.heard[0]! >= killed.heard.at(-1)!, `${silent.heard} after ${killed.heard}`);
      assert.ok(last.heard[0]! >= silent.heard.at(-1)!, `${last.heard} after ${silent.heard}`);
      assert.is(last.heard.at(-1), epochs);
      assert.ok(same, 'the weights differ');
    } finally {
      await driver.close();
      await own.stop();
    }
  });
}

for (const name of ['chromium', 'firefox'] as const) {
  const driver = runtimes[name]();
  if (typeof driver === 'string') continue; // said above
  test(`it trains on WebGPU in a worker: ${name}`, async () => {
    const own = await serveSite(folder);
    await driver.launch();
    try {
      await driver.open(`${own.address}index.html?journey=2`);
      const { failed, ops, losses } = await told(own);
      if (failed && /DeviceError|adapter/.test(failed) && !environment.require) {
        return skip(`WebGPU in a worker, ${name}`, failed.split('\n')[0]!);
      }
      assert.not(failed, failed);
      assert.ok(ops.webgpu! > 0, JSON.stringify(ops));
      assert.ok(losses.at(-1)! < losses[0]! / 2, `${losses}`);
    } finally {
      await driver.close();
      await own.stop();
    }
  });
}

const opened = await openChromium();
if (typeof opened === 'string') {
  if (environment.require) test('in Chromium', () => assert.unreachable(`${opened}, and all is required`));
  else skip('training in a page, in Chromium', opened);
} else {
  browser = opened;
  chromiumOnly();
}

test.run();
