// What is measured, as data: each competitor builds it from these entries, pytorch.py too.

const linear = (inputs, outputs) => ({ type: 'linear', inputs, outputs });
const conv = (inputs, outputs, kernel, { stride = 1, padding = 0 } = {}) => ({
  type: 'conv',
  inputs,
  outputs,
  kernel,
  stride,
  padding,
});
const batchNorm = (features) => ({ type: 'batchNorm', features });
const maxPool = (size, stride = size) => ({ type: 'maxPool', size, stride });
/** `shape` is that of one example before it, channels last. */
const flatten = (...shape) => ({ type: 'flatten', shape });
const lstm = (inputs, hidden) => ({ type: 'lstm', inputs, hidden });
const relu = { type: 'relu' };
const sigmoid = { type: 'sigmoid' };

const lenet = [
  ...[conv(1, 16, 3, { padding: 1 }), batchNorm(16), relu, maxPool(2)],
  ...[conv(16, 32, 3, { padding: 1 }), batchNorm(32), relu, maxPool(2)],
  ...[conv(32, 64, 3, { padding: 1 }), batchNorm(64), relu],
  ...[flatten(7, 7, 64), linear(3136, 50), relu, linear(50, 10)],
];

const alexnet = [
  ...[conv(3, 64, 11, { stride: 4, padding: 2 }), relu, maxPool(3, 2)],
  ...[conv(64, 192, 5, { padding: 2 }), relu, maxPool(3, 2)],
  ...[conv(192, 384, 3, { padding: 1 }), relu, conv(384, 256, 3, { padding: 1 }), relu],
  ...[conv(256, 256, 3, { padding: 1 }), relu, maxPool(3, 2), flatten(6, 6, 256)],
  ...[linear(9216, 4096), relu, linear(4096, 4096), relu, linear(4096, 1000)],
];

/** C = A B B ... B with A (m, n), B (n, n); or C' B, C' B, ... where `transposed`. A run is about 50 Mflop or more, but for the smallest. */
function gemm(name, m, n, transposed = false) {
  const flops = 2 * m * n * n;
  const products = Math.min(64, Math.ceil(5e7 / flops));
  return {
    name: `gemm/${name}`,
    kind: 'gemm',
    m,
    n,
    transposed,
    products,
    unit: 'GFLOPS',
    perRun: (products * flops) / 1e9,
    tolerance: 1e-5 * products,
  };
}

const train = (name, entry) => ({
  name: `train/${name}`,
  kind: 'train',
  loss: 'crossEntropy',
  checkedSteps: 3,
  unit: 'samples/s',
  perRun: entry.batch,
  tolerance: 1e-3,
  ...entry,
});

const infer = (name, batch, input, layers) => ({
  name: `infer/${name}_b${batch}`,
  kind: 'infer',
  batch,
  input,
  layers,
  unit: 'samples/s',
  perRun: batch,
  tolerance: 1e-3,
});

/** The three passes of one layer: its output, and the gradients of its input and of its filter. */
function convolution(name, batch, size, inputs, outputs, kernel) {
  const padding = kernel >> 1;
  return ['forward', 'input', 'filter'].map((pass) => ({
    name: `conv/${name}_${pass}`,
    kind: 'conv',
    pass,
    ...{ batch, size, inputs, outputs, kernel, padding },
    unit: 'GFLOPS',
    perRun: (2 * batch * size * size * kernel * kernel * inputs * outputs) / 1e9,
    tolerance: 1e-3,
  }));
}

const adam = { type: 'adam', lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 };

export const workloads = [
  ...[64, 128, 256, 512, 1024].map((n) => gemm(String(n), n, n)),
  gemm('transposed', 512, 512, true),
  gemm('m1', 1, 1024),
  train('mlp100_b10', {
    batch: 10,
    batches: 100,
    input: [784],
    layers: [linear(784, 100), sigmoid, linear(100, 10)],
    optimizer: { type: 'sgd', lr: 0.5, momentum: 0 },
  }),
  train('mlp800_b128', {
    batch: 128,
    batches: 10,
    input: [784],
    layers: [linear(784, 800), relu, linear(800, 800), relu, linear(800, 10)],
    optimizer: adam,
  }),
  train('autoencoder_b128', {
    batch: 128,
    batches: 10,
    input: [784],
    layers: [linear(784, 256), relu, linear(256, 64), relu, linear(64, 256), relu, linear(256, 784)],
    loss: 'binaryCrossEntropy',
    optimizer: adam,
  }),
  train('lenet_b128', {
    batch: 128,
    batches: 10,
    input: [28, 28, 1],
    layers: lenet,
    optimizer: { type: 'sgd', lr: 0.01, momentum: 0.9 },
  }),
  train('lstm_b32', {
    batch: 32,
    batches: 10,
    input: [64, 28],
    dense: true,
    layers: [lstm(28, 128), linear(128, 10)],
    optimizer: adam,
  }),
  infer('lenet', 1, [28, 28, 1], lenet),
  infer('lenet', 128, [28, 28, 1], lenet),
  infer('alexnet', 1, [224, 224, 3], alexnet),
  ...convolution('lenet2', 128, 14, 16, 32, 3),
  ...convolution('lenet3', 128, 7, 32, 64, 3),
  ...convolution('alexnet2', 1, 27, 64, 192, 5),
  ...convolution('alexnet3', 1, 13, 192, 384, 3),
  ...convolution('alexnet4', 1, 13, 384, 256, 3),
  ...convolution('alexnet5', 1, 13, 256, 256, 3),
];
