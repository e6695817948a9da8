// A page that trains in a worker, for the tests of what can happen to it. With `?journey` it is left in the middle, comes
// back, loses its worker, loses one more without being told, and reports by an address that it asks for whether the weights are those of an undisturbed training;
// with `?journey=2` it trains on WebGPU.
import { digits } from './everygrad/data.js';
import { decodeSafetensors, trainer } from './everygrad/worker.js';

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

/**
 * Trains anew, or goes on: the hash of the weights, and the epochs that were heard of. It is disturbed when so many were.
 */
async function training({ key, epochs = rule.epochs, after = 0, disturb, ...options } = {}) {
  const lab = await trainer({ device: 'wasm', build: 'simd', threads: 1, ...options });
  const model = await lab.create(layers, 3);
  const heard = [];
  const onEpoch = ({ epoch }) => {
    heard.push(epoch);
    if (heard.length === after) disturb();
  };
  const checkpoint = key && { checkpoint: { key, everySteps: 4 } };
  try {
    await lab.fit(model, train, { ...rule, epochs, ...checkpoint, onEpoch });
    return { heard, sha: await sha(await lab.save(model)) };
  } catch (error) {
    return { heard, error: error.name, message: error.message };
  } finally {
    lab.terminate();
  }
}

const step = Number(new URLSearchParams(location.search).get('journey') ?? Number.NaN);
const report = (what) => fetch(`./report/${encodeURIComponent(JSON.stringify(what))}`);
/** Navigates away in the middle: to the page that comes back. */
const leave = () => location.assign('./away.html');

/** Ends the worker without telling the library. */
const kill = () => workers.at(-1).terminate();

/** The same where only its silence tells of it. Signs of life are asked for from then on, as a busy machine is silent, too. */
function killInSilence() {
  kill();
  setOwnInterval(() => askForSign(), 100);
}
const setOwnInterval = window.setInterval;
let askForSign;

/** The epoch of the checkpoint with this key. */
const keptEpoch = (key) =>
  new Promise((resolve, reject) => {
    const open = indexedDB.open('everygrad');
    open.onerror = () => reject(open.error);
    open.onsuccess = () => {
      const get = open.result.transaction('checkpoints').objectStore('checkpoints').get(key);
      get.onerror = () => reject(get.error);
      get.onsuccess = () => {
        open.result.close();
        resolve(JSON.parse(decodeSafetensors(get.result).metadata['everygrad.course']).epoch);
      };
    };
  });

// Trainings that are disturbed have no end of their own: how far a worker is when the page hears of it, nobody knows.
const endless = { key: 'journey', epochs: 1e6 };

try {
  if (step === 0) await training({ ...endless, after: 4, disturb: leave });
  else if (step === 1) {
    const killed = await training({ ...endless, after: 4, disturb: kill });
    // Where there are no locks, as in some private windows, nothing tells of the next one's end but its silence.
    Object.defineProperty(navigator, 'locks', { value: undefined });
    window.setInterval = (f) => {
      askForSign = f;
    };
    const silent = await training({ ...endless, after: 2, disturb: killInSilence, patience: 1 });
    window.setInterval = setOwnInterval;
    const epochs = (await keptEpoch('journey')) + 3;
    const last = await training({ key: 'journey', epochs });
    const undisturbed = await training({ epochs });
    await report({ killed, silent, last, epochs, same: last.sha === undisturbed.sha });
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
