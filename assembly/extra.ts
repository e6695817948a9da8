// Kernels that a multilayer perceptron does not need, one file per family.
export * from './conv';
export * from './conv-plain';
