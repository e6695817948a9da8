// Shaders that a multilayer perceptron does not need: a chunk of their own in a bundle, loaded with the first of them.
import addAlong from '../../../gpu/add_along.wgsl';
import along from '../../../gpu/along.wgsl';
import argsort from '../../../gpu/argsort.wgsl';
import conv from '../../../gpu/conv.wgsl';
import convFilter from '../../../gpu/conv_filter.wgsl';
import convInput from '../../../gpu/conv_input.wgsl';
import cumsum from '../../../gpu/cumsum.wgsl';
import recurrent from '../../../gpu/recurrent.wgsl';
import recurrentBack from '../../../gpu/recurrent_back.wgsl';
import resample from '../../../gpu/resample.wgsl';
import scatterAdd from '../../../gpu/scatter_add.wgsl';

export const extraShaders: Readonly<Record<string, string>> = {
  add_along: addAlong,
  along,
  argsort,
  conv,
  conv_filter: convFilter,
  conv_input: convInput,
  cumsum,
  recurrent,
  recurrent_back: recurrentBack,
  resample,
  scatter_add: scatterAdd,
};
