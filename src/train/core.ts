// What modules that load on demand need of the core. They get it as an argument and import nothing but types: if they shared
// modules with what loads at once, a bundler would cut the core in two, and every app would have 1.7 kB more to load.
import { checkpoint } from '../checkpoint.js';
import { engine } from '../engine.js';
import { DataError } from '../errors.js';
import { Tensor, traced } from '../graph.js';
import { Sequential } from '../nn/layers.js';
import { needed, rootOf } from '../schedule/graph.js';
import { read, tensor } from '../tensor.js';

export const core = () => ({
  ...{ DataError, Sequential, Tensor, checkpoint, traced, needed, rootOf, engine, read, tensor },
});
export type Core = ReturnType<typeof core>;
