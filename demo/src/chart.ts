// Curves over steps or epochs, by uPlot, in the colours of the theme. uPlot is loaded when there is something to draw.
import type uPlot from 'uplot';
import { colour, onTheme } from './shell.ts';

export interface Curve {
  label: string;
  /** A colour of the style sheet. */
  colour: string;
  dashed?: boolean;
}

/** More points than this are thinned out: every second one goes. */
const mostPoints = 600;

export class Chart {
  /** uPlot itself, once it is asked for. */
  #library: Promise<void> | null = null;
  #uPlot: typeof uPlot | null = null;
  #plot: uPlot | null = null;
  #rows: number[][];
  /** Only each so many-th point is kept. */
  #stride = 1;
  #count = 0;

  constructor(
    private readonly host: HTMLElement,
    private readonly curves: readonly Curve[],
    private readonly height = 150,
    /** Bounds of the y axis; as the data are where not said. */
    private readonly range?: readonly [number, number],
  ) {
    this.#rows = [[], ...curves.map(() => [])];
    host.style.minHeight = `${height}px`; // what is below stays where it is
    onTheme(() => this.#make());
    new ResizeObserver(() => this.#fit()).observe(host);
  }

  clear(): void {
    for (const row of this.#rows) row.length = 0;
    this.#stride = 1;
    this.#count = 0;
    this.draw();
  }

  add(x: number, values: readonly number[]): void {
    if (this.#count++ % this.#stride !== 0) return;
    for (const [i, value] of [x, ...values].entries()) this.#rows[i]!.push(value);
    if (this.#rows[0]!.length < mostPoints) return;
    this.#rows = this.#rows.map((row) => row.filter((_, i) => i % 2 === 0));
    this.#stride *= 2;
  }

  draw(): void {
    if (this.#plot) this.#plot.setData(this.#rows as uPlot.AlignedData);
    else if (this.#rows[0]!.length > 0) this.#library ??= this.#load();
  }

  async #load(): Promise<void> {
    this.#uPlot = (await import('uplot')).default;
    this.#make();
  }

  #fit(): void {
    const { clientWidth: width } = this.host;
    if (width > 0 && width !== this.#plot?.width) this.#plot?.setSize({ width, height: this.height });
  }

  #make(): void {
    if (!this.#uPlot) return;
    this.#plot?.destroy();
    const axis: uPlot.Axis = {
      stroke: colour('muted'),
      font: '11px system-ui, sans-serif',
      grid: { stroke: colour('line'), width: 1 },
      ticks: { show: false },
    };
    const bounds = this.range;
    this.#plot = new this.#uPlot(
      {
        width: Math.max(160, this.host.clientWidth),
        height: this.height,
        padding: [8, 18, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { show: false } },
        scales: {
          x: { time: false },
          y: bounds ? { range: [bounds[0], bounds[1]] } : { range: (_, __, most) => [0, (most || 1) * 1.05] },
        },
        axes: [
          { ...axis, size: 24, space: 60 },
          { ...axis, size: 40, space: 28 },
        ],
        series: [
          {},
          ...this.curves.map((curve) => ({
            label: curve.label,
            stroke: colour(curve.colour),
            width: 2,
            points: { show: false },
            ...(curve.dashed ? { dash: [5, 4] } : {}),
          })),
        ],
      },
      this.#rows as uPlot.AlignedData,
      this.host,
    );
  }
}
