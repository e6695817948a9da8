// Builds an app by each bundler, as its own documentation says to, with no setting that is for everygrad's sake.
//   node test/bundlers/build.mjs BUNDLER APP OUT     (app: a folder with index.html; Vite takes its script from there)
// Prints what the bundler complained of, a line each; exits with 1 where it failed.
import { cp } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const [bundler, app, out] = process.argv.slice(2).map((text, i) => (i === 0 ? text : resolve(text)));
const entry = join(app, 'app.js');
const complain = (text) => console.log(`complaint: ${text}`);

const builds = {
  async vite() {
    const { build, createLogger } = await import('vite');
    const { svelte } = await import('@sveltejs/vite-plugin-svelte');
    const logger = createLogger();
    logger.info = () => {};
    logger.warn = logger.warnOnce = logger.error = complain;
    await build({
      ...{
        configFile: false,
        root: app,
        base: './',
        customLogger: logger,
        logLevel: 'warn',
        plugins: [svelte({ configFile: false })],
      },
      build: { outDir: out, emptyOutDir: true },
    });
  },
  async webpack() {
    const { default: webpack } = await import('webpack');
    const stats = await new Promise((done, fail) =>
      webpack({ mode: 'production', entry, output: { path: out, filename: 'app.js' } }, (error, s) =>
        error ? fail(error) : done(s),
      ),
    );
    const { warnings, errors } = stats.toJson({ all: false, warnings: true, errors: true });
    for (const { message } of [...warnings, ...errors]) complain(message);
    if (errors.length > 0) process.exitCode = 1;
  },
  async rollup() {
    const { rollup } = await import('rollup');
    const { default: nodeResolve } = await import('@rollup/plugin-node-resolve');
    const plugins = [nodeResolve({ browser: true })];
    const bundle = await rollup({ input: entry, plugins, onLog: (_, { message }) => complain(message) });
    await bundle.write({ dir: out, format: 'es' });
  },
  async esbuild() {
    const { build } = await import('esbuild');
    const options = { bundle: true, minify: true, format: 'esm', splitting: true, logLevel: 'silent' };
    const { warnings } = await build({ ...options, entryPoints: [entry], outdir: out });
    for (const { text } of warnings) complain(text);
  },
};

await builds[bundler]();
if (bundler !== 'vite') await cp(join(app, 'index.html'), join(out, 'index.html'));
