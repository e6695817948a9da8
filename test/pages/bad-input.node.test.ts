// Bad input to the pages, in Chromium: each says what is wrong in a sentence and goes on, and nothing trained is lost.
// @suite devices=wasm runtimes=node timeout=1200
import * as assert from 'uvu/assert';
import { data, nn, weightsToBytes } from '../../src/index.js';
import { environment } from '../helpers/environment.js';
import { skip } from '../helpers/skip.js';
import { suite } from '../helpers/suite.js';
import { type Page, root } from './browser.js';
import { number, Pages, says, text, until } from './chromium.js';

const test = suite('bad input');

/** A file of MNIST's format. */
function idx(shape: readonly number[], values: ArrayLike<number>): Uint8Array {
  const head = new Uint8Array(4 + 4 * shape.length);
  head[2] = 8;
  head[3] = shape.length;
  for (const [i, size] of shape.entries()) new DataView(head.buffer).setUint32(4 + 4 * i, size);
  return Uint8Array.from([...head, ...Array.from(values)]);
}

type Files = Record<string, Uint8Array | string>;

/** Gives files to an input of the page; each time with a folder of their own. */
async function give(page: Page, input: string, files: Files): Promise<void> {
  const { mkdtemp, writeFile } = await import('node:fs/promises');
  const folder = await mkdtemp(root('build/dropped-'));
  for (const [name, bytes] of Object.entries(files)) await writeFile(`${folder}/${name}`, bytes);
  await (await page.$(input))!.uploadFile(...Object.keys(files).map((name) => `${folder}/${name}`));
}

/** Drops a file on the page; its size can be a lie, as only sizes are looked at of what is too large. */
const drop = (page: Page, name: string, size: number): Promise<unknown> =>
  page.evaluate(`(() => {
    const file = new File([new Uint8Array(16)], ${JSON.stringify(name)});
    Object.defineProperty(file, 'size', { value: ${size} });
    const event = new Event('drop', { bubbles: true, cancelable: true });
    Object.defineProperty(event, 'dataTransfer', { value: { files: [file] } });
    document.body.dispatchEvent(event);
    return event.defaultPrevented;
  })()`);

function testsOf(pages: Pages): void {
  test.after(async () => {
    const { readdir, rm } = await import('node:fs/promises');
    await pages.stop();
    for (const name of await readdir(root('build')))
      if (name.startsWith('dropped-')) await rm(root(`build/${name}`), { recursive: true });
  });

  test('digits: files that are none are refused in a sentence, and training goes on meanwhile', async () => {
    const { page, complaints, close } = await pages.open('digits.html#examples=2000');
    await page.click('#play');
    await until(page, `${number('epoch')} >= 1`);
    const { train } = await data.digits({ train: 60, test: 1, seed: 9 });
    const images = idx([60, 28, 28], train.inputs);
    const labels = idx([60], train.targets);
    const refused: readonly (readonly [string, Files, string])[] = [
      ['#mnist', { 'photo.jpg': 'not digits' }, 'photo.jpg is neither a file of MNIST (IDX) nor a model'],
      ['#mnist', { empty: '' }, 'empty is neither'],
      ['#mnist', { 'a-idx3': images.slice(0, 1000) }, 'a-idx3 cannot be used: the header tells of'],
      ['#mnist', { 'a-idx3': images }, 'a-idx3 has images; choose it together with its labels.'],
      [
        '#mnist',
        { 'a-idx3': images, 'b-idx1': idx([59], train.targets.subarray(1)) },
        'no file of labels has as many',
      ],
      [
        '#mnist',
        { 'a-idx3': idx([60, 14, 56], train.inputs), 'b-idx1': labels },
        'images of 14 × 56; the models of this page take 28 × 28',
      ],
      [
        '#mnist',
        { 'a-idx3': images, 'b-idx1': idx([60], new Uint8Array(60).fill(11)) },
        'has the label 11; digits are 0 to 9',
      ],
      ['#upload', { 'cut.safetensors': new Uint8Array(5000) }, 'cut.safetensors cannot be used: '],
      [
        '#upload',
        {
          'small.safetensors': await weightsToBytes(
            nn.sequential(nn.linear(784, 5), nn.relu(), nn.linear(5, 10)),
          ),
        },
        'small.safetensors cannot be used: 0.weight is float32 (784,5) in the file',
      ],
    ];
    for (const [input, files, sentence] of refused) {
      await give(page, input, files);
      await says(page, sentence);
      assert.is(await text(page, 'play'), 'Stop', `after ${sentence}`);
    }
    assert.is(await drop(page, 'huge.gz', 3e9), true);
    await says(page, 'huge.gz is too large: 3000 MB, at most 200 MB.');
    const epoch = Math.floor(await page.evaluate<number>(number('epoch')));
    await until(page, `${number('epoch')} >= ${epoch + 1} && ${number('accuracy')} >= 80`);
    assert.equal(complaints, []);
    await close();
  });

  test('digits: right files and models are taken in, also a model of the other kind', async () => {
    const { page, complaints, close } = await pages.open('digits.html#examples=2000');
    const { train } = await data.digits({ train: 600, test: 1, seed: 9 });
    const files = { images: idx([600, 28, 28], train.inputs), labels: idx([600], train.targets) };
    await give(page, '#mnist', files);
    await says(page, '540 images for training, 60 for testing');
    await until(page, 'document.getElementById("source").textContent === "540 MNIST images"');
    const lenet = nn.sequential(
      ...[nn.conv2d(1, 8, 5, { padding: 2 }), nn.batchNorm(8), nn.relu(), nn.maxPool2d(2)],
      ...[nn.conv2d(8, 16, 5), nn.relu(), nn.maxPool2d(2), nn.flatten()],
      ...[nn.linear(400, 64), nn.relu(), nn.linear(64, 10)],
    );
    await give(page, '#upload', { 'lenet.safetensors': await weightsToBytes(lenet) });
    await says(page, 'lenet.safetensors: ');
    assert.is(await page.evaluate<string>('location.hash'), '#model=lenet&examples=2000');
    await give(page, '#mnist', {
      'mlp.bin': await weightsToBytes(nn.sequential(nn.linear(784, 100), nn.relu(), nn.linear(100, 10))),
    });
    await says(page, 'mlp.bin: ');
    assert.equal(complaints, []);
    await close();
  });

  test('addresses edited by hand: what cannot be understood is named, the rest holds', async () => {
    const wrong = {
      'index.html#layers=99&lr=abc&points=2_0_1&nonsense=1&activation=relu': [
        'layers=99, lr=abc, points=2_0_1, nonsense=1',
        ['choose-activation', 'relu'],
      ],
      'digits.html#model=vgg&batch=64&lr=-1&device=tpu': ['model=vgg, lr=-1, device=tpu', ['batch', '64']],
      'inside.html#sick=flu&dose=2&__proto__=1': ['sick=flu, __proto__=1', ['dose', '2']],
    } as const;
    for (const [name, [ignored, [id, kept]]] of Object.entries(wrong)) {
      const { page, complaints, close } = await pages.open(name);
      await says(page, `left out: ${ignored}`);
      assert.is(await page.evaluate<string>(`document.getElementById("${id}").value`), kept);
      assert.equal(complaints, []);
      await close();
    }
  });

  test('storage that is forbidden is said once, and training goes on', async () => {
    const first = `indexedDB.open = () => { throw new DOMException('The operation is insecure.', 'SecurityError'); };
      for (const name of ['localStorage', 'sessionStorage'])
        Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });`;
    const { page, complaints, close } = await pages.open('digits.html#examples=2000', { first });
    await says(page, 'This browser keeps nothing for this page (The operation is insecure.)');
    await page.click('#status button');
    await page.click('#theme');
    await page.click('#play');
    await until(page, `${number('accuracy')} >= 80`);
    assert.is(await text(page, 'status'), '');
    assert.equal(complaints, []);
    await close();
    const playground = await pages.open('index.html', { first });
    await playground.page.click('#play');
    await until(playground.page, `${number('accuracy')} >= 90`);
    assert.equal(playground.complaints, []);
    await playground.close();
  });

  test('storage that is full is said, and what was learned stays in the page', async () => {
    const first = `IDBObjectStore.prototype.put = function () {
      throw new DOMException('The quota has been exceeded.', 'QuotaExceededError'); };`;
    const { page, complaints, close } = await pages.open('digits.html#examples=2000', { first });
    await page.click('#play');
    await says(page, 'The quota has been exceeded.');
    await until(page, `${number('accuracy')} >= 80`);
    await page.click('#play');
    await page.click('#models button:nth-child(2)');
    await until(page, 'document.getElementById("plan").textContent.includes("conv2d")');
    await page.click('#models button:nth-child(1)');
    await until(page, `${number('accuracy')} >= 80`);
    assert.equal(complaints, []);
    await close();
  });

  test('a loss that becomes infinite is said; the playground takes up what it had learned, and goes on', async () => {
    const { page, complaints, close } = await pages.open(
      'index.html#data=gauss&activation=relu&optimizer=sgd',
    );
    await page.click('#play');
    await until(page, `${number('accuracy')} >= 95 && ${number('epoch')} > 30`);
    await page.select('#choose-loss', 'squared');
    await page.select('#choose-optimizer', 'momentum');
    await page.select('#choose-lr', '3');
    await says(page, 'The loss became infinite');
    await page.select('#choose-lr', '0.01');
    await until(page, `${number('accuracy')} >= 80`);
    await page.click('#play');
    await until(page, `${number('speed')} > 0`);
    assert.equal(complaints, []);
    await close();
  });

  test('the benchmark page refuses what has no results', async () => {
    const { page, complaints, close } = await pages.open('bench.html');
    await give(page, '#import', { 'list.json': '[1, 2]' });
    await says(page, 'list.json has no results of benchmarks');
    await give(page, '#import', { 'text.json': 'hello' });
    await says(page, 'text.json is not JSON');
    await drop(page, 'large.json', 1e9);
    await says(page, 'large.json is too large');
    assert.is(await text(page, 'rows'), '');
    assert.equal(complaints, []);
    await close();
  });
}

const started = await Pages.start();
if (typeof started !== 'string') testsOf(started);
else if (environment.require) test('bad input', () => assert.unreachable(`${started}, and all is required`));
else skip('bad input to the pages', started);

test.run();
