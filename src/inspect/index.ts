// Looking inside: of networks, of training that goes wrong, of backends that differ.
export * from './bisect.js';
export * from './explain-non-finite.js';
export * from './gradient-check.js';
export * from './images.js';
export * from './maps.js';
export * from './metrics.js';
export * from './statistics.js';
export * from './summary.js';
