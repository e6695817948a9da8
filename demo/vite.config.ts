// The pages: four HTML files, which find the library's kernels and workers in everygrad/ beside them.
import { cp } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build as bundle } from 'esbuild';
import { defineConfig, type Plugin } from 'vite';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const library = path('../dist');
const isolated = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const pages = ['index', 'digits', 'inside', 'bench'];
const external = ['webgpu', /^node:/];

/** What is loaded by address, not by the pages' bundles: kernels, threads and the training worker. */
const assets: Plugin = {
  name: 'everygrad-assets',
  configureServer(server) {
    server.middlewares.use((request, _, next) => {
      const at = request.url?.indexOf('/everygrad/') ?? -1;
      if (at >= 0) request.url = `/@fs${library}/${request.url!.slice(at + '/everygrad/'.length)}`;
      next();
    });
  },
  async writeBundle({ dir }) {
    await cp(`${library}/kernels`, `${dir}/everygrad/kernels`, { recursive: true });
    await bundle({
      entryPoints: [`${library}/worker-thread.js`, `${library}/thread.js`],
      outdir: `${dir}/everygrad`,
      bundle: true,
      minify: true,
      splitting: true,
      format: 'esm',
      target: 'es2022',
      external: ['webgpu', 'node:*'],
      // As in the library: files in chunks/ look for the kernels one folder up.
      chunkNames: 'chunks/[name]-[hash]',
    });
  },
};

/** What has to be done before the first paint, by a script that is not a module. */
const first: Plugin = {
  name: 'first',
  transformIndexHtml: {
    order: 'post',
    handler: () => [{ tag: 'script', attrs: { src: './first.js' }, injectTo: 'head-prepend' }],
  },
};

export default defineConfig({
  root: path('.'),
  base: './', // any sub-path
  plugins: [assets, first],
  resolve: {
    alias: [
      { find: /^everygrad$/, replacement: `${library}/index.js` },
      { find: /^everygrad\/(.*)$/, replacement: `${library}/$1.js` },
    ],
  },
  server: { headers: isolated, fs: { allow: [path('..')] } },
  preview: { headers: isolated },
  worker: { format: 'es', rollupOptions: { external } },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: Object.fromEntries(pages.map((name) => [name, path(`${name}.html`)])),
      external,
    },
  },
});
