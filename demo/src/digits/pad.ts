// The drawing pad: strokes by mouse, pen or finger, and the 28 x 28 image that a model sees, framed as in MNIST.
import { greyImage } from '../lab/images.ts';
import { side } from '../lab/models.ts';
import { byId } from '../shell.ts';

export class Pad {
  readonly canvas = byId<HTMLCanvasElement>('pad');
  readonly #context = this.canvas.getContext('2d', { willReadFrequently: true })!;
  #last: readonly [number, number] | null = null;
  #empty = true;

  constructor(private readonly onChange: () => void) {
    const { canvas } = this;
    this.clear();
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#last = null;
      this.#draw(event);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (canvas.hasPointerCapture(event.pointerId))
        for (const e of event.getCoalescedEvents?.() ?? [event]) this.#draw(e);
    });
    canvas.addEventListener('pointerup', () => this.onChange());
  }

  clear(): void {
    this.#context.fillStyle = '#05070a';
    this.#context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.empty = true;
  }

  get empty(): boolean {
    return this.#empty;
  }

  set empty(empty: boolean) {
    this.#empty = empty;
    this.canvas.parentElement!.classList.toggle('empty', empty);
  }

  /** Shows an image of the data, values from 0 to 255. */
  put(image: ArrayLike<number>): void {
    this.clear();
    const scale = this.canvas.width / side;
    const small = greyImage(image, side, side);
    this.#context.imageSmoothingEnabled = true;
    this.#context.drawImage(small, 0, 0, side * scale, side * scale);
    this.empty = false;
    this.onChange();
  }

  #draw(event: PointerEvent): void {
    const { left, top, width } = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / width;
    const at = [(event.clientX - left) * scale, (event.clientY - top) * scale] as const;
    const c = this.#context;
    c.strokeStyle = '#fff';
    c.lineWidth = 21;
    c.lineCap = c.lineJoin = 'round';
    c.beginPath();
    c.moveTo(...(this.#last ?? at));
    c.lineTo(at[0], at[1] + 0.01);
    c.stroke();
    this.#last = at;
    this.empty = false;
    this.onChange();
  }

  /** (784), from 0 to 1: what was drawn in 20 x 20 pixels, its centre of mass in the middle. */
  image(): Float32Array<ArrayBuffer> {
    const { width } = this.canvas;
    const { data } = this.#context.getImageData(0, 0, width, width);
    let [x0, y0, x1, y1, mass, mx, my] = [width, width, 0, 0, 0, 0, 0];
    for (let y = 0; y < width; y++) {
      for (let x = 0; x < width; x++) {
        const v = data[4 * (y * width + x)]!;
        if (v < 40) continue;
        [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x + 1), Math.max(y1, y + 1)];
        mass += v;
        mx += v * x;
        my += v * y;
      }
    }
    if (mass === 0) return new Float32Array(side * side);
    const scale = 20 / Math.max(x1 - x0, y1 - y0);
    const target = new OffscreenCanvas(side, side).getContext('2d')!;
    target.imageSmoothingQuality = 'high';
    const shown = width * scale;
    target.drawImage(
      this.canvas,
      side / 2 - (mx / mass) * scale,
      side / 2 - (my / mass) * scale,
      shown,
      shown,
    );
    const small = target.getImageData(0, 0, side, side).data;
    return Float32Array.from({ length: side * side }, (_, i) => {
      const v = small[4 * i]! / 255;
      return v < 0.05 ? 0 : v;
    });
  }
}
