// Kernels that a multilayer perceptron does not need, one file per family.
export * from './along';
export * from './resample';
export * from './scan';
export * from './sort';
