// The table of docs/coverage.md: which backend has a kernel for which op, by dtype, and which op has a gradient.
import { WasmBackend } from '../../src/backend/wasm/index.js';
import { WebgpuBackend } from '../../src/backend/webgpu/index.js';
import { type DType, dtypes } from '../../src/dtype.js';
import type { OpDefinition, Site } from '../../src/ops/define.js';
import { opTable } from '../../src/ops/index.js';
import type { OpTensor } from '../../src/schedule/graph.js';
import { siteOf } from '../../src/schedule/place.js';
import { casesOf, hasMeaning, recordCase } from './cases.js';

/** The dtypes in the columns of both backends. */
const columns: readonly DType[] = ['float32', 'float64', 'int32', 'uint8', 'bool'];

/** What a backend says of a site, without one at work: its answer is a matter of ops and dtypes. */
const backends = {
  WASM: (op: OpDefinition, site: Site): boolean =>
    WasmBackend.prototype.supports.call(null as unknown as WasmBackend, op, site),
  WebGPU: (op: OpDefinition, site: Site): boolean =>
    WebgpuBackend.prototype.supports.call({ mostBound: Infinity } as unknown as WebgpuBackend, op, site),
};

/** Sites of an op by dtype: that of its first input, or of its result where it has none. */
function sitesOf(op: OpDefinition): Map<DType, Site[]> {
  const sites = new Map<DType, Site[]>();
  for (const c of casesOf(op)) {
    for (const float of ['float32', 'float64'] as const) {
      if (!hasMeaning(c, float)) continue;
      const site = siteOf(recordCase(c, float) as OpTensor);
      const { dtype } = site.inputs[0] ?? site.output;
      sites.set(dtype, [...(sites.get(dtype) ?? []), site]);
    }
  }
  return sites;
}

/** Ops and dtypes that WASM has a kernel for and WebGPU has none, but for float64, which WGSL does not have. */
export function holes(): string[] {
  return opTable.flatMap((op) =>
    [...sitesOf(op)]
      .filter(([, sites]) =>
        sites.some(
          (site) =>
            [...site.inputs, site.output].every((s) => s.dtype !== 'float64') &&
            backends.WASM(op, site) !== backends.WebGPU(op, site),
        ),
      )
      .map(([dtype]) => `${op.name} ${dtype}`),
  );
}

export function coverageTable(): string {
  const names = Object.keys(backends) as (keyof typeof backends)[];
  const head = [
    'op',
    'kind',
    'gradient',
    ...names.flatMap((b) => columns.map((d) => `${b} ${dtypes[d].suffix}`)),
  ];
  const rows = opTable.map((op) => {
    const sites = sitesOf(op);
    const cells = names.flatMap((name) =>
      columns.map((dtype) => {
        const own = sites.get(dtype);
        if (!own) return '';
        const able = own.filter((site) => backends[name](op, site)).length;
        return able === own.length ? 'yes' : able > 0 ? 'part' : 'no';
      }),
    );
    return [op.name, op.kind, op.gradient ? 'yes' : 'none', ...cells];
  });
  rows.sort(([a], [b]) => (a! < b! ? -1 : 1));
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
