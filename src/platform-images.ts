// The browser's own decoder of images, where there is one.

/**
 * The pixels of an image file, (height, width, 4), by the platform; null where it has no decoder or no way to read what it
 * decoded (Node, Deno, Bun). Rejects for what the platform cannot decode.
 */
export async function decodeByPlatform(
  bytes: Uint8Array,
): Promise<{ width: number; height: number; data: Uint8ClampedArray } | null> {
  if (typeof createImageBitmap === 'undefined' || typeof OffscreenCanvas === 'undefined') return null;
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) return null; // Deno has canvases for WebGPU alone
  const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>]), {
    colorSpaceConversion: 'none',
    premultiplyAlpha: 'none',
  });
  const { width, height } = bitmap;
  try {
    canvas.width = width;
    canvas.height = height;
    context.drawImage(bitmap, 0, 0);
    return { width, height, data: context.getImageData(0, 0, width, height).data };
  } finally {
    bitmap.close();
  }
}
