// Cases for every op of the table: its own samples, the same with other dtypes, and awkward sizes, with fixed values.
import { type DType, dtypes, type HostArray, isFloat, type Shape, sizeOf } from '../../src/dtype.js';
import { EverygradError } from '../../src/errors.js';
import { type Attributes, record, type Spec, Tensor } from '../../src/graph.js';
import type { OpDefinition, Sample, SampleInput } from '../../src/ops/define.js';
import { RandomStream } from '../../src/philox.js';
import { extraSamples } from './sizes.js';

/** What the float inputs of a case are taken as. */
export type Float = 'float32' | 'float64';

export interface Case {
  readonly name: string;
  readonly op: OpDefinition;
  /** Inputs as they are with float32. */
  readonly specs: readonly Spec[];
  /** Floats are kept as float64, though each of them is a float32. */
  readonly values: readonly HostArray[];
  readonly attributes: Attributes;
}

const holder = (dtype: DType): DType => (dtype === 'float32' ? 'float64' : dtype);
const taken = (dtype: DType, float: Float): DType => (dtype === 'float32' ? float : dtype);

/** The attributes of a case: where one is the dtype float32, it follows. */
function attributesOf({ attributes }: Case, float: Float): Attributes {
  return attributes.dtype === 'float32' ? { ...attributes, dtype: float } : attributes;
}

export function specsOf(c: Case, float: Float): Spec[] {
  return c.specs.map(({ shape, dtype }) => ({ shape, dtype: taken(dtype, float) }));
}

/** Inputs as host data. */
export function inputsOf(c: Case, float: Float): Tensor[] {
  return specsOf(c, float).map(({ shape, dtype }, i) => {
    const data = new dtypes[dtype].array(c.values[i]!);
    return new Tensor({ kind: 'data', data }, shape, dtype);
  });
}

export const recordCase = (c: Case, float: Float, inputs: readonly Tensor[] = inputsOf(c, float)): Tensor =>
  record(c.op, inputs, attributesOf(c, float));

/** What the op's own reference gives, floats in double precision. */
export function expected(c: Case): HostArray {
  const inputs = specsOf(c, 'float64');
  const attributes = attributesOf(c, 'float64');
  const output = c.op.infer(inputs, attributes);
  const out = new dtypes[output.dtype].array(sizeOf(output.shape));
  c.op.reference({ inputs, output, attributes, values: c.values, out });
  return out;
}

const show = (c: Pick<Case, 'op' | 'specs' | 'attributes'>): string => {
  const inputs = c.specs.map(({ shape, dtype }) => `${dtype}(${shape})`);
  return `${c.op.name} ${inputs.join(' ')} ${JSON.stringify(c.attributes)}`;
};

/** Values for an input; every fifth float is whole, so that equal elements, zeros and other special cases occur. */
function draw({ shape, range, values }: SampleInput, dtype: DType, random: RandomStream): HostArray {
  const out = new dtypes[holder(dtype)].array(sizeOf(shape));
  const [low, high] = range ?? [-2, 2];
  for (let i = 0; i < out.length; i++) {
    const u = random.uniform();
    if (values) out[i] = values[i]!;
    else if (dtype === 'bool') out[i] = Number(u < 0.5);
    else if (dtype === 'uint8') out[i] = Math.floor(u * 256);
    else if (dtype === 'int32') out[i] = Math.floor(range ? low + u * (high - low) : u * 9 - 4);
    else {
      const x = Math.fround(low + u * (high - low));
      const whole = Math.round(x);
      out[i] = i % 5 === 3 && whole >= low && whole <= high ? whole : x;
    }
  }
  return out;
}

/** Whether an op takes such inputs; what it does not take must be one of the library's own errors. */
export function takes(op: OpDefinition, specs: readonly Spec[], attributes: Attributes): boolean {
  try {
    op.infer(specs, attributes);
    return true;
  } catch (error) {
    if (error instanceof EverygradError) return false;
    throw error;
  }
}

/** The case of a sample with open dtypes taken as `dtype`; null where the op does not take it. */
function caseOf(op: OpDefinition, sample: Sample, dtype: DType, random: RandomStream): Case | null {
  const specs = sample.inputs.map((input) => ({ shape: input.shape, dtype: input.dtype ?? dtype }));
  if (!takes(op, specs, sample.attributes)) return null;
  const values = sample.inputs.map((input, i) => draw(input, specs[i]!.dtype, random));
  const c = { op, specs, values, attributes: sample.attributes };
  return { ...c, name: show(c) };
}

/** All cases of an op: a sample that leaves the dtype open is also tried with whole numbers and bools. */
export function casesOf(op: OpDefinition): Case[] {
  const random = new RandomStream(11, 0);
  return [...op.samples, ...extraSamples(op)].flatMap((sample) => {
    const open = sample.inputs.some((input) => input.dtype === undefined);
    const list = (open ? (['float32', 'int32', 'bool', 'uint8'] as const) : (['float32'] as const)).map((d) =>
      caseOf(op, sample, d, random),
    );
    return list.filter((c) => c !== null);
  });
}

/** Whether a case says something new with this float: in double precision only what has floats does. */
export function hasMeaning(c: Case, float: Float): boolean {
  const output = c.op.infer(specsOf(c, float), attributesOf(c, float));
  if (c.op.name === 'cast' && specsOf(c, float)[0]!.dtype === output.dtype) return false;
  return float === 'float32' || isFloat(output.dtype) || specsOf(c, float).some((s) => isFloat(s.dtype));
}

/** A case with every float input on a grid of its own: no two are closer than the range over their number. */
export function spread(op: OpDefinition, sample: Sample): Case {
  const specs = sample.inputs.map((input) => ({ shape: input.shape, dtype: input.dtype ?? 'float32' }));
  const random = new RandomStream(12, 0);
  const total = specs.reduce((n, { shape }) => n + sizeOf(shape as Shape), 0);
  const ranks = random.permutation(total);
  let at = 0;
  const values = sample.inputs.map((input, i) => {
    const [low, high] = input.range ?? [-2, 2];
    const start = at;
    at += sizeOf(input.shape);
    if (specs[i]!.dtype !== 'float32') return draw(input, specs[i]!.dtype, random);
    return Float64Array.from({ length: sizeOf(input.shape) }, (_, k) =>
      Math.fround(low + ((high - low) * (ranks[start + k]! + 0.25)) / total),
    );
  });
  const c = { op, specs, values, attributes: sample.attributes };
  return { ...c, name: show(c) };
}

/** Fixed numbers in [-1, 1) to contract with, each a float32. */
export function weights(n: number, stream: number): Float64Array {
  const random = new RandomStream(13, stream);
  return Float64Array.from({ length: n }, () => Math.fround(2 * random.uniform() - 1));
}

export const dataTensor = (values: ArrayLike<number>, { shape, dtype }: Spec): Tensor =>
  new Tensor({ kind: 'data', data: new dtypes[dtype].array(values) }, shape, dtype);
