// LeNet-5 as it was in 1998, and a LeNet of today with ReLU and batch norm, on images that are distorted anew in every
// epoch.
import {
  concat,
  conv2d,
  data,
  evaluate,
  fit,
  gather,
  loss,
  nn,
  optim,
  randomUniform,
  schedules,
  tensor,
  zeros,
} from 'everygrad';
import { digits, percent, quick, report, seed } from './common.mjs';

const squash = () =>
  nn.lambda('squash', (x) =>
    x
      .mul(2 / 3)
      .tanh()
      .mul(1.7159),
  );

/** Sums of 2 x 2 pixels, for each channel times a weight, plus a bias. */
class Subsample extends nn.Module {
  constructor(channels) {
    super();
    this.pool = nn.avgPool2d(2);
    this.weight = new nn.Parameter([channels], nn.init.constant(2), { fanIn: 4, fanOut: 1 }, true);
    this.bias = new nn.Parameter([channels], nn.init.zeros, { fanIn: 4, fanOut: 1 }, false);
  }

  forward(x, context) {
    return this.pool.forward(x, context).mul(this.weight).add(this.bias);
  }
}

/** 5 x 5 convolution from 6 to 16 channels, of which each sees only some (table I of the paper): 1,516 parameters. */
class PartialConvolution extends nn.Module {
  static seen = '012 123 234 345 045 015 0123 1234 2345 0345 0145 0125 0134 1245 0235 012345'.split(' ');

  constructor() {
    super();
    // Where each weight of the filters (5, 5, 6, 16) is kept; what does not exist is the last place, a 0.
    let count = 0;
    const places = Array.from({ length: 5 * 5 * 6 * 16 }, (_, i) =>
      PartialConvolution.seen[i % 16].includes(String(Math.floor(i / 16) % 6)) ? count++ : -1,
    );
    this.weight = new nn.Parameter([count], nn.init.fanInNormal, { fanIn: count / 16, fanOut: 25 }, true);
    this.bias = new nn.Parameter([16], nn.init.zeros, { fanIn: count / 16, fanOut: 25 }, false);
    this.places = tensor(Int32Array.from(places, (place) => (place < 0 ? count : place)));
  }

  forward(x) {
    const filters = gather(concat([this.weight, zeros([1])]), this.places).reshape([5, 5, 6, 16]);
    return conv2d(x, filters).add(this.bias);
  }
}

// The outputs are distances to a code of 84 numbers 1 or -1 for each class; the paper's codes are drawn characters,
// ours random.
const codes = randomUniform([84, 10], { seed: 7 }).neg().add(0.5).sign();
await codes.data(); // drawn once, not in every step
const weightInit = nn.init.fanInNormal;
const lenet5 = nn.sequential(
  // Background -0.1, ink 1.175, as in the paper: a mean of about 0 and a variance of about 1.
  nn.lambda('grey', (x) => x.mul(1.275).sub(0.1)),
  ...[nn.reshape([28, 28, 1]), nn.conv2d(1, 6, 5, { padding: 2, weightInit }), squash()],
  ...[new Subsample(6), squash(), new PartialConvolution(), squash()],
  ...[new Subsample(16), squash(), nn.conv2d(16, 120, 5, { weightInit }), squash()],
  ...[nn.flatten(), nn.linear(120, 84, { weightInit }), squash()],
  // -|x - c|^2 less |x|^2 and |c|^2, which are the same for all classes.
  nn.lambda('distances', (x) => x.matmul(codes).mul(0.1)),
);
const today = nn.sequential(nn.reshape([28, 28, 1]), nn.lenet());

const { name, train, test } = await digits({ train: quick ? 500 : 50_000, test: quick ? 200 : 10_000 });
const epochs = quick ? 2 : 3;
console.log(`${name}: ${train.length} training examples, ${epochs} epochs`);
const distorted = data.augment(train, { shift: 1, rotate: 10, scale: 0.1, skew: 0.1 });

async function accuracyOf(what, model, examples, optimizer) {
  await fit(model, examples, {
    ...{ loss: loss.crossEntropy(), optimizer, schedule: schedules.cosine() },
    ...{ batchSize: quick ? 16 : 64, epochs, validation: test, seed },
    onEpoch: ({ epoch, validationAccuracy, samplesPerSecond }) =>
      console.log(
        `${what}, epoch ${epoch}: ${percent(validationAccuracy)}, ${samplesPerSecond.toFixed(0)} images a second`,
      ),
  });
  return (await evaluate(model, test)).accuracy;
}
const old = await accuracyOf('LeNet-5', lenet5, train, optim.adam({ lr: 0.004 }));
const withNorm = await accuracyOf(
  'with batch norm',
  today,
  distorted,
  optim.sgd({ lr: 0.05, momentum: 0.9 }),
);
report([
  ['LeNet-5: parameters', lenet5.parameterCount, '60,000 (LeCun et al. 1998)'],
  ['LeNet-5: test error', percent(1 - old, 2), '0.95 % with MNIST and 20 epochs (LeCun et al. 1998)'],
  [
    'with batch norm: parameters',
    today.parameterCount,
    '180,880 = 160 + 32 + 4,640 + 64 + 18,496 + 128 + 156,850 + 510',
  ],
  ['with batch norm: test error', percent(1 - withNorm, 2), 'about 1 % with MNIST and 3 epochs'],
]);
