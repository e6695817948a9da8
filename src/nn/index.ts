// Layers and models.
export * from './activations.js';
export * as init from './init.js';
export * from './layers.js';
export { type Context, inference, Module, Parameter, RandomSource } from './module.js';
export * from './regularizers.js';
