// A chain of elementwise ops as WGSL: the values that gpu/chain.wgsl is filled with.
import chainText from '../../../gpu/chain.wgsl';
import { broadcastStrides, type DType, type Shape, sizeOf } from '../../dtype.js';
import { DeviceError } from '../../errors.js';
import type { Chain, ChainInput, Operand } from '../backend.js';
import { shaders } from './shaders.js';
import { fillTemplate } from './template.js';

/** What a value is in registers. */
const registers: Record<DType, string> = {
  float32: 'f32',
  float64: 'f64',
  int32: 'i32',
  uint8: 'u32',
  bool: 'bool',
};

/** Where an operand is bound. */
export interface Slot {
  /** null where the kernel before the chain declares the buffer. */
  readonly binding: number | null;
  readonly name: string;
}

export interface ChainOptions {
  /** Elements that an invocation takes at a time. */
  readonly lanes: 1 | 4;
  /** Gives each operand its binding; operands at the same place share one. */
  readonly bind: (operand: Operand) => Slot;
  /** A whole number in the text: as it is, or as the name of a uniform, so that shapes share a pipeline. */
  readonly size: (n: number) => string;
  /** dtype and place of the result of the kernel before the chain, if there is one. */
  readonly kernel?: { readonly dtype: DType; readonly output: Operand | null };
}

/** Whether an expression uses functions of gpu/math.wgsl. */
export const needsMath = /\b(erf|logarithm|power)\(/;

/** Chains with the functions that they use. */
export const withMath = (text: string): string => (needsMath.test(text) ? `${shaders.math}\n${text}` : text);

interface Axis {
  size: number;
  stride: number;
}

/** Axes of `operand` in the index space of `shape`, innermost first, neighbours joined where they can be. */
function axesOf(operand: Shape, shape: Shape): Axis[] {
  const strides = broadcastStrides(operand, shape);
  const axes: Axis[] = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    const axis = { size: shape[i]!, stride: strides[i]! };
    const last = axes.at(-1);
    if (axis.size === 1) continue;
    if (last && axis.stride === last.stride * last.size) last.size *= axis.size;
    else axes.push(axis);
  }
  return axes;
}

/** Every element once and in order. */
export const isStreamed = (operand: Shape, shape: Shape): boolean =>
  axesOf(operand, shape).every(({ stride }, i) => i === 0 && stride === 1);

/** Operands that `chain` reads, each as often as it is read. */
export const loadsOf = (chain: Chain): Operand[] =>
  chain.instructions.flatMap(({ inputs }) =>
    inputs.flatMap((input) => (input.kind === 'operand' ? [input.operand] : [])),
  );

const placeOf = ({ memory, offset }: Operand, other: Operand): boolean =>
  memory === other.memory && offset === other.offset;

/**
 * True where groups of four neighbours can be taken at a time: all operands go along, or stand still. `wideInputs` are
 * the tensors that the kernel before the chain reads in fours.
 */
export function takesFour(chain: Chain, wideInputs: readonly Operand[] = []): boolean {
  if (sizeOf(chain.shape) % 4 !== 0) return false;
  const loads = loadsOf(chain);
  const widths = loads.map((operand) => ({ operand, wide: isWide(operand.shape, chain.shape) }));
  // A buffer is bound as words or as groups of four, not as both.
  const mixed = (place: Operand, wide: boolean): boolean =>
    widths.some((w) => placeOf(w.operand, place) && w.wide !== wide);
  return (
    loads.every(({ shape }) => (axesOf(shape, chain.shape)[0]?.size ?? 4) % 4 === 0) &&
    !widths.some(({ operand, wide }) => mixed(operand, wide)) &&
    ![...chain.stores.map(({ to }) => to), ...wideInputs].some((place) => mixed(place, true))
  );
}

const isWide = (operand: Shape, shape: Shape): boolean => axesOf(operand, shape)[0]?.stride === 1;

/** WGSL for the place of element (or group of four) `q` in an operand's buffer. */
function indexOf(operand: Shape, shape: Shape, lanes: number, size: (n: number) => string): string {
  const axes = axesOf(operand, shape);
  const wide = axes[0]?.stride === 1;
  const terms: string[] = [];
  let inner = 1;
  axes.forEach(({ size: length, stride }, i) => {
    const n = i === 0 ? length / lanes : length;
    const step = i > 0 && wide ? stride / lanes : stride;
    if (step > 0) {
      const divided = inner === 1 ? 'q' : `q / ${size(inner)}`;
      const wrapped = i === axes.length - 1 ? divided : `${divided} % ${size(n)}`;
      terms.push(step === 1 ? wrapped : `(${wrapped}) * ${size(step)}`);
    }
    inner *= n;
  });
  return terms.length ? terms.join(' + ') : '0u';
}

const bitsOf = (value: number): string => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return `0x${view.getUint32(0).toString(16)}u`;
};

/** A constant as WGSL; what has no literal is made of bits at run time. */
export function literal(value: number, dtype: DType): string {
  if (dtype === 'bool') return value ? 'true' : 'false';
  if (dtype === 'uint8') return `${value & 255}u`;
  if (dtype === 'int32') return `i32(${Math.trunc(value) | 0})`;
  const single = Math.fround(value);
  // Subnormals may be flushed by a compiler that reads them as decimals.
  if (!Number.isFinite(single) || Math.abs(single) < 2 ** -126) {
    return Object.is(single, 0) ? '0.0f' : `bitcast<f32>(no_bits | ${bitsOf(single)})`;
  }
  return single < 0 ? `(${single}f)` : `${single}f`;
}

const fromWord = (word: string, dtype: DType): string => {
  if (dtype === 'bool') return `(${word} != 0u)`;
  return dtype === 'uint8' ? word : `bitcast<${registers[dtype]}>(${word})`;
};

const toWord = (value: string, dtype: DType): string => {
  if (dtype === 'bool') return `select(0u, 1u, ${value})`;
  return dtype === 'uint8' ? `(${value} & 255u)` : `bitcast<u32>(${value})`;
};

interface Load {
  readonly slot: Slot;
  readonly index: string;
  readonly wide: boolean;
}

const laneNames = ['x', 'y', 'z', 'w'];

/** The WGSL of a chain, without math: bindings and `finish(q)`, or `finish(q, kernel)` after a kernel; it gives the result. */
export function chainSource(chain: Chain, { lanes, bind, size, kernel }: ChainOptions): string {
  const { shape, instructions, result } = chain;
  const buffers = new Map<string, { binding: number; name: string; type: string }>();
  const use = (operand: Operand, wide: boolean): Slot => {
    const slot = bind(operand);
    const type = wide && lanes === 4 ? 'vec4u' : 'u32';
    const { binding, name } = slot;
    if (binding !== null) buffers.set(name, { binding, name, type });
    return slot;
  };

  const loads: Load[] = [];
  const loadNames = new Map<string, string>();
  const values: { name: string; value: string }[] = [];
  const read = (input: ChainInput): string => {
    if (input.kind === 'instruction') return `v${input.index}`;
    if (input.kind === 'constant') return literal(input.value, input.dtype);
    if (input.kind === 'kernel') return 'kernel';
    const { operand } = input;
    const index = indexOf(operand.shape, shape, lanes, size);
    const wide = isWide(operand.shape, shape);
    const slot = use(operand, wide);
    const key = `${slot.name}[${index}] ${operand.dtype}`;
    const known = loadNames.get(key);
    if (known) return known;
    const name = `x${loads.length}`;
    values.push({ name, value: fromWord(`w${loads.length}`, operand.dtype) });
    loads.push({ slot, index, wide });
    loadNames.set(key, name);
    return name;
  };

  const functions = new Map<string, { name: string; parameters: string; type: string; expression: string }>();
  instructions.forEach(({ op, site, inputs }, i) => {
    const parameters = inputs.map((_, j) => `${'abc'[j]}: ${registers[site.inputs[j]!.dtype]}`).join(', ');
    const type = registers[site.output.dtype];
    const bare = op.webgpu.expression(site);
    const expression = site.output.dtype === 'uint8' ? `(${bare}) & 255u` : bare;
    const key = `${parameters} ${type} ${expression}`;
    const f = functions.get(key) ?? { name: `op${functions.size}`, parameters, type, expression };
    functions.set(key, f);
    const args = inputs.map(read).join(', ');
    values.push({ name: `v${i}`, value: `${f.name}(${args})` });
  });

  const wordOf = (i: number): string => toWord(`v${i}`, instructions[i]!.site.output.dtype);
  const results: { to: Operand | null; word: string }[] = chain.stores.map(({ instruction, to }) => ({
    to,
    word: wordOf(instruction),
  }));
  if (kernel?.output) results.push({ to: kernel.output, word: toWord('kernel', kernel.dtype) });
  if (result !== undefined) results.push({ to: null, word: wordOf(result) });
  if (results.length === 0) {
    throw new DeviceError({
      where: 'webgpu',
      problem: 'a chain stores nothing',
      hint: 'this is a bug in the plan',
    });
  }
  const kernelType = kernel ? registers[kernel.dtype] : '';
  const laneList = lanes === 4 ? laneNames : [''];
  const suffix = (lane: string): string => (lane ? `.${lane}` : '');
  const stores = results.map(({ to }, i) => {
    const parts = laneList.map((lane) => `result${lane}.s${i}`);
    const words = lanes === 4 ? `vec4u(${parts.join(', ')})` : parts[0]!;
    return { name: `s${i}`, to: to ? `${use(to, true).name}[q] =` : 'return', words };
  });
  const scope = {
    buffers: [...buffers.values()],
    functions: [...functions.values()],
    parameters: [...loads.map((_, i) => `w${i}: u32`), ...(kernel ? [`kernel: ${kernelType}`] : [])].join(
      ', ',
    ),
    values,
    results: results.map(({ word }) => word).join(', '),
    signature: `q: u32${kernel ? `, kernel: ${lanes === 4 ? `vec4<${kernelType}>` : kernelType}` : ''})${result === undefined ? '' : ' -> u32'}`,
    loads: loads.map(({ slot, index, wide }, i) => {
      const word = `${slot.name}[${index}]`;
      return { name: `w${i}`, value: lanes === 4 && !wide ? `vec4u(${word})` : word };
    }),
    lanes: laneList.map((lane) => ({
      result: `result${lane}`,
      arguments: [...loads.map((_, i) => `w${i}`), ...(kernel ? ['kernel'] : [])]
        .map((name) => name + suffix(lane))
        .join(', '),
    })),
    stores,
  };
  return fillTemplate(chainText, scope);
}
