// Runs one row of a table of GPU variants, and compares it with the op's slow reference, outputs poisoned first.
import * as assert from 'uvu/assert';
import type { Step } from '../../src/backend/backend.js';
import type { WebgpuBackend } from '../../src/backend/webgpu/index.js';
import { toolbox, type Variant, variants } from '../../src/backend/webgpu/variants.js';
import { extraVariants } from '../../src/backend/webgpu/variants-extra.js';
import { dtypes, sizeOf } from '../../src/dtype.js';
import type { KernelOp, Sample } from '../../src/ops/define.js';
import { halfBits } from '../../src/ops/half.js';
import { RandomStream } from '../../src/philox.js';
import { skip } from './skip.js';
import { Arena, chainOf, handMade, instruction, kernelResult, operand, result } from './webgpu.js';

/** SwiftShader takes seconds to compile a shader with many registers; it gets a few of them, lavapipe all. */
const quick = /^(direct|bitonic|blocks|sorted|32x32|vector|subgroup 32x128)/;
const quickProduct = /^(16x16|subgroup)/;

const add = handMade('add', ['float32', 'float32'], 'float32', 'a + b', (a, b) => a! + b!);
const relu = handMade('relu', ['float32'], 'float32', 'max(a, 0.0)', (a) => Math.max(a!, 0));

export const extra = extraVariants(toolbox);

/** Shapes of a product. */
export const product = (a: number[], b: number[], transA = false, transB = false): Sample => ({
  inputs: [{ shape: a }, { shape: b }],
  attributes: { transA, transB },
});

export class VariantRunner {
  readonly backend: WebgpuBackend;
  random = new RandomStream(1, 0);

  constructor(backend: WebgpuBackend) {
    this.backend = backend;
  }

  get slow(): boolean {
    return /swiftshader/i.test(this.backend.description);
  }

  /** Runs an op on random values and compares it with its reference; with `chain` a bias and a relu come after it. */
  async check(op: KernelOp, sample: Sample, what: string, { chain = false, ulps = 4 } = {}): Promise<void> {
    const { attributes } = sample;
    const specs = sample.inputs.map(({ shape, dtype = 'float32' }) => ({ shape, dtype }));
    const values = specs.map(
      ({ shape, dtype }, i) =>
        new dtypes[dtype].array(
          sample.inputs[i]!.values ??
            Array.from({ length: sizeOf(shape) }, () =>
              dtype === 'float32' ? 2 * this.random.uniform() - 1 : this.random.integer(100),
            ),
        ),
    );
    const output = op.infer(specs, attributes);
    const expected = new Float64Array(sizeOf(output.shape));
    op.reference({ inputs: specs, output, attributes, values, out: expected });
    const arena = new Arena(this.backend, 2 ** 24);
    try {
      const inputs = specs.map(({ shape, dtype }, i) => arena.put(values[i]!, shape, dtype));
      const own = arena.poisoned(output.shape, output.dtype);
      const after = arena.poisoned(output.shape);
      const last = output.shape.at(-1)!;
      const bias = arena.put(
        Float32Array.from({ length: last }, () => this.random.uniform() - 0.5),
        [last],
      );
      const { shape } = output;
      const kernel = { op, site: { inputs: specs, output, attributes }, inputs, output: own };
      const biased = [
        instruction(add, shape, kernelResult, operand(bias)),
        instruction(relu, shape, result(0)),
      ];
      const step: Step = { kernel, chain: chain ? chainOf(shape, biased, [1, after]) : null };
      await arena.run(step);
      const terms = op.cost(kernel.site).flops / Math.max(1, expected.length);
      const near = (a: number, e: number): boolean =>
        Object.is(a, e) || Math.abs(a - e) <= ulps * 2 ** -24 * (terms + 8) * (1 + Math.abs(e));
      const actual = await arena.read(own);
      actual.forEach((a, i) => {
        if (!near(a, expected[i]!)) assert.unreachable(`${what}: element ${i} is ${a}, not ${expected[i]}`);
      });
      if (!chain) return;
      const biases = await arena.read(bias);
      (await arena.read(after)).forEach((a, i) => {
        const e = Math.max(0, actual[i]! + biases[i % last]!);
        if (!near(a, e)) assert.unreachable(`${what}, after the chain: element ${i} is ${a}, not ${e}`);
      });
    } finally {
      arena.free();
    }
  }

  /** Has `f` run with one row of a table alone; says SKIP where the adapter cannot run it. */
  async only(table: string, variant: Variant, f: () => Promise<void>): Promise<void> {
    const before = variants[table]!;
    const { variants: kind } = this.backend;
    this.backend.variants = variant.name === 'direct' ? 'software' : 'hardware';
    const c = this.backend.capabilities;
    if (variant.needs && !variant.needs(c)) {
      this.backend.variants = kind;
      return skip(`${table}, ${variant.name}`, 'this adapter has not what it needs');
    }
    const takesLong = !quick.test(variant.name) && !(table === 'product' && quickProduct.test(variant.name));
    if (this.slow && takesLong) {
      this.backend.variants = kind;
      return skip(`${table}, ${variant.name}`, 'this adapter compiles too slowly');
    }
    Object.assign(variants, extra, { [table]: variants[table] ?? extra[table] });
    const { when: _, trial: __, ...always } = variant;
    variants[table] = [always];
    try {
      await f();
    } finally {
      variants[table] = before;
      this.backend.variants = kind;
    }
  }

  /** The sample of an op on float32 as one of the op on packed halves. */
  packed({ inputs, attributes }: Sample): Sample {
    const words = inputs.map(({ shape }) => {
      const values = new Array<number>(Math.ceil(sizeOf(shape) / 2)).fill(0);
      for (let i = 0; i < sizeOf(shape); i++)
        values[i >> 1]! |= halfBits(2 * this.random.uniform() - 1) << (16 * (i & 1));
      return { shape: [values.length], dtype: 'int32' as const, values };
    });
    return { inputs: words, attributes: { ...attributes, left: inputs[0]!.shape, right: inputs[1]!.shape } };
  }
}
