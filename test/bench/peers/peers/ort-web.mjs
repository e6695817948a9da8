// ONNX Runtime Web, WASM execution provider.
import * as ort from 'onnxruntime-web/wasm';
import { competitor } from './ort.mjs';

export const { start, prepare } = competitor(ort, 'wasm', async ({ threads }) => {
  if (typeof document !== 'undefined') ort.env.wasm.wasmPaths = '/node_modules/onnxruntime-web/dist/';
  ort.env.wasm.numThreads = threads;
  return 'wasm';
});
