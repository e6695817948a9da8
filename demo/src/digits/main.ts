// The digits page: a model that lives and trains in a worker, and what it makes of the user's strokes.
import '../styles/lab.css';
import '../styles/digits.css';
import { digits } from 'everygrad/data';
import { decodeSafetensors } from 'everygrad/worker';
import { formatChoice, parseChoice, writeAddress } from '../address.ts';
import { Chart } from '../chart.ts';
import { Course, type Row } from '../lab/course.ts';
import { InspectorClient } from '../lab/inspector.ts';
import { type ModelName, modelNames, models, pixels, side } from '../lab/models.ts';
import { Segments } from '../segments.ts';
import { built, byId, download, onTheme, percent, ready, say, show, takeFiles } from '../shell.ts';
import { Answer, softmax } from './answer.ts';
import { allowed, type Choice, defaults } from './choice.ts';
import { FileProblem, type Sets, sentence, takeIn } from './intake.ts';
import { type Example, lesson, withOwn } from './lessons.ts';
import { Pad } from './pad.ts';
import { type Confusion, showConfused, showFilters, showLook, showPlan } from './show.ts';

const curves = [
  { label: 'test', colour: 'a', dashed: true },
  { label: 'training', colour: 'accent' },
];
const lossChart = new Chart(byId('loss-chart'), curves);
const accuracyChart = new Chart(byId('accuracy-chart'), curves, 150, [0, 1]);

let choice: Choice = parseChoice(location.hash, defaults, allowed).choice;
let own: Sets | null = null;
let sets: Sets | null = null;
const corrected: Example[] = [];
let stop: AbortController | null = null;
/** What is under way: openings, trainings and lessons wait for each other. */
let queue: Promise<unknown> = Promise.resolve();
let redraw: () => void = () => undefined;

const complain = (error: unknown): void =>
  say(error instanceof Error ? error.message : String(error), 'problem');
const course = new Course({ onProblem: (text) => say(text, 'problem') });
const inspector = new InspectorClient();
const pad = new Pad(() => void guess());
const answer = new Answer((digit) => void correct(digit));

/** Once what runs has come to its end. */
function after<T>(task: () => Promise<T>): Promise<T | undefined> {
  stop?.abort();
  const done = queue.then(task).catch(complain) as Promise<T | undefined>;
  queue = done;
  return done;
}

async function loadSets(): Promise<void> {
  sets = own ?? (await digits({ train: choice.examples, test: 1000 }));
  const yours = corrected.length > 0 ? `, and ${corrected.length} of yours` : '';
  byId('source').textContent = own
    ? `${own.train.length} MNIST images${yours}`
    : `${choice.examples} digits, drawn by the library${yours}`;
}

/** Takes up the model that is chosen, as it was left. */
async function open(): Promise<void> {
  await loadSets();
  await course.open(choice.model, choice.device);
  await showCourse();
}

async function showCourse(): Promise<void> {
  drawHistory();
  await showPlanOf();
  await Promise.all([look(), confusions(), guess()]);
}

function drawHistory(): void {
  lossChart.clear();
  accuracyChart.clear();
  for (const row of course.history) addRow(row);
  lossChart.draw();
  accuracyChart.draw();
  const last = course.history.at(-1);
  byId('epoch').textContent = String(course.epochs);
  byId('loss').textContent = show(last?.trainLoss ?? Number.NaN);
  byId('accuracy').textContent = percent(last?.testAccuracy ?? Number.NaN);
  byId('speed').textContent = '–';
}

function addRow({ epoch, testLoss, trainLoss, testAccuracy, trainAccuracy }: Row): void {
  lossChart.add(epoch, [testLoss, trainLoss]);
  accuracyChart.add(epoch, [testAccuracy, trainAccuracy]);
}

async function showPlanOf(): Promise<void> {
  const { rows } = await course.explain(sets!.train, choice.batch, choice.lr);
  showPlan(rows);
}

/** Trains until it is stopped. */
async function train(): Promise<void> {
  if (!sets) return;
  const running = new AbortController();
  stop = running;
  byId('play').textContent = 'Stop';
  try {
    await course.train(withOwn(sets.train, corrected), {
      ...{ validation: sets.test, batchSize: choice.batch, lr: choice.lr, signal: running.signal },
      onProgress: ({ epoch, loss, samplesPerSecond }) => {
        byId('loss').textContent = show(loss);
        byId('speed').textContent = String(Math.round(samplesPerSecond));
        byId('epoch').textContent = epoch.toFixed(1);
      },
      onEpoch: (row, samplesPerSecond) => {
        addRow(row);
        byId('epoch').textContent = String(row.epoch);
        byId('loss').textContent = show(row.trainLoss);
        byId('accuracy').textContent = percent(row.testAccuracy);
        byId('speed').textContent = String(Math.round(samplesPerSecond));
        lossChart.draw();
        accuracyChart.draw();
        void inspect();
      },
    });
  } finally {
    stop = null;
    byId('play').textContent = 'Train';
    await inspect();
  }
}

let inspecting: Promise<void> | null = null;

/** Shows what the model has learned, while it goes on learning; no more often than it can be answered. */
function inspect(): Promise<void> {
  inspecting ??= (async () => {
    await course.keep();
    await look();
    await confusions();
    await guess();
  })()
    .catch(complain)
    .finally(() => {
      inspecting = null;
    });
  return inspecting;
}

/** Shows the weights of the first layer. */
async function look(): Promise<void> {
  const weights = await course.current();
  const weight = decodeSafetensors(weights).tensors.get('0.weight')!;
  const outputs = weight.shape.at(-1)!;
  const width = course.model === 'mlp' ? side : weight.shape[0]!;
  const images = Array.from({ length: Math.min(outputs, 30) }, (_, u) =>
    Float32Array.from({ length: width * width }, (_v, i) => weight.data[i * outputs + u]!),
  );
  redraw = () => showFilters(images, width);
  redraw();
}

/** Finds the mistakes on the test set of which the model is most sure. */
async function confusions(): Promise<void> {
  const found: Confusion[] = [];
  if (course.trained && sets) {
    const { test } = sets;
    const count = Math.min(1000, test.length);
    const logits = await course.predict(
      Float32Array.from(test.inputs.subarray(0, count * pixels), (v) => v / 255),
      count,
    );
    for (let i = 0; i < count; i++) {
      const sure = softmax(logits.subarray(10 * i, 10 * i + 10));
      const taken = sure.indexOf(Math.max(...sure));
      const label = test.targets[i]!;
      const image = test.inputs.subarray(i * pixels, (i + 1) * pixels);
      if (taken !== label) found.push({ image, label, taken, sure: sure[taken]! });
    }
  }
  showConfused(
    found.sort((a, b) => b.sure - a.sure),
    ({ image }) => pad.put(image),
  );
}

let asking = false;
let askAgain = false;

/** Asks the model what was drawn, and what it sees in it; one question at a time, and the last one counts. */
async function guess(): Promise<void> {
  askAgain = true;
  if (asking) return;
  asking = true;
  try {
    while (askAgain) {
      askAgain = false;
      const drawn = course.trained && !pad.empty;
      const image = pad.image();
      const sure = drawn ? softmax(await course.predict(image, 1)) : null;
      answer.show({ sure, trained: course.trained });
      const seen = drawn
        ? await inspector.about(course.model, course.weights, (remote) => remote.look(image))
        : null;
      showLook(pad.empty ? null : image, seen);
    }
  } catch (error) {
    complain(error);
  } finally {
    asking = false;
  }
}

/** The drawing is a digit that the model did not see in it, or was not sure of: it learns that. */
async function correct(label: number): Promise<void> {
  if (pad.empty || !sets) return;
  const image = pad.image();
  corrected.push({ image: Uint8Array.from(image, (v) => Math.round(255 * v)), label });
  const goesOn = stop !== null;
  await after(async () => {
    await loadSets();
    let share = 0;
    for (let round = 0; round < 8 && share < 0.8; round++) {
      await course.train(lesson(sets!.train, corrected, round), {
        ...{ validation: sets!.test.take(10), batchSize: 32, lr: 0.001, epochs: 1, counts: false },
      });
      share = softmax(await course.predict(image, 1))[label]!;
    }
    const { accuracy } = await course.evaluate(sets!.test);
    byId('accuracy').textContent = percent(accuracy);
    const learned = share >= 0.5 ? 'Learned' : 'Not learned yet, correct it once more';
    say(
      `${learned}: it is ${percent(share)} sure of the ${label} now, and ${percent(accuracy)} right on the test set.`,
    );
    if (goesOn) void after(train);
    else await inspect();
  });
}

function choose(changes: Partial<Choice>, write = true): void {
  const before = choice;
  choice = { ...choice, ...changes };
  modelButtons.show(choice.model);
  for (const key of ['examples', 'batch', 'lr', 'device'] as const)
    byId<HTMLSelectElement>(key).value = String(choice[key]);
  byId<HTMLSelectElement>('examples').disabled = own !== null;
  if (write) writeAddress(formatChoice(choice, defaults));
  const goesOn = stop !== null;
  const anew = choice.model !== before.model || choice.device !== before.device || sets === null;
  void after(async () => {
    if (anew) await open();
    else {
      await loadSets();
      await showPlanOf();
    }
    // The same model goes on with what was chosen.
    if (goesOn && choice.model === before.model) void after(train);
  });
}

const modelButtons = new Segments(
  byId('models'),
  modelNames,
  (name) => models[name].label,
  (model) => choose({ model }),
);
for (const key of ['examples', 'batch', 'lr'] as const)
  byId(key).addEventListener('change', () => choose({ [key]: Number(byId<HTMLSelectElement>(key).value) }));
byId('device').addEventListener('change', () =>
  choose({ device: byId<HTMLSelectElement>('device').value as Choice['device'] }),
);

byId('play').addEventListener('click', () => {
  if (stop) stop.abort();
  else void after(train);
});
byId('reset').addEventListener('click', () => {
  const goesOn = stop !== null;
  void after(async () => {
    corrected.length = 0;
    await course.reset();
    await loadSets();
    await showCourse();
    if (goesOn) void after(train);
  });
});
byId('clear').addEventListener('click', () => {
  pad.clear();
  void guess();
});
pad.canvas.addEventListener('keydown', ({ key }) => {
  if (!/^[0-9]$/.test(key) || !sets) return;
  const { targets, inputs } = sets.test;
  const found = [...targets.keys()].filter((i) => targets[i] === Number(key));
  const at = found[Math.floor(Math.random() * found.length)];
  if (at !== undefined) pad.put(inputs.subarray(at * pixels, (at + 1) * pixels));
});
byId('download').addEventListener('click', async () => {
  download(`digits-${choice.model}.safetensors`, await course.current());
});

/** Takes files in. Nothing is stopped or changed unless they are right. */
async function take(files: readonly File[]): Promise<void> {
  if (files.length === 0) return;
  try {
    const found = await takeIn(files);
    if (found.kind === 'data') {
      own = found.sets;
      choose({});
      say(`${own.train.length} images for training, ${own.test.length} for testing.`);
    } else await takeModel(found.name, found.bytes);
  } catch (error) {
    say(error instanceof FileProblem ? error.message : sentence(files[0]!.name, error), 'problem');
  }
}

async function takeModel(name: string, bytes: Uint8Array): Promise<void> {
  const current = choice.model;
  const others = modelNames.filter((other) => other !== current);
  const model: ModelName = await course.fitting(bytes, [current, ...others]);
  if (model !== current) choose({ model });
  await after(async () => {
    await course.load(bytes);
    const { loss, accuracy } = await course.evaluate(sets!.test);
    await showCourse();
    byId('loss').textContent = show(loss);
    byId('accuracy').textContent = percent(accuracy);
    say(`${name}: ${percent(accuracy)} right on the test set.`);
  });
}

takeFiles({ drop: byId('drop'), inputs: [byId('mnist'), byId('upload')], take });

// What was learned since it was last kept, before the page is left or put aside.
addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden' && stop) void course.keep().catch(complain);
});
addEventListener('hashchange', () => read());
onTheme(() => {
  redraw();
  void guess();
});

function read(): void {
  const { choice: found, ignored } = parseChoice(location.hash, defaults, allowed);
  say(ignored.length > 0 ? `Not understood in the address, and left out: ${ignored.join(', ')}` : '');
  choose(found, ignored.length > 0);
}

answer.show({ sure: null, trained: false });
showLook(null, null);
built();
read();
await queue;
ready();
