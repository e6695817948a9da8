// TensorFlow.js: the core API on the WASM backend, batches as new tensors, all that can be inside tf.tidy.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // brings the gradients of all ops
import { setThreadsCount, setWasmPaths, version_wasm } from '@tensorflow/tfjs-backend-wasm';
import { batches, convOperands, convShapes, matrix, modelInput, parameters, sample } from '../numbers.mjs';

export async function start({ threads }) {
  if (typeof document !== 'undefined') setWasmPaths('/node_modules/@tensorflow/tfjs-backend-wasm/dist/');
  setThreadsCount(threads);
  await tf.setBackend('wasm');
  await tf.ready();
  return `tfjs ${tf.version_core}, wasm ${version_wasm}`;
}

export const prepare = (workload) => kinds[workload.kind](workload);

/** Repeats a function that returns a tensor; one that is replaced is freed. */
async function repeated(once) {
  let last = tf.tidy(once);
  const check = sample(await last.data());
  const run = async (count) => {
    for (let i = 0; i < count; i++) {
      last.dispose();
      last = tf.tidy(once);
    }
    await last.data();
  };
  return { check, run };
}

function gemm({ m, n, transposed, products }) {
  const a = tf.tensor2d(matrix(1, m, n, n), [m, n]);
  const b = tf.tensor2d(matrix(2, n, n, n), [n, n]);
  return repeated(() => {
    let t = a;
    for (let i = 0; i < products; i++) {
      const product = tf.matMul(t, b, transposed);
      if (t !== a) t.dispose();
      t = product;
    }
    return t;
  });
}

/** Layers as functions of a tensor and of whether the model trains; the variables that they use. */
function build(layers) {
  const variables = [];
  const values = parameters(layers);
  const forms = {
    linear: (_, w, b) => (x) => tf.add(tf.matMul(x, w), b),
    conv:
      ({ stride, padding }, w, b) =>
      (x) =>
        tf.add(tf.conv2d(x, w, stride, padding), b),
    batchNorm: ({ features }) => normalization(features, variables),
    relu: () => tf.relu,
    sigmoid: () => tf.sigmoid,
    maxPool:
      ({ size, stride }) =>
      (x) =>
        tf.maxPool(x, size, stride, 'valid'),
    flatten: () => (x) => tf.reshape(x, [x.shape[0], -1]),
    lstm:
      ({ hidden }, ...weights) =>
      (x) =>
        lstm(x, hidden, weights),
  };
  const steps = layers.map((layer, i) => {
    const own = values[i].map((p) => tf.variable(tf.tensor(p.values, p.shape)));
    variables.push(...own);
    return forms[layer.type](layer, ...own);
  });
  const forward = (x, training) => steps.reduce((t, step) => step(t, training), x);
  return { forward, variables };
}

function normalization(features, variables) {
  const [scale, shift] = [tf.variable(tf.ones([features])), tf.variable(tf.zeros([features]))];
  variables.push(scale, shift);
  const [runningMean, runningVariance] = [tf.zeros([features]), tf.ones([features])];
  return (x, training) => {
    const now = training ? tf.moments(x, [0, 1, 2]) : { mean: runningMean, variance: runningVariance };
    return tf.batchNorm(x, now.mean, now.variance, shift, scale, 1e-5);
  };
}

/** The last hidden state; the products with the inputs are made for all steps at once. */
function lstm(x, hidden, [wx, wh, b]) {
  const [batch, steps, inputs] = x.shape;
  const projected = tf.add(tf.matMul(tf.reshape(x, [-1, inputs]), wx), b);
  const byStep = tf.unstack(tf.reshape(projected, [batch, steps, 4 * hidden]), 1);
  let [h, c] = [tf.zeros([batch, hidden]), tf.zeros([batch, hidden])];
  for (const fromInput of byStep) {
    const [i, f, g, o] = tf.split(tf.add(fromInput, tf.matMul(h, wh)), 4, 1);
    c = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
    h = tf.mul(tf.sigmoid(o), tf.tanh(c));
  }
  return h;
}

async function train(workload) {
  const { batch, input, loss, optimizer: o, checkedSteps } = workload;
  const { forward, variables } = build(workload.layers);
  const sgd = () => (o.momentum > 0 ? tf.train.momentum(o.lr, o.momentum) : tf.train.sgd(o.lr));
  const optimizer = o.type === 'sgd' ? sgd() : tf.train.adam(o.lr, o.beta1, o.beta2, o.eps);
  const { SUM } = tf.Reduction;
  const losses = {
    crossEntropy: (z, y) =>
      tf.div(tf.losses.softmaxCrossEntropy(tf.oneHot(y, 10), z, undefined, 0, SUM), batch),
    binaryCrossEntropy: (z, y) => tf.div(tf.losses.sigmoidCrossEntropy(y, z, undefined, 0, SUM), batch),
  };
  const batchOf = batches(workload);
  let steps = 0;
  const next = () =>
    tf.tidy(() => {
      const [x, y] = batchOf(steps++);
      const xs = tf.tensor(x, [batch, ...input]);
      const ys = x === y ? xs : tf.tensor1d(y, 'int32');
      return optimizer.minimize(() => losses[loss](forward(xs, true), ys), true, variables);
    });
  let last = tf.scalar(0);
  const run = async (count) => {
    for (let i = 0; i < count; i++) {
      last.dispose();
      last = next();
    }
    await last.data();
  };
  const check = [];
  for (let i = 0; i < checkedSteps; i++) {
    await run(1);
    check.push((await last.data())[0]);
  }
  return { check, run };
}

async function infer(workload) {
  const { forward } = build(workload.layers);
  const x = modelInput(workload);
  const once = async () => {
    const y = tf.tidy(() => forward(tf.tensor(x, [workload.batch, ...workload.input]), false));
    const values = await y.data();
    y.dispose();
    return values;
  };
  const run = async (count) => {
    for (let i = 0; i < count; i++) await once();
  };
  return { check: sample(await once()), run };
}

function conv(workload) {
  const { pass, padding } = workload;
  const shapes = convShapes(workload);
  const operands = convOperands(workload);
  const [x, w, dy] = ['x', 'w', 'dy'].map((name) => tf.tensor(operands[name], shapes[name]));
  const passes = {
    forward: () => tf.conv2d(x, w, 1, padding),
    input: () => tf.conv2dTranspose(dy, w, shapes.x, 1, padding),
    filter: () => tf.grad((filter) => tf.conv2d(x, filter, 1, padding))(w, dy),
  };
  return repeated(passes[pass]);
}

const kinds = { gemm, train, infer, conv };
