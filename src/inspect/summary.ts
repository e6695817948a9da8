// What a model is made of: its layers with shapes, parameters and flops. Nothing is computed.
import { type Shape, showShape } from '../dtype.js';
import type { Tensor } from '../graph.js';
import { inference, type Module } from '../nn/module.js';
import { kindOf, type LayerCall, watchLayers } from '../nn/watch.js';
import { zeros } from '../ops/index.js';
import type { OpTensor } from '../schedule/graph.js';
import { siteOf } from '../schedule/place.js';
import { core } from '../train/core.js';

/** One call of a layer. */
export interface SummaryRow {
  /** As in `0` or `encoder.2`. */
  path: string;
  /** As in `relu` or `Linear`. */
  kind: string;
  /** Of the output for one example, without the batch axis. */
  shape: Shape;
  /** Trained numbers of the layer and of those inside of it; 0 where it was called before: shared weights count once. */
  parameters: number;
  /** Floating-point operations of the forward pass for one example, with those of the layers inside; a product and its sum are two. */
  flops: number;
}

/** What `summary` gives. */
export interface Summary {
  /** In the order of the forward pass, a layer before those inside of it. */
  rows: SummaryRow[];
  /** Of the whole model. */
  parameters: number;
  /** Those that are not frozen. */
  trainable: number;
  /** Of the whole forward pass for one example. */
  flops: number;
  /** All of it as a table of text. */
  toString(): string;
}

/** Flops of what was recorded between two ids and is needed for a tensor. */
function flopsOf({ output, above, below }: Pick<LayerCall, 'output' | 'above' | 'below'>): number {
  const seen = new Set<Tensor>();
  let flops = 0;
  const waiting = [output];
  for (let t = waiting.pop(); t; t = waiting.pop()) {
    if (seen.has(t) || t.id <= above || t.id >= below || t.source.kind !== 'op') continue;
    seen.add(t);
    flops += t.source.op.cost(siteOf(t as OpTensor)).flops;
    waiting.push(...t.source.inputs);
  }
  return flops;
}

/**
 * The layers of a model for inputs of a shape (one example, without the batch axis), with the shapes of their outputs, their
 * parameters and the flops of their forward pass: `console.log(String(summary(model, [784])))`. Errors: as in the forward
 * pass, for a shape that does not fit.
 */
export function summary(model: Module, inputShape: Shape): Summary {
  const x = zeros([1, ...inputShape]);
  const { result, calls } = watchLayers(core(), model, () => model.forward(x, inference()));
  const order = calls.filter(({ path }) => path !== '').sort((a, b) => a.above - b.above);
  const counted = new Set<Module>();
  const rows = order.map((call): SummaryRow => {
    const { path, layer, output } = call;
    const parameters = counted.has(layer) ? 0 : layer.parameterCount;
    counted.add(layer);
    return { path, kind: kindOf(layer), shape: output.shape.slice(1), parameters, flops: flopsOf(call) };
  });
  const trainable = model.parameters().reduce((n, p) => n + (p.trainable ? p.size : 0), 0);
  const whole = { output: result, above: x.id, below: Number.POSITIVE_INFINITY };
  const found = { rows, parameters: model.parameterCount, trainable, flops: flopsOf(whole) };
  return { ...found, toString: () => textOf(found) };
}

function textOf({ rows, parameters, trainable, flops }: Omit<Summary, 'toString'>): string {
  const number = (n: number): string => n.toLocaleString('en-US');
  const cells = rows.map(({ path, kind, shape, parameters: own, flops: f }) => {
    const indent = '  '.repeat(path.split('.').length - 1);
    return [`${indent}${path} ${kind}`, showShape(shape), number(own), number(f)];
  });
  const table = [
    ['layer', 'output', 'parameters', 'flops'],
    ...cells,
    ['', '', number(parameters), number(flops)],
  ];
  const widths = [0, 1, 2, 3].map((i) => Math.max(...table.map((row) => row[i]!.length)));
  const lines = table.map((row) =>
    row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  const frozen = parameters - trainable;
  return [...lines, ...(frozen > 0 ? [`${number(frozen)} parameters are frozen`] : [])].join('\n');
}
