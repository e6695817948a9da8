// The pages: three HTML files, which find the library's kernels and workers in everygrad/ beside them.
import { cp } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const library = path('../dist');
const isolated = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** What is loaded by address, not bundled: kernels, threads, the training worker and their chunks. */
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
    for (const name of ['kernels', 'thread.js', 'worker-thread.js', 'chunks']) {
      const filter = (file: string): boolean => !file.endsWith('.map');
      await cp(`${library}/${name}`, `${dir}/everygrad/${name}`, { recursive: true, filter });
    }
  },
};

export default defineConfig({
  root: path('.'),
  base: './', // any sub-path
  plugins: [assets],
  resolve: {
    alias: [
      { find: /^everygrad$/, replacement: `${library}/index.js` },
      { find: /^everygrad\/(.*)$/, replacement: `${library}/$1.js` },
    ],
  },
  server: { headers: isolated, fs: { allow: [path('..')] } },
  preview: { headers: isolated },
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: path('index.html'), digits: path('digits.html'), bench: path('bench.html') },
      external: ['webgpu', /^node:/],
    },
  },
});
