// jax-js on its WASM device: one jitted function a run or a training step. A function consumes its arguments, so what
// is used again is passed as `.ref`.
import {
  blockUntilReady,
  defaultDevice,
  init,
  jit,
  lax,
  nn,
  numpy as np,
  tree,
  valueAndGrad,
} from '@jax-js/jax';
import * as numbers from '../numbers.mjs';

const { batches, convOperands, convShapes, matrix, modelInput, parameters, permuted, sample } = numbers;

export async function start({ threads }) {
  await init('wasm');
  defaultDevice('wasm');
  const cores = globalThis.navigator?.hardwareConcurrency;
  // It takes as many workers as there are cores where pages have shared memory, and none in Node.
  if (typeof document !== 'undefined' && cores !== threads) throw new Error(`jax-js takes ${cores} threads`);
  return 'wasm';
}

export const prepare = (workload) => kinds[workload.kind](workload);

const given = (values, shape) => np.array(values).reshape(shape);

/** Repeats a function of arrays. */
async function repeated(f, args, read = (values) => values) {
  const once = () => f(...args.map((a) => a.ref));
  let last = once();
  const check = sample(read(await last.ref.data()));
  const run = async (count) => {
    for (let i = 0; i < count; i++) {
      last.dispose();
      last = once();
      await blockUntilReady(last); // what is disposed of before it was computed is left out
    }
  };
  return { check, run };
}

function gemm({ m, n, transposed, products }) {
  const f = jit((a, b) => {
    let t = a;
    for (let i = 0; i < products; i++) t = np.matmul(transposed ? np.transpose(t) : t, b.ref);
    b.dispose();
    return t;
  });
  return repeated(f, [given(matrix(1, m, n, n), [m, n]), given(matrix(2, n, n, n), [n, n])]);
}

const pads = (padding) => [
  [padding, padding],
  [padding, padding],
];

/** Forward passes by layer: `(layer, x, parameters, training)`, channels first. */
const forms = {
  linear: (_, x, [w, b]) => np.matmul(x, w).add(b),
  conv: ({ stride, padding, outputs }, x, [w, b]) =>
    lax.conv(x, w, [stride, stride], pads(padding)).add(b.reshape([outputs, 1, 1])),
  batchNorm: ({ features }, x, [scale, shift], training) => {
    const shape = [features, 1, 1];
    const whole = scale.reshape(shape);
    if (!training) return x.mul(whole.mul(1 / Math.sqrt(1 + 1e-5))).add(shift.reshape(shape));
    const centred = x.ref.sub(np.mean(x, [0, 2, 3], { keepdims: true }));
    const variance = np.mean(np.square(centred.ref), [0, 2, 3], { keepdims: true });
    return centred.mul(whole.div(np.sqrt(variance.add(1e-5)))).add(shift.reshape(shape));
  },
  relu: (_, x) => nn.relu(x),
  sigmoid: (_, x) => nn.sigmoid(x),
  maxPool: ({ size, stride }, x) => lax.reduceWindow(x, np.max, [size, size], [stride, stride]),
  flatten: (_, x) => x.reshape([x.shape[0], -1]),
  lstm: ({ hidden }, x, weights) => lstm(x, hidden, weights),
};

/** The last hidden state; the products with the inputs are made for all steps at once. */
function lstm(x, hidden, [wx, wh, b]) {
  const [batch, steps, inputs] = x.shape;
  const projected = np.matmul(x.reshape([batch * steps, inputs]), wx).add(b);
  const byStep = np.split(projected.reshape([batch, steps, 4 * hidden]), steps, 1);
  let [h, c] = [np.zeros([batch, hidden]), np.zeros([batch, hidden])];
  for (const fromInput of byStep) {
    const gates = fromInput.reshape([batch, 4 * hidden]).add(np.matmul(h, wh.ref));
    const [i, f, g, o] = np.split(gates, 4, 1);
    c = nn
      .sigmoid(f)
      .mul(c)
      .add(nn.sigmoid(i).mul(np.tanh(g)));
    h = nn.sigmoid(o).mul(np.tanh(c.ref));
  }
  wh.dispose();
  c.dispose();
  return h;
}

function build(layers) {
  const values = parameters(layers, { channelsFirst: true });
  const first = layers.map(({ type, features }, i) =>
    type === 'batchNorm'
      ? [np.ones([features]), np.zeros([features])]
      : values[i].map((p) => given(p.values, p.shape)),
  );
  const forward = (own, x, training) =>
    layers.reduce((t, layer, i) => forms[layer.type](layer, t, own[i], training), x);
  return { first, forward };
}

const losses = {
  crossEntropy: (z, y) => nn.logSoftmax(z).mul(nn.oneHot(y, 10)).sum().neg(),
  binaryCrossEntropy: (z, y) =>
    nn
      .relu(z.ref)
      .sub(z.ref.mul(y))
      .add(np.log1p(np.exp(np.absolute(z).neg())))
      .sum(),
};

/** Optimizers as functions of (parameter, gradient, states) that give the new parameter and states. */
const rules = {
  sgd: ({ lr, momentum }) => {
    if (momentum === 0) return { states: 0, update: (p, g) => [p.sub(g.mul(lr))] };
    return {
      states: 1,
      update: (p, g, [v]) => {
        const velocity = v.mul(momentum).add(g);
        return [p.sub(velocity.ref.mul(lr)), velocity];
      },
    };
  },
  adam: ({ beta1, beta2, eps }) => ({
    states: 2,
    update: (p, g, [m, v], stepSize, correction) => {
      const mean = m.mul(beta1).add(g.ref.mul(1 - beta1));
      const square = v.mul(beta2).add(np.square(g).mul(1 - beta2));
      const change = mean.ref.mul(stepSize.ref).div(np.sqrt(square.ref).div(correction.ref).add(eps));
      return [p.sub(change), mean, square];
    },
  }),
};

async function train(workload) {
  const { batch, input, layers, loss, optimizer, checkedSteps } = workload;
  const { first, forward } = build(layers);
  const { states, update } = rules[optimizer.type](optimizer);
  const lossOf = (weights, x, y) => losses[loss](forward(weights, x, true), y).div(batch);
  const step = jit((weights, memory, x, y, stepSize, correction) => {
    const [value, gradient] = valueAndGrad(lossOf)(tree.ref(weights), x, y);
    const updated = weights.map((own, i) =>
      own.map((p, j) => update(p, gradient[i][j], memory[i][j], stepSize, correction)),
    );
    stepSize.dispose();
    correction.dispose();
    const part = (pick) => updated.map((own) => own.map(pick));
    return [value, part(([p]) => p), part(([, ...rest]) => rest)];
  });
  const batchOf = batches(workload);
  let steps = 0;
  let weights = first;
  let memory = first.map((own) => own.map((p) => Array.from({ length: states }, () => np.zeros(p.shape))));
  let last = np.array([0]);
  const shape = layers[0].type === 'conv' ? [batch, input[2], input[0], input[1]] : [batch, ...input];
  const { lr, beta1 = 0, beta2 = 0 } = optimizer;
  const next = () => {
    const [x, y] = batchOf(steps++);
    const xs = given(x, shape);
    const correction = Math.sqrt(1 - beta2 ** steps);
    last.dispose();
    [last, weights, memory] = step(
      weights,
      memory,
      xs,
      x === y ? xs.ref : np.array(y, { dtype: np.int32 }),
      np.array(new Float32Array([lr / (1 - beta1 ** steps)])),
      np.array(new Float32Array([correction])),
    );
  };
  const run = async (count) => {
    for (let i = 0; i < count; i++) {
      next();
      await blockUntilReady(last); // steps that pile up get slower and slower
    }
  };
  const check = [];
  for (let i = 0; i < checkedSteps; i++) {
    await run(1);
    check.push((await last.ref.data())[0]);
  }
  return { check, run };
}

async function infer(workload) {
  const { first, forward } = build(workload.layers);
  const f = jit((weights, x) => forward(weights, x, false));
  const { values, shape } = numbers.channelsFirst(modelInput(workload), [workload.batch, ...workload.input]);
  const once = () => f(tree.ref(first), given(values, shape)).data();
  const run = async (count) => {
    for (let i = 0; i < count; i++) await once();
  };
  return { check: sample(await once()), run };
}

function conv(workload) {
  const { pass, padding } = workload;
  const shapes = convShapes(workload);
  const operands = convOperands(workload);
  const image = (name) => {
    const { values, shape } = numbers.channelsFirst(operands[name], shapes[name]);
    return given(values, shape);
  };
  const filter = permuted(operands.w, shapes.w, [3, 2, 0, 1]);
  const [x, dy, w] = [image('x'), image('dy'), given(filter.values, filter.shape)];
  const forward = (input, weights) => lax.conv(input, weights, [1, 1], pads(padding));
  const loss = (input, weights, gradient) => forward(input, weights).mul(gradient).sum();
  const gradientOf = (argnums) =>
    jit((...args) => {
      const [value, gradient] = valueAndGrad(loss, { argnums })(...args);
      value.dispose();
      return gradient;
    });
  const last = (shape) => (values) => numbers.channelsLast(values, shape).values;
  if (pass === 'forward') return repeated(jit(forward), [x, w], last(dy.shape));
  if (pass === 'input') return repeated(gradientOf(0), [x, w, dy], last(x.shape));
  const toOurs = (values) => permuted(values, filter.shape, [2, 3, 1, 0]).values;
  return repeated(gradientOf(1), [x, w, dy], toOurs);
}

const kinds = { gemm, train, infer, conv };
