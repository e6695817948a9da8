// One training step in numbers: a row for each layer.
import type { StepReport } from '../lab/inspector.ts';
import { layerTitle } from '../lab/maps.ts';
import { type ModelName, models } from '../lab/models.ts';
import { byId, percent, show } from '../shell.ts';
import { histogram } from './histogram.ts';

const brief = (v: number): string => (Number.isFinite(v) ? (v === 0 ? '0' : v.toExponential(1)) : '–');

/** A step that moves weights by more than this share of their size is too large, by less than that it hardly moves them. */
const usual = [1e-4, 3e-2] as const;

export function showUnits({ layers, parameters }: StepReport, model: ModelName): void {
  const rows = layers
    .filter(({ kind }) => kind.toLowerCase() !== 'flatten')
    .map((layer) => {
      const kind = models[model].spec[Number(layer.path)]![0];
      const row = document.createElement('tr');
      const cell = (text: string, kindOf = 'number'): HTMLTableCellElement => {
        const td = document.createElement('td');
        td.textContent = text;
        td.className = kindOf;
        row.append(td);
        return td;
      };
      cell(layerTitle({ path: layer.path, kind, shape: layer.shape.slice(1) }), 'name');
      const canvas = document.createElement('canvas');
      canvas.setAttribute('role', 'img');
      const { activations, gradients } = layer;
      canvas.setAttribute(
        'aria-label',
        `Histogram from ${show(activations.min, 2)} to ${show(activations.max, 2)}`,
      );
      histogram(canvas, layer.histogram, activations.min, activations.max);
      cell('', 'picture').append(canvas);
      cell(show(activations.mean, 2));
      cell(show(activations.std, 2));
      cell(percent(activations.zeros));
      cell(kind === 'relu' ? `${layer.dead} of ${layer.units}` : '');
      cell(brief(Math.hypot(gradients.mean, gradients.std)));
      const ratio = parameters.find(({ name }) => name === `${layer.path}.weight`)?.updateRatio;
      const td = cell(ratio === null || ratio === undefined ? '' : brief(ratio));
      if (ratio && (ratio < usual[0] || ratio > usual[1])) td.classList.add('odd');
      return row;
    });
  byId('units').replaceChildren(...rows);
  byId('no-units').hidden = true;
}
