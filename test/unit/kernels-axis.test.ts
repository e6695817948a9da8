// The kernels that work along an axis, cross-entropy and dropout, called directly: 1, 2, 3 and 8 threads give the same
// bits, nothing is written outside of the result and the threads' own scratch memory.
import * as assert from 'uvu/assert';
import { dtypes } from '../../src/dtype.js';
import type { Attributes } from '../../src/graph.js';
import { addAlongAxis, takeAlongAxis } from '../../src/ops/along.js';
import { crossEntropyLogits, crossEntropyLogitsGradient } from '../../src/ops/cross-entropy.js';
import type { OpDefinition } from '../../src/ops/define.js';
import { dropout } from '../../src/ops/dropout.js';
import { resample, resampleGradient } from '../../src/ops/resize.js';
import { cumsum } from '../../src/ops/scan.js';
import { argsort } from '../../src/ops/sort.js';
import { kernelBuilds, loadKernels } from '../helpers/kernels.js';
import { suite } from '../helpers/suite.js';
import { arrays, type Word, Zone } from '../helpers/zone.js';
import { casesOf, expected, type Float, hasMeaning, specsOf } from '../ops/cases.js';
import { report } from '../ops/evaluate.js';
import { difference, toleranceOf } from '../ops/tolerances.js';

const ops: readonly OpDefinition<Attributes>[] = [
  argsort,
  cumsum,
  takeAlongAxis,
  addAlongAxis,
  resample,
  resampleGradient,
  crossEntropyLogits,
  crossEntropyLogitsGradient,
  dropout,
].map((f) => f.definition);

const mostThreads = 8;

for (const build of kernelBuilds()) {
  const kernels = await loadKernels(build);
  const zone = new Zone(kernels);
  const test = suite(`kernels along an axis ${build}`);

  for (const op of ops) {
    test(op.name, () => {
      if (op.kind !== 'kernel') return assert.unreachable('it has no kernel');
      const found: string[] = [];
      let calls = 0;
      for (const c of casesOf(op)) {
        for (const float of ['float32', 'float64'] as Float[]) {
          if (!hasMeaning(c, float)) continue;
          const inputs = specsOf(c, float);
          const output = op.infer(inputs, c.attributes);
          const site = { inputs, output, attributes: c.attributes };
          const [call] = op.wasm.calls(site) ?? [];
          if (!call || !(call.kernel in kernels.exports)) continue;
          zone.reset();
          const at = inputs.map(({ dtype }, i) => zone.input(new dtypes[dtype].array(c.values[i]!)));
          const type = arrays[dtypes[output.dtype].suffix as keyof typeof arrays];
          const n = output.shape.reduce((a, b) => a * b, 1);
          const dst = zone.output(n * type.BYTES_PER_ELEMENT);
          const { scratch: need } = call;
          const bytes = need && 'bytesFrom' in need ? kernels.exports[need.bytesFrom]!(...need.args) : 0;
          // aligned, as the backend's scratch memory is
          const scratch = (zone.output(bytes * mostThreads + 16) + 15) & ~15;
          const args = call.args.map((a): Word => {
            if (typeof a === 'number') return a;
            if (a === 'output') return dst;
            if (a === 'scratch') return scratch;
            if (a === 'ownScratch') return scratch;
            if (a === 'scratchBytes') return bytes;
            if (a === 'epilogue') return 0;
            if ('float32' in a) return { f32: a.float32 };
            if ('scratch' in a) return scratch + a.scratch;
            return 'input' in a ? at[a.input]! : dst + a.offset;
          });
          const got = zone.run(call.kernel, args, type, dst, n);
          calls++;
          const text = difference(got, expected(c), toleranceOf(op.name, site, 'wasm'), output.dtype);
          if (text) found.push(`${c.name} ${float}: ${text}`);
        }
      }
      assert.ok(calls > 5, `only ${calls} calls`);
      report(found);
    });
  }

  test.run();
}
