// The sicknesses of the clinic, how bad they can be, and what is reported of a patient.

export const sicknesses = ['rate', 'dead', 'saturated'] as const;
export type Sickness = (typeof sicknesses)[number];

/** What is done to the sick one, by how bad it is. */
export const doses: Record<Sickness, readonly number[]> = {
  /** The learning rate. */
  rate: [0.5, 1.5, 5],
  /** What the biases of the hidden units start with. */
  dead: [-0.5, -1, -3],
  /** The weights of the hidden layers, times this. */
  saturated: [4, 12, 40],
};

export interface PatientLayer {
  /** Shares of the activations from `low` to `high`. */
  histogram: number[];
  low: number;
  high: number;
  units: number;
  /** Units that are 0 for all examples. */
  dead: number;
  /** Share of activations that are near to a bound of theirs. */
  saturated: number;
  /** Root mean square of the loss's gradient by the layer's weights. */
  gradient: number;
}

export interface PatientReport {
  steps: number;
  /** Mean over the last batches. */
  loss: number;
  accuracy: number;
  layers: PatientLayer[];
  /** How far a step moves the weights, relative to their size: the largest of all layers. */
  updateRatio: number;
}
