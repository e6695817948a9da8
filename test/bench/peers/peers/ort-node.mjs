// ONNX Runtime for Node: the native library, a reference for what the CPU can do.
import ort from 'onnxruntime-node';
import { competitor } from './ort.mjs';

export const { start, prepare } = competitor(ort, 'cpu', async () => 'native');
