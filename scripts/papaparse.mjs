// esbuild plugin: papaparse without its class for Node's streams, the only part that asks for a module of Node's.
export const papaparse = {
  name: 'papaparse',
  setup(build) {
    build.onResolve({ filter: /^stream$/ }, ({ importer, path }) =>
      importer.includes('papaparse') ? { path, namespace: 'none' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'none' }, () => ({ contents: 'module.exports = {};' }));
  },
};
