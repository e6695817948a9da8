// How the sources are bundled: options of esbuild that all bundles share. A single file:
//   node scripts/bundle.mjs ENTRY OUT [--samples]     --samples keeps the samples of the op table
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { papaparse } from './papaparse.mjs';
import { wgsl } from './wgsl.mjs';

const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));

export const bundleOptions = {
  define: { EVERYGRAD_VERSION: JSON.stringify(version), WITH_SAMPLES: 'false' },
  bundle: true,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  plugins: [wgsl, papaparse],
  external: ['comlink', 'webgpu', 'node:*'],
};

/** `bundleOptions` with the samples of the op table, for tests. */
export const withSamples = {
  ...bundleOptions,
  define: { ...bundleOptions.define, WITH_SAMPLES: 'true' },
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [entry, outfile, ...flags] = process.argv.slice(2);
  const options = flags.includes('--samples') ? withSamples : bundleOptions;
  await build({ ...options, entryPoints: [entry], outfile, logLevel: 'warning' });
}
