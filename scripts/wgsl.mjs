// esbuild plugin: .wgsl files as text, without comments and spaces; lines of the template language (//#) stay as they are, and
// so do declarations, which are read (src/backend/webgpu/shaders.ts). A minus keeps its spaces where another follows: two are an operator.
import { readFile } from 'node:fs/promises';

const read = /^(\/\/#|@group|alias|\S+: \S+,$)/;
const tight = (line) =>
  read.test(line) ? line : line.replace(/ ?([=+*/<>&|,:()%^]) ?| (?={$)/g, '$1').replace(/ - (?!-)/g, '-');

export const wgsl = {
  name: 'wgsl',
  setup(build) {
    build.onLoad({ filter: /\.wgsl$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const lines = text.split('\n').map((line) => line.replace(/\/\/(?!#).*$/, '').trim());
      return { contents: lines.filter(Boolean).map(tight).join('\n'), loader: 'text' };
    });
  },
};
