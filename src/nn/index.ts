// Layers and models.
export * from './activations.js';
export * from './attention.js';
export * from './conv.js';
export * from './dropout.js';
export * from './embedding.js';
export * from './functional.js';
export * as init from './init.js';
export * from './layers.js';
export * from './models.js';
export { Buffer, type Context, inference, Module, Parameter, RandomSource } from './module.js';
export * from './norm.js';
export * from './pool.js';
export {
  gru,
  gruCell,
  lstm,
  lstmCell,
  Recurrent,
  RecurrentCell,
  type RecurrentOptions,
  type RecurrentState,
  type RnnOptions,
  rnn,
  rnnCell,
  type SequenceInput,
  type SequenceOutput,
} from './recurrent.js';
export * from './regularizers.js';
export * from './shape-layers.js';
