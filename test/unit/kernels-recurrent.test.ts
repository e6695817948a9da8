// The kernels of recurrent networks, call by call as an op lists them: 1, 2, 3 and 8 threads give the same bits, nothing
// is written outside of the result and the scratch memory, and nothing depends on what was there before.
import * as assert from 'uvu/assert';
import { type HostArray, sizeOf } from '../../src/dtype.js';
import type { KernelOp, Sample, WasmArgument } from '../../src/ops/define.js';
import { opTable } from '../../src/ops/index.js';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';
import { arrays, random, Zone } from '../helpers/zone.js';
import { extraSamples } from '../ops/sizes.js';

const list = opTable.filter(
  (op): op is KernelOp => op.kind === 'kernel' && /^(rnn|gru|lstm).*(Sequence|Gradient)$/.test(op.name),
);

/** Runs all calls of an op with so many threads, the last one first; the result. */
function run(
  zone: Zone,
  op: KernelOp,
  sample: Sample,
  float: 'float32' | 'float64',
  values: HostArray[],
  threads: number,
) {
  const inputs = sample.inputs.map(({ shape, dtype = float }) => ({ shape, dtype }));
  const output = op.infer(inputs, sample.attributes);
  const Values = float === 'float32' ? arrays.f32 : arrays.f64;
  zone.reset();
  const places = values.map((v) => zone.input(v));
  const out = zone.output(sizeOf(output.shape) * Values.BYTES_PER_ELEMENT);
  const calls = op.wasm.calls({ inputs, output, attributes: sample.attributes })!;
  const { shared, each } = calls[0]!.scratch as { shared: number; each: number };
  const scratch = zone.output(shared + each * threads);
  const word = (argument: WasmArgument): number => {
    if (typeof argument === 'number') return argument;
    if (argument === 'output') return out;
    if (argument === 'scratch') return scratch;
    if (argument === 'ownScratch') return scratch + shared;
    if (argument === 'scratchBytes') return each;
    if (argument === 'epilogue') return 0;
    if ('output' in argument) return out + argument.offset;
    if ('input' in argument) return places[argument.input]! + (argument.offset ?? 0);
    return assert.unreachable('a float among the arguments') as never;
  };
  for (const { kernel, args } of calls) {
    const block = zone.words(args.map(word));
    for (let thread = threads - 1; thread >= 0; thread--) zone.call(kernel, block, thread, threads);
  }
  zone.verify(`${op.name}, ${threads} threads`);
  return zone.read(Values, out, sizeOf(output.shape));
}

for (const build of kernelBuilds()) {
  const zone = new Zone(await loadKernels(build), 1 << 22);
  const test = suite(`kernels recurrent ${build}`);
  for (const op of list) {
    for (const float of ['float32', 'float64'] as const) {
      test(`${op.name} ${float}`, () => {
        for (const sample of [...op.samples, ...extraSamples(op)]) {
          const values = sample.inputs.map((input): HostArray => {
            if (input.values) return Int32Array.from(input.values);
            const Values = float === 'float32' ? arrays.f32 : arrays.f64;
            return Values.from({ length: sizeOf(input.shape) }, () => random() - 0.5);
          });
          const first = run(zone, op, sample, float, values, 1);
          assert.ok(first.every(Number.isFinite), `${op.name}: poison shows`);
          for (const threads of [2, 3, 8]) {
            const other = run(zone, op, sample, float, values, threads);
            const bits = (a: HostArray) => new Uint8Array(a.buffer).join();
            if (bits(other) !== bits(first))
              assert.unreachable(`${op.name} ${JSON.stringify(sample)}: other bits with ${threads} threads`);
          }
        }
      });
    }
  }
  test('there are four cells, each with two ops', () => assert.is(list.length, 8));
  test.run();
}
