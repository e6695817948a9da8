// Evaluates recorded graphs one op after the other by the ops' references in double precision: no plan, no backend.
import { type DType, dtypes, type HostArray, sizeOf } from '../../src/dtype.js';
import type { Spec, Tensor, Variable } from '../../src/graph.js';
import type { Request } from '../../src/schedule/graph.js';

const double = (dtype: DType): DType => (dtype === 'float32' ? 'float64' : dtype);
const wide = ({ shape, dtype }: Spec): Spec => ({ shape, dtype: double(dtype) });
const copy = (values: ArrayLike<number>, dtype: DType): HostArray => new dtypes[double(dtype)].array(values);

export class Interpreter {
  readonly #variables = new Map<Variable, HostArray>();

  /** Value of a variable, its first one until a step changes it. */
  variable(v: Variable): HostArray {
    const known = this.#variables.get(v) ?? this.evaluate([v.initial!()])[0]!;
    this.#variables.set(v, known);
    return known;
  }

  evaluate(tensors: readonly Tensor[]): HostArray[] {
    const known = new Map<Tensor, HostArray>();
    const value = (t: Tensor): HostArray => {
      const before = known.get(t);
      if (before) return before;
      const made = this.#value(t, value);
      known.set(t, made);
      return made;
    };
    return tensors.map(value);
  }

  #value({ source, shape, dtype }: Tensor, value: (t: Tensor) => HostArray): HostArray {
    switch (source.kind) {
      case 'data':
        return copy(source.data, dtype);
      case 'constant':
        return copy([source.value], dtype);
      case 'variable':
        return this.variable(source.variable);
      case 'input':
        throw new Error('arguments have no values here');
      case 'op': {
        const { op, inputs, attributes } = source;
        const output = wide({ shape, dtype });
        const out = new dtypes[output.dtype].array(sizeOf(shape));
        op.reference({ inputs: inputs.map(wide), output, attributes, values: inputs.map(value), out });
        return out;
      }
    }
  }

  /** Results of one run; afterwards the variables have their new values. */
  step({ outputs, assignments }: Request): HostArray[] {
    const values = this.evaluate([...outputs, ...assignments.values()]);
    const next = values.slice(outputs.length);
    // An output that is itself a variable is read when the step is done.
    for (const [i, v] of [...assignments.keys()].entries()) this.#variables.set(v, next[i]!);
    return outputs.map((t, i) =>
      t.source.kind === 'variable' ? this.variable(t.source.variable) : values[i]!,
    );
  }
}
