// What a network looks at, and what it would like to see: saliency, occlusion, activation maximisation, decision surfaces.
import { prepare } from '../compile.js';
import { type HostArray, type Shape, showShape, sizeOf } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import { gradients, vjp } from '../grad.js';
import { constant, type Tensor, Variable } from '../graph.js';
import { inference, type Module } from '../nn/module.js';
import { watchLayers } from '../nn/watch.js';
import * as ops from '../ops/index.js';
import { checkAtLeast } from '../optim/monitor.js';
import { read, tensor } from '../tensor.js';
import { core } from '../train/core.js';
import { predict } from '../train/fit.js';

/** The batch's own labels, one for all examples, or the class that the model gives the largest output. */
type Target = number | readonly number[] | undefined;

/** The output of each example's class, (batch, 1). */
async function logits(
  where: string,
  model: Module,
  x: Tensor,
  target: Target,
): Promise<[Tensor, Int32Array]> {
  const output = model.forward(x, inference());
  if (output.rank !== 2) {
    throw new ShapeError({
      where,
      problem: `the model gives ${showShape(output.shape)}`,
      hint: 'it takes models that give (batch, classes)',
      values: { output: output.shape },
    });
  }
  const [batch, classes] = output.shape as [number, number];
  let labels: Int32Array;
  if (target === undefined) labels = Int32Array.from(await ops.argmax(output, 1).data());
  else
    labels = Int32Array.from({ length: batch }, (_, i) => (typeof target === 'number' ? target : target[i]!));
  const wrong = labels.find((c) => !(c >= 0 && c < classes));
  if (wrong !== undefined || (Array.isArray(target) && target.length !== batch)) {
    throw new OptionError({
      where,
      problem: `the target is ${String(target)} for ${batch} examples of ${classes} classes`,
      hint: `classes from 0 to ${classes - 1}, one for all examples or one for each`,
      values: { target, classes },
    });
  }
  const mask = ops.oneHot(tensor(labels), classes, output.dtype);
  return [ops.sum(ops.mul(output, mask), 1), labels];
}

/** Options of `saliency`. */
export interface SaliencyOptions {
  /** The class whose output is looked at; that of the largest output of each example where not said. */
  target?: number | readonly number[];
  /** 'gradient' where not said: |d z_c / d x|; or 'gradientTimesInput': x times d z_c / d x, with its sign. */
  kind?: 'gradient' | 'gradientTimesInput';
}

/**
 * How much each input of (batch, ...) moves the output z_c of its class, in the shape of the inputs (Simonyan, Vedaldi and
 * Zisserman, "Deep inside convolutional networks", 2013; times the input: Shrikumar et al. 2016). Errors: ShapeError for
 * a model that does not give (batch, classes), OptionError.
 */
export async function saliency(
  model: Module,
  inputs: Tensor,
  { target, kind = 'gradient' }: SaliencyOptions = {},
): Promise<Tensor> {
  if (kind !== 'gradient' && kind !== 'gradientTimesInput') {
    throw new OptionError({
      where: 'saliency',
      problem: `kind is ${String(kind)}`,
      hint: "'gradient' or 'gradientTimesInput'",
      values: { kind },
    });
  }
  await model.initialize();
  const [values] = await read([inputs]);
  const x = tensor(values!, { shape: inputs.shape, dtype: inputs.dtype });
  const [picked] = await logits('saliency', model, x, target);
  const [found] = vjp(ops.sum(picked), [x], constant(1, picked.dtype));
  const dx = found ?? ops.zeros(x.shape, x.dtype);
  return kind === 'gradient' ? ops.abs(dx) : ops.mul(x, dx);
}

/** Options of `occlusion`. */
export interface OcclusionOptions {
  target?: number;
  /** Side of the square that covers the image, and how far it moves; 4 and 2 where not said. */
  size?: number;
  stride?: number;
  /** What the square is filled with; 0 where not said. */
  fill?: number;
  /** For a model of flat inputs: how they lie in a picture, as in [28, 28]. */
  shape?: Shape;
}

/** What `occlusion` gives. */
export interface OcclusionMap {
  /** Places of the square, top to bottom and left to right. */
  rows: number;
  columns: number;
  /** (rows, columns): how much the class's output falls when the square is there. */
  drops: Float64Array;
  target: number;
}

/** Images in one evaluation. */
const batchLimit = 256;

/**
 * How much the output of a class falls when a square of an image is covered, for each place of the square (Zeiler and
 * Fergus, "Visualizing and understanding convolutional networks", 2014). The image is (height, width, channels), or flat
 * with `shape`. Errors: ShapeError, OptionError.
 */
export async function occlusion(
  model: Module,
  image: Tensor,
  { target, size = 4, stride = 2, fill = 0, shape }: OcclusionOptions = {},
): Promise<OcclusionMap> {
  const [height = 0, width = 0, channels = 1] = shape ?? image.shape;
  if ((shape ?? image.shape).length < 2 || height * width * channels !== image.size) {
    throw new ShapeError({
      where: 'occlusion',
      problem: `the image is ${showShape(image.shape)}${shape ? `, shape is ${showShape(shape)}` : ''}`,
      hint: 'one image (height, width, channels), or a flat one and its shape',
      values: { image: image.shape, shape },
    });
  }
  for (const [name, value] of Object.entries({ size, stride })) {
    if (Number.isInteger(value) && value >= 1 && value <= Math.min(height, width)) continue;
    throw new OptionError({
      where: 'occlusion',
      problem: `${name} is ${value}`,
      hint: `a whole number from 1 to ${Math.min(height, width)}`,
      values: { [name]: value },
    });
  }
  await model.initialize();
  const [pixels] = (await read([image])) as [HostArray];
  const [rows, columns] = [height, width].map((n) => Math.floor((n - size) / stride) + 1) as [number, number];
  const whole = tensor(Float32Array.from(pixels), { shape: [1, ...image.shape] });
  const [base, [label]] = await logits('occlusion', model, whole, target);
  const before = await base.item();
  const drops = new Float64Array(rows * columns);
  for (let start = 0; start < drops.length; start += batchLimit) {
    const count = Math.min(batchLimit, drops.length - start);
    const batch = new Float32Array(count * pixels.length);
    for (let i = 0; i < count; i++) {
      const own = batch.subarray(i * pixels.length, (i + 1) * pixels.length);
      own.set(pixels);
      const top = Math.floor((start + i) / columns) * stride;
      const left = ((start + i) % columns) * stride;
      for (let y = top; y < top + size; y++)
        own.fill(fill, (y * width + left) * channels, (y * width + left + size) * channels);
    }
    const [picked] = await logits(
      'occlusion',
      model,
      tensor(batch, { shape: [count, ...image.shape] }),
      label,
    );
    for (const [i, z] of (await picked.data()).entries()) drops[start + i] = before - z;
  }
  return { rows, columns, drops, target: label! };
}

/** Options of `maximiseActivation`. */
export interface MaximisationOptions {
  /** Shape of one input, as in [784] or [28, 28, 1]. */
  shape: Shape;
  /** Index of the unit on the last axis of the output. */
  unit: number;
  /** Path of a layer whose unit it is, as in `activations`; the model's output where not said. */
  layer?: string;
  /** Steps of gradient ascent; 100 where not said. */
  steps?: number;
  /** Length of a step in units of the gradient's root mean square; 0.1 where not said. */
  lr?: number;
  /** Each step takes this share of the input away; 0.01 where not said. */
  l2?: number;
  /** Blurs the picture with [1, 2, 1]/4 along both axes each so many steps; 0, never, where not said. */
  blurEvery?: number;
  /** For flat inputs: how they lie in a picture that is blurred. */
  image?: Shape;
  /** Standard deviation of the first picture, normal numbers; 0.1 where not said. */
  start?: number;
  /** 0 where not said. */
  seed?: number;
}

/**
 * An input that excites a unit: gradient ascent on x for the mean of the unit's activation over all places,
 * x <- (1 - l2) x + lr g / sqrt(mean(g^2)), now and then blurred (Erhan et al., "Visualizing higher-layer features of a deep
 * network", 2009; Yosinski et al., "Understanding neural networks through deep visualization", 2015). Gives the input and
 * the activation at the end. Errors: OptionError for a layer or unit that is not there.
 */
export async function maximiseActivation(
  model: Module,
  options: MaximisationOptions,
): Promise<{ input: Tensor; activation: number }> {
  const {
    shape,
    unit,
    layer,
    steps = 100,
    lr = 0.1,
    l2 = 0.01,
    blurEvery = 0,
    start = 0.1,
    seed = 0,
  } = options;
  const image = options.image ?? shape;
  for (const [name, value] of Object.entries({ unit, steps, lr, l2, blurEvery, start }))
    checkAtLeast('maximiseActivation', name, value, 0);
  if (blurEvery > 0 && (image.length < 2 || sizeOf(image) !== sizeOf(shape))) {
    throw new OptionError({
      where: 'maximiseActivation',
      problem: `an input ${showShape(shape)} cannot be blurred as ${showShape(image)}`,
      hint: 'say how it lies in a picture: { image: [28, 28] }',
      values: { shape, image },
    });
  }
  await model.initialize(seed);
  const full = [1, ...shape];
  const first = (): Tensor => ops.mul(ops.randomNormal(full, { seed }), start);
  const x = new Variable(full, 'float32', first, 'input');
  const activationOf = (): Tensor => {
    const { result, calls } = watchLayers(core(), model, () => model.forward(x, inference()));
    const call = layer === undefined ? { output: result } : calls.find(({ path }) => path === layer);
    const units = call?.output.shape.at(-1) ?? 0;
    if (!call || !(Number.isInteger(unit) && unit < units)) {
      throw new OptionError({
        where: 'maximiseActivation',
        problem: call ? `unit is ${unit}, there are ${units}` : `there is no layer '${layer}'`,
        hint: call
          ? `a whole number from 0 to ${units - 1}`
          : `one of ${calls.flatMap(({ path }) => path || []).join(', ')}`,
        values: { layer, unit },
      });
    }
    const { output } = call;
    const from = output.shape.map((_, i) => (i === output.rank - 1 ? unit : 0));
    const to = output.shape.map((d, i) => (i === output.rank - 1 ? unit + 1 : d));
    return ops.mean(ops.slice(output, from, to));
  };
  const climb = (blurs: boolean) => (): void => {
    const [g] = gradients(activationOf(), [x]) as [Tensor];
    const size = ops.sqrt(ops.add(ops.mean(ops.square(g)), 1e-20));
    const next = ops.add(ops.mul(x, 1 - l2), ops.mul(ops.div(g, size), lr));
    x.assign(blurs ? ops.reshape(blurred(ops.reshape(next, [1, ...image])), full) : next);
  };
  const climbing = await prepare(climb(false), []);
  const blurring = blurEvery > 0 ? await prepare(climb(true), []) : climbing;
  const final = await prepare(() => [activationOf()], []);
  try {
    for (let step = 1; step <= steps; step++) {
      await (blurEvery > 0 && step % blurEvery === 0 ? blurring : climbing).run();
    }
    await final.run();
    const [[activation], input] = [await final.executable.read(0), await x.data()];
    return { input: tensor(input, { shape }), activation: activation! };
  } finally {
    for (const each of new Set([climbing, blurring, final])) each.dispose();
    x.dispose();
  }
}

/** (1, height, width, ...) with [1, 2, 1]/4 along height and width, the edges repeated. */
function blurred(x: Tensor): Tensor {
  let t = x;
  for (const axis of [1, 2]) {
    const n = t.shape[axis]!;
    const wide = ops.padEdges(
      t,
      t.shape.map((_, i): [number, number] => (i === axis ? [1, 1] : [0, 0])),
      'replicate',
    );
    const shifted = (by: number): Tensor =>
      ops.slice(
        wide,
        wide.shape.map((_, i) => (i === axis ? by : 0)),
        wide.shape.map((d, i) => (i === axis ? by + n : d)),
      );
    t = ops.mul(ops.add(ops.add(shifted(0), shifted(2)), ops.mul(shifted(1), 2)), 0.25);
  }
  return t;
}

/** Options of `decisionSurface`. */
export interface SurfaceOptions {
  /** From where to where the grid goes; -1 to 1 where not said. */
  x?: readonly [number, number];
  y?: readonly [number, number];
  /** Points along each; 100 where not said. */
  width?: number;
  height?: number;
}

/** What `decisionSurface` gives. */
export interface DecisionSurface {
  width: number;
  height: number;
  /** Coordinates of the columns and rows; the first row is the one with the largest y, as in a picture. */
  xs: Float64Array;
  ys: Float64Array;
  /** (height, width, outputs) */
  outputs: Float32Array;
  /** (height, width): the class of the largest output; with one output, whether it is above 0. */
  classes: Int32Array;
}

/** The outputs of a model of two inputs over a grid. Errors: OptionError, and ShapeError of a model that takes other inputs. */
export async function decisionSurface(
  model: Module,
  { x = [-1, 1], y = [-1, 1], width = 100, height = 100 }: SurfaceOptions = {},
): Promise<DecisionSurface> {
  for (const [name, value] of Object.entries({ width, height })) {
    if (Number.isInteger(value) && value >= 2) continue;
    throw new OptionError({
      where: 'decisionSurface',
      problem: `${name} is ${value}`,
      hint: 'a whole number >= 2',
      values: { [name]: value },
    });
  }
  for (const [name, [from, to]] of Object.entries({ x, y })) {
    if (Number.isFinite(to - from) && to > from) continue;
    throw new OptionError({
      where: 'decisionSurface',
      problem: `${name} goes from ${from} to ${to}`,
      hint: 'two numbers, the second larger',
      values: { [name]: [from, to] },
    });
  }
  const along = ([from, to]: readonly [number, number], n: number): Float64Array =>
    Float64Array.from({ length: n }, (_, i) => from + ((to - from) * i) / (n - 1));
  const [xs, ys] = [along(x, width), along(y, height).reverse()];
  const rowsAtOnce = Math.max(1, Math.floor(4096 / width));
  const parts: HostArray[] = [];
  for (let row = 0; row < height; row += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, height - row);
    const points = new Float32Array(rows * width * 2);
    for (let i = 0; i < rows * width; i++) {
      points[2 * i] = xs[i % width]!;
      points[2 * i + 1] = ys[row + Math.floor(i / width)]!;
    }
    const output = await predict(model, tensor(points, { shape: [rows * width, 2] }));
    parts.push(await output.data());
  }
  const count = parts.reduce((n, p) => n + p.length, 0) / (width * height);
  const outputs = new Float32Array(width * height * count);
  let at = 0;
  for (const part of parts) {
    outputs.set(part, at);
    at += part.length;
  }
  const classes = Int32Array.from({ length: width * height }, (_, i) => {
    if (count === 1) return Number(outputs[i]! > 0);
    let best = 0;
    for (let c = 1; c < count; c++) if (outputs[i * count + c]! > outputs[i * count + best]!) best = c;
    return best;
  });
  return { width, height, xs, ys, outputs, classes };
}
