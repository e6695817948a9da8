// Shaders that a multilayer perceptron does not need: a chunk of their own in a bundle, loaded with the first of them.
import addAlong from '../../../gpu/add_along.wgsl';
import addSorted from '../../../gpu/add_sorted.wgsl';
import argsort from '../../../gpu/argsort.wgsl';
import argsortBlock from '../../../gpu/argsort_block.wgsl';
import argsortStep from '../../../gpu/argsort_step.wgsl';
import avgPool from '../../../gpu/avg_pool.wgsl';
import avgPoolGradient from '../../../gpu/avg_pool_gradient.wgsl';
import columnAffine from '../../../gpu/column_affine.wgsl';
import columnAffinePair from '../../../gpu/column_affine_pair.wgsl';
import conv from '../../../gpu/conv.wgsl';
import convFilter from '../../../gpu/conv_filter.wgsl';
import convGather from '../../../gpu/conv_gather.wgsl';
import convInput from '../../../gpu/conv_input.wgsl';
import convInt8 from '../../../gpu/conv_int8.wgsl';
import convSizes from '../../../gpu/conv_sizes.wgsl';
import convWalk from '../../../gpu/conv_walk.wgsl';
import copy from '../../../gpu/copy.wgsl';
import cumsum from '../../../gpu/cumsum.wgsl';
import cumsumBlocks from '../../../gpu/cumsum_blocks.wgsl';
import dequantizeRows from '../../../gpu/dequantize_rows.wgsl';
import elements from '../../../gpu/elements.wgsl';
import fromHalf from '../../../gpu/from_half.wgsl';
import gather from '../../../gpu/gather.wgsl';
import iota from '../../../gpu/iota.wgsl';
import math from '../../../gpu/math.wgsl';
import matmulDirect from '../../../gpu/matmul_direct.wgsl';
import matmulInt8 from '../../../gpu/matmul_int8.wgsl';
import matmulMatrix from '../../../gpu/matmul_matrix.wgsl';
import matmulSubgroup from '../../../gpu/matmul_subgroup.wgsl';
import matrixUnits from '../../../gpu/matrix_units.wgsl';
import matvec from '../../../gpu/matvec.wgsl';
import maxPool from '../../../gpu/max_pool.wgsl';
import maxPoolGradient from '../../../gpu/max_pool_gradient.wgsl';
import maxPoolPick from '../../../gpu/max_pool_pick.wgsl';
import moments from '../../../gpu/moments.wgsl';
import momentsJoin from '../../../gpu/moments_join.wgsl';
import pairSums from '../../../gpu/pair_sums.wgsl';
import poolFirst from '../../../gpu/pool_first.wgsl';
import poolWindows from '../../../gpu/pool_windows.wgsl';
import quantizeRows from '../../../gpu/quantize_rows.wgsl';
import random from '../../../gpu/random.wgsl';
import recurrent from '../../../gpu/recurrent.wgsl';
import recurrentBack from '../../../gpu/recurrent_back.wgsl';
import resample from '../../../gpu/resample.wgsl';
import rowNorm from '../../../gpu/row_norm.wgsl';
import scatterAdd from '../../../gpu/scatter_add.wgsl';
import softmax from '../../../gpu/softmax.wgsl';
import sortKey from '../../../gpu/sort_key.wgsl';
import sumParts from '../../../gpu/sum_parts.wgsl';
import toHalf from '../../../gpu/to_half.wgsl';
import together from '../../../gpu/together.wgsl';
import windowSum from '../../../gpu/window_sum.wgsl';

export { lowerTogether } from './together.js';
export { holdTrials } from './trials.js';
export { extraVariants } from './variants-extra.js';

export const extraShaders: Readonly<Record<string, string>> = {
  add_along: addAlong,
  add_sorted: addSorted,
  argsort,
  argsort_block: argsortBlock,
  argsort_step: argsortStep,
  avg_pool: avgPool,
  avg_pool_gradient: avgPoolGradient,
  column_affine: columnAffine,
  column_affine_pair: columnAffinePair,
  conv,
  conv_filter: convFilter,
  conv_gather: convGather,
  conv_input: convInput,
  conv_sizes: convSizes,
  conv_walk: convWalk,
  copy,
  cumsum,
  cumsum_blocks: cumsumBlocks,
  dequantize_rows: dequantizeRows,
  elements,
  from_half: fromHalf,
  conv_int8: convInt8,
  gather,
  iota,
  math,
  matmul_direct: matmulDirect,
  matmul_int8: matmulInt8,
  matmul_matrix: matmulMatrix,
  matmul_subgroup: matmulSubgroup,
  matrix_units: matrixUnits,
  matvec,
  max_pool: maxPool,
  max_pool_gradient: maxPoolGradient,
  max_pool_pick: maxPoolPick,
  moments,
  moments_join: momentsJoin,
  pair_sums: pairSums,
  pool_first: poolFirst,
  pool_windows: poolWindows,
  quantize_rows: quantizeRows,
  random,
  recurrent,
  recurrent_back: recurrentBack,
  resample,
  row_norm: rowNorm,
  scatter_add: scatterAdd,
  softmax,
  sort_key: sortKey,
  sum_parts: sumParts,
  to_half: toHalf,
  together,
  window_sum: windowSum,
};
