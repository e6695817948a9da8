// What was measured, for the terminal and for docs/benchmarks-peers.md.
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import { setTimeout } from 'node:timers/promises';

const titles = {
  everygrad: 'everygrad',
  tfjs: 'TensorFlow.js',
  jax: 'jax-js',
  'ort-web': 'ONNX Runtime Web',
  brain: 'brain.js',
  'ort-node': 'ONNX Runtime (native)',
  pytorch: 'PyTorch (native)',
};

const number = (value) =>
  value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(value >= 100 ? 4 : 3);

/** The part of an error that a table has room for. */
const short = (text) => text.split('\n')[0].replaceAll('|', '/').slice(0, 90);

function cell(result) {
  if (!result) return '';
  if (result.error) return `fails: ${short(result.error)}`;
  if (result.unavailable) return '-';
  const ratio = result.ratio ? ` (${result.ratio.toPrecision(result.ratio < 100 ? 2 : 3)})` : '';
  return `${number(result.rate)}${ratio}`;
}

/** One line for each competitor as soon as a workload is done. */
export function printResult({ name, unit }, results) {
  console.log(`${name}, ${unit}`);
  for (const [peer, result] of results) {
    const why = result.unavailable && `not measured: ${result.unavailable}`;
    console.log(`  ${peer.padEnd(10)} ${why || cell(result)}`);
  }
}

/** A table of medians; in brackets everygrad's rate divided by the competitor's. */
export function table({ competitors, rows }) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const body = rows.map(({ workload: { name, unit }, results }) => {
    const cells = competitors.map((peer) => {
      const result = results.get(peer);
      return peer === 'everygrad' && result?.unavailable ? 'not in this build' : cell(result);
    });
    return line([`${name}, ${unit}`, ...cells]);
  });
  const head = line(['', ...competitors.map((c) => titles[c])]);
  return [head, line(['---', ...competitors.map(() => '---')]), ...body].join('\n');
}

const manifest = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));

function machine() {
  const [{ model }] = cpus();
  return `${cpus().length} cores of ${model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release().split('-')[0]}`;
}

/** Versions of all that took part, and how each was told to run. */
function versions(runs) {
  const { version } = manifest('../../../package.json');
  const packages = Object.entries(manifest('./package.json').dependencies).map(([name]) => {
    return `${name} ${manifest(`./node_modules/${name}/package.json`).version}`;
  });
  const said = (peer) => {
    const all = runs.flatMap(({ rows }) => rows.map(({ results }) => results.get(peer)?.version));
    return [...new Set(all.filter(Boolean))].join('; ');
  };
  const pytorch = said('pytorch');
  const own = said('everygrad');
  return [
    `everygrad ${version}${own && ` (${own})`}`,
    ...packages,
    ...(pytorch ? [`PyTorch ${pytorch}`] : []),
  ];
}

const options = ({ rounds, seconds, threads, clock }) =>
  `${rounds} rounds of at least ${seconds} s, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${clock === 'cpu' ? 'by CPU time' : 'by the clock'}`;

export const describe = (runs, settings) =>
  `\n${machine()}\n${options(settings)}\n${versions(runs).join(', ')}\n`;

/** Cores that are busy for half a second, while no competitor runs: other work. */
export async function busyCores() {
  const times = () =>
    cpus().map(({ times: { idle, ...busy } }) => [idle, Object.values(busy).reduce((a, b) => a + b)]);
  const before = times();
  await setTimeout(500);
  return times().reduce((sum, [idle, busy], i) => {
    const [idled, worked] = [idle - before[i][0], busy - before[i][1]];
    return sum + (idled + worked > 0 ? worked / (idled + worked) : 0);
  }, 0);
}

function caution(other) {
  if (other < 0.3) return '';
  return `\n**Preliminary**: the machine had other work (${other.toFixed(1)} of ${cpus().length} cores). By the clock, rates are
then a fraction of what they are alone, and libraries whose threads often sleep (jax-js in browsers) get a larger share of the
CPU than others; \`--clock cpu\` compares by CPU time.\n`;
}

/** @param settings the options of the run, and `other`, the cores that other work had in the mean */
export async function writeDocument(runs, settings) {
  const date = new Date().toISOString().slice(0, 10);
  const command = ['npm run bench:peers --', ...process.argv.slice(2)].join(' ');
  const tables = runs.flatMap(({ runtime, absent, rows, ...run }) => {
    const missing = rows
      .filter(({ results }) => results.get('everygrad')?.unavailable)
      .map(({ workload, results }) => `${workload.name}: ${results.get('everygrad').unavailable}`);
    return [
      `## ${runtime}\n`,
      `${table({ ...run, rows })}\n`,
      ...[...absent].map(([peer, why]) => `${titles[peer]}: ${why}.\n`),
      ...(missing.length > 0 ? [`Not in this build: ${missing.join('; ')}.\n`] : []),
    ];
  });
  const text = `# everygrad and its peers

Written by \`${command}\` on ${date}: ${machine()}.
Medians of ${options(settings)} each. In brackets everygrad's rate divided by the competitor's, the median over
neighbouring rounds: above 1 everygrad is faster.${settings.clock === 'cpu' ? ' Rates are for a second of CPU time.' : ''}
"-" is what a library does not offer.
${caution(settings.other)}
${versions(runs)
  .map((v) => `- ${v}`)
  .join('\n')}

${tables.join('\n')}
## How it is measured

- All get the same inputs, labels and first weights. Before the clock starts, results are compared: elements of products
  with loops in float64, losses of the first three training steps, outputs and gradients with each other.
- Each library has a process (in browsers a page) of its own for each workload, and warms up. Then everygrad and one other
  take turns. What takes longer than 1.5 s a round has two rounds, longer than 4 s one.
- A training step takes a new batch from host memory, as \`fit\` does; the loss stays on the device and is read at the
  end of a round. In \`infer\` every output is read. In \`gemm\` and \`conv\` operands stay where they are;
  \`gemm/N\` is a chain A B B ... B of about 50 Mflop or more (64 products at most).
- TensorFlow.js: core API, WASM backend, \`tf.tidy\`. jax-js: WASM device, one \`jit\` for a whole step,
  waited for at each (steps that pile up get slower); it has one thread in Node. ONNX Runtime:
  one session, all graph optimizations, the second operand of a product is a constant, which it packs beforehand; the first
  is copied in and the result out at each run. PyTorch: eager; what its products take depends on the BLAS that it finds, which
  is named above.
- brain.js knows one way of training: example by example, squared error, one activation in all layers. It is listed for
  scale; only its forward pass is checked, against loops.
- \`gemm/transposed\` is A' B at 512; \`gemm/m1\` is one row times 1024 x 1024. \`conv/NAME_PASS\` are the layers of the two
  models: \`lenet2\` (128, 14, 14, 16) to 32, \`lenet3\` (128, 7, 7, 32) to 64; \`alexnet2\` to \`alexnet5\` at batch 1.
- \`train/mlp100_b10\`: 784-100-10, sigmoid, SGD. \`train/mlp800_b128\`: 784-800-800-10, ReLU, Adam.
  \`train/autoencoder_b128\`: 784-256-64-256-784, ReLU, sigmoid with binary cross-entropy, Adam. \`train/lenet_b128\`: three
  convolutions with batch norm, SGD with momentum. \`train/lstm_b32\`: 64 steps of 28 values, 128 units, Adam.
`;
  await writeFile(new URL('../../../docs/benchmarks-peers.md', import.meta.url), text);
  console.log('written: docs/benchmarks-peers.md');
}
