// What this runtime's WebAssembly can do, found out by letting it validate tiny modules.
import { coreCount, whyNoSharedMemory } from '../../platform.js';

export interface Features {
  simd: boolean;
  relaxedSimd: boolean;
  threads: boolean;
  /** Why there are no threads, in words; null when there are. */
  threadsWhyNot: string | null;
  cores: number;
}

const header = [0, 97, 115, 109, 1, 0, 0, 0];
/** A function that gives a v128 by `i8x16.splat` and `i8x16.popcnt`. */
const simdModule = [
  ...header,
  1,
  5,
  1,
  96,
  0,
  1,
  123,
  3,
  2,
  1,
  0,
  10,
  10,
  1,
  8,
  0,
  65,
  0,
  253,
  15,
  253,
  98,
  11,
];
/** The same by `i8x16.relaxed_swizzle`. */
const relaxedModule = [
  ...[...header, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0],
  ...[65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11],
];
/** A shared memory and an `i32.atomic.load` from it. */
const threadsModule = [
  ...[...header, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1, 10, 11, 1, 9, 0],
  ...[65, 0, 254, 16, 2, 0, 26, 11],
];

const validates = (bytes: readonly number[]): boolean =>
  globalThis.WebAssembly !== undefined && WebAssembly.validate(new Uint8Array(bytes));

/** Which of the kernels' builds this runtime can run. */
export async function detectFeatures(): Promise<Features> {
  const threadsWhyNot = validates(threadsModule)
    ? whyNoSharedMemory()
    : 'this runtime has no WebAssembly threads';
  return {
    simd: validates(simdModule),
    relaxedSimd: validates(relaxedModule),
    threads: threadsWhyNot === null,
    threadsWhyNot,
    cores: await coreCount(),
  };
}
