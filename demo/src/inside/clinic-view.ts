// The clinic: two networks side by side, what their layers do, and what is the matter with the sick one.
import { Chart } from '../chart.ts';
import { doses, type PatientLayer, type PatientReport, type Sickness } from '../lab/doses.ts';
import type { InspectorClient } from '../lab/inspector.ts';
import { byId, onTheme, percent, say } from '../shell.ts';
import { histogram } from './histogram.ts';

/** Steps between two pictures. */
const stepsAtOnce = 10;

export const sicknessNames: Record<Sickness, string> = {
  rate: 'Rate too large',
  dead: 'Dead units',
  saturated: 'Saturation',
};
export const degrees = ['mild', 'bad', 'hopeless'] as const;

/** What was done to it. */
const causes: Record<Sickness, (dose: number) => string> = {
  rate: (dose) => `learning rate ${dose} instead of 0.1`,
  dead: (dose) => `hidden biases start at ${dose}`,
  saturated: (dose) => `first weights ${dose} times as large`,
};

/** Small numbers as 2.1e-4, others with three digits. */
const brief = (v: number): string =>
  !Number.isFinite(v)
    ? '–'
    : v !== 0 && Math.abs(v) < 0.001
      ? v.toExponential(1)
      : String(Number(v.toPrecision(3)));

/** What the numbers say, in a sentence; how units came to die is known of the sick one. */
function diagnosis(
  { layers, updateRatio, loss, steps, accuracy }: PatientReport,
  sickness: Sickness | null,
): string {
  const units = layers.reduce((n, l) => n + l.units, 0);
  const dead = layers.reduce((n, l) => n + l.dead, 0);
  const saturated = Math.max(...layers.map((l) => l.saturated));
  if (!Number.isFinite(loss)) return 'Its loss is no longer a number: the steps were far too large.';
  const died = sickness === 'rate' && steps > 0 ? ', killed by steps that were too large' : '';
  if (layers.some((l) => l.gradient === 0))
    return `${dead} of ${units} hidden units are dead${died}: no gradient comes through, so it cannot learn any more.`;
  if (dead > units / 8)
    return `${dead} of ${units} hidden units are 0 for every image${died}: a ReLU that never opens gets no gradient.`;
  if (saturated > 0.3)
    return `${percent(saturated)} of the activations of a layer are at the bounds of tanh, where its slope is nearly 0: gradients hardly come through.`;
  if (updateRatio > 0.1)
    return `A step moves the weights by ${percent(updateRatio)} of their size: it jumps instead of descending.`;
  if (steps === 0) return 'It has not learned anything yet.';
  return accuracy > 0.8
    ? 'Its units are alive, its gradients reach the first layer, its steps are small: it learns.'
    : 'Nothing is wrong with its layers; it has only begun.';
}

interface Card {
  root: HTMLElement;
  /** Of a sick one it is known with what, and what was done to it. */
  update(report: PatientReport, sickness: Sickness | null, cause: string): void;
}

const element = (tag: string, text = '', kind = ''): HTMLElement => {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
};

function card(title: string, kind: string): Card {
  const root = element('article', '', `patient ${kind}`);
  const cause = element('span', '', 'muted');
  const heading = element('div', '', 'heading');
  heading.append(element('h3', title), cause);
  const numbers = element('dl', '', 'counters');
  const values = ['Steps', 'Loss', 'Test accuracy', 'Update / weight'].map((name) => {
    const [box, value] = [element('div'), element('dd', '–')];
    box.append(element('dt', name), value);
    numbers.append(box);
    return value;
  });
  const layers = [1, 2].map((n) => {
    const box = element('div', '', 'patient-layer');
    const canvas = document.createElement('canvas');
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', `Histogram of the activations of hidden layer ${n}`);
    const [text, range] = [element('p', '', 'muted'), element('p', '', 'range')];
    range.append(element('span'), element('span'));
    box.append(element('p', `Hidden layer ${n}`, 'layer-name'), canvas, range, text);
    return { box, canvas, text, range };
  });
  const said = element('p', '', 'diagnosis');
  const grid = element('div', '', 'patient-layers');
  grid.append(...layers.map(({ box }) => box));
  root.append(heading, numbers, grid, said);
  let last: PatientReport | null = null;
  const draw = (): void => {
    for (const [i, layer] of (last?.layers ?? []).entries())
      histogram(layers[i]!.canvas, layer.histogram, layer.low, layer.high);
  };
  onTheme(draw);
  return {
    root,
    update(report, sickness, why) {
      last = report;
      cause.textContent = why;
      const { steps, loss, accuracy, updateRatio } = report;
      for (const [i, v] of [String(steps), brief(loss), percent(accuracy), brief(updateRatio)].entries())
        values[i]!.textContent = v;
      for (const [i, layer] of report.layers.entries()) {
        layers[i]!.text.textContent = layerText(layer);
        const [low, high] = layers[i]!.range.children;
        low!.textContent = brief(layer.low);
        high!.textContent = brief(layer.high);
      }
      said.textContent = diagnosis(report, sickness);
      draw();
    },
  };
}

const layerText = ({ units, dead, saturated, gradient }: PatientLayer): string =>
  [
    `${dead} of ${units} dead`,
    ...(saturated > 0.005 ? [`${percent(saturated)} saturated`] : []),
    `gradient ${brief(gradient)}`,
  ].join(' · ');

export class ClinicView {
  readonly #cards = [card('Healthy', 'well'), card('Sick', 'ill')];
  readonly #chart = new Chart(byId('clinic-chart'), [
    { label: 'sick', colour: 'bad', dashed: true },
    { label: 'healthy', colour: 'accent' },
  ]);
  #sickness: Sickness = 'rate';
  #dose = 1;
  #running = false;
  #queue: Promise<unknown> = Promise.resolve();
  /** Steps that were done, to be done again if the worker is lost. */
  #steps = 0;

  constructor(private readonly inspector: InspectorClient) {
    byId('patients').append(...this.#cards.map(({ root }) => root));
    byId('treat').addEventListener('click', () => this.#setRunning(!this.#running));
    byId('anew').addEventListener('click', () => void this.open(this.#sickness, this.#dose));
  }

  /** Resolves when what was asked for last is to be seen. */
  get opened(): Promise<unknown> {
    return this.#queue;
  }

  /** Admits two networks before their first step. */
  open(sickness: Sickness, dose: number): Promise<unknown> {
    this.#sickness = sickness;
    this.#dose = dose;
    return this.#after(async () => {
      this.#chart.clear();
      this.#steps = 0;
      this.#show(await this.inspector.use((remote) => remote.openClinic(sickness, dose)));
    });
  }

  #after(task: () => Promise<void>): Promise<unknown> {
    this.#queue = this.#queue.then(task).catch((error: Error) => say(error.message, 'problem'));
    return this.#queue;
  }

  #setRunning(on: boolean): void {
    this.#running = on;
    byId('treat').textContent = on ? 'Pause' : 'Train';
    if (on) void this.#go();
  }

  async #go(): Promise<void> {
    while (this.#running) {
      await this.#after(async () => {
        const steps = this.#steps + stepsAtOnce;
        const reports = await this.inspector.use(async (remote) => {
          // A worker that took the place of a lost one has done none of the steps.
          const done = await remote.clinicSteps();
          if (done === this.#steps) return remote.advanceClinic(stepsAtOnce);
          await remote.openClinic(this.#sickness, this.#dose);
          return remote.advanceClinic(steps);
        });
        this.#steps = steps;
        this.#show(reports);
      });
      await new Promise((resolve) => setTimeout(resolve, 30));
      if (this.#steps >= 3000) this.#setRunning(false);
    }
  }

  #show(reports: readonly PatientReport[]): void {
    const cause = causes[this.#sickness](doses[this.#sickness][this.#dose]!);
    const [well, ill] = reports as [PatientReport, PatientReport];
    this.#cards[0]!.update(well, null, '');
    this.#cards[1]!.update(ill, this.#sickness, cause);
    // A loss of 200,000 would press the other curve flat.
    this.#chart.add(well.steps, [Math.min(4, ill.loss), Math.min(4, well.loss)]);
    this.#chart.draw();
  }
}
