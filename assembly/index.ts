// The kernels that every network needs, one file per family. Those in extra.ts are a module of their own.
export * from './program';
export * from './gemm';
export * from './elementwise';
export * from './select';
export * from './cast';
export * from './fused';
export * from './reduce';
export * from './movement';
export * from './gather';
export * from './softmax';
export * from './random';
