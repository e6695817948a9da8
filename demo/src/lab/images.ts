// Numbers as images in the colours of the theme.
import { colour } from '../shell.ts';

const rgb = (name: string): number[] => (colour(name).match(/[\d.]+/g) ?? []).map(Number);

function canvasOf(
  width: number,
  height: number,
  paint: (data: Uint8ClampedArray) => void,
): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  paint(image.data);
  canvas.getContext('2d')!.putImageData(image, 0, 0);
  return canvas;
}

/** Grey values from 0 to 255. */
export const greyImage = (image: ArrayLike<number>, width: number, height: number): HTMLCanvasElement =>
  canvasOf(width, height, (data) => {
    for (let i = 0; i < width * height; i++) data.set([image[i]!, image[i]!, image[i]!, 255], 4 * i);
  });

const largest = (values: ArrayLike<number>): number => {
  let most = 1e-9;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
};

/** Orange below zero, blue above, by the largest absolute value. */
export function signedImage(
  values: ArrayLike<number>,
  width: number,
  height: number,
  most = largest(values),
): HTMLCanvasElement {
  const [low, middle, high] = [rgb('a'), rgb('sunk'), rgb('b')];
  return canvasOf(width, height, (data) => {
    for (let i = 0; i < width * height; i++) {
      const size = Math.min(1, Math.abs(values[i]!) / most);
      const end = values[i]! < 0 ? low : high;
      for (let c = 0; c < 3; c++) data[4 * i + c] = middle[c]! + (end[c]! - middle[c]!) * size;
      data[4 * i + 3] = 255;
    }
  });
}

/** An image, grey, under what is marked in it: orange where its values are large. */
export function markedImage(
  image: ArrayLike<number>,
  marks: ArrayLike<number>,
  width: number,
  height: number,
): HTMLCanvasElement {
  const most = largest(marks);
  return canvasOf(width, height, (data) => {
    for (let i = 0; i < width * height; i++) {
      const [grey, mark] = [image[i]! * 0.75, (Math.abs(marks[i]!) / most) ** 0.7];
      const own = [255, 150, 40].map((c) => grey * (1 - mark) + c * mark);
      data.set([...own, 255], 4 * i);
    }
  });
}
