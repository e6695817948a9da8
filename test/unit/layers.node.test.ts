// The house's order: a module imports from its own layer or from those below, and nothing in a circle.
import * as assert from 'uvu/assert';
import { environment } from '../helpers/environment.js';
import { suite } from '../helpers/suite.js';

const test = suite('layers of src');

/** From the ground up. A file belongs to the first entry that its path starts with. */
const layers = [
  ['errors'],
  ['dtype', 'exact', 'philox', 'platform'],
  ['graph', 'ops/define'],
  ['ops/'],
  ['checkpoint', 'custom-gradient'],
  ['grad'],
  ['jacobian'],
  ['schedule/', 'backend/'],
  ['execute'],
  ['engine'],
  ['compile', 'tensor', 'safetensors'],
  ['data/', 'nn/', 'loss/', 'optim/'],
  ['train/'],
  ['inspect/', 'search/', 'plot/'],
  ['index'],
  ['worker', 'thread', 'bench', 'cli'],
];

const rankOf = (file: string): number => layers.findIndex((starts) => starts.some((s) => file.startsWith(s)));

/** Modules that a source text imports at run time; types cost nothing and may point up. */
function valueImports(text: string, from: string): string[] {
  const statements = text.matchAll(
    /^(?:import|export)\s+(type\s)?([^;'"]*?)\s*(?:from\s+)?['"](\.[^'"]+\.js)['"]/gm,
  );
  return [...statements]
    .filter(([, type, names]) => !type && !/^\{\s*(?:type\s+[\w$]+,?\s*)+\}$/.test(names ?? ''))
    .map(([, , , path]) =>
      new URL(path!, `file:///src/${from}`).pathname.replace(/^\/src\//, '').replace(/\.js$/, '.ts'),
    );
}

async function readSources(): Promise<Map<string, string[]>> {
  const { readdir, readFile } = await import('node:fs/promises');
  const root = new URL('src/', environment.root);
  const files = (await readdir(root, { recursive: true })).map((f) => f.replaceAll('\\', '/'));
  const sources = files.filter((f) => f.endsWith('.ts') && !f.endsWith('.d.ts'));
  const texts = await Promise.all(sources.map((f) => readFile(new URL(f, root), 'utf8')));
  return new Map(sources.map((f, i) => [f, valueImports(texts[i]!, f)]));
}

test('no module imports from a layer above its own', async () => {
  const imports = await readSources();
  assert.ok(imports.size > 40, `only ${imports.size} files found`);
  const unknown = [...imports.keys()].filter((f) => rankOf(f) < 0);
  assert.equal(unknown, [], 'files without a layer');
  const wrong = [...imports].flatMap(([file, list]) =>
    list.filter((to) => rankOf(to) > rankOf(file)).map((to) => `${file} imports ${to}`),
  );
  assert.equal(wrong, []);
});

test('no circle of imports', async () => {
  const imports = await readSources();
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) assert.unreachable([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (done.has(file)) return;
    for (const to of imports.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
});

test.run();
