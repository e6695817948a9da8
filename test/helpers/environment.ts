// What a suite can know about the run it is part of: the runtime, the devices to test, where the files are.

export type Device = 'wasm' | 'webgpu';

export interface TestEnvironment {
  /** `node`, `node24`, `deno`, `bun`, `chromium`, `firefox` or `webkit`. */
  runtime: string;
  /** The devices that this run is about; a run for WebGPU does not repeat what the one for WASM has tested. */
  devices: Device[];
  /** True in CI: what could not be tested is a failure there, unless the suite knows a good reason. */
  require: boolean;
  /** The repository's root as a `file:` or `http:` URL that ends in `/`. */
  root: string;
}

declare global {
  var EVERYGRAD_TEST: TestEnvironment | undefined;
}

/** Set by the harness; the defaults are for a suite that is started by hand with `node build/test/NAME.test.js`. */
export const environment: TestEnvironment = globalThis.EVERYGRAD_TEST ?? {
  runtime: 'node',
  devices: ['wasm'],
  require: false,
  root: import.meta.url.replace(/build\/test\/.*$/, ''),
};

/** Reads a file of the repository, such as `test/golden/ops.json`, in every runtime. */
export async function readFixture(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const url = new URL(path, environment.root);
  if (url.protocol === 'file:') {
    const { readFile } = await import('node:fs/promises');
    return new Uint8Array(await readFile(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
