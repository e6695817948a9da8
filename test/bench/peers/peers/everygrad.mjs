// everygrad by its public API: the built package, one compiled function a run or a training step.
import * as eg from '../../../../dist/index.js';
import { batches, convOperands, convShapes, matrix, modelInput, parameters, sample } from '../numbers.mjs';
import { NotAvailable } from '../session.mjs';

const { compile, nn, tensor, variable } = eg;

export async function start({ threads }) {
  const engine = await eg.configure({ device: 'wasm', threads });
  // A loop that never gives a page's event loop its turn would keep the workers from starting.
  for (const backend of engine.order) await backend.ready?.();
  return engine.order.map((backend) => backend.description).join(', ');
}

export const prepare = (workload) => kinds[workload.kind](workload);

/** What a build must export for a workload; main grows. */
function need(module, path, name) {
  if (!module[name]) throw new NotAvailable(`this build has no ${path}${name}`);
  return module[name];
}

const given = (values, shape) => tensor(values, { shape });

function gemm({ m, n, transposed, products }) {
  const b = variable(given(matrix(2, n, n, n), [n, n]));
  const a = variable(given(matrix(1, m, n, n), [m, n]));
  const c = variable(eg.zeros([m, n]));
  const product = compile(() => {
    let t = a;
    for (let i = 0; i < products; i++) t = eg.matmul(t, b, { transA: transposed });
    c.assign(t);
  });
  return checked(product, c);
}

/** Repeats a function that leaves its result in a variable. */
async function checked(step, result) {
  await step();
  const last = compile(() =>
    eg.sum(
      eg.slice(
        result,
        result.shape.map(() => 0),
        result.shape.map(() => 1),
      ),
    ),
  );
  const run = async (count) => {
    for (let i = 0; i < count; i++) await step();
    const read = await last();
    await read.item();
    read.dispose();
  };
  return { check: sample(await result.data()), run };
}

/** The layers with the first weights that all competitors get. */
async function build(layers) {
  const make = {
    linear: ({ inputs, outputs }) => nn.linear(inputs, outputs),
    conv: ({ inputs, outputs, kernel, stride, padding }) =>
      need(nn, 'nn.', 'conv2d')(inputs, outputs, kernel, { stride, padding }),
    batchNorm: ({ features }) => need(nn, 'nn.', 'batchNorm')(features),
    relu: () => nn.relu(),
    sigmoid: () => nn.sigmoid(),
    maxPool: ({ size, stride }) => need(nn, 'nn.', 'maxPool2d')(size, { stride }),
    flatten: () => nn.flatten(),
    lstm: ({ inputs, hidden }) => need(nn, 'nn.', 'lstm')(inputs, hidden, { returns: 'last' }),
  };
  const made = layers.map((layer) => make[layer.type](layer));
  const model = nn.sequential(...made);
  await model.initialize();
  for (const [i, values] of parameters(layers).entries()) {
    for (const { biasHidden } of made[i].weights ?? []) {
      biasHidden.trainable = false; // one bias, as the others have
      await biasHidden.assign(eg.zeros(biasHidden.shape));
    }
    const own = made[i].parameters().filter((p) => p.trainable);
    for (const [j, { values: numbers, shape }] of values.entries())
      await own[j].assign(given(numbers, shape));
  }
  return model;
}

async function train(workload) {
  const { batch, input, loss: lossName, optimizer: options, checkedSteps } = workload;
  const model = await build(workload.layers);
  const weights = model.parameters().filter((p) => p.trainable);
  const loss = eg.loss[lossName]();
  const { lr, momentum, beta1, beta2, eps } = options;
  const optimizer =
    options.type === 'sgd'
      ? eg.optim.sgd({ lr, momentum })
      : eg.optim.adam({ lr, betas: [beta1, beta2], eps });
  const last = variable(eg.zeros([]));
  const step = compile((x, y) => {
    const random = new nn.RandomSource(0, eg.zeros([], 'int32'));
    const value = loss(model.forward(x, { training: true, random }), y);
    optimizer.update(weights, eg.gradients(value, weights));
    last.assign(value);
  });
  const batchOf = batches(workload);
  let steps = 0;
  const next = () => {
    const [x, y] = batchOf(steps++);
    const xs = given(x, [batch, ...input]);
    return step(xs, x === y ? xs : given(y, [batch]));
  };
  const check = [];
  for (let i = 0; i < checkedSteps; i++) {
    await next();
    check.push(await last.item());
  }
  const run = async (count) => {
    for (let i = 0; i < count; i++) await next();
    await last.item();
  };
  return { check, run };
}

async function infer(workload) {
  const model = await build(workload.layers);
  const forward = compile((x) => model.forward(x, nn.inference()));
  const x = modelInput(workload);
  const once = async () => {
    const y = await forward(given(x, [workload.batch, ...workload.input]));
    const values = await y.data();
    y.dispose();
    return values;
  };
  const run = async (count) => {
    for (let i = 0; i < count; i++) await once();
  };
  return { check: sample(await once()), run };
}

async function conv(workload) {
  const conv2d = need(eg, '', 'conv2d');
  const { pass, padding } = workload;
  const shapes = convShapes(workload);
  const operands = convOperands(workload);
  const [x, w, dy] = ['x', 'w', 'dy'].map((name) => variable(given(operands[name], shapes[name])));
  const wanted = { input: x, filter: w }[pass];
  const result = variable(eg.zeros((wanted ?? dy).shape));
  const step = compile(() => {
    const y = conv2d(x, w, { padding });
    result.assign(wanted ? eg.gradients(eg.sum(eg.mul(y, dy)), [wanted])[0] : y);
  });
  return checked(step, result);
}

const kinds = { gemm, train, infer, conv };
