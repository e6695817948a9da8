// What layers make of an image, as images: a row for each layer.

import { signedImage } from './images.ts';
import type { LayerOutput } from './inspector.ts';

const kinds: Record<string, string> = {
  conv2d: 'convolution',
  batchNorm: 'batch norm',
  relu: 'ReLU',
  maxPool2d: 'max pooling',
  flatten: 'flatten',
  linear: 'linear',
};

/** As `3 · max pooling, 14 × 14 × 8`. */
export const layerTitle = ({ path, kind, shape }: Pick<LayerOutput, 'path' | 'kind' | 'shape'>): string =>
  `${Number(path) + 1} · ${kinds[kind] ?? kind}, ${shape.join(' × ')}`;

/** Channels as images of their own, units in a row as one. All of a layer have one scale. */
function imagesOf({ shape, data }: LayerOutput): HTMLCanvasElement[] {
  const most = data.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-9);
  if (shape.length === 3) {
    const [height, width, channels] = shape as [number, number, number];
    return Array.from({ length: channels }, (_, c) => {
      const own = Float32Array.from({ length: height * width }, (_v, i) => data[i * channels + c]!);
      return signedImage(own, width, height, most);
    });
  }
  // Twenty to a row; what is left of the last one is as zero.
  const width = Math.min(20, data.length);
  return [
    signedImage(
      Float32Array.from({ length: width * Math.ceil(data.length / width) }, (_, i) => data[i] ?? 0),
      width,
      Math.ceil(data.length / width),
      most,
    ),
  ];
}

export function showMaps(host: HTMLElement, layers: readonly LayerOutput[]): void {
  host.replaceChildren(
    ...layers.map((layer) => {
      const row = document.createElement('div');
      row.className = 'maps-row';
      const title = document.createElement('p');
      title.className = 'maps-title';
      title.textContent = layerTitle(layer);
      const images = document.createElement('div');
      const flat = layer.shape.length < 3;
      images.className = flat ? 'maps flat' : 'maps';
      images.setAttribute('role', 'img');
      images.setAttribute('aria-label', `Outputs of layer ${layerTitle(layer)}`);
      images.append(...imagesOf(layer));
      if (flat)
        (images.firstElementChild as HTMLElement).style.width = `${Math.min(layer.data.length, 20) * 16}px`;
      row.append(title, images);
      return row;
    }),
  );
}
