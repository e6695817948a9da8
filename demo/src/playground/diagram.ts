// The network as a picture: a button with its own surface for every unit, lines for the weights.
import { byId, colour } from '../shell.ts';
import type { View } from './network.ts';
import { paint } from './paint.ts';
import { features } from './points.ts';
import { mostUnits, type Settings } from './settings.ts';

/** A unit: its layer (-1 are the inputs) and its place in it. */
export interface Unit {
  layer: number;
  unit: number;
}

export interface DiagramEvents {
  /** A unit is pointed at or focused; null when no longer. */
  onPoint(unit: Unit | null): void;
  onUnits(layer: number, change: 1 | -1): void;
}

const top = 44;

export class Diagram {
  readonly #net = byId('net');
  readonly #edges = byId<HTMLCanvasElement>('edges');
  readonly #events: DiagramEvents;
  #settings: Settings | null = null;
  /** By layer, the inputs first; the output has no thumbnail of its own but the large one. */
  #nodes: HTMLElement[][] = [];
  #canvases: HTMLCanvasElement[][] = [];
  #places: { x: number; y: number }[][] = [];
  #inputs: readonly Float32Array[] = [];
  #weights: readonly Float32Array[] = [];

  constructor(events: DiagramEvents) {
    this.#events = events;
    new ResizeObserver(() => this.#layout()).observe(byId('stage'));
  }

  /** Makes the picture of other settings. */
  build(settings: Settings, inputSurfaces: readonly Float32Array[]): void {
    const same =
      this.#settings?.layers.join() === settings.layers.join() &&
      this.#settings.features.join() === settings.features.join();
    this.#settings = settings;
    this.#inputs = inputSurfaces;
    if (same) return;
    const focused = document.activeElement?.getAttribute('data-key');
    for (const child of [...this.#net.children]) if (child !== this.#edges) child.remove();
    const columns = [settings.features.length, ...settings.layers, 1];
    this.#canvases = [];
    this.#nodes = columns.map((units, column) => {
      if (column > 0 && column < columns.length - 1) this.#net.append(this.#header(column - 1, units));
      const canvases: HTMLCanvasElement[] = [];
      const nodes = Array.from({ length: units }, (_, unit) => {
        const node = document.createElement('button');
        const canvas = document.createElement('canvas');
        canvas.setAttribute('aria-hidden', 'true');
        canvases.push(canvas);
        node.type = 'button';
        node.className = 'node';
        node.append(canvas);
        node.dataset.key = `${column}.${unit}`;
        if (column === 0) {
          const { label } = features[settings.features[unit]!];
          const name = document.createElement('span');
          name.className = 'name';
          name.textContent = label;
          node.append(name);
          node.setAttribute('aria-label', `Input ${label}`);
        } else if (column === columns.length - 1) node.setAttribute('aria-label', 'Output');
        else node.setAttribute('aria-label', `Layer ${column}, unit ${unit + 1}`);
        const here = { layer: column - 1, unit };
        node.addEventListener('pointerenter', () => this.#events.onPoint(here));
        node.addEventListener('pointerleave', () => this.#events.onPoint(null));
        node.addEventListener('focus', () => this.#events.onPoint(here));
        node.addEventListener('blur', () => this.#events.onPoint(null));
        this.#net.append(node);
        return node;
      });
      this.#canvases.push(canvases);
      return nodes;
    });
    this.repaint();
    this.#layout();
    if (focused) this.#net.querySelector<HTMLElement>(`[data-key="${focused}"]`)?.focus();
  }

  /** Draws the inputs, which training does not change. */
  repaint(): void {
    for (const [i, values] of this.#inputs.entries()) paint(this.#canvases[0]![i]!, values);
  }

  #header(layer: number, units: number): HTMLElement {
    const header = document.createElement('div');
    header.className = 'column';
    header.dataset.column = String(layer + 1);
    const button = (text: string, label: string, change: 1 | -1, disabled: boolean): HTMLButtonElement => {
      const made = document.createElement('button');
      made.type = 'button';
      made.className = 'small';
      made.textContent = text;
      made.disabled = disabled;
      made.dataset.key = `${text}${layer}`;
      made.setAttribute('aria-label', `${label} in layer ${layer + 1}`);
      made.addEventListener('click', () => this.#events.onUnits(layer, change));
      return made;
    };
    const count = document.createElement('span');
    count.textContent = String(units);
    header.append(
      button('−', 'One unit fewer', -1, units === 1),
      count,
      button('+', 'One unit more', 1, units === mostUnits),
    );
    return header;
  }

  #layout(): void {
    if (!this.#settings) return;
    const columns = this.#nodes.length;
    const narrow = matchMedia('(max-width: 680px)').matches;
    const margin = narrow ? 18 : 34;
    const stage = byId('stage').clientWidth;
    const width = Math.max(stage, 2 * margin + (columns - 1) * (narrow ? 66 : 84));
    this.#net.style.width = `${width}px`;
    const height = this.#net.clientHeight;
    const most = Math.max(...this.#nodes.map(({ length }) => length));
    const gap = Math.min(66, (height - top - 12) / most);
    const middle = top + (height - top - 12) / 2;
    this.#places = this.#nodes.map((nodes, column) => {
      const x = columns === 1 ? width / 2 : margin + (column * (width - 2 * margin)) / (columns - 1);
      const header = this.#net.querySelector<HTMLElement>(`.column[data-column="${column}"]`);
      if (header) header.style.left = `${x}px`;
      return nodes.map((node, i) => {
        const y = middle + gap * (i + 0.5 - nodes.length / 2);
        node.style.left = `${x}px`;
        node.style.top = `${y}px`;
        return { x, y };
      });
    });
    const scale = Math.min(2, devicePixelRatio || 1);
    this.#edges.width = width * scale;
    this.#edges.height = height * scale;
    this.#edges.style.width = `${width}px`;
    this.#edges.style.height = `${height}px`;
    this.#edges.getContext('2d')!.setTransform(scale, 0, 0, scale, 0, 0);
    this.#drawEdges();
  }

  /** Shows surfaces and weights. */
  update({ surfaces, weights }: View, shown: Unit | null): void {
    for (const [layer, units] of surfaces.entries())
      for (const [i, values] of units.entries()) {
        const canvas = this.#canvases[layer + 1]?.[i];
        if (canvas) paint(canvas, values);
      }
    for (const [column, nodes] of this.#nodes.entries())
      for (const [i, node] of nodes.entries())
        node.classList.toggle('shown', shown?.layer === column - 1 && shown.unit === i);
    this.#weights = weights;
    this.#drawEdges();
  }

  #drawEdges(): void {
    const context = this.#edges.getContext('2d')!;
    context.clearRect(0, 0, this.#edges.width, this.#edges.height);
    const [low, high] = [colour('a'), colour('b')];
    context.lineCap = 'round';
    for (const [layer, weights] of this.#weights.entries()) {
      const [from, to] = [this.#places[layer], this.#places[layer + 1]];
      if (!from || !to || from.length * to.length !== weights.length) return;
      for (const [i, a] of from.entries()) {
        for (const [j, b] of to.entries()) {
          const w = weights[i * to.length + j]!;
          const size = Math.min(1, Math.abs(w) / 3);
          context.strokeStyle = w < 0 ? low : high;
          context.globalAlpha = 0.14 + 0.7 * size;
          context.lineWidth = 0.6 + 3.9 * size;
          const middle = (a.x + b.x) / 2;
          context.beginPath();
          context.moveTo(a.x, a.y);
          context.bezierCurveTo(middle, a.y, middle, b.y, b.x, b.y);
          context.stroke();
        }
      }
    }
    context.globalAlpha = 1;
  }
}
