// Chains over many tensors in one dispatch: the updates of all parameters above all. Loads with the further shaders; what it
// needs of the core comes as an argument, as a bundler would cut the core in two if it imported that.
import type { Shape } from '../../dtype.js';
import type { Chain, Memory, Operand } from '../backend.js';
import type { Dispatch, LowerOptions, TogetherParts } from './lower.js';
import type { GpuMemory } from './memory.js';

/** Bytes: tensors start at multiples of `alignment`, and own the rest of their last group of four words. */
const [alignment, groupBytes] = [256, 16];

/** A chain as code that names its operands by number, and these. */
interface Form {
  readonly chain: Chain;
  readonly text: string;
  readonly operands: readonly Operand[];
}

/** A buffer and the part of it that is needed, in bytes. */
interface Range {
  readonly root: Memory;
  start: number;
  end: number;
}

const rootOf = (memory: Memory): Memory => (memory as GpuMemory).pool?.whole ?? memory;
const startOf = ({ memory, offset }: Operand): number => ((memory as GpuMemory).start ?? 0) + offset;

const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

const labelOf = ({ instructions }: Chain): string => instructions.map(({ op }) => op.name).join('+');

function formOf(chain: Chain, { chainSource }: TogetherParts): Form {
  const operands: Operand[] = [];
  const bind = (o: Operand) => {
    const known = operands.findIndex((p) => p.memory === o.memory && p.offset === o.offset);
    return { binding: null, name: `t${known < 0 ? operands.push(o) - 1 : known}` };
  };
  return { chain, text: chainSource(chain, { lanes: 4, bind, size: (n) => `${n}u` }), operands };
}

/**
 * Whether operands go along with the elements, or are single numbers that are not overwritten meanwhile. One that has a number for
 * each row of four goes along with the rows only.
 */
const isPlain = ({ chain, text, operands }: Form): boolean =>
  !/\bt\d+\[(?!q\]|0u\])|vec4u\(t\d+\[q\]/.test(text) &&
  operands.every((o) => startOf(o) % alignment === 0) &&
  (sizeOf(chain.shape) === 1 ||
    operands.every((_, i) => !text.includes(`t${i}[0u]`) || !text.includes(`t${i}[q] =`)));

/** Different chains in one shader: drivers have been seen to compile a switch over hundreds of them wrongly (Mesa's llvmpipe). */
const mostTexts = 8;

/** Chains of this number may have a dispatch without a table. */
const few = 8;

/** The dispatches of chains that do not depend on each other: one, if no broadcast and no limit of the adapter is in the way. */
export function lowerTogether(
  chains: readonly Chain[],
  options: LowerOptions,
  parts: TogetherParts,
): Dispatch[] {
  const apart = chains.length <= few ? parts.lowerWaiting(chains, options) : [];
  if (apart.length === 1) return apart;
  const forms = chains.map((chain) => formOf(chain, parts));
  const plain = forms.filter(isPlain);
  const others = forms.filter((form) => !plain.includes(form)).map(({ chain }) => chain);
  const some = byTexts(plain).flatMap((list) => lowerPlain(list, options, parts));
  return [...some, ...parts.lowerWaiting(others, options)];
}

/** Those of one text together, few texts in each list. */
function byTexts(forms: readonly Form[]): Form[][] {
  const lists = new Map<string, Form[]>();
  for (const form of forms) lists.set(form.text, [...(lists.get(form.text) ?? []), form]);
  const all = [...lists.values()];
  return Array.from({ length: Math.ceil(all.length / mostTexts) }, (_, i) =>
    all.slice(i * mostTexts, (i + 1) * mostTexts).flat(),
  );
}

function lowerPlain(forms: readonly Form[], options: LowerOptions, parts: TogetherParts): Dispatch[] {
  const made = forms.length > 1 && lowerForms(forms, options, parts);
  if (made) return [made];
  const chains = forms.map(({ chain }) => chain);
  if (forms.length < 2) return parts.lowerWaiting(chains, options);
  const half = Math.ceil(forms.length / 2);
  return [forms.slice(0, half), forms.slice(half)].flatMap((some) => lowerPlain(some, options, parts));
}

/** Null if they have too many buffers, or too large ones. */
function lowerForms(
  forms: readonly Form[],
  { maxBuffers, mostBound, scratch, fill }: LowerOptions,
  { suffixed, withMath, fillTemplate, spread, shaders }: TogetherParts,
): Dispatch | null {
  const ranges: Range[] = [];
  const rangeOf = ({ memory }: Operand): number => ranges.findIndex(({ root }) => root === rootOf(memory));
  for (const o of forms.flatMap(({ operands }) => operands)) {
    const start = startOf(o);
    const end = start + Math.ceil((4 * sizeOf(o.shape)) / groupBytes) * groupBytes;
    const known = ranges[rangeOf(o)];
    if (!known) ranges.push({ root: rootOf(o.memory), start, end });
    else Object.assign(known, { start: Math.min(known.start, start), end: Math.max(known.end, end) });
  }
  const WIDTH = 3 + Math.max(...forms.map(({ operands }) => operands.length));
  const fits = ranges.length < maxBuffers && ranges.every(({ start, end }) => end - start <= mostBound);
  if (!fits) return null;

  // Code by its text, then for the buffers in which the operands lie.
  const functions = new Map<string, number>();
  const finishes = new Map<string, number>();
  const code: string[] = [];
  const table = new Int32Array(forms.length * WIDTH);
  let groups = 0;
  forms.forEach(({ chain, text, operands }, row) => {
    const at = text.indexOf('fn finish');
    const shared = text.slice(0, at).replace(/^var.*\n/gm, '');
    const form = functions.get(shared) ?? functions.size;
    if (form === functions.size) code.push(suffixed(shared, form));
    functions.set(shared, form);
    const places = operands.map(rangeOf);
    const key = `${places} ${text}`;
    const finish = finishes.get(key) ?? finishes.size;
    if (finish === finishes.size) {
      const place = (i: string): string => `buffer${places[Number(i)]}[table[row + ${i}u]`;
      const own = text
        .slice(at)
        .replace(/\bt(\d+)\[q\]/g, (_, i: string) => `${place(i)} + q]`)
        .replace(/\bt(\d+)\[0u\]/g, (_, i: string) => `${place(i)}].x`);
      const named = suffixed(own, form).replace(`finish_${form}(q: u32`, `part_${finish}(q: u32, row: u32`);
      code.push(named);
    }
    finishes.set(key, finish);
    const count = Math.ceil(sizeOf(chain.shape) / 4);
    const starts = operands.map((o, i) => (startOf(o) - ranges[places[i]!]!.start) / groupBytes);
    table.set([groups, count, finish, ...starts], row * WIDTH);
    groups += Math.ceil(count / 256);
  });
  const text = fillTemplate(shaders.together!, {
    ...{ TENSORS: forms.length, WIDTH, FAMILIES: finishes.size },
    buffers: ranges.map((_, i) => ({ binding: i + 2, name: `buffer${i}` })),
    chains: withMath(['var<private> no_bits: u32 = 0u;', ...code].join('\n')),
  });
  const memory = scratch(table.byteLength);
  fill(memory, table);
  const labels = new Set(forms.map(({ chain }) => labelOf(chain)));
  return {
    text,
    sizes: new DataView(new ArrayBuffer(0)),
    bindings: [
      { memory, offset: 0, bytes: table.byteLength },
      ...ranges.map(({ root, start, end }) => ({ memory: root, offset: start, bytes: end - start })),
    ],
    label: `${[...labels].join(', ')} of ${forms.length} tensors`,
    workgroups: spread(groups),
  };
}
