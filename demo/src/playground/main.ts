// The playground: settings to a network, training in every frame, and all of it on show.
import '../styles/playground.css';
import { configure } from 'everygrad';
import { writeAddress } from '../address.ts';
import { Chart } from '../chart.ts';
import { built, byId, onTheme, percent, ready, say, show } from '../shell.ts';
import { Controls } from './controls.ts';
import { Diagram, type Unit } from './diagram.ts';
import { type Learned, Network, side, type View } from './network.ts';
import { paintSurface } from './paint.ts';
import { features, gridPoints, makePoints, type Points } from './points.ts';
import { format, parse, type Settings, speeds } from './settings.ts';

/** Of each frame, so much goes into training, in milliseconds; the rest is for drawing and for the user. */
const trainingTime = 9;

const chart = new Chart(byId('chart'), [
  { label: 'test', colour: 'a', dashed: true },
  { label: 'training', colour: 'accent' },
]);
const surface = byId<HTMLCanvasElement>('surface');
const grid = gridPoints(side);

let settings: Settings = parse(location.hash).settings;
let points: { train: Points; test: Points } = makePoints(settings);
let network: Network | null = null;
let view: View | null = null;
let pointed: Unit | null = null;
let playing = false;
/** For the steps in a second. */
const rates = { since: 0, steps: 0 };
/** Makes and steps wait for each other. */
let queue: Promise<unknown> = Promise.resolve();

const exclusively = <T>(task: () => Promise<T>): Promise<T> => {
  const done = queue.then(task);
  queue = done.catch(() => undefined);
  return done;
};

const controls = new Controls({
  change: (changes) => apply({ ...settings, ...changes }),
  points: () => settings.points,
});
const diagram = new Diagram({
  onPoint(unit) {
    pointed = unit;
    draw();
  },
  onUnits(layer, change) {
    const layers = settings.layers.map((units, i) => units + (i === layer ? change : 0));
    apply({ ...settings, layers });
  },
});

/** What makes a network another one, or its task; all else can be changed while it learns. */
const decisive = ['data', 'noise', 'features', 'layers', 'activation', 'seed'] as const;

/** Takes new settings: of another network it begins at its seed, else it goes on with what it has learned. */
function apply(next: Settings, write = true): void {
  const same = decisive.every((key) => String(next[key]) === String(settings[key]));
  const onlySpeed = network !== null && next.speed !== settings.speed && write;
  settings = next;
  if (write) writeAddress(format(settings));
  if (onlySpeed) controls.show(settings);
  else void restart(same);
}

async function restart(goesOn: boolean): Promise<void> {
  points = makePoints(settings);
  controls.show(settings);
  const wanted = settings;
  await exclusively(async () => {
    if (goesOn && network) learned = noted = await network.learned();
    if (!goesOn) forget();
    if (wanted !== settings) return; // changed again in the meantime
    network?.dispose();
    network = null;
    view = null;
    diagram.build(settings, settings.features.map(inputSurface));
    if (points.train.labels.length > 0) {
      network = await Network.create(settings, points.train, points.test, learned);
      view = await network.view();
      if (network.epoch === 0) note();
      store();
      Object.assign(rates, { since: performance.now(), steps: 0 });
    } else setPlaying(false);
    draw();
  });
}

/** What is known of a network of these settings: taken up by the next one that fits. */
let learned: Learned | null = null;
/** What was noted last. It becomes `learned` when it has gone well for another second: what diverges is finite at first. */
let noted: Learned | null = null;
let losses: [epoch: number, test: number, train: number][] = [];

function forget(): void {
  learned = noted = null;
  losses = [];
  chart.clear();
}

/** Notes the losses of now. */
function note(): void {
  if (!view || !network) return;
  losses.push([network.epoch, view.testLoss, view.trainLoss]);
  if (losses.length > 1200) losses = losses.filter((_, i) => i % 2 === 0);
  chart.add(network.epoch, [view.testLoss, view.trainLoss]);
}

/** For a reload: what was learned, under the settings that it belongs to. */
const keptAs = 'everygrad.playground';

/** Writes down what was learned; done while it is learned, as a page that is left has no time for it. */
function store(): void {
  if (!noted) return;
  try {
    const kept = { settings: format(settings), learned: noted, losses };
    sessionStorage.setItem(keptAs, JSON.stringify(kept));
  } catch {
    // Storage is full or forbidden: a reload begins anew, then.
  }
}

async function keep(): Promise<void> {
  await exclusively(async () => {
    if (network) learned = noted = await network.learned();
    store();
  });
}

/** Takes up what a reload has left, if it is of the same settings. */
function recall(): void {
  try {
    const kept = JSON.parse(sessionStorage.getItem(keptAs) ?? 'null') as {
      settings: string;
      learned: Learned;
      losses: typeof losses;
    } | null;
    if (kept?.settings !== format(settings)) return;
    learned = noted = kept.learned;
    losses = kept.losses;
    for (const [epoch, test, train] of losses) chart.add(epoch, [test, train]);
  } catch {
    // Not ours, or forbidden.
  }
}

const inputSurface = (name: Settings['features'][number]): Float32Array =>
  Float32Array.from({ length: side * side }, (_, i) => features[name].of(grid[2 * i]!, grid[2 * i + 1]!));

/** Draws what there is, all of it. */
function draw(): void {
  const shown = shownUnit();
  const output = view?.surfaces.at(-1)?.[0] ?? null;
  const values =
    shown && view
      ? shown.layer < 0
        ? inputSurface(settings.features[shown.unit]!)
        : (view.surfaces[shown.layer]?.[shown.unit] ?? output)
      : output;
  paintSurface(surface, values, points.train, settings.data === 'points' ? null : points.test);
  if (view) diagram.update(view, shown);
  byId('shown').textContent = shown ? nameOf(shown) : '';
  byId('epoch').textContent = String(Math.floor(network?.epoch ?? 0));
  byId('train-loss').textContent = show(view?.trainLoss ?? Number.NaN);
  byId('test-loss').textContent = show(view?.testLoss ?? Number.NaN);
  byId('accuracy').textContent = percent(view?.testAccuracy ?? Number.NaN);
  chart.draw();
}

const shownUnit = (): Unit | null => (pointed && pointed.layer < settings.layers.length ? pointed : null);
const nameOf = ({ layer, unit }: Unit): string =>
  layer < 0 ? `input ${features[settings.features[unit]!]?.label}` : `layer ${layer + 1}, unit ${unit + 1}`;

/** So many steps, or with 0 as many as there is time for in a frame; then shows what came out. */
async function train(steps: number): Promise<void> {
  await exclusively(async () => {
    if (!network) return;
    const end = performance.now() + trainingTime;
    do await network.step();
    while (--steps !== 0 && performance.now() < end);
    view = await network.view();
    if (Number.isFinite(view.trainLoss)) {
      note();
      if (performance.now() - notedAt > 1000) {
        learned = noted;
        noted = await network.learned();
        notedAt = performance.now();
        store();
      }
    } else await goBack();
    draw();
  });
  if (!playing) await keep();
}

let notedAt = 0;

/** The loss is no longer a number: takes up what was learned until a second ago, and stops. */
async function goBack(): Promise<void> {
  setPlaying(false);
  noted = learned;
  network?.dispose();
  network = await Network.create(settings, points.train, points.test, learned);
  view = await network.view();
  say(
    'The loss became infinite, so the network is as it was a second before: try a smaller learning rate.',
    'problem',
  );
}

async function frame(): Promise<void> {
  if (!playing) return;
  await train(speeds[settings.speed]);
  const now = performance.now();
  if (now - rates.since > 500 && network) {
    const perSecond = (1000 * (network.steps - rates.steps)) / (now - rates.since);
    byId('speed').textContent = String(Math.max(0, Math.round(perSecond)));
    Object.assign(rates, { since: now, steps: network.steps });
  }
  requestAnimationFrame(() => void frame());
}

function setPlaying(on: boolean): void {
  if (on === playing) return;
  if (on && !network) {
    say('There are no points yet: add some first.');
    return;
  }
  playing = on;
  byId('play').setAttribute('aria-pressed', String(on));
  byId('play').setAttribute('aria-label', on ? 'Pause' : 'Train');
  if (on) {
    Object.assign(rates, { since: performance.now(), steps: network?.steps ?? 0 });
    void frame();
  } else {
    byId('speed').textContent = '–';
    void keep();
  }
}

byId('play').addEventListener('click', () => setPlaying(!playing));
byId('reset').addEventListener('click', () => {
  setPlaying(false);
  try {
    sessionStorage.removeItem(keptAs);
  } catch {
    // Nothing is kept, then.
  }
  void restart(false);
});
byId('step').addEventListener('click', () => {
  setPlaying(false);
  void train(1);
});
addEventListener('keydown', (event) => {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName))
    return;
  const id = { p: 'play', r: 'reset', s: 'step' }[event.key.toLowerCase()];
  if (id) byId(id).click();
});
addEventListener('hashchange', () => read());
addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') void keep();
});
onTheme(() => {
  diagram.repaint();
  draw();
  controls.show(settings, true);
});

/** Takes the settings of the address. */
function read(): void {
  const { settings: found, ignored } = parse(location.hash);
  say(ignored.length > 0 ? `Not understood in the address, and left out: ${ignored.join(', ')}` : '');
  const text = format(found);
  if (text === format(settings) && network) return;
  apply(found, ignored.length > 0);
}

recall();
controls.show(settings);
draw();
built();
await configure({ device: 'wasm', threads: 1 });
read();
await queue;
ready();
