// The playground: settings to a network, training in every frame, and all of it on show.
import '../styles/playground.css';
import { configure } from 'everygrad';
import { Chart } from '../chart.ts';
import { built, byId, onTheme, percent, ready, say, show } from '../shell.ts';
import { Controls } from './controls.ts';
import { Diagram, type Unit } from './diagram.ts';
import { Network, side, type View } from './network.ts';
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

/** Takes new settings: a new network from its seed. */
function apply(next: Settings, write = true): void {
  const onlySpeed = network !== null && next.speed !== settings.speed && write;
  settings = next;
  if (write) {
    const text = format(settings);
    history.replaceState(null, '', text ? `#${text}` : location.pathname + location.search);
  }
  if (onlySpeed) controls.show(settings);
  else void restart();
}

async function restart(): Promise<void> {
  points = makePoints(settings);
  controls.show(settings);
  const wanted = settings;
  await exclusively(async () => {
    if (wanted !== settings) return; // changed again in the meantime
    network?.dispose();
    network = null;
    view = null;
    diagram.build(settings, settings.features.map(inputSurface));
    chart.clear();
    if (points.train.labels.length > 0) {
      network = await Network.create(settings, points.train, points.test);
      view = await network.view();
      chart.add(0, [view.testLoss, view.trainLoss]);
    } else setPlaying(false);
    draw();
  });
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
    chart.add(network.epoch, [view.testLoss, view.trainLoss]);
    if (!Number.isFinite(view.trainLoss)) {
      setPlaying(false);
      say('The loss is no longer a number: try a smaller learning rate.', 'problem');
    }
    draw();
  });
}

const rates = { since: 0, steps: 0 };

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
  } else byId('speed').textContent = '–';
}

byId('play').addEventListener('click', () => setPlaying(!playing));
byId('reset').addEventListener('click', () => {
  setPlaying(false);
  void restart();
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
onTheme(() => {
  diagram.repaint();
  draw();
  controls.show(settings, true);
});

/** Takes the settings of the address. */
function read(): void {
  const { settings: found, ignored } = parse(location.hash);
  say(ignored.length > 0 ? `Not understood in the address, and left out: ${ignored.join(', ')}` : '');
  apply(found, ignored.length > 0);
}

controls.show(settings);
draw();
built();
await configure({ device: 'wasm', threads: 1 });
read();
await queue;
ready();
