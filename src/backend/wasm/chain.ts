// Plans a chain of elementwise ops for the fused loop: which block kernel reads and writes where, block by block.
// Intermediates live in registers: pieces of scratch memory, one block long, that stay in the L1 cache.
import { broadcastStrides, type DType, dtypes, type Shape, sizeOf } from '../../dtype.js';
import { DeviceError } from '../../errors.js';
import { hostBytes } from '../../ops/define.js';
import type { Chain, ChainInput, Operand } from '../backend.js';

/** Where a block kernel reads or writes. */
export type Place =
  /** Contiguous memory; moves on with the blocks. */
  | { readonly kind: 'stream'; readonly address: number; readonly bytes: number }
  | { readonly kind: 'register'; readonly register: number }
  /** A row that repeats along all outer axes; in scratch memory, so often that a block never meets its end. */
  | { readonly kind: 'row'; readonly row: number };

/** An axis of a broadcast operand: its length in the index space and its stride in elements. */
export interface Axis {
  readonly size: number;
  readonly stride: number;
}

/** What happens to each block, in order. */
export type BlockStep =
  | { readonly kind: 'kernel'; readonly kernel: string; readonly to: Place; readonly from: readonly Place[] }
  /** Gathers a block of a broadcast operand; axes from the outermost to the innermost. */
  | {
      readonly kind: 'fill';
      readonly to: Place;
      readonly address: number;
      readonly bytes: number;
      readonly axes: readonly Axis[];
    };

/** A register that holds one number in all places, set once. */
export interface Splat {
  readonly register: number;
  readonly from: { readonly address: number } | { readonly value: number };
  readonly dtype: DType;
}

/** A short row that is read as if it were repeated without end. */
export interface Row {
  readonly address: number;
  /** Of an element. */
  readonly bytes: number;
  readonly length: number;
}

/** Longer rows are copied block by block: that costs less than to repeat them first. */
const longestRow = 512;

export interface ChainPlan {
  /** Elements of the index space. */
  readonly size: number;
  readonly rows: readonly Row[];
  readonly splats: readonly Splat[];
  readonly body: readonly BlockStep[];
  readonly registers: number;
  /** Of the widest register. */
  readonly elementBytes: number;
}

/** A value on its way through the chain. */
interface Value {
  readonly bytes: number;
  /** Set for memory, and for results once it is clear where they go. */
  place: Place | null;
  /** The entry of the body after which nobody needs it. */
  lastUse: number;
}

interface Entry {
  readonly from: readonly Value[];
  readonly to: Value;
  readonly kernel: string | null;
  readonly fill: { address: number; bytes: number; axes: readonly Axis[] } | null;
}

export function planChain(chain: Chain, address: (o: Operand) => number): ChainPlan {
  return new Planner(chain, address).plan();
}

class Planner {
  readonly #chain: Chain;
  readonly #address: (operand: Operand) => number;
  readonly #size: number;
  readonly #body: Entry[] = [];
  readonly #splats: { value: Value; from: Splat['from']; dtype: DType }[] = [];
  readonly #rows: Row[] = [];
  /** Values by instruction, made when first needed, and by what they are loaded from. */
  readonly #results: (Value | undefined)[] = [];
  readonly #loaded = new Map<string, Value>();

  constructor(chain: Chain, address: (o: Operand) => number) {
    this.#chain = chain;
    this.#address = address;
    this.#size = sizeOf(chain.shape);
  }

  plan(): ChainPlan {
    const { stores } = this.#chain;
    this.#checkOverlaps();
    const needed = this.#needed();
    for (const [i, { op, site, inputs }] of this.#chain.instructions.entries()) {
      if (!needed.has(i)) continue;
      const from = inputs.map((input) => this.#value(input));
      const kernel = op.wasm.kernel(site);
      this.#results[i] = kernel ? this.#append(kernel, from, site.output.dtype) : (from[0] as Value);
    }
    const pending = stores.map(({ instruction, to }) => {
      const value = this.#results[instruction] as Value;
      // What is passed on from memory is copied first, as if by an instruction.
      const made = this.#body.some((entry) => entry.to === value);
      return { value: made ? value : this.#append(copyOf(to.dtype), [value], to.dtype), to };
    });
    for (const { value, to } of pending) {
      const target = stream(this.#address(to), to.dtype);
      if (!value.place && !this.#isReadLater(target.address, value)) value.place = target;
      else this.#append(copyOf(to.dtype), [value], to.dtype).place = target;
    }
    return this.#assignRegisters();
  }

  /** Instructions that a store depends on. */
  #needed(): Set<number> {
    const needed = new Set(this.#chain.stores.map(({ instruction }) => instruction));
    for (let i = this.#chain.instructions.length - 1; i >= 0; i--) {
      if (!needed.has(i)) continue;
      for (const input of this.#chain.instructions[i]?.inputs ?? []) {
        if (input.kind === 'instruction') needed.add(input.index);
      }
    }
    return needed;
  }

  #append(kernel: string, from: readonly Value[], dtype: DType): Value {
    const to: Value = { bytes: dtypes[dtype].bytes, place: null, lastUse: -1 };
    this.#body.push({ kernel, from, to, fill: null });
    return to;
  }

  #value(input: ChainInput): Value {
    if (input.kind === 'instruction') return this.#results[input.index] as Value;
    if (input.kind === 'constant') {
      const { value, dtype } = input;
      return this.#splat(`${Object.is(value, -0) ? '-0' : value} ${dtype}`, { value }, dtype);
    }
    if (input.kind === 'operand') return this.#load(input.operand);
    throw new DeviceError({
      where: 'wasm',
      problem: "a chain reads its step's kernel, which applies it itself",
      hint: 'this is a bug of everygrad, please report it',
    });
  }

  #load(operand: Operand): Value {
    const { shape, dtype } = operand;
    const address = this.#address(operand);
    const { bytes } = dtypes[dtype];
    const count = sizeOf(shape);
    const key = `${address} ${shape} ${dtype}`;
    if (count === 1 && this.#size > 1) return this.#splat(key, { address }, dtype);
    let value = this.#loaded.get(key);
    if (!value) {
      value = { bytes, place: null, lastUse: -1 };
      this.#loaded.set(key, value);
      if (count === this.#size) value.place = stream(address, dtype);
      else {
        const axes = mergedAxes(shape, this.#chain.shape);
        const [outer, inner] = axes;
        if (axes.length === 2 && outer!.stride === 0 && inner!.stride === 1 && inner!.size <= longestRow) {
          value.place = { kind: 'row', row: this.#rows.length };
          this.#rows.push({ address, bytes, length: inner!.size });
        } else this.#body.push({ kernel: null, from: [], to: value, fill: { address, bytes, axes } });
      }
    }
    return value;
  }

  #splat(key: string, from: Splat['from'], dtype: DType): Value {
    let value = this.#loaded.get(key);
    if (!value) {
      value = { bytes: dtypes[dtype].bytes, place: null, lastUse: -1 };
      this.#loaded.set(key, value);
      this.#splats.push({ value, from, dtype });
    }
    return value;
  }

  /** Whether memory at `address` is still read after the entry that makes `value`. */
  #isReadLater(address: number, value: Value): boolean {
    const made = this.#body.findIndex((entry) => entry.to === value);
    const loaded = new Set(this.#loaded.values());
    return this.#body
      .slice(made + 1)
      .some(({ from }) =>
        from.some((v) => loaded.has(v) && v.place?.kind === 'stream' && v.place.address === address),
      );
  }

  #assignRegisters(): ChainPlan {
    for (const [i, { from }] of this.#body.entries()) for (const value of from) value.lastUse = i;
    let registers = 0;
    let elementBytes = 1;
    const free: number[] = [];
    const take = ({ bytes }: Value): Place => {
      elementBytes = Math.max(elementBytes, bytes);
      return { kind: 'register', register: free.pop() ?? registers++ };
    };
    const splats = this.#splats.map(({ value, from, dtype }): Splat => {
      value.place = take(value);
      return { register: registers - 1, from, dtype };
    });
    const lasting = new Set(this.#splats.map(({ value }) => value));
    const body = this.#body.map((entry, i): BlockStep => {
      const ending = [...new Set(entry.from)].filter(
        (v) => v.lastUse === i && v.place?.kind === 'register' && !lasting.has(v),
      );
      const release = (v: Value) => free.push((v.place as { register: number }).register);
      // A kernel may write over what it reads, where both have elements of one size.
      for (const v of ending) if (v.bytes === entry.to.bytes) release(v);
      entry.to.place ??= take(entry.to);
      for (const v of ending) if (v.bytes !== entry.to.bytes) release(v);
      const to = entry.to.place;
      if (entry.fill) return { kind: 'fill', to, ...entry.fill };
      return {
        kind: 'kernel',
        kernel: entry.kernel as string,
        to,
        from: entry.from.map((v) => v.place as Place),
      };
    });
    return { size: this.#size, rows: this.#rows, splats, body, registers, elementBytes };
  }

  /** A store may go where an operand was loaded from element by element, never across elements. */
  #checkOverlaps(): void {
    const operands = this.#chain.instructions.flatMap(({ inputs }) =>
      inputs.flatMap((input) => (input.kind === 'operand' ? [input.operand] : [])),
    );
    for (const { to } of this.#chain.stores) {
      const start = this.#address(to);
      for (const operand of operands) {
        const other = this.#address(operand);
        if (start >= other + hostBytes(operand) || other >= start + hostBytes(to)) continue;
        if (start === other && hostBytes(operand) === hostBytes(to)) continue;
        throw new DeviceError({
          where: 'wasm',
          problem: `a chain stores ${hostBytes(to)} bytes at ${start} over an operand of ${hostBytes(operand)} bytes at ${other}`,
          hint: 'this is a bug of everygrad, please report it',
        });
      }
    }
  }
}

const stream = (address: number, dtype: DType) =>
  ({ kind: 'stream', address, bytes: dtypes[dtype].bytes }) as const;

const copyOf = (dtype: DType): string => `copy_${dtypes[dtype].bytes * 8}`;

/** The axes of `shape` broadcast to `to`, those joined that one stride can walk. */
export function mergedAxes(shape: Shape, to: Shape): Axis[] {
  const strides = broadcastStrides(shape, to);
  const axes: Axis[] = [];
  for (const [i, size] of to.entries()) {
    const stride = strides[i] as number;
    const outer = axes.at(-1);
    if (size === 1) continue;
    if (outer && outer.stride === stride * size) axes[axes.length - 1] = { size: outer.size * size, stride };
    else axes.push({ size, stride });
  }
  return axes;
}
