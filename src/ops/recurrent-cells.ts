// The cells of recurrent networks as formulas over anything that can be added and multiplied: over numbers they are the
// reference, over tensors the composition for single cells and for second derivatives. Names and order are PyTorch's.
import type { Tensor } from '../graph.js';
import { add, less, mul, relu, sigmoid, sub, tanh, where } from './arithmetic.js';

/** Arithmetic on numbers or on tensors. */
export interface Algebra<V> {
  add(a: V | number, b: V | number): V;
  sub(a: V | number, b: V | number): V;
  mul(a: V | number, b: V | number): V;
  sigmoid(a: V): V;
  tanh(a: V): V;
  relu(a: V): V;
  /** `a` where x > 0, else 0. */
  wherePositive(x: V, a: V): V;
}

export const scalars: Algebra<number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  tanh: Math.tanh,
  relu: (a) => Math.max(a, 0),
  wherePositive: (x, a) => (x > 0 ? a : 0),
};

export const tensors: Algebra<Tensor> = {
  add,
  sub,
  mul,
  sigmoid,
  tanh,
  relu,
  wherePositive: (x, a) => where(less(0, x), a, 0),
};

/** What goes into a cell, each part as wide as the state: W x, U h, the biases; and the states before. */
export interface CellInput<V> {
  readonly x: readonly V[];
  readonly q: readonly V[];
  readonly bias: readonly V[];
  readonly before: readonly V[];
}

/** Values of a step that the way back needs, and gradients by them; `dKept` may be numbers 0. */
export interface CellGradientInput<V> {
  readonly kept: readonly V[];
  readonly before: readonly V[];
  readonly after: readonly V[];
  readonly dKept: readonly (V | number)[];
  readonly dAfter: readonly V[];
}

export interface Cell {
  readonly name: 'rnnTanh' | 'rnnRelu' | 'gru' | 'lstm';
  /** Parts of W x and of U h. */
  readonly gates: number;
  /** States: hidden, and for an LSTM the cell. */
  readonly states: 1 | 2;
  /** Values of each step that are kept for the way back, besides the states. */
  readonly kept: 0 | 4;
  /** Biases; sums into gates whose gradients are computed. */
  readonly parts: 1 | 4;
  /** Which of the parts W x goes into, and which U h. */
  readonly inputParts: readonly number[];
  readonly recurrentParts: readonly number[];
  forward<V>(m: Algebra<V>, input: CellInput<V>): { kept: V[]; after: V[] };
  /** Gradients by the parts, and by the states before where U h is not the way: numbers 0 where there is no other. */
  backward<V>(m: Algebra<V>, input: CellGradientInput<V>): { parts: V[]; before: (V | number)[] };
}

/** d s(1 - s): the gradient through a sigmoid of value s. */
const throughSigmoid = <V>(m: Algebra<V>, d: V, s: V): V => m.mul(d, m.mul(s, m.sub(1, s)));
/** d (1 - t²): the gradient through a tanh of value t. */
const throughTanh = <V>(m: Algebra<V>, d: V, t: V): V => m.mul(d, m.sub(1, m.mul(t, t)));

/** A cell without gates. */
const simple = (own: Pick<Cell, 'name' | 'forward' | 'backward'>): Cell => ({
  ...{ gates: 1, states: 1, kept: 0, parts: 1, inputParts: [0], recurrentParts: [0] },
  ...own,
});

/** h' = tanh(W x + U h + b) (Elman 1990). */
export const rnnTanh = /* @__PURE__ */ simple({
  name: 'rnnTanh',
  forward: (m, { x, q, bias }) => ({
    kept: [],
    after: [m.tanh(m.add(m.add(q[0]!, x[0]!), bias[0]!))],
  }),
  backward: (m, { after, dAfter }) => ({ parts: [throughTanh(m, dAfter[0]!, after[0]!)], before: [0] }),
});

/** h' = max(0, W x + U h + b). */
export const rnnRelu = /* @__PURE__ */ simple({
  name: 'rnnRelu',
  forward: (m, { x, q, bias }) => ({
    kept: [],
    after: [m.relu(m.add(m.add(q[0]!, x[0]!), bias[0]!))],
  }),
  backward: (m, { after, dAfter }) => ({ parts: [m.wherePositive(after[0]!, dAfter[0]!)], before: [0] }),
});

/**
 * Cho et al. 2014, with the reset gate applied after the product, as in PyTorch:
 * r = sigmoid(x0 + q0 + b0), z = sigmoid(x1 + q1 + b1), p = q2 + b3, n = tanh(x2 + b2 + r p), h' = (1 - z) n + z h.
 */
export const gru: Cell = {
  name: 'gru',
  gates: 3,
  states: 1,
  kept: 4,
  parts: 4,
  inputParts: [0, 1, 2],
  recurrentParts: [0, 1, 3],
  forward(m, { x, q, bias, before: [h] }) {
    const r = m.sigmoid(m.add(m.add(q[0]!, x[0]!), bias[0]!));
    const z = m.sigmoid(m.add(m.add(q[1]!, x[1]!), bias[1]!));
    const p = m.add(q[2]!, bias[3]!);
    const n = m.tanh(m.add(m.add(x[2]!, bias[2]!), m.mul(r, p)));
    return { kept: [r, z, n, p], after: [m.add(n, m.mul(z, m.sub(h!, n)))] };
  },
  backward(m, { kept, before: [h], dKept, dAfter: [dh] }) {
    const [r, z, n, p] = kept as [(typeof kept)[0], (typeof kept)[0], (typeof kept)[0], (typeof kept)[0]];
    const dn = m.add(m.mul(dh!, m.sub(1, z)), dKept[2]!);
    const dz = m.add(m.mul(dh!, m.sub(h!, n)), dKept[1]!);
    const sum = throughTanh(m, dn, n);
    const dr = m.add(m.mul(sum, p), dKept[0]!);
    const dp = m.add(m.mul(sum, r), dKept[3]!);
    return {
      parts: [throughSigmoid(m, dr, r), throughSigmoid(m, dz, z), sum, dp],
      before: [m.mul(dh!, z)],
    };
  },
};

/**
 * Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000: i, f, o = sigmoid(x + q + b),
 * g = tanh(x2 + q2 + b2), in the order i, f, g, o; c' = f c + i g, h' = o tanh(c').
 */
export const lstm: Cell = {
  name: 'lstm',
  gates: 4,
  states: 2,
  kept: 4,
  parts: 4,
  inputParts: [0, 1, 2, 3],
  recurrentParts: [0, 1, 2, 3],
  forward(m, { x, q, bias, before: [, c] }) {
    const sums = x.map((part, i) => m.add(m.add(q[i]!, part), bias[i]!));
    const [i, f, g, o] = [
      m.sigmoid(sums[0]!),
      m.sigmoid(sums[1]!),
      m.tanh(sums[2]!),
      m.sigmoid(sums[3]!),
    ] as const;
    const cell = m.add(m.mul(f, c!), m.mul(i, g));
    return { kept: [i, f, g, o], after: [m.mul(o, m.tanh(cell)), cell] };
  },
  backward(m, { kept, before: [, c], after: [, cell], dKept, dAfter: [dh, dCell] }) {
    const [i, f, g, o] = kept as [(typeof kept)[0], (typeof kept)[0], (typeof kept)[0], (typeof kept)[0]];
    const t = m.tanh(cell!);
    const dc = m.add(dCell!, throughTanh(m, m.mul(dh!, o), t));
    return {
      parts: [
        throughSigmoid(m, m.add(m.mul(dc, g), dKept[0]!), i),
        throughSigmoid(m, m.add(m.mul(dc, c!), dKept[1]!), f),
        throughTanh(m, m.add(m.mul(dc, i), dKept[2]!), g),
        throughSigmoid(m, m.add(m.mul(dh!, t), dKept[3]!), o),
      ],
      before: [0, m.mul(dc, f)],
    };
  },
};

export const cells = { rnnTanh, rnnRelu, gru, lstm } as const;
