// What the model answers: ten bars, each of which can be pressed to say that it should have been that digit.
import { byId, percent } from '../shell.ts';

export interface AnswerState {
  /** Shares of the ten digits; null where there is no answer. */
  sure: readonly number[] | null;
  trained: boolean;
}

export class Answer {
  readonly #bars: { button: HTMLButtonElement; part: HTMLElement; number: HTMLElement }[];

  constructor(onCorrect: (digit: number) => void) {
    this.#bars = Array.from({ length: 10 }, (_, digit) => {
      const item = document.createElement('li');
      const button = document.createElement('button');
      const [name, bar, part, number] = ['span', 'span', 'i', 'span'].map((tag) =>
        document.createElement(tag),
      );
      const before = document.createElement('span');
      before.className = 'hidden';
      before.textContent = 'It is a ';
      name!.append(before, String(digit));
      bar!.className = 'bar';
      bar!.append(part!);
      button.type = 'button';
      button.disabled = true;
      button.append(name!, bar!, number!);
      button.addEventListener('click', () => onCorrect(digit));
      item.append(button);
      byId('bars').append(item);
      return { button, part: part!, number: number! };
    });
  }

  show({ sure, trained }: AnswerState): void {
    const best = sure ? sure.indexOf(Math.max(...sure)) : -1;
    for (const [digit, { button, part, number }] of this.#bars.entries()) {
      const share = sure?.[digit] ?? 0;
      part.style.transform = `scaleX(${share.toFixed(3)})`;
      number.textContent = sure ? percent(share) : '';
      button.disabled = sure === null;
      button.classList.toggle('best', digit === best);
    }
    byId('guess').textContent = sure ? String(best) : '?';
    byId('sure').textContent = sure
      ? `${percent(sure[best]!)} sure`
      : trained
        ? 'Draw, or press a key from 0 to 9.'
        : 'Train first, then draw.';
  }
}

/** exp(z_i) / sum(exp(z)) */
export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const most = Math.max(...values);
  const powers = values.map((v) => Math.exp(v - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((v) => v / sum);
}
