// Kernels that a multilayer perceptron does not need, one file per family.
export * from './pool';
export * from './moments';
export * from './columns';
export * from './rows';
