// Shaders that a multilayer perceptron does not need: a chunk of their own in a bundle, loaded with the first of them.
import addAlong from '../../../gpu/add_along.wgsl';
import along from '../../../gpu/along.wgsl';
import argsort from '../../../gpu/argsort.wgsl';
import conv from '../../../gpu/conv.wgsl';
import convFilter from '../../../gpu/conv_filter.wgsl';
import convInput from '../../../gpu/conv_input.wgsl';
import cumsum from '../../../gpu/cumsum.wgsl';
import dequantizeRows from '../../../gpu/dequantize_rows.wgsl';
import fromHalf from '../../../gpu/from_half.wgsl';
import matmulInt8 from '../../../gpu/matmul_int8.wgsl';
import quantizeRows from '../../../gpu/quantize_rows.wgsl';
import resample from '../../../gpu/resample.wgsl';
import scatterAdd from '../../../gpu/scatter_add.wgsl';
import toHalf from '../../../gpu/to_half.wgsl';

export const extraShaders: Readonly<Record<string, string>> = {
  add_along: addAlong,
  along,
  argsort,
  conv,
  conv_filter: convFilter,
  conv_input: convInput,
  cumsum,
  dequantize_rows: dequantizeRows,
  from_half: fromHalf,
  matmul_int8: matmulInt8,
  quantize_rows: quantizeRows,
  resample,
  scatter_add: scatterAdd,
  to_half: toHalf,
};
