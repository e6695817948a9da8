// Layers and models.
export * as init from './init.js';
export * from './layers.js';
export { Buffer, type Context, inference, Module, Parameter, RandomSource } from './module.js';
export * from './norm.js';
export * from './pool.js';
