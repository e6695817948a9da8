// What modules that load on demand need of the core. They get it as an argument and import nothing but types: if they shared
// modules with what loads at once, a bundler would cut the core in two, and every app would have 1.7 kB more to load.
import { engine } from '../engine.js';
import { Tensor, traced } from '../graph.js';
import { needed, rootOf } from '../schedule/graph.js';
import { read, tensor } from '../tensor.js';

export const core = () => ({ Tensor, traced, needed, rootOf, engine, read, tensor });
export type Core = ReturnType<typeof core>;
