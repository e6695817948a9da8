// Classic networks, as layers in a row. Images are (batch, height, width, channels), outputs are logits (batch, classes).
import { checkOptionNames, OptionError } from '../errors.js';
import { checkUnits } from './check.js';
import { conv2d } from './conv.js';
import { constant, normal } from './init.js';
import { dropout, flatten, linear, relu, type Sequential, sequential } from './layers.js';
import type { Module } from './module.js';
import { batchNorm, localResponseNorm } from './norm.js';
import { maxPool2d } from './pool.js';

const optionNames = ['classes', 'channels', 'inputSize'];

/** Options of `lenet`. */
export interface LenetOptions {
  /** 10 where not said. */
  classes?: number;
  /** 1 where not said. */
  channels?: number;
  /** Height and width of an image, 28 where not said; at least 4. */
  inputSize?: number;
}

/**
 * A small convolutional network in the manner of LeNet (LeCun et al. 1998) with batch norm (Ioffe and Szegedy 2015): three
 * 3x3 convolutions of 16, 32 and 64 filters, each with batch norm and ReLU, 2x2 max pooling after the first two, then 50
 * units with ReLU, and one output for each class.
 */
export function lenet(options: LenetOptions = {}): Sequential {
  const { classes = 10, channels = 1, inputSize = 28 } = options;
  checkOptionNames('lenet', options, optionNames);
  checkUnits('lenet', 'classes', classes);
  checkSize('lenet', inputSize, 4);
  const block = (inputs: number, outputs: number): Module[] => [
    conv2d(inputs, outputs, 3, { padding: 1 }),
    batchNorm(outputs),
    relu(),
  ];
  const side = Math.floor(Math.floor(inputSize / 2) / 2);
  return sequential(
    ...[...block(channels, 16), maxPool2d(2)],
    ...[...block(16, 32), maxPool2d(2)],
    ...block(32, 64),
    ...[flatten(), linear(side * side * 64, 50), relu(), linear(50, classes)],
  );
}

/** Options of `alexnet`. */
export interface AlexnetOptions {
  /** 1000 where not said. */
  classes?: number;
  /** 3 where not said. */
  channels?: number;
  /** Height and width of an image, 227 where not said; at least 67. */
  inputSize?: number;
}

/** Filters or units: normal with a deviation of 0.01, biases as the paper has them. */
const withBias = (bias: number) => ({ weightInit: normal(0.01), biasInit: constant(bias) });

/**
 * AlexNet (Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012):
 * five convolutions, three of them in two groups, local response normalisation, overlapping pooling, three layers of
 * 4096, 4096 and `classes` units with dropout. 60,965,224 parameters with 227x227x3 inputs and 1000 classes. First
 * weights are the paper's: normal with deviation 0.01 (0.005 in the two large layers, as in Caffe), biases 1 where units
 * shall start alive.
 */
export function alexnet(options: AlexnetOptions = {}): Sequential {
  const { classes = 1000, channels = 3, inputSize = 227 } = options;
  checkOptionNames('alexnet', options, optionNames);
  checkUnits('alexnet', 'classes', classes);
  checkSize('alexnet', inputSize, 67);
  const norm = () => localResponseNorm(5, { alpha: 1e-4, beta: 0.75, k: 2 });
  const pool = () => maxPool2d(3, { stride: 2 });
  const pooled = (n: number): number => Math.floor((n - 3) / 2) + 1;
  const side = pooled(pooled(pooled(Math.floor((inputSize - 11) / 4) + 1)));
  const large = { weightInit: normal(0.005), biasInit: constant(1) };
  return sequential(
    ...[conv2d(channels, 96, 11, { stride: 4, ...withBias(0) }), relu(), norm(), pool()],
    ...[conv2d(96, 256, 5, { padding: 2, groups: 2, ...withBias(1) }), relu(), norm(), pool()],
    ...[conv2d(256, 384, 3, { padding: 1, ...withBias(0) }), relu()],
    ...[conv2d(384, 384, 3, { padding: 1, groups: 2, ...withBias(1) }), relu()],
    ...[conv2d(384, 256, 3, { padding: 1, groups: 2, ...withBias(1) }), relu(), pool()],
    ...[flatten(), linear(side * side * 256, 4096, large), relu(), dropout(0.5)],
    ...[linear(4096, 4096, large), relu(), dropout(0.5)],
    linear(4096, classes, withBias(0)),
  );
}

function checkSize(where: string, inputSize: number, least: number): void {
  if (Number.isInteger(inputSize) && inputSize >= least) return;
  throw new OptionError({
    where,
    problem: `inputSize is ${inputSize}`,
    hint: `a whole number from ${least}: less does not pass the network's strides`,
    values: { inputSize },
  });
}
