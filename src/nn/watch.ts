// Watches the layers of a model while a forward pass is recorded: which layer recorded what, and what came out of it.
import type { Tensor } from '../graph.js';
import type { Context, Module } from './module.js';

/** One call of a layer's forward pass. */
export interface LayerCall {
  /** As in `0` or `encoder.2`; empty for the model itself. */
  readonly path: string;
  readonly layer: Module;
  readonly input: Tensor;
  readonly output: Tensor;
  /** Ids of what was recorded in the call are above the one and below the other. */
  readonly above: number;
  readonly below: number;
}

/**
 * Runs `f`, which records, and gives the calls of the model and all modules inside of it, in the order in which they
 * ended. Recording is synchronous, so for its time the modules get a forward pass of their own that notes the calls.
 */
export function watchLayers<R>(
  { Tensor: TensorClass }: { Tensor: typeof Tensor },
  model: Module,
  f: () => R,
): { result: R; calls: LayerCall[] } {
  // Ids grow with the order of recording.
  const now = (): number => new TensorClass({ kind: 'constant', value: 0 }, [], 'float32').id;
  const calls: LayerCall[] = [];
  const restore: (() => void)[] = [];
  for (const [path, layer] of new Map([['', model], ...model.namedModules()])) {
    const own = Object.getOwnPropertyDescriptor(layer, 'forward');
    const { forward } = layer;
    const watched = (input: Tensor, context: Context): Tensor => {
      const above = now();
      const output = forward.call(layer, input, context);
      if (output instanceof TensorClass) calls.push({ path, layer, input, output, above, below: now() });
      return output;
    };
    Object.defineProperty(layer, 'forward', { value: watched, configurable: true });
    restore.push(() => {
      if (own) Object.defineProperty(layer, 'forward', own);
      else delete (layer as { forward?: unknown }).forward;
    });
  }
  try {
    return { result: f(), calls };
  } finally {
    for (const undo of restore) undo();
  }
}

/** What a layer is called: the name of a function's layer, else that of its class. */
export function kindOf(layer: Module): string {
  const name = (layer as { name?: unknown }).name;
  return typeof name === 'string' ? name : layer.constructor.name;
}
