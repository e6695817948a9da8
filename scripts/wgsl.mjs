// esbuild plugin: .wgsl files as text, without comments and indentation; lines of the template language (//#) stay.
import { readFile } from 'node:fs/promises';

export const wgsl = {
  name: 'wgsl',
  setup(build) {
    build.onLoad({ filter: /\.wgsl$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const lines = text.split('\n').map((line) => line.replace(/\/\/(?!#).*$/, '').trim());
      return { contents: lines.filter(Boolean).join('\n'), loader: 'text' };
    });
  },
};
