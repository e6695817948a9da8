// What the laboratories of kernels share: builds of the kernels, and the speed that they are compared with.
import { existsSync, readFileSync } from 'node:fs';
import asc from 'assemblyscript/dist/asc.js';

const instance = (bytes, env) => new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports;

/** A build and, where it lies beside it, the module of its further kernels. */
export function loadBuild(file) {
  const memory = new WebAssembly.Memory({ initial: 1000 });
  const abort = () => {};
  const main = instance(readFileSync(file), { memory, abort });
  const further = file.replace(/\.wasm$/, '-extra.wasm');
  const extra = existsSync(further)
    ? instance(readFileSync(further), { memory, table: main.table, abort })
    : {};
  const name = file.split('/').slice(-2).join('/').replace('kernels/', '');
  return { name, memory, exports: { ...extra, ...main } };
}

const kernels = new URL('../../dist/kernels/', import.meta.url).pathname;

/** The builds of these files, or of `simd` and `relaxed`; says which this engine cannot load. */
export const loadBuilds = (files) =>
  (files.length > 0 ? files : [`${kernels}simd.wasm`, `${kernels}relaxed.wasm`]).flatMap((file) => {
    try {
      return [loadBuild(file)];
    } catch (error) {
      console.log(`${file}: ${error.message}`);
      return [];
    }
  });

/** A function that does n times 12 independent 4-wide multiply-adds, 96 n flops: the limit of one thread. */
export async function peakKernel() {
  const names = [...'abcdefghijkl'];
  const step = names.map((s) => `${s} = madd(x, y, ${s});`).join(' ');
  const rest = names.slice(1);
  const source = `
    @inline function madd(a: v128, b: v128, c: v128): v128 {
      if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
      return f32x4.add(c, f32x4.mul(a, b));
    }
    export function peak(n: i32, p: f32, q: f32): f32 {
      const x = f32x4.splat(p), y = f32x4.splat(q);
      let ${names.map((s) => `${s} = x`).join(', ')};
      for (; n > 0; n--) { ${step} }
      ${rest.map((s) => `a = f32x4.add(a, ${s});`).join(' ')}
      return f32x4.extract_lane(a, 0);
    }`;
  for (const enable of ['simd,relaxed-simd', 'simd']) {
    const options = { optimizeLevel: 3, runtime: 'stub', noAssert: true, enable: enable.split(',') };
    const { binary, stderr } = await asc.compileString(source, options);
    if (!binary) throw new Error(stderr.toString());
    if (WebAssembly.validate(binary)) return instance(binary, { abort() {} }).peak;
  }
}

/**
 * GFLOPS of each build, whose `run(build)` does so many `flops`, and of the peak kernel, as columns: they take turns for some
 * seconds, the best of many runs counts.
 */
export function race(builds, run, { flops, seconds, peak }) {
  const calls = Math.max(1, Math.round(2e6 / flops));
  const runs = [
    ...builds.map((b) => ({
      flops: flops * calls,
      run: () => {
        for (let i = 0; i < calls; i++) run(b);
      },
    })),
    { flops: 1.92e6, run: () => peak(20000, 0.5, 0.25) },
  ].map((r) => ({ ...r, best: Infinity }));
  const stop = performance.now() + 1000 * seconds * builds.length;
  for (let i = 0; i < 5 || performance.now() < stop; i++) {
    for (const r of runs) {
      const start = performance.now();
      r.run();
      r.best = Math.min(r.best, performance.now() - start);
    }
  }
  return columns(runs.map((r) => (r.flops / r.best / 1e6).toFixed(1)));
}

/** The head of such a table. */
export const headOf = (builds) => columns([...builds.map(({ name }) => name), 'limit']);

const columns = (list) => list.map((text, i) => text.padStart(i < list.length - 1 ? 22 : 10)).join('');
