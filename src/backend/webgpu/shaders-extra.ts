// Shaders that a multilayer perceptron does not need: a chunk of their own in a bundle, loaded with the first of them.
import scatterAdd from '../../../gpu/scatter_add.wgsl';

export const extraShaders: Readonly<Record<string, string>> = {
  scatter_add: scatterAdd,
};
