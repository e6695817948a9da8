// A row of buttons of which one is chosen: a radio group, with the arrow keys.

export class Segments<T extends string> {
  readonly #buttons: Map<T, HTMLButtonElement>;

  constructor(
    host: HTMLElement,
    names: readonly T[],
    label: (name: T) => string,
    onChoose: (name: T) => void,
  ) {
    this.#buttons = new Map(
      names.map((name, i) => {
        const button = document.createElement('button');
        button.type = 'button';
        button.textContent = label(name);
        button.setAttribute('role', 'radio');
        button.addEventListener('click', () => onChoose(name));
        button.addEventListener('keydown', (event) => {
          const change = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
          if (!change) return;
          event.preventDefault();
          const next = names[(i + change + names.length) % names.length]!;
          onChoose(next);
          this.#buttons.get(next)!.focus();
        });
        return [name, button];
      }),
    );
    host.append(...this.#buttons.values());
  }

  show(chosen: T): void {
    for (const [name, button] of this.#buttons) {
      button.setAttribute('aria-checked', String(name === chosen));
      button.tabIndex = name === chosen ? 0 : -1;
    }
  }
}
