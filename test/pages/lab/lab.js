// A page that trains in a worker, for the tests of what can happen to it. With `?journey` it is left in the middle, comes
// back, loses its worker, loses one more without being told, and reports by an address that it asks for whether the weights are those of an undisturbed training;
// with `?journey=2` it trains on WebGPU.
import { digits } from './everygrad/data.js';
import { trainer } from './everygrad/worker.js';

const workers = [];
window.Worker = class extends Worker {
  constructor(...args) {
    super(...args);
    workers.push(this);
  }
};

const layers = [['linear', 784, 24], ['batchNorm', 24], ['relu'], ['dropout', 0.2], ['linear', 24, 10]];
const rule = {
  loss: ['crossEntropy'],
  optimizer: ['adam', { lr: 0.01 }],
  batchSize: 20,
  epochs: 12,
  seed: 3,
};
const { train } = await digits({ train: 300, test: 1 });

async function sha(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** Trains anew, or goes on: the hash of the weights, and the epochs that were heard of. */
async function training({ key, at = 0, disturb, ...options } = {}) {
  const lab = await trainer({ device: 'wasm', build: 'simd', threads: 1, ...options });
  const model = await lab.create(layers, 3);
  const heard = [];
  const onEpoch = ({ epoch }) => {
    heard.push(epoch);
    if (epoch === at) disturb(lab, model);
  };
  const checkpoint = key && { checkpoint: { key, everySteps: 4 } };
  try {
    await lab.fit(model, train, { ...rule, ...checkpoint, onEpoch });
    return { heard, sha: await sha(await lab.save(model)) };
  } catch (error) {
    return { heard, error: error.name, message: error.message };
  } finally {
    lab.terminate();
  }
}

const step = Number(new URLSearchParams(location.search).get('journey') ?? Number.NaN);
const report = (what) => fetch(`./report/${encodeURIComponent(JSON.stringify(what))}`);
const expected = 'expected weights';

/** Navigates away in the middle: to the page that comes back. */
const leave = () => location.assign('./away.html');

/** Ends the worker without telling the library. */
const kill = () => workers.at(-1).terminate();

try {
  if (step === 0) {
    localStorage.setItem(expected, (await training()).sha);
    await training({ key: 'journey', at: 4, disturb: leave });
  } else if (step === 1) {
    const killed = await training({ key: 'journey', at: 8, disturb: kill });
    // Where there are no locks, as in some private windows, nothing tells of the next one's end but its silence.
    Object.defineProperty(navigator, 'locks', { value: undefined });
    const silent = await training({ key: 'journey', at: 10, disturb: kill, patience: 1 });
    const last = await training({ key: 'journey' });
    await report({ killed, silent, last, same: last.sha === localStorage.getItem(expected) });
  } else if (step === 2) {
    const lab = await trainer({ device: 'webgpu' });
    const model = await lab.create([['linear', 784, 24], ['relu'], ['linear', 24, 10]], 3);
    const { ops, epochs } = await lab.fit(model, train, { ...rule, epochs: 4 });
    await report({ ops, losses: epochs.map((e) => e.trainLoss) });
  }
} catch (error) {
  await report({ failed: `${error?.stack}` });
}

document.documentElement.dataset.ready = 'true';
Object.assign(window, { training, trainer, digits, layers, rule, train, workers, isReady: true });
