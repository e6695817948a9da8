// Shaders that a multilayer perceptron does not need: a chunk of their own in a bundle, loaded with the first of them.
import addAlong from '../../../gpu/add_along.wgsl';
import along from '../../../gpu/along.wgsl';
import argsort from '../../../gpu/argsort.wgsl';
import avgPool from '../../../gpu/avg_pool.wgsl';
import avgPoolGradient from '../../../gpu/avg_pool_gradient.wgsl';
import conv from '../../../gpu/conv.wgsl';
import convFilter from '../../../gpu/conv_filter.wgsl';
import convInput from '../../../gpu/conv_input.wgsl';
import cumsum from '../../../gpu/cumsum.wgsl';
import maxPool from '../../../gpu/max_pool.wgsl';
import maxPoolGradient from '../../../gpu/max_pool_gradient.wgsl';
import maxPoolPick from '../../../gpu/max_pool_pick.wgsl';
import moments from '../../../gpu/moments.wgsl';
import pairSums from '../../../gpu/pair_sums.wgsl';
import recurrent from '../../../gpu/recurrent.wgsl';
import recurrentBack from '../../../gpu/recurrent_back.wgsl';
import resample from '../../../gpu/resample.wgsl';
import scatterAdd from '../../../gpu/scatter_add.wgsl';

export const extraShaders: Readonly<Record<string, string>> = {
  add_along: addAlong,
  along,
  argsort,
  avg_pool: avgPool,
  avg_pool_gradient: avgPoolGradient,
  conv,
  conv_filter: convFilter,
  conv_input: convInput,
  cumsum,
  max_pool: maxPool,
  max_pool_gradient: maxPoolGradient,
  max_pool_pick: maxPoolPick,
  moments,
  pair_sums: pairSums,
  recurrent,
  recurrent_back: recurrentBack,
  resample,
  scatter_add: scatterAdd,
};
