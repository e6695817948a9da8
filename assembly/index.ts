// All kernels of the module, one file per family.
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
export * from './extra';
