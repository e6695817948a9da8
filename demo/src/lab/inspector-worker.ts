// Looks inside of a model, off the page's own thread: what it looks at, what its layers make of an image, what its
// units would like to see, what a training step does to it. And trains the patients of the clinic.
import { expose } from 'comlink';
import {
  configure,
  loss,
  nn,
  optim,
  read,
  setAssetsUrl,
  type Tensor,
  tensor,
  weightsFromBytes,
} from 'everygrad';
import {
  activations,
  idleUnits,
  type LayerStatistics,
  maximiseActivation,
  type ParameterStatistics,
  saliency,
  stepStatistics,
} from 'everygrad/inspect';
import { Clinic } from './clinic.ts';
import { histogramOf } from './histogram.ts';
import { type ModelName, models } from './models.ts';

/** What one layer makes of an image: channels of (height, width), or units in a row. */
export interface LayerOutput {
  path: string;
  kind: string;
  shape: readonly number[];
  data: Float32Array;
}

export interface Look {
  /** (784): how much each pixel moves the output of the class that won. */
  saliency: Float32Array;
  layers: LayerOutput[];
}

export interface LayerReport extends LayerStatistics {
  histogram: number[];
  units: number;
  dead: number;
}

export interface StepReport {
  layers: LayerReport[];
  parameters: ParameterStatistics[];
}

type LayerName = (typeof models)[ModelName]['spec'][number][0];

/** By name, so that only these layers are in this worker's bundle. */
const makers: Record<LayerName, unknown> = {
  linear: nn.linear,
  conv2d: nn.conv2d,
  batchNorm: nn.batchNorm,
  relu: nn.relu,
  maxPool2d: nn.maxPool2d,
  flatten: nn.flatten,
};

const build = (name: ModelName): nn.Module =>
  nn.sequential(
    ...models[name].spec.map(([layer, ...args]) =>
      (makers[layer] as (...args: readonly unknown[]) => nn.Module)(...args),
    ),
  );

export class Inspector {
  readonly clinic = new Clinic();
  #name: ModelName = 'mlp';
  #model: nn.Module | null = null;

  async start(assets: string): Promise<void> {
    setAssetsUrl(assets);
    await configure({ device: 'wasm', threads: 1 });
  }

  /** Takes a model; without weights as it is at first. */
  async load(name: ModelName, weights: Uint8Array | null): Promise<void> {
    const model = await build(name).initialize(1);
    if (weights) await weightsFromBytes(model, weights);
    this.#model?.dispose();
    this.#model = model;
    this.#name = name;
  }

  #images(images: Float32Array<ArrayBuffer>, count: number): Tensor {
    return tensor(images, { shape: [count, ...models[this.#name].inputShape] });
  }

  /** Of one image, values from 0 to 1. */
  async look(image: Float32Array<ArrayBuffer>): Promise<Look> {
    const { spec } = models[this.#name];
    const x = this.#images(image, 1);
    const found = await activations(this.#model!, x);
    const marks = await (await saliency(this.#model!, x)).data();
    const values = (await read([...found.values()])) as Float32Array[];
    const layers = [...found].map(([path, { shape }], i): LayerOutput => {
      const kind = spec[Number(path)]![0];
      return { path, kind, shape: shape.slice(1), data: Float32Array.from(values[i]!) };
    });
    return { saliency: Float32Array.from(marks), layers };
  }

  /** The image (784) that excites a unit, and how much. */
  async maximise(path: string, unit: number): Promise<{ image: Float32Array; activation: number }> {
    const { inputShape } = models[this.#name];
    const { input, activation } = await maximiseActivation(this.#model!, {
      ...{ shape: inputShape, image: [28, 28], layer: path, unit },
      ...{ steps: 48, blurEvery: 4, lr: 0.12, l2: 0.02, seed: 1 },
    });
    return { image: Float32Array.from(await input.data()), activation };
  }

  /** What one training step finds in each layer, on a batch of images from 0 to 1 and their labels. */
  async statistics(images: Float32Array<ArrayBuffer>, labels: Int32Array<ArrayBuffer>): Promise<StepReport> {
    const model = this.#model!;
    const batch = { inputs: this.#images(images, labels.length), targets: tensor(labels) };
    const optimizer = optim.adam({ lr: 0.001 });
    try {
      const { layers, parameters } = await stepStatistics(model, loss.crossEntropy(), batch, { optimizer });
      const idle = await idleUnits(model, batch.inputs);
      const found = await activations(model, batch.inputs);
      const values = await read([...found.values()]);
      return {
        layers: layers.map((layer, i) => ({
          ...layer,
          histogram: histogramOf(values[i]! as Float32Array, layer.activations.min, layer.activations.max),
          units: idle[i]!.units,
          dead: idle[i]!.dead.length,
        })),
        parameters,
      };
    } finally {
      optimizer.dispose();
    }
  }

  openClinic(...args: Parameters<Clinic['open']>): ReturnType<Clinic['open']> {
    return this.clinic.open(...args);
  }

  clinicSteps(): number {
    return this.clinic.steps;
  }

  advanceClinic(steps: number): ReturnType<Clinic['advance']> {
    return this.clinic.advance(steps);
  }
}

expose(new Inspector());
