// The digits page: a model that lives and trains in a worker, and what it makes of the user's strokes.
import '../styles/digits.css';
import { ArrayDataset, digits, parseIdx } from 'everygrad/data';
import { decodeSafetensors, type Trainer, trainer } from 'everygrad/worker';
import { Chart } from '../chart.ts';
import { built, byId, onTheme, percent, ready, say, show } from '../shell.ts';
import { type Choice, format, models, parse } from './models.ts';
import { Pad, side } from './pad.ts';
import { type Confusion, showConfused, showFilters, showPlan } from './show.ts';

const curves = [
  { label: 'test', colour: 'a', dashed: true },
  { label: 'training', colour: 'accent' },
];
const lossChart = new Chart(byId('loss-chart'), curves);
const accuracyChart = new Chart(byId('accuracy-chart'), curves, 150, [0, 1]);

let choice: Choice = parse(location.hash).choice;
let own: { train: ArrayDataset; test: ArrayDataset } | null = null;
let sets: { train: ArrayDataset; test: ArrayDataset } | null = null;
let lab: Trainer | null = null;
let model: number | null = null;
let stop: AbortController | null = null;
let epochs = 0;
let trained = false;
let filters: { images: Float32Array[]; width: number } | null = null;

const pad = new Pad(() => void guess());

/** The layers take images as rows or with height, width and channels. */
const shaped = (data: ArrayDataset): ArrayDataset => data.reshape([...models[choice.model].inputShape]);

async function load(): Promise<void> {
  sets = own ?? (await digits({ train: choice.examples, test: 1000 }));
  byId('source').textContent = own
    ? `${own.train.length} MNIST images`
    : `${choice.examples} digits, drawn by the library`;
}

/** A new model, and what its training will do. */
async function restart(): Promise<void> {
  await halt();
  await load();
  if (!lab) return;
  if (model !== null) await lab.dispose(model);
  model = await lab.create(models[choice.model].spec, 1);
  epochs = 0;
  trained = false;
  lossChart.clear();
  accuracyChart.clear();
  showConfused([]);
  for (const id of ['speed', 'loss', 'accuracy']) byId(id).textContent = '–';
  byId('epoch').textContent = '0';
  const few = shaped(sets!.train.take(choice.batch));
  const { rows } = await lab.explain(model, few, { ...rule(), batchSize: choice.batch });
  showPlan(rows);
  await look();
  await guess();
}

const rule = () => ({ loss: ['crossEntropy'], optimizer: ['adam', { lr: choice.lr }] }) as const;

async function train(): Promise<void> {
  if (!lab || !sets || model === null || stop) return;
  stop = new AbortController();
  const started = epochs;
  byId('play').textContent = 'Stop';
  try {
    await lab.fit(model, shaped(sets.train), {
      ...rule(),
      batchSize: choice.batch,
      epochs: 10_000,
      seed: 1,
      validation: shaped(sets.test),
      signal: stop.signal,
      onProgress: ({ epoch, loss, samplesPerSecond, examples, of }) => {
        byId('loss').textContent = show(loss);
        byId('speed').textContent = String(Math.round(samplesPerSecond));
        byId('epoch').textContent = (started + epoch - 1 + examples / (of ?? examples)).toFixed(1);
        trained = true;
      },
      onEpoch(report) {
        if (Number.isNaN(report.validationLoss)) return; // it was cut short
        epochs++;
        trained = true;
        byId('epoch').textContent = String(epochs);
        byId('loss').textContent = show(report.trainLoss);
        byId('accuracy').textContent = percent(report.validationAccuracy);
        byId('speed').textContent = String(Math.round(report.samplesPerSecond));
        lossChart.add(epochs, [report.validationLoss, report.trainLoss]);
        accuracyChart.add(epochs, [report.validationAccuracy, report.trainAccuracy]);
        lossChart.draw();
        accuracyChart.draw();
        void inspect();
      },
    });
    await inspect();
  } finally {
    stop = null;
    byId('play').textContent = 'Train';
  }
}

let inspecting = false;

/** Shows what the model has learned, while it goes on learning; no more often than it can be answered. */
async function inspect(): Promise<void> {
  if (inspecting) return;
  inspecting = true;
  try {
    await look();
    await confusions();
    await guess();
  } finally {
    inspecting = false;
  }
}

/** Ends the training and waits for it. */
async function halt(): Promise<void> {
  stop?.abort();
  while (stop || inspecting) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Shows the weights of the first layer. */
async function look(): Promise<void> {
  if (!lab || model === null) return;
  const { tensors } = decodeSafetensors(await lab.save(model));
  const weight = tensors.get('0.weight')!;
  const outputs = weight.shape.at(-1)!;
  const width = choice.model === 'mlp' ? side : weight.shape[0]!;
  const images = Array.from({ length: Math.min(outputs, 30) }, (_, u) =>
    Float32Array.from({ length: width * width }, (_, i) => weight.data[i * outputs + u]!),
  );
  filters = { images, width };
  showFilters(images, width);
}

/** Finds the mistakes on the test set of which the model is most sure. */
async function confusions(): Promise<void> {
  if (!lab || !sets || model === null) return;
  const { test } = sets;
  const pixels = side * side;
  const count = Math.min(1000, test.length);
  const found: Confusion[] = [];
  const inputs = Float32Array.from(test.inputs.subarray(0, count * pixels), (v) => v / 255);
  const { data } = await lab.predict(model, inputs, [count, ...models[choice.model].inputShape]);
  for (let i = 0; i < count; i++) {
    const sure = softmax(data.subarray(10 * i, 10 * i + 10));
    const taken = sure.indexOf(Math.max(...sure));
    const label = test.targets[i]!;
    const image = test.inputs.subarray(i * pixels, (i + 1) * pixels);
    if (taken !== label) found.push({ image, label, taken, sure: sure[taken]! });
  }
  showConfused(found.sort((a, b) => b.sure - a.sure));
}

function softmax(logits: Float32Array): number[] {
  const most = Math.max(...logits);
  const powers = [...logits].map((v) => Math.exp(v - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((v) => v / sum);
}

const bars = Array.from({ length: 10 }, (_, digit) => {
  const item = document.createElement('li');
  const [name, bar, part, number] = ['span', 'span', 'i', 'span'].map((tag) => document.createElement(tag));
  name!.textContent = String(digit);
  bar!.className = 'bar';
  bar!.append(part!);
  item.append(name!, bar!, number!);
  return { item, part: part!, number: number! };
});
byId('bars').append(...bars.map(({ item }) => item));

let asking = false;
let askAgain = false;

/** Asks the model what was drawn; one question at a time, and the last one counts. */
async function guess(): Promise<void> {
  if (!lab || model === null || asking) {
    askAgain = asking;
    return;
  }
  asking = true;
  try {
    const ready = trained && !pad.empty;
    const shape = [1, ...models[choice.model].inputShape];
    const sure = ready ? softmax((await lab.predict(model, pad.image(), shape)).data) : bars.map(() => 0);
    const best = sure.indexOf(Math.max(...sure));
    for (const [digit, { item, part, number }] of bars.entries()) {
      part.style.transform = `scaleX(${sure[digit]!.toFixed(3)})`;
      number.textContent = ready ? percent(sure[digit]!) : '';
      item.classList.toggle('best', ready && digit === best);
    }
    byId('guess').textContent = ready ? String(best) : '?';
    byId('sure').textContent = ready
      ? `${percent(sure[best]!)} sure`
      : trained
        ? 'Draw, or press a key from 0 to 9.'
        : 'Train first, then draw.';
  } finally {
    asking = false;
  }
  if (askAgain) {
    askAgain = false;
    await guess();
  }
}

function choose(changes: Partial<Choice>, write = true): void {
  choice = { ...choice, ...changes };
  for (const [name, button] of modelButtons) {
    button.setAttribute('aria-checked', String(name === choice.model));
    button.tabIndex = name === choice.model ? 0 : -1;
  }
  for (const key of ['examples', 'batch', 'lr'] as const)
    byId<HTMLSelectElement>(key).value = String(choice[key]);
  byId<HTMLSelectElement>('examples').disabled = own !== null;
  if (write) {
    const text = format(choice);
    history.replaceState(null, '', text ? `#${text}` : location.pathname + location.search);
  }
  restarting = restarting.then(restart).catch((error: Error) => say(error.message, 'problem'));
}
let restarting: Promise<unknown> = Promise.resolve();

const names = Object.keys(models) as Choice['model'][];
const modelButtons = new Map(
  names.map((name) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = models[name].label;
    button.setAttribute('role', 'radio');
    button.addEventListener('click', () => choose({ model: name }));
    button.addEventListener('keydown', ({ key }) => {
      if (!key.startsWith('Arrow')) return;
      const other = names[(names.indexOf(name) + 1) % names.length]!;
      choose({ model: other });
      modelButtons.get(other)!.focus();
    });
    return [name, button];
  }),
);
byId('models').append(...modelButtons.values());
for (const key of ['examples', 'batch', 'lr'] as const)
  byId(key).addEventListener('change', () =>
    choose({ [key]: Number(byId<HTMLSelectElement>(key).value) } as Partial<Choice>),
  );

byId('play').addEventListener('click', () => (stop ? stop.abort() : void train()));
byId('reset').addEventListener('click', () => choose({}));
byId('clear').addEventListener('click', () => {
  pad.clear();
  void guess();
});
pad.canvas.addEventListener('keydown', ({ key }) => {
  if (!/^[0-9]$/.test(key) || !sets) return;
  const { targets, inputs } = sets.test;
  const found = [...targets.keys()].filter((i) => targets[i] === Number(key));
  const at = found[Math.floor(Math.random() * found.length)];
  if (at !== undefined) pad.put(inputs.subarray(at * side * side, (at + 1) * side * side));
});
byId('download').addEventListener('click', async () => {
  if (!lab || model === null) return;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([(await lab.save(model)) as Uint8Array<ArrayBuffer>]));
  link.download = `digits-${choice.model}.safetensors`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
byId('upload').addEventListener('change', async () => {
  const input = byId<HTMLInputElement>('upload');
  const file = input.files?.[0];
  input.value = '';
  if (!file || !lab || model === null || !sets) return;
  await halt();
  try {
    await lab.load(model, new Uint8Array(await file.arrayBuffer()));
    trained = true;
    const { loss, accuracy } = await lab.evaluate(model, shaped(sets.test));
    byId('loss').textContent = show(loss);
    byId('accuracy').textContent = percent(accuracy);
    say(`${file.name}: ${percent(accuracy)} right on the test set.`);
    await Promise.all([look(), confusions(), guess()]);
  } catch (error) {
    say((error as Error).message, 'problem');
  }
});

/** Takes dropped IDX files: images and labels; a tenth of them, or the t10k files, are for testing. */
async function take(files: readonly File[]): Promise<void> {
  try {
    const parsed = await Promise.all(
      files.map(async (file) => ({
        file: file.name,
        ...(await parseIdx(new Uint8Array(await file.arrayBuffer()), { file: file.name })),
      })),
    );
    const sorted = [...parsed].sort((a, b) => b.shape[0]! - a.shape[0]!);
    const [images, labels] = [3, 1].map((rank) => sorted.filter(({ shape }) => shape.length === rank));
    if (!images?.[0] || !labels?.[0]) throw new Error('Both are needed: a file of images and one of labels.');
    const made = images.map(({ data, file }, i) => {
      const to = labels[i];
      if (!to) throw new Error(`${file} has no file of labels.`);
      return new ArrayDataset({
        ...{ inputs: data, inputShape: [side * side], inputDType: 'uint8', scale: 1 / 255 },
        ...{ targets: Int32Array.from(to.data), targetShape: [], targetDType: 'int32' },
        ...{ classes: 10, name: file },
      });
    });
    const [first, second] = made as [ArrayDataset, ArrayDataset?];
    const [train, rest] = second ? [first, second] : first.split(0.9);
    own = { train, test: rest };
    choose({});
    say(`${train.length} images for training, ${rest.length} for testing.`);
  } catch (error) {
    say((error as Error).message, 'problem');
  }
}
const drop = byId('drop');
byId('mnist').addEventListener('change', () => void take([...(byId<HTMLInputElement>('mnist').files ?? [])]));
for (const type of ['dragover', 'dragleave', 'drop'] as const)
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle('over', type === 'dragover');
    if (type === 'drop') void take([...(event.dataTransfer?.files ?? [])]);
  });

addEventListener('hashchange', () => read());
onTheme(() => filters && showFilters(filters.images, filters.width));

function read(): void {
  const { choice: found, ignored } = parse(location.hash);
  say(ignored.length > 0 ? `Not understood in the address, and left out: ${ignored.join(', ')}` : '');
  choose(found, ignored.length > 0);
}

await guess();
built();
lab = await trainer();
read();
await restarting;
ready();
