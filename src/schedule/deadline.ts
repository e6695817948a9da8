// A budget of time that holds whatever is waited for. Loads on demand.

/** Where time comes from; tests have one of their own. */
export interface Clock {
  /** Seconds. */
  now(): number;
  /** Calls back after so many seconds, unless it is cancelled by what it gives. */
  after(seconds: number, call: () => void): () => void;
}

export const realClock: Clock = {
  now: () => performance.now() / 1000,
  after(seconds, call) {
    const timer = setTimeout(call, 1000 * seconds);
    return () => clearTimeout(timer);
  },
};

/** What `within` gives when the time was over before the work was done. */
export const late = Symbol('late');

/** An end to what may be waited for. */
export class Deadline {
  readonly #end: number;
  readonly #over: Promise<typeof late>;
  readonly #cancel: () => void;

  constructor(
    readonly clock: Clock,
    seconds: number,
  ) {
    this.#end = clock.now() + seconds;
    let cancel = (): void => {};
    this.#over = new Promise((resolve) => {
      cancel = clock.after(Math.max(0, seconds), () => resolve(late));
    });
    this.#cancel = cancel;
  }

  /** Seconds that are left; 0 or less when it is over. */
  get left(): number {
    return this.#end - this.clock.now();
  }

  /** Waits for work, but no longer than there is time. Work that is late goes on, and nobody hears how it ends. */
  async within<T>(work: Promise<T>): Promise<T | typeof late> {
    work.catch(() => undefined);
    if (this.left <= 0) return late;
    return Promise.race([work, this.#over]);
  }

  /** No more waiting: the timer is given up. */
  dispose(): void {
    this.#cancel();
  }
}
