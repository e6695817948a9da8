// Looking inside: of networks, of training that goes wrong, of backends that differ.
export * from './bisect.js';
export * from './explain-non-finite.js';
