// What is compiled for training and for evaluating: batches in, parameters and running sums updated, nothing returned.
import { type Prepared, prepare } from '../compile.js';
import type { Batch, DataSpec } from '../data/index.js';
import { type Shape, showShape } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { gradients } from '../grad.js';
import { type Spec, type Tensor, Variable } from '../graph.js';
import { checkLoss, type Loss } from '../loss/index.js';
import {
  type Context,
  inference,
  type Module,
  type Parameter,
  RandomSource,
  trainableParameters,
} from '../nn/module.js';
import { add, argmax, cast, div, equal, mul, sum, zeros } from '../ops/index.js';
import type { Optimizer } from '../optim/index.js';
import { tensor } from '../tensor.js';
import type { LossRing } from './loss-ring.js';

/** Sums over the examples seen since the last reset; they live on the device and are read only now and then. */
export interface Totals {
  examples: number;
  /** Mean loss over the examples. */
  loss: number;
  /** Part of the examples whose label was the largest output; NaN where targets are not labels. */
  accuracy: number;
}

const scalar = (name: string, dtype: 'float32' | 'int32' = 'float32'): Variable =>
  new Variable([], dtype, () => zeros([], dtype), name);

/** Scales and converts a batch's inputs on the device. */
export function modelInput(x: Tensor, scale: number): Tensor {
  const values = x.dtype === 'float32' || x.dtype === 'float64' ? x : cast(x, 'float32');
  return scale === 1 ? values : mul(values, scale);
}

/** How the numbers of a training step are kept: what `mixedPrecision()` gives. */
export interface Precision {
  /** Variables of its own, for checkpoints. */
  readonly state: readonly Variable[];
  /** Gradients of the loss, and what `update` does with them. */
  step(loss: Tensor, parameters: readonly Parameter[], update: (gradients: readonly Tensor[]) => void): void;
  /** Records what `f` records in another form; gives what stands for a tensor in it. */
  record(f: () => void): (t: Tensor) => Tensor;
}

/** Compiled passes over batches, one for each batch size, with running sums of loss and hits. */
abstract class Pass {
  readonly #prepared = new Map<number, Promise<Prepared>>();
  readonly #loss = scalar('sum of losses');
  readonly #hits = scalar('number of hits', 'int32');
  #labels = false;
  /** Examples since the last reset. */
  examples = 0;

  constructor(
    protected readonly model: Module,
    protected readonly loss: Loss,
    readonly data: Required<DataSpec>,
  ) {}

  /** Records one batch. */
  protected abstract record(x: Tensor, y: Tensor): void;

  /** Records the running sums. */
  protected count(prediction: Tensor, y: Tensor, value: Tensor): void {
    this.#loss.assign(add(this.#loss, mul(value, y.shape[0]!)));
    this.#labels = y.dtype === 'int32' && y.rank === 1 && prediction.rank === 2;
    if (!this.#labels) return;
    const hits = sum(cast(equal(argmax(prediction, 1), y), 'int32'));
    this.#hits.assign(add(this.#hits, hits));
  }

  /** The compiled pass for batches of this size. */
  forSize(size: number): Promise<Prepared> {
    const known = this.#prepared.get(size);
    if (known) return known;
    const made = prepare(...this.recipe(size));
    this.#prepared.set(size, made);
    return made;
  }

  /** What is traced for batches of this size, and the specs of its arguments. */
  recipe(size: number): [(...args: Tensor[]) => void, Spec[]] {
    const spec = (shape: Shape, dtype: Spec['dtype']): Spec => ({ shape: [size, ...shape], dtype });
    const { inputShape, inputDType, targetShape, targetDType } = this.data;
    return [(x, y) => this.record(x!, y!), [spec(inputShape, inputDType), spec(targetShape, targetDType)]];
  }

  /** Runs one batch; a promise comes only if the backend has to wait. */
  run(prepared: Prepared, { inputs, targets, size }: Batch): void | Promise<void> {
    this.examples += size;
    return prepared.run(inputs, targets);
  }

  /** The running sums. */
  get counters(): readonly Variable[] {
    return [this.#loss, this.#hits];
  }

  /** Reads the running sums. */
  async totals(): Promise<Totals> {
    const [loss, hits] = await Promise.all([this.#loss.item(), this.#hits.item()]);
    const { examples } = this;
    return { examples, loss: loss / examples, accuracy: this.#labels ? hits / examples : Number.NaN };
  }

  /** Starts the running sums anew. */
  async reset(): Promise<void> {
    this.examples = 0;
    await Promise.all([this.#loss.assign(tensor(0)), this.#hits.assign(tensor(0, { dtype: 'int32' }))]);
  }

  /** The pass that was compiled first, if one was. */
  async prepared(): Promise<Prepared | undefined> {
    return this.#prepared.values().next().value;
  }

  /** Forgets the compiled passes: their engine is gone, or what they record has changed. */
  forget(): void {
    for (const made of this.#prepared.values()) release(made);
    this.#prepared.clear();
  }

  dispose(): void {
    this.forget();
    this.#loss.dispose();
    this.#hits.dispose();
  }
}

const release = (made: Promise<Prepared> | null): unknown =>
  made?.then(
    (p) => p.dispose(),
    () => undefined,
  );

/** How a model is applied. */
export type Forward = (model: Module, x: Tensor, context: Context) => Tensor;

/** Computes a batch in parts of at most so many examples. */
export interface Parts {
  readonly size: number;
  run(batch: Batch): Promise<void>;
}

/** Forward, loss, gradients and update of one batch, or of one for several batches. */
export class TrainingPass extends Pass {
  /** Another way to apply the model, which takes less memory. */
  forward: Forward | null = null;
  parts: Parts | null = null;
  /** Where each batch's loss is kept. */
  ring: LossRing | undefined;
  /** Counts the batches; random numbers of the forward pass depend on it. */
  readonly step = scalar('step', 'int32');
  /** Where gradients are summed over batches; none if each batch is a step. */
  #sums: GradientSums | null;
  /** The loss and the gradients that were recorded last. */
  recorded: { loss: Tensor; gradients: readonly Tensor[] } | null = null;

  /** @param accumulate batches in a step of the optimizer */
  constructor(
    model: Module,
    loss: Loss,
    data: Required<DataSpec>,
    readonly optimizer: Optimizer,
    readonly seed: number,
    accumulate = 1,
    readonly precision?: Precision,
  ) {
    super(model, loss, data);
    this.#sums = accumulate > 1 ? new GradientSums(accumulate, optimizer) : null;
  }

  protected record(x: Tensor, y: Tensor): void {
    const record = (): void => this.#record(x, y);
    const twin = this.precision?.record(record);
    if (!twin) record();
    else {
      const { loss, gradients } = this.recorded!;
      this.recorded = { loss: twin(loss), gradients: gradients.map(twin) };
    }
  }

  #record(x: Tensor, y: Tensor): void {
    const parameters = trainableParameters('fit', this.model);
    const penalties: Tensor[] = [];
    const context: Context = { training: true, random: new RandomSource(this.seed, this.step), penalties };
    const input = modelInput(x, this.data.scale);
    const { forward, model } = this;
    const prediction = forward ? forward(model, input, context) : model.forward(input, context);
    checkPrediction('fit', prediction, y, this.data);
    const value = checkLoss('fit', this.loss(prediction, y));
    // What is reported is the loss alone, so that it compares with that of validation.
    const total = penalties.reduce((sum, penalty) => add(sum, penalty), value);
    const update = (found: readonly Tensor[]): void => {
      this.recorded = { loss: total, gradients: found };
      if (this.#sums) this.#sums.add(parameters, found, y.shape[0]!);
      else this.optimizer.update(parameters, found);
    };
    if (this.precision) this.precision.step(total, parameters, update);
    else update(gradients(total, parameters));
    this.step.assign(add(this.step, 1));
    this.ring?.record(value);
    this.count(prediction, y, value);
  }

  override get counters(): readonly Variable[] {
    return [...super.counters, ...(this.precision?.state ?? [])];
  }

  /** Whether a step takes several batches. */
  get accumulates(): boolean {
    return this.#sums !== null;
  }

  /** Whether the next batch is the first one of a step. */
  get startsStep(): boolean {
    return this.#sums === null || this.#sums.isEmpty;
  }

  /** Computes batches in parts, whose gradients are summed. */
  split(parts: Parts): void {
    this.forget();
    this.#sums ??= new GradientSums(1, this.optimizer);
    this.parts = parts;
  }

  override forSize(size: number): Promise<Prepared> {
    return super.forSize(Math.min(size, this.parts?.size ?? size));
  }

  override run(prepared: Prepared, batch: Batch): void | Promise<void> {
    const running = this.parts ? this.parts.run(batch) : super.run(prepared, batch);
    if (!this.#sums?.isComplete()) return running;
    return running ? running.then(() => this.finishStep()) : this.finishStep();
  }

  /** Traces a step, so that all variables of the optimizer exist. */
  async ready(batchSize: number): Promise<void> {
    await this.forSize(batchSize);
    await this.#sums?.ready();
  }

  /** A step for the batches since the last one, if there are any. */
  async finishStep(): Promise<void> {
    await this.#sums?.apply();
  }

  /** All variables that a batch changes, besides the model's. */
  state(): Variable[] {
    const more = [this.#sums, this.ring].flatMap((part) => part?.variables ?? []);
    return [...this.optimizer.state(), this.step, ...this.counters, ...more];
  }

  override forget(): void {
    super.forget();
    this.#sums?.forget();
  }

  override dispose(): void {
    super.dispose();
    this.step.dispose();
    this.#sums?.dispose();
  }
}

/** Gradients summed over several batches, each weighed by its examples, and the step that their mean makes. */
class GradientSums {
  readonly #batches: number;
  readonly #optimizer: Optimizer;
  readonly #examples = scalar('examples of a step');
  #parameters: readonly Parameter[] = [];
  #sums: Variable[] = [];
  #count = 0;
  #step: Promise<Prepared> | null = null;

  constructor(batches: number, optimizer: Optimizer) {
    this.#batches = batches;
    this.#optimizer = optimizer;
  }

  /** Records the sums, in place. */
  add(parameters: readonly Parameter[], gradients: readonly Tensor[], examples: number): void {
    if (this.#sums.length === 0) {
      this.#parameters = parameters;
      this.#sums = parameters.map(
        ({ shape, dtype, name }) =>
          new Variable(shape, dtype, () => zeros(shape, dtype), `gradient of ${name}`),
      );
    }
    for (const [i, sum] of this.#sums.entries()) sum.assign(add(sum, mul(gradients[i]!, examples)));
    this.#examples.assign(add(this.#examples, examples));
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Counts a batch, and says whether it was the last one of a step. */
  isComplete(): boolean {
    return ++this.#count === this.#batches;
  }

  /** The step, compiled; needs a batch traced before. */
  ready(): Promise<Prepared> {
    this.#step ??= prepare(() => {
      const means = this.#sums.map((sum) => div(sum, this.#examples));
      this.#optimizer.update(this.#parameters, means);
      for (const v of this.variables) v.assign(zeros(v.shape, v.dtype));
    }, []);
    return this.#step;
  }

  /** Updates the parameters by the mean over the examples, and starts anew; nothing if there was no batch. */
  async apply(): Promise<void> {
    if (this.#count === 0) return;
    this.#count = 0;
    await (await this.ready()).run();
  }

  get variables(): readonly Variable[] {
    return [...this.#sums, this.#examples];
  }

  /** Starts anew, with no batch. */
  forget(): void {
    release(this.#step);
    this.#step = null;
    this.#count = 0;
  }

  dispose(): void {
    this.forget();
    for (const v of this.variables) v.dispose();
  }
}

/** Forward and loss of one batch. */
export class EvaluationPass extends Pass {
  /** Batches are at most this large. */
  batchSize = 500;

  protected record(x: Tensor, y: Tensor): void {
    const prediction = this.model.forward(modelInput(x, this.data.scale), inference());
    checkPrediction('evaluate', prediction, y, this.data);
    this.count(prediction, y, checkLoss('evaluate', this.loss(prediction, y)));
  }
}

/** The batch axis must stay, and every label needs an output of its own. */
function checkPrediction(
  where: string,
  prediction: Tensor,
  y: Tensor,
  { classes, name }: Required<DataSpec>,
): void {
  if (prediction.shape[0] !== y.shape[0]) {
    throw new ShapeError({
      where,
      problem: `the model gives ${showShape(prediction.shape)} for a batch of ${y.shape[0]} examples`,
      hint: 'the first axis is the batch and must stay',
      values: { prediction: prediction.shape, target: y.shape },
    });
  }
  const outputs = prediction.shape.at(-1)!;
  if (classes !== undefined && y.rank === 1 && classes > outputs) {
    throw new ShapeError({
      where,
      problem: `${name} has ${classes} classes, the model has ${outputs} outputs`,
      hint: 'give the last layer an output for each class',
      values: { classes, outputs },
    });
  }
}
