// esbuild plugin: papaparse as a module of its own, so that no chunk of helpers for CommonJS is loaded with everything else, and
// without its class for Node's streams, the only part that asks for a module of Node's.
import { readFile } from 'node:fs/promises';

export const papaparse = {
  name: 'papaparse',
  setup(build) {
    build.onLoad({ filter: /[\\/]papaparse(\.min)?\.js$/ }, async ({ path }) => {
      const text = (await readFile(path, 'utf8')).replaceAll(/require\(['"]stream['"]\)/g, '{}');
      return {
        contents: `const exports = {}, module = { exports };\n${text}\nexport default module.exports;`,
      };
    });
  },
};
