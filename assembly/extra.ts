// Kernels that a multilayer perceptron does not need, one file per family.
export * from './half';
export * from './int8';
