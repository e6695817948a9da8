// The numbers that every competitor gets: inputs, labels and first weights from a hash that pytorch.py computes too.

/** One of 2^24 steps in [0, 1) for element `i` of a stream: the finalizer of MurmurHash3. */
function uniform(stream, i) {
  let x = (i + Math.imul(stream, 0x9e3779b9)) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 8) / 2 ** 24;
}

export const sizeOf = (shape) => shape.reduce((n, d) => n * d, 1);

/** Uniform in [-scale, scale). */
export function centred(stream, shape, scale = 1) {
  const out = new Float32Array(sizeOf(shape));
  for (let i = 0; i < out.length; i++) out[i] = (2 * uniform(stream, i) - 1) * scale;
  return out;
}

/** In [0, 1), four of five of them 0, as in images of digits. */
function sparse(stream, size) {
  const out = new Float32Array(size);
  for (let i = 0; i < size; i++) out[i] = uniform(stream + 1, i) < 0.2 ? uniform(stream, i) : 0;
  return out;
}

/** Matrices of variance 1/n, so that products of products neither grow nor vanish. */
export const matrix = (stream, rows, columns, n) => centred(stream, [rows, columns], Math.sqrt(3 / n));

/** Batches of labels outnumber those of inputs and share no divisor with them: nothing can be learned by heart. */
const labelBatches = 997;

/** `batch(step)` gives the step's inputs and labels (the inputs themselves where there are none). */
export function batches({ batch, batches: count, input, loss, dense }) {
  const size = batch * sizeOf(input);
  const inputs = dense ? centred(1, [count * size]) : sparse(1, count * size);
  const labels = new Int32Array(loss === 'crossEntropy' ? labelBatches * batch : 0);
  for (let i = 0; i < labels.length; i++) labels[i] = Math.floor(10 * uniform(3, i));
  return (step) => {
    const at = step % count;
    const x = inputs.subarray(at * size, (at + 1) * size);
    const from = (step % labelBatches) * batch;
    return [x, labels.length > 0 ? labels.subarray(from, from + batch) : x];
  };
}

/** Shapes of a layer's parameters, channels last, and how large their values are. */
function parameterShapes(layer) {
  const { type, inputs, outputs, kernel, hidden } = layer;
  if (type === 'linear') return { fan: inputs, shapes: [[inputs, outputs], [outputs]] };
  if (type === 'conv')
    return { fan: kernel * kernel * inputs, shapes: [[kernel, kernel, inputs, outputs], [outputs]] };
  // Gates in PyTorch's order: input, forget, cell, output.
  if (type === 'lstm')
    return { fan: hidden, shapes: [[inputs, 4 * hidden], [hidden, 4 * hidden], [4 * hidden]] };
  return { fan: 1, shapes: [] };
}

/**
 * First values `{ values, shape }` of each layer's parameters; batch norm starts with 1 and 0 everywhere. With
 * `channelsFirst`, filters are (out, in, kh, kw), and the layer after `flatten` has its rows in that order.
 */
export function parameters(layers, { channelsFirst = false } = {}) {
  return layers.map((layer, index) => {
    const { fan, shapes } = parameterShapes(layer);
    const flat = layers.slice(0, index).findLast(({ type }) => type === 'flatten' || type === 'linear');
    return shapes.map((shape, i) => {
      const values = centred(100 + 4 * index + i, shape, 1 / Math.sqrt(fan));
      if (!channelsFirst || i > 0) return { values, shape };
      if (layer.type === 'conv') return permuted(values, shape, [3, 2, 0, 1]);
      if (layer.type !== 'linear' || flat?.type !== 'flatten') return { values, shape };
      return { values: permuted(values, [...flat.shape, layer.outputs], [2, 0, 1, 3]).values, shape };
    });
  });
}

/** Moves axes: axis i of the result is axis `axes[i]` of the values. */
export function permuted(values, shape, axes) {
  const strides = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  const to = axes.map((a) => shape[a]);
  const steps = axes.map((a) => strides[a]);
  const out = new Float32Array(values.length);
  const [d1, d2, d3] = to.slice(1);
  for (let i = 0, at = 0; i < to[0]; i++)
    for (let j = 0; j < d1; j++)
      for (let k = 0; k < d2; k++)
        for (let l = 0, from = i * steps[0] + j * steps[1] + k * steps[2]; l < d3; l++, from += steps[3])
          out[at++] = values[from];
  return { values: out, shape: to };
}

export const channelsFirst = (values, [n, h, w, c]) => permuted(values, [n, h, w, c], [0, 3, 1, 2]);
export const channelsLast = (values, [n, c, h, w]) => permuted(values, [n, c, h, w], [0, 2, 3, 1]);

/** The inputs of a model that is only used. */
export const modelInput = ({ batch, input }) => centred(1, [batch, ...input]);

/** Shapes of a convolution's input, filter and output, channels last. */
export function convShapes({ batch, size, inputs, outputs, kernel, padding }) {
  const to = size + 2 * padding - kernel + 1;
  return {
    x: [batch, size, size, inputs],
    w: [kernel, kernel, inputs, outputs],
    dy: [batch, to, to, outputs],
  };
}

/** A convolution's operands: input, filter, and the gradient of its output. */
export function convOperands(workload) {
  const { x, w, dy } = convShapes(workload);
  const fan = workload.kernel ** 2 * workload.inputs;
  return { x: centred(1, x), w: centred(2, w, 1 / Math.sqrt(fan)), dy: centred(3, dy) };
}

/** Few enough values to be sent and compared: all, or as many as 2,000 spread over all. */
export function sample(values) {
  const step = Math.ceil(values.length / 2000) | 1;
  const out = [];
  for (let i = 0; i < values.length; i += step) out.push(values[i]);
  return out;
}
