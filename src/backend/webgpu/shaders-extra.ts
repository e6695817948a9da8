// Shaders that a multilayer perceptron does not need: a chunk of their own in a bundle, loaded with the first of them.
import conv from '../../../gpu/conv.wgsl';
import convFilter from '../../../gpu/conv_filter.wgsl';
import convInput from '../../../gpu/conv_input.wgsl';
import scatterAdd from '../../../gpu/scatter_add.wgsl';

export const extraShaders: Readonly<Record<string, string>> = {
  conv,
  conv_filter: convFilter,
  conv_input: convInput,
  scatter_add: scatterAdd,
};
