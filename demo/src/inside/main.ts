// The page about the inside of networks: a clinic, and the user's own network, looked at from all sides.
import '../styles/lab.css';
import '../styles/inside.css';
import type { ArrayDataset } from 'everygrad/data';
import { formatChoice, parseChoice, writeAddress } from '../address.ts';
import { Course } from '../lab/course.ts';
import { sicknesses } from '../lab/doses.ts';
import { greyImage } from '../lab/images.ts';
import { InspectorClient } from '../lab/inspector.ts';
import { showMaps } from '../lab/maps.ts';
import { modelNames, models, pixels, side } from '../lab/models.ts';
import { Segments } from '../segments.ts';
import { built, byId, onTheme, percent, ready, say, show } from '../shell.ts';
import { allowed, type Choice, defaults } from './choice.ts';
import { ClinicView, degrees, sicknessNames } from './clinic-view.ts';
import { Dreams } from './dreams.ts';
import { showUnits } from './units.ts';

const statisticsBatch = 128;

let choice: Choice = parseChoice(location.hash, defaults, allowed).choice;
/** What the page shows; nothing yet. */
let opened: Partial<Choice> = {};
let sets: { train: ArrayDataset; test: ArrayDataset } | null = null;
let stop: AbortController | null = null;
let picked: { image: Float32Array<ArrayBuffer>; label: number } | null = null;
let queue: Promise<unknown> = Promise.resolve();

const complain = (error: unknown): void =>
  say(error instanceof Error ? error.message : String(error), 'problem');
const course = new Course({ onProblem: (text) => say(text, 'problem') });
const inspector = new InspectorClient();
const clinic = new ClinicView(new InspectorClient());
const dreams = new Dreams(inspector, course, complain);

const data = async (): Promise<{ train: ArrayDataset; test: ArrayDataset }> => {
  // Not before it is needed: the clinic has data of its own.
  const { digits } = await import('everygrad/data');
  sets ??= await digits({ train: 5000, test: 1000 });
  return sets;
};

function after(task: () => Promise<void>): Promise<unknown> {
  stop?.abort();
  queue = queue.then(task).catch(complain);
  return queue;
}

function showCourse(): void {
  const last = course.history.at(-1);
  byId('epoch').textContent = String(course.epochs);
  byId('loss').textContent = show(last?.trainLoss ?? Number.NaN);
  byId('accuracy').textContent = percent(last?.testAccuracy ?? Number.NaN);
  byId('source').textContent = course.trained ? '' : 'not trained yet';
}

/** Shows what its layers make of the image, and one training step in numbers. */
async function inspect(): Promise<void> {
  const { train } = await data();
  if (picked) {
    const { image, label } = picked;
    const look = await inspector.about(course.model, course.weights, (remote) => remote.look(image));
    byId('seen').replaceChildren(
      greyImage(
        image.map((v) => 255 * v),
        side,
        side,
      ),
    );
    showMaps(
      byId('maps'),
      look.layers.filter(({ kind }) => kind !== 'flatten'),
    );
    byId('no-maps').hidden = true;
    const logits = look.layers.at(-1)!.data;
    const said = logits.indexOf(Math.max(...logits));
    byId('verdict').textContent =
      said === label ? `A ${label}, and it says so.` : `A ${label}; it says ${said}.`;
  }
  const few = train.take(statisticsBatch);
  const images = Float32Array.from(few.inputs, (v) => v / 255);
  const report = await inspector.about(course.model, course.weights, (remote) =>
    remote.statistics(images, Int32Array.from(few.targets)),
  );
  showUnits(report, course.model);
}

let inspecting = false;

async function inspectMeanwhile(): Promise<void> {
  if (inspecting) return;
  inspecting = true;
  try {
    await course.keep();
    await inspect();
  } catch (error) {
    complain(error);
  } finally {
    inspecting = false;
  }
}

async function train(): Promise<void> {
  const { train: examples, test } = await data();
  stop = new AbortController();
  byId('play').textContent = 'Stop';
  try {
    await course.train(examples, {
      ...{ validation: test, batchSize: 32, lr: 0.001, signal: stop.signal },
      onProgress: ({ epoch, loss }) => {
        byId('epoch').textContent = epoch.toFixed(1);
        byId('loss').textContent = show(loss);
      },
      onEpoch: () => {
        showCourse();
        void inspectMeanwhile();
      },
    });
  } finally {
    stop = null;
    byId('play').textContent = 'Train';
  }
  showCourse();
  await inspect();
  void dreams.show();
}

async function pick(label: number): Promise<void> {
  const { test } = await data();
  const found = [...test.targets.keys()].filter((i) => test.targets[i] === label);
  const at = found[Math.floor(Math.random() * found.length)]!;
  picked = {
    label,
    image: Float32Array.from(test.inputs.subarray(at * pixels, (at + 1) * pixels), (v) => v / 255),
  };
  for (const [i, button] of [...byId('picks').children].entries())
    button.setAttribute('aria-pressed', String(i === label));
  await inspect();
}

function choose(changes: Partial<Choice>, write = true): void {
  choice = { ...choice, ...changes };
  sicknessButtons.show(choice.sick);
  modelButtons.show(choice.model);
  byId<HTMLSelectElement>('dose').value = String(choice.dose);
  if (write) writeAddress(formatChoice(choice, defaults));
  const { sick, dose, model } = opened;
  if (choice.sick !== sick || choice.dose !== dose) void clinic.open(choice.sick, choice.dose);
  if (choice.model !== model) void after(open);
  opened = choice;
}

/** Takes up the network that is chosen, as it was left. */
async function open(): Promise<void> {
  await course.open(choice.model, 'auto');
  dreams.open();
  showCourse();
  if (!course.trained) return;
  if (picked) await inspect();
  else await pick(3);
  void dreams.show();
}

const sicknessButtons = new Segments(
  byId('sicknesses'),
  sicknesses,
  (name) => sicknessNames[name],
  (sick) => choose({ sick }),
);
const modelButtons = new Segments(
  byId('models'),
  modelNames,
  (name) => models[name].label,
  (model) => choose({ model }),
);
for (const [i, degree] of degrees.entries()) byId('dose').append(new Option(degree, String(i)));
byId('dose').addEventListener('change', () =>
  choose({ dose: Number(byId<HTMLSelectElement>('dose').value) }),
);
for (let digit = 0; digit < 10; digit++) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = String(digit);
  button.setAttribute('aria-pressed', 'false');
  button.addEventListener('click', () => void pick(digit).catch(complain));
  byId('picks').append(button);
}
byId('play').addEventListener('click', () => {
  if (stop) stop.abort();
  else void after(train);
});
byId('reset').addEventListener('click', () => {
  void after(async () => {
    await course.reset();
    dreams.open();
    showCourse();
    if (picked) await inspect();
  });
});

addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden' && stop) void course.keep().catch(complain);
});
addEventListener('hashchange', () => read());
onTheme(() => {
  if (picked) void inspect().catch(complain);
});

function read(): void {
  const { choice: found, ignored } = parseChoice(location.hash, defaults, allowed);
  say(ignored.length > 0 ? `Not understood in the address, and left out: ${ignored.join(', ')}` : '');
  choose(found, ignored.length > 0);
}

showCourse();
dreams.open();
built();
read();
await clinic.opened;
await queue;
ready();
