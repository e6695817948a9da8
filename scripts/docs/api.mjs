// Makes the API docs of all entry points in build/api, and exits with 1 where an exported symbol has no docstring.
//   node scripts/docs/api.mjs [--check]     --check: looks for missing docstrings alone, writes nothing
// Needs `npm ci --prefix scripts/docs`, which `npm run runtimes` does.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Application, ReflectionKind, TSConfigReader } from 'typedoc';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { exports } = JSON.parse(await readFile(`${root}/package.json`, 'utf8'));
const entryPoints = Object.values(exports)
  .filter(({ types }) => types)
  .map(({ types }) => types.replace('./dist/types', `${root}src`).replace('.d.ts', '.ts'));

const app = await Application.bootstrap(
  {
    ...{ entryPoints, tsconfig: `${root}/tsconfig.json`, name: 'everygrad', readme: 'none' },
    // The types are checked by `npm run lint`, with the repository's own TypeScript.
    ...{ skipErrorChecking: true, validation: false, logLevel: 'Error' },
    ...{ excludePrivate: true, excludeProtected: true, excludeExternals: true },
  },
  [new TSConfigReader()],
);
const project = await app.convert();
if (!project) throw new Error('the sources cannot be read');

const documented =
  ReflectionKind.SomeType | ReflectionKind.SomeValue | ReflectionKind.Method | ReflectionKind.Accessor;
const all = project.getReflectionsByKind(
  documented & ~ReflectionKind.TypeParameter & ~ReflectionKind.TypeLiteral,
);
const hasComment = (r) =>
  Boolean(r.comment?.hasVisibleComponent() || r.signatures?.some((s) => s.comment?.hasVisibleComponent())) ||
  Boolean(r.getSignature?.comment || r.type?.declaration?.signatures?.some((s) => s.comment));
// Methods of tensors are ops, and those have docstrings of their own.
const ops = new Set(
  all.filter((r) => r.kindOf(ReflectionKind.SomeValue) && hasComment(r)).map((r) => r.name),
);
const placeOf = (r) =>
  `${r.sources?.[0]?.fullFileName.replace(root, '') ?? '?'}:${r.sources?.[0]?.line ?? '?'}`;
const missing = new Set(
  all
    .filter((r) => !hasComment(r) && !r.inheritedFrom && !r.flags.isExternal)
    .filter((r) => !(/(^|\.)(Tensor|Variable)$/.test(r.parent?.getFullName() ?? '') && ops.has(r.name)))
    .map((r) => `${placeOf(r)} ${r.getFriendlyFullName()}`),
);
for (const line of [...missing].sort()) console.error(`no docstring: ${line}`);
console.log(`${all.length} exported symbols, ${missing.size} without a docstring`);
if (!process.argv.includes('--check')) {
  await app.generateDocs(project, `${root}/build/api`);
  console.log('the docs are in build/api/index.html');
}
if (missing.size > 0) process.exitCode = 1;
