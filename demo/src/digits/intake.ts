// Files that come in: MNIST's (IDX) and models (safetensors). Each is looked at before anything is changed by it.
import { ArrayDataset, type IdxData, parseIdx } from 'everygrad/data';
import { pixels, side } from '../lab/models.ts';

/** Larger files are refused unread: MNIST's largest has 47 MB. */
const mostBytes = 200e6;
const fewest = 20;

/** What is wrong with a file, as a sentence for the user. */
export class FileProblem extends Error {}

export interface Sets {
  train: ArrayDataset;
  test: ArrayDataset;
}
export type Intake = { kind: 'data'; sets: Sets } | { kind: 'model'; name: string; bytes: Uint8Array };

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

/** The library's own errors, `[where] problem (hint)`, as a sentence about a file. */
export function sentence(name: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const problem = message.replace(/^\[[^\]]*\] /, '').replace(/ \([^()]*\)$/, '');
  return `${name} cannot be used: ${problem.length > 220 ? `${problem.slice(0, 200)}…` : problem}.`;
}

async function bytesOf(file: File): Promise<Uint8Array> {
  if (file.size > mostBytes) {
    throw new FileProblem(
      `${file.name} is too large: ${megabytes(file.size)}, at most ${megabytes(mostBytes)}.`,
    );
  }
  return new Uint8Array(await file.arrayBuffer());
}

/** A safetensors file begins with the length of its header and the header's brace. */
const isModel = (name: string, bytes: Uint8Array): boolean =>
  /\.safetensors$/i.test(name) || bytes[8] === 0x7b;
/** By gzip, or by the two zeros that IDX files start with. */
const mayBeIdx = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0x1f && bytes[1] === 0x8b) || (bytes[0] === 0 && bytes[1] === 0);

/** Takes a model, or images and labels in pairs of the same length. Throws FileProblem with a sentence for the user. */
export async function takeIn(files: readonly File[]): Promise<Intake> {
  const parsed: { name: string; idx: IdxData }[] = [];
  for (const file of files) {
    const bytes = await bytesOf(file);
    if (isModel(file.name, bytes)) return { kind: 'model', name: file.name, bytes };
    if (!mayBeIdx(bytes)) {
      throw new FileProblem(`${file.name} is neither a file of MNIST (IDX) nor a model (safetensors).`);
    }
    const idx = await parseIdx(bytes, { file: file.name }).catch((error: unknown) => {
      throw new FileProblem(sentence(file.name, error));
    });
    parsed.push({ name: file.name, idx });
  }
  return { kind: 'data', sets: setsOf(parsed) };
}

function setsOf(parsed: readonly { name: string; idx: IdxData }[]): Sets {
  const images = parsed.filter(({ idx }) => idx.shape.length === 3);
  const labels = parsed.filter(({ idx }) => idx.shape.length === 1);
  const odd = parsed.find(({ idx }) => ![1, 3].includes(idx.shape.length));
  if (odd)
    throw new FileProblem(
      `${odd.name} has neither images nor labels: its shape is ${odd.idx.shape.join(' × ')}.`,
    );
  if (images.length === 0 || labels.length === 0) {
    const [found, wanted] = images.length > 0 ? ['images', 'labels'] : ['labels', 'images'];
    throw new FileProblem(
      `${parsed[0]?.name ?? 'The file'} has ${found}; choose it together with its ${wanted}.`,
    );
  }
  const sets = images.map(({ name, idx }) => {
    const [count = 0, ...size] = idx.shape;
    if (size.join() !== `${side},${side}` || idx.dtype !== 'uint8') {
      throw new FileProblem(
        `${name} has images of ${size.join(' × ')}; the models of this page take ${side} × ${side}.`,
      );
    }
    const own = labels.find((l) => l.idx.shape[0] === count);
    if (!own) throw new FileProblem(`${name} has ${count} images, and no file of labels has as many.`);
    const wrong = own.idx.data.find((label) => label > 9);
    if (wrong !== undefined) throw new FileProblem(`${own.name} has the label ${wrong}; digits are 0 to 9.`);
    if (count < fewest)
      throw new FileProblem(`${name} has only ${count} images; at least ${fewest} are needed.`);
    return new ArrayDataset({
      ...{ inputs: idx.data, inputShape: [pixels], inputDType: 'uint8', scale: 1 / 255 },
      ...{ targets: Int32Array.from(own.idx.data), targetShape: [], targetDType: 'int32' },
      ...{ classes: 10, name },
    });
  });
  const [first, second] = sets.sort((a, b) => b.length - a.length) as [ArrayDataset, ArrayDataset?];
  const [train, test] = second ? [first, second] : first.split(0.9);
  return { train, test };
}
