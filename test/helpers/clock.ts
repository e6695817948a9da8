// Time that passes only when everybody waits: for tests of budgets, on backends whose speed is made up.
import type { Clock } from '../../src/schedule/deadline.js';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  #now = 0;
  #sleepers: Sleeper[] = [];
  #moving = false;

  now(): number {
    return this.#now;
  }

  /** Work that nobody can interrupt. */
  work(seconds: number): void {
    this.#now += seconds;
  }

  /** Work that goes on elsewhere. */
  sleep(seconds: number): Promise<void> {
    return new Promise((wake) => this.after(seconds, wake));
  }

  after(seconds: number, wake: () => void): () => void {
    const sleeper = { at: this.#now + seconds, wake };
    this.#sleepers.push(sleeper);
    this.#move();
    return () => {
      this.#sleepers = this.#sleepers.filter((s) => s !== sleeper);
    };
  }

  /** Goes on to the next who wakes up, once all that can run has run. */
  #move(): void {
    if (this.#moving) return;
    this.#moving = true;
    setTimeout(() => {
      this.#moving = false;
      this.#sleepers.sort((a, b) => a.at - b.at);
      const next = this.#sleepers.shift();
      if (!next) return;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      if (this.#sleepers.length > 0) this.#move();
    });
  }
}
