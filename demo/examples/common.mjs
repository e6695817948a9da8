// What the examples share: their options, the digits, pictures as files, and the table that each ends with.
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { configure, data } from 'everygrad';

const usage = `options of every example
  --data FOLDER   MNIST's four IDX files, where digits are needed; without it the library draws digits of its own
  --out FOLDER    where pictures go; a temporary folder where not said
  --seed N        decides first weights, data that are made, and the order of the examples; 1 where not said
  --quick         a shortened form, as the tests run it`;

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        data: { type: 'string' },
        out: { type: 'string' },
        seed: { type: 'string', default: '1' },
        quick: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (!/^\d{1,15}$/.test(values.seed)) throw new Error(`--seed is ${values.seed}: a whole number from 0`);
    if (!values.help) return { ...values, seed: Number(values.seed), file: positionals[0] };
    console.log(usage);
    process.exit(0);
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    process.exit(1);
  }
}

/** What was said on the command line; `file` is what stands there without a name. */
export const options = readOptions();
export const { seed, quick } = options;

// The plain build gives the same bits in every runtime, so the figures of README.md come out to the last digit.
await configure({ device: 'wasm', build: 'simd' });

/** MNIST if --data says where it lies, else drawn digits: so many for training, validation and test. */
export async function digits({ train = 50_000, validation = 1000, test = 10_000 }) {
  if (options.data !== undefined) {
    const all = await data.mnist(options.data);
    return {
      ...{ name: 'MNIST', train: all.train.take(train) },
      ...{ validation: all.validation.take(validation), test: all.test.take(test) },
    };
  }
  const drawn = await data.digits({
    train: Math.min(train, 10_000) + validation,
    test: Math.min(test, 2000),
  });
  const [first, rest] = [drawn.train.slice(validation), drawn.train.take(validation)];
  return { name: 'drawn digits', train: first, validation: rest, test: drawn.test };
}

/** A data set of rows of numbers. Targets are rows too, or labels: a whole number for each row. */
export function dataset(inputs, targets) {
  const labels = !Array.isArray(targets[0]);
  return new data.ArrayDataset({
    ...{ inputs: Float32Array.from(inputs.flat()), inputShape: [inputs[0].length], inputDType: 'float32' },
    targets: labels ? Int32Array.from(targets) : Float32Array.from(targets.flat()),
    ...{ targetShape: labels ? [] : [targets[0].length], targetDType: labels ? 'int32' : 'float32' },
  });
}

/** x of A x = b by Gauss's elimination, in double precision: for references, as the normal equations. */
export function solve(a, b) {
  const rows = a.map((row, i) => [...row, b[i]]);
  const n = rows.length;
  for (let k = 0; k < n; k++) {
    const best = rows
      .slice(k)
      .reduce((most, row, i) => (Math.abs(row[k]) > Math.abs(rows[most][k]) ? k + i : most), k);
    [rows[k], rows[best]] = [rows[best], rows[k]];
    for (const row of rows.slice(k + 1)) {
      const factor = row[k] / rows[k][k];
      for (let j = k; j <= n; j++) row[j] -= factor * rows[k][j];
    }
  }
  const x = new Array(n).fill(0);
  for (let k = n - 1; k >= 0; k--) {
    const known = x.reduce((sum, value, j) => sum + (j > k ? rows[k][j] * value : 0), 0);
    x[k] = (rows[k][n] - known) / rows[k][k];
  }
  return x;
}

let folder;
/** The folder of --out, or one of its own. */
export async function outputFolder() {
  folder ??= options.out ?? (await mkdtemp(join(tmpdir(), 'everygrad-')));
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Writes a picture there. */
export async function savePng(name, image) {
  const path = join(await outputFolder(), name);
  await writeFile(path, await data.encodePng(image));
  console.log(`${path}: ${image.width} x ${image.height}`);
}

export const percent = (part, digitsAfter = 1) => `${(100 * part).toFixed(digitsAfter)} %`;

/** The end of an example: rows of [what, its figure here, the figure or formula that it is to be seen beside]. */
export function report(rows) {
  const table = [['', 'here', 'reference'], ...rows.map((row) => row.map(String))];
  const widths = [0, 1].map((column) => Math.max(...table.map((row) => row[column].length)));
  console.log();
  for (const [what, here, reference] of table)
    console.log(`${what.padEnd(widths[0])}  ${here.padEnd(widths[1])}  ${reference}`.trimEnd());
}
