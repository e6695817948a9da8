// The other side of the environment suite's test of workers: gets a shared memory, waits on it, counts it up.

interface Port {
  postMessage(message: unknown): void;
  on?(event: 'message', listener: (memory: WebAssembly.Memory) => void): void;
  onmessage?: ((event: MessageEvent<WebAssembly.Memory>) => void) | null;
}

const scope = globalThis as unknown as Port;
const inNode = typeof scope.postMessage !== 'function';
const port = inNode ? ((await import('node:worker_threads')).parentPort as unknown as Port) : scope;

function answer(memory: WebAssembly.Memory): void {
  const cells = new Int32Array(memory.buffer);
  const waited = Atomics.wait(cells, 1, 0, 10);
  port.postMessage({ before: Atomics.add(cells, 0, 1), waited });
}

if (inNode) port.on?.('message', answer);
else port.onmessage = (event) => answer(event.data);

export {};
