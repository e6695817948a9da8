// Decoders of images that are not the library's: the browser's own, and in Node, Deno and Bun an optional package's.
import { hasFiles, readBytes } from './platform.js';

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

type Decoded = { width: number; height: number; data: Uint8ClampedArray };

interface JpegPackage {
  init(module: WebAssembly.Module): Promise<void>;
  default(bytes: ArrayBuffer, options: { preserveOrientation: boolean }): Promise<Decoded>;
}

/** Not a literal where it is imported: bundlers of pages, which never get there, would look for the package. */
const jpegPackage = '@jsquash/jpeg';
let jpeg: Promise<JpegPackage | null> | undefined;

async function loadJpeg(): Promise<JpegPackage | null> {
  let found: JpegPackage;
  try {
    found = await import(/* @vite-ignore */ /* webpackIgnore: true */ `${jpegPackage}/decode.js`);
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND') return null;
    throw error;
  }
  const file = new URL(import.meta.resolve(`${jpegPackage}/codec/dec/mozjpeg_dec.wasm`));
  await found.init(await WebAssembly.compile(await readBytes(file)));
  return found;
}

/**
 * The pixels of a JPEG file, (height, width, 4), by the optional package @jsquash/jpeg (MozJPEG in WebAssembly); null where it
 * is not installed, and in browsers, which have their own. Turned as the file says. Rejects for what cannot be decoded.
 */
export async function decodeJpegByPackage(bytes: Uint8Array): Promise<Decoded | null> {
  if (!hasFiles) return null;
  jpeg ??= loadJpeg();
  const found = await jpeg;
  return found ? found.default(new Uint8Array(bytes).buffer, { preserveOrientation: true }) : null;
}
