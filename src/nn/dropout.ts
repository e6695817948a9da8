// Dropout of whole channels.
import { showShape } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import * as ops from '../ops/index.js';
import { Lambda } from './layers.js';

/**
 * In training sets whole channels of examples (batch, ..., channels) to 0 with probability `p` and scales the others by
 * 1/(1-p), since neighbours in an image are much alike (Tompson et al. 2015). Errors: OptionError here, ShapeError in the
 * forward pass.
 */
export function dropout2d(p = 0.5): Lambda {
  if (!(p >= 0 && p < 1)) {
    throw new OptionError({
      where: 'dropout2d',
      problem: `p is ${p}`,
      hint: 'a probability from 0, below 1',
      values: { p },
    });
  }
  return new Lambda('dropout2d', (x, { training, random }) => {
    if (x.rank < 3) {
      throw new ShapeError({
        where: 'dropout2d',
        problem: `input is ${showShape(x.shape)}`,
        hint: 'it takes (batch, ..., channels); nn.dropout is for vectors',
        values: { input: x.shape },
      });
    }
    if (!training || p === 0) return x;
    const channels = x.shape.map((d, i) => (i === 0 || i === x.rank - 1 ? d : 1));
    const kept = ops.randomBernoulli(channels, 1 - p, random.next());
    return ops.where(kept, ops.mul(x, 1 / (1 - p)), 0);
  });
}
