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
