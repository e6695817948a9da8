// What units would like to see: activation maximisation, one unit after the other, each shown as soon as it is there.
import type { Course } from '../lab/course.ts';
import { signedImage } from '../lab/images.ts';
import type { InspectorClient } from '../lab/inspector.ts';
import { layerTitle } from '../lab/maps.ts';
import { models, side } from '../lab/models.ts';
import { byId, onTheme } from '../shell.ts';

/** So many units of a layer are shown. */
const mostUnits = 20;

/** Layers whose units can be asked for: those with weights, by their path, and how many units they have. */
const layersOf = (spec: readonly (readonly unknown[])[]) =>
  spec.flatMap(([kind, ...args], i) => {
    if (kind !== 'linear' && kind !== 'conv2d') return [];
    return [{ path: String(i), kind: String(kind), units: Number(args[1]) }];
  });

interface Dream {
  image: Float32Array;
  activation: number;
}

export class Dreams {
  /** Counts the shows, so that an older one ends when a newer one begins. */
  #turn = 0;
  #dreams: Dream[] = [];

  constructor(
    private readonly inspector: InspectorClient,
    private readonly course: Course,
    private readonly onProblem: (error: unknown) => void,
  ) {
    byId('layer').addEventListener('change', () => void this.show());
    onTheme(() => this.#draw());
  }

  /** Lists the layers of the network, and shows nothing yet. */
  open(): void {
    this.#turn++;
    this.#dreams = [];
    const layers = layersOf(models[this.course.model].spec);
    byId('layer').replaceChildren(
      ...layers.map(({ path, kind, units }, i) => {
        const title = layerTitle({ path, kind, shape: [units] });
        return new Option(
          i === layers.length - 1 ? `${title} (the digits)` : title,
          path,
          false,
          i === layers.length - 1,
        );
      }),
    );
    byId('dreams-state').textContent = '';
    this.#draw();
  }

  async show(): Promise<void> {
    const turn = ++this.#turn;
    const { model, weights } = this.course;
    const path = byId<HTMLSelectElement>('layer').value;
    const layer = layersOf(models[model].spec).find((l) => l.path === path);
    if (!layer || !weights) return;
    const count = Math.min(mostUnits, layer.units);
    this.#dreams = [];
    try {
      for (let unit = 0; unit < count; unit++) {
        byId('dreams-state').textContent = `${unit} of ${count}`;
        const dream = await this.inspector.about(model, weights, (remote) => remote.maximise(path, unit));
        if (turn !== this.#turn) return;
        this.#dreams.push(dream);
        this.#draw();
      }
      byId('dreams-state').textContent = layer.units > count ? `${count} of its ${layer.units} units` : '';
    } catch (error) {
      if (turn === this.#turn) this.onProblem(error);
    }
  }

  #draw(): void {
    const items = this.#dreams.map(({ image, activation }, unit) => {
      const item = document.createElement('li');
      const canvas = signedImage(image, side, side);
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', `Image that excites unit ${unit}`);
      const [name, value] = [document.createElement('strong'), document.createElement('span')];
      name.textContent = String(unit);
      value.textContent = activation.toFixed(1);
      item.append(canvas, name, ' ', value);
      return item;
    });
    byId('dreams').replaceChildren(...items);
    byId('no-dreams').hidden = this.course.trained;
  }
}
