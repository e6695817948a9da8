// Everything that can be chosen: lists, sliders, data sets, inputs, layers, and points of one's own.
import { byId, colour, say } from '../shell.ts';
import { paintSurface } from './paint.ts';
import { features, makePoints } from './points.ts';
import {
  activationNames,
  batchSizes,
  dataNames,
  defaults,
  dropoutRates,
  featureNames,
  learningRates,
  lossNames,
  mostLayers,
  mostPoints,
  optimizerNames,
  type Point,
  penaltyNames,
  penaltyRates,
  type Settings,
  speedNames,
} from './settings.ts';

export interface ControlEvents {
  change(changes: Partial<Settings>): void;
  points(): readonly Point[];
}

const words: Record<string, string> = {
  crossEntropy: 'cross-entropy',
  squared: 'squared error',
  rmsProp: 'RMSProp',
  adagrad: 'AdaGrad',
  adam: 'Adam',
  sgd: 'SGD',
  relu: 'ReLU',
  gelu: 'GELU',
  silu: 'SiLU',
  l1: 'L1',
  l2: 'L2',
  points: 'own',
};
const word = (value: string | number): string => words[String(value)] ?? String(value);

/** Stands for points that are not there yet. */
function drawPlus(canvas: HTMLCanvasElement): void {
  const context = canvas.getContext('2d')!;
  const { width } = canvas;
  context.strokeStyle = colour('muted');
  context.lineWidth = width / 18;
  context.lineCap = 'round';
  context.beginPath();
  context.moveTo(width / 2, width * 0.3);
  context.lineTo(width / 2, width * 0.7);
  context.moveTo(width * 0.3, width / 2);
  context.lineTo(width * 0.7, width / 2);
  context.stroke();
}

type Chosen = 'speed' | 'activation' | 'loss' | 'optimizer' | 'lr' | 'batch' | 'penalty' | 'rate' | 'dropout';

const lists: readonly (readonly [Chosen, string, readonly (string | number)[]])[] = [
  ['speed', 'Speed', speedNames],
  ['activation', 'Activation', activationNames],
  ['loss', 'Loss', lossNames],
  ['optimizer', 'Optimizer', optimizerNames],
  ['lr', 'Learning rate', learningRates],
  ['batch', 'Batch size', batchSizes],
  ['penalty', 'Penalty', penaltyNames],
  ['rate', 'Penalty rate', penaltyRates],
  ['dropout', 'Dropout', dropoutRates],
];

export class Controls {
  readonly #events: ControlEvents;
  readonly #selects = new Map<Chosen, HTMLSelectElement>();
  readonly #tiles = new Map<Settings['data'], { button: HTMLButtonElement; canvas: HTMLCanvasElement }>();
  readonly #chips = new Map<string, HTMLButtonElement>();
  readonly #noise: HTMLInputElement;
  readonly #noiseText: HTMLOutputElement;
  readonly #seed: HTMLInputElement;
  #settings: Settings = defaults;
  #label: 0 | 1 = 0;
  #cursor = { x: 0, y: 0 };
  #drawn = '';

  constructor(events: ControlEvents) {
    this.#events = events;
    for (const [key, label, values] of lists) this.#addList(key, label, values);
    for (const name of dataNames) this.#addTile(name);
    for (const name of featureNames) this.#addChip(name);
    [this.#noise, this.#noiseText] = this.#addNoise();
    this.#seed = this.#addSeed();
    byId('fewer-layers').addEventListener('click', () =>
      events.change({ layers: this.#settings.layers.slice(0, -1) }),
    );
    byId('more-layers').addEventListener('click', () =>
      events.change({ layers: [...this.#settings.layers, this.#settings.layers.at(-1) ?? 4] }),
    );
    this.#listenToPen();
  }

  /** Shows settings; `repaint` draws the data sets anew. */
  show(settings: Settings, repaint = false): void {
    this.#settings = settings;
    for (const [key, select] of this.#selects) select.value = String(settings[key]);
    this.#selects.get('rate')!.disabled = settings.penalty === 'none';
    const drawn = `${settings.noise} ${settings.seed} ${settings.points.join()}`;
    for (const [name, { button, canvas }] of this.#tiles) {
      const checked = name === settings.data;
      button.setAttribute('aria-checked', String(checked));
      button.tabIndex = checked ? 0 : -1;
      if (repaint || drawn !== this.#drawn) {
        const { train } = makePoints({ ...settings, data: name });
        paintSurface(canvas, null, train, null);
        if (train.labels.length === 0) drawPlus(canvas);
      }
    }
    this.#drawn = drawn;
    for (const [name, chip] of this.#chips) {
      const on = settings.features.some((f) => f === name);
      chip.setAttribute('aria-pressed', String(on));
    }
    this.#noise.value = String(settings.noise);
    this.#noise.disabled = settings.data === 'points';
    this.#noiseText.value = `${settings.noise}%`;
    if (document.activeElement !== this.#seed) this.#seed.value = String(settings.seed);
    const layers = settings.layers.length;
    byId('layer-count').textContent = layers === 1 ? '1 hidden layer' : `${layers} hidden layers`;
    byId<HTMLButtonElement>('fewer-layers').disabled = layers === 0;
    byId<HTMLButtonElement>('more-layers').disabled = layers === mostLayers;
    const draws = settings.data === 'points';
    byId('pen').hidden = !draws;
    byId('surface').closest('.output')!.classList.toggle('drawing', draws);
    const surface = byId('surface');
    if (draws) surface.tabIndex = 0;
    else surface.removeAttribute('tabindex');
    surface.setAttribute('role', draws ? 'application' : 'img');
    if (!draws) byId('cursor').hidden = true;
  }

  #addList(key: Chosen, label: string, values: readonly (string | number)[]): void {
    const field = document.createElement('label');
    field.className = 'field';
    field.append(label);
    const select = document.createElement('select');
    select.id = `choose-${key}`;
    for (const value of values) {
      const option = document.createElement('option');
      option.value = String(value);
      option.textContent = word(value);
      select.append(option);
    }
    select.addEventListener('change', () => {
      const value = values.find((v) => String(v) === select.value);
      this.#events.change({ [key]: value } as Partial<Settings>);
    });
    field.append(select);
    byId('choices').append(field);
    this.#selects.set(key, select);
  }

  #addTile(name: Settings['data']): void {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'tile';
    button.setAttribute('role', 'radio');
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 112;
    canvas.setAttribute('aria-hidden', 'true');
    button.append(canvas, word(name));
    button.addEventListener('click', () => this.#events.change({ data: name }));
    button.addEventListener('keydown', (event) => {
      const change = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!change) return;
      event.preventDefault();
      const next = dataNames[(dataNames.indexOf(name) + change + dataNames.length) % dataNames.length]!;
      this.#tiles.get(next)!.button.focus();
      this.#events.change({ data: next });
    });
    byId('data').append(button);
    this.#tiles.set(name, { button, canvas });
  }

  #addChip(name: Settings['features'][number]): void {
    const chip = document.createElement('button');
    chip.type = 'button';
    chip.textContent = features[name].label;
    chip.addEventListener('click', () => {
      const chosen = this.#settings.features;
      const next = featureNames.filter((f) => (f === name ? !chosen.includes(f) : chosen.includes(f)));
      if (next.length > 0) this.#events.change({ features: next });
    });
    byId('features').append(chip);
    this.#chips.set(name, chip);
  }

  #addNoise(): [HTMLInputElement, HTMLOutputElement] {
    const label = document.createElement('label');
    label.className = 'slider';
    const input = document.createElement('input');
    Object.assign(input, { type: 'range', id: 'noise', min: '0', max: '50', step: '5' });
    const output = document.createElement('output');
    label.append('Noise', output, input);
    input.addEventListener('input', () => this.#events.change({ noise: Number(input.value) }));
    byId('sliders').append(label);
    return [input, output];
  }

  #addSeed(): HTMLInputElement {
    const row = document.createElement('div');
    row.className = 'seed';
    const label = document.createElement('label');
    label.className = 'field';
    const input = document.createElement('input');
    Object.assign(input, { type: 'number', id: 'seed', min: '0', max: String(2 ** 31 - 1), step: '1' });
    label.append('Seed', input);
    const next = document.createElement('button');
    next.type = 'button';
    next.className = 'small';
    next.textContent = '↻';
    next.setAttribute('aria-label', 'Another seed');
    input.addEventListener('change', () => {
      if (input.value !== '' && input.checkValidity()) this.#events.change({ seed: Number(input.value) });
      else input.value = String(this.#settings.seed);
    });
    next.addEventListener('click', () => {
      const seed = (this.#settings.seed + 1) % 2 ** 31;
      input.value = String(seed);
      this.#events.change({ seed });
    });
    row.append(label, next);
    byId('sliders').append(row);
    return input;
  }

  #listenToPen(): void {
    const surface = byId<HTMLCanvasElement>('surface');
    const pens = [byId('pen-a'), byId('pen-b')] as const;
    const choose = (label: 0 | 1, focus = false): void => {
      this.#label = label;
      for (const [i, pen] of pens.entries()) {
        pen.setAttribute('aria-checked', String(i === label));
        pen.tabIndex = i === label ? 0 : -1;
      }
      if (focus) pens[label].focus();
    };
    choose(0);
    for (const [i, pen] of pens.entries()) {
      pen.addEventListener('click', () => choose(i as 0 | 1));
      pen.addEventListener('keydown', ({ key }) => {
        if (key.startsWith('Arrow')) choose((1 - i) as 0 | 1, true);
      });
    }
    byId('undo').addEventListener('click', () =>
      this.#events.change({ points: this.#events.points().slice(0, -1) }),
    );
    byId('clear').addEventListener('click', () => this.#events.change({ points: [] }));
    surface.addEventListener('click', (event) => {
      if (this.#settings.data !== 'points') return;
      const { left, top, width, height } = surface.getBoundingClientRect();
      this.#put((2 * (event.clientX - left)) / width - 1, 1 - (2 * (event.clientY - top)) / height);
    });
    surface.addEventListener('keydown', (event) => {
      if (this.#settings.data !== 'points') return;
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      const size = event.shiftKey ? 0.02 : 0.08;
      if (move) {
        const limit = (v: number): number => Math.max(-1, Math.min(1, v));
        this.#cursor.x = limit(this.#cursor.x + move[0]! * size);
        this.#cursor.y = limit(this.#cursor.y + move[1]! * size);
      } else if (event.key === 'Enter' || event.key === ' ') this.#put(this.#cursor.x, this.#cursor.y);
      else if (event.key.toLowerCase() === 'c') choose(this.#label === 0 ? 1 : 0);
      else return;
      event.preventDefault();
      this.#showCursor();
    });
    surface.addEventListener('blur', () => {
      byId('cursor').hidden = true;
    });
  }

  #showCursor(): void {
    const cursor = byId('cursor');
    cursor.hidden = false;
    cursor.style.left = `${50 * (this.#cursor.x + 1)}%`;
    cursor.style.top = `${50 * (1 - this.#cursor.y)}%`;
    cursor.style.borderColor = this.#label === 0 ? 'var(--a)' : 'var(--b)';
  }

  #put(x: number, y: number): void {
    const points = this.#events.points();
    if (points.length >= mostPoints) {
      say(`There are ${mostPoints} points, which is as many as there can be.`);
      return;
    }
    const round = (v: number): number => Math.round(v * 100) / 100;
    this.#events.change({ points: [...points, [round(x), round(y), this.#label]] });
  }
}
