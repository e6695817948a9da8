// Kernels that a multilayer perceptron does not need, one file per family: a module of its own, which is loaded when an
// op asks for one of them. It shares memory and function table with the module of index.ts.
export * from './f64';
export * from './rare';
export { matmul_f64 } from './gemm-f64';
export * from './conv';
export * from './conv-plain';
export * from './along';
export * from './resample';
export * from './scan';
export * from './sort';
export * from './recurrent';
export * from './avg-pool';
export * from './pool';
export * from './moments';
export * from './columns';
export * from './rows';
export * from './half';
export * from './conv-int8';
export { winograd, winogradFilter } from './conv-winograd';
export * from './conv-winograd-filter';
export * from './int8';
