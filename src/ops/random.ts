// Random numbers by counter (Philox4x32-10, Salmon et al. 2011): the same on every backend, with any number of threads.
import { type DType, requireDType, type Shape, sizeOf } from '../dtype.js';
import { type Attributes, constant, record, type Tensor } from '../graph.js';
import { seedKey, uniformInto } from '../philox.js';
import { less } from './arithmetic.js';
import { type KernelOp, type ReferenceContext, streamingCost, suffix } from './define.js';
import { randomNormalShader, randomUniformShader } from './shader-calls.js';

type RandomAttributes = {
  readonly shape: Shape;
  /** The key, as two 32-bit words. */
  readonly seedLow: number;
  readonly seedHigh: number;
  /** Tells apart the uses of one seed. */
  readonly stream: number;
  readonly dtype: DType;
};

function uniforms({ values: [step], out, attributes }: ReferenceContext<RandomAttributes>): Float32Array {
  const numbers = new Float32Array(Math.ceil(out.length / 4) * 4);
  uniformInto(numbers, [attributes.seedLow, attributes.seedHigh], attributes.stream, step![0]!);
  return numbers;
}

function randomOp(
  name: 'randomUniform' | 'randomNormal',
  shader: typeof randomUniformShader,
  reference: (context: ReferenceContext<RandomAttributes>) => void,
): KernelOp<RandomAttributes> {
  return {
    kind: 'kernel',
    name,
    infer([step], { shape, dtype }) {
      requireDType(name, step!.dtype, ['int32']);
      requireDType(name, dtype, ['float32', 'float64']);
      return { shape, dtype };
    },
    gradient: null,
    reference,
    cost: (site) => streamingCost(site, 40),
    samples: WITH_SAMPLES
      ? [[9], [33, 31]].map((shape) => ({
          inputs: [{ shape: [], dtype: 'int32', values: [3] }],
          attributes: { shape, seedLow: 7, seedHigh: 1, stream: 2, dtype: 'float32' },
        }))
      : [],
    wasm: {
      calls({ output, attributes: { seedLow, seedHigh, stream } }) {
        const args = ['output' as const, sizeOf(output.shape), seedLow, seedHigh, stream, { input: 0 }];
        return [{ kernel: `${name}_${suffix(output.dtype)}`, args }];
      },
    },
    webgpu: {
      calls: ({ output, attributes: { seedLow, seedHigh, stream } }) =>
        shader({ n: sizeOf(output.shape), keyLow: seedLow, keyHigh: seedHigh, stream }),
    },
  };
}

const uniformDefinition = /* @__PURE__ */ randomOp('randomUniform', randomUniformShader, (context) => {
  context.out.set(uniforms(context).subarray(0, context.out.length));
});

/** Box-Muller on neighbouring pairs; 1 - u lies in (0, 1], so that the logarithm is finite. */
const normalDefinition = /* @__PURE__ */ randomOp('randomNormal', randomNormalShader, (context) => {
  const u = uniforms(context);
  for (let i = 0; i < context.out.length; i++) {
    const pair = i - (i % 2);
    const radius = Math.sqrt(-2 * Math.log(1 - u[pair]!));
    const angle = 2 * Math.PI * u[pair + 1]!;
    context.out[i] = radius * (i % 2 ? Math.sin(angle) : Math.cos(angle));
  }
});

/** Where random numbers come from: a seed, a stream that tells apart its uses, a step (int32 scalar) that goes on. */
export interface RandomOptions {
  seed: number;
  stream?: number;
  /** A tensor, so that a compiled step draws new numbers at each run; 0 where not said. */
  step?: Tensor;
  dtype?: DType;
}

function recorder(definition: KernelOp<RandomAttributes>) {
  const draw = (
    shape: Shape,
    { seed, stream = 0, step = constant(0, 'int32'), dtype = 'float32' }: RandomOptions,
  ): Tensor => {
    const [seedLow, seedHigh] = seedKey(seed);
    return record(definition, [step], { shape, seedLow, seedHigh, stream, dtype });
  };
  return Object.assign(draw, { definition: definition as unknown as KernelOp<Attributes> });
}

/** Uniform numbers in [0, 1), multiples of 2^-24. */
export const randomUniform = /* @__PURE__ */ recorder(uniformDefinition);
/** Normal numbers of mean 0 and standard deviation 1. */
export const randomNormal = /* @__PURE__ */ recorder(normalDefinition);
/** true with probability `p`. */
export const randomBernoulli = (shape: Shape, p: number, options: RandomOptions): Tensor =>
  less(randomUniform(shape, options), p);
