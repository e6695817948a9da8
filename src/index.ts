// The public API.
export { type Compiled, compile } from './compile.js';
export type { DType, HostArray, Shape } from './dtype.js';
export { configure, type Device, type EngineOptions, memoryStats } from './engine.js';
export * from './errors.js';
export { grad, gradients, hessianVectorProduct, valueAndGrad, vjp } from './grad.js';
export { Tensor, Variable } from './graph.js';
export * from './ops/index.js';
export { type Nested, read, type TensorOptions, tensor, variable } from './tensor.js';
