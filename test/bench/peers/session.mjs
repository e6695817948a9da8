// One competitor with one workload, in a process or a page of its own. pytorch.py answers the same calls.

/** The library cannot do this, by its own documentation; anything else that is thrown is its error. */
export class NotAvailable extends Error {}

export class Session {
  #peer;
  #run;
  #count = 1;

  constructor(peer) {
    this.#peer = peer;
  }

  /** Builds the workload; gives the library's version and the numbers by which results are compared. */
  async prepare({ workload, threads }) {
    const version = await this.#peer.start({ threads });
    const { check, run } = await this.#peer.prepare(workload);
    this.#run = run;
    return { version, check };
  }

  /** Runs until code is compiled and caches are warm; finds how many runs take as long as a round shall. */
  async warmUp({ seconds }) {
    let took = await this.round();
    while (took < seconds) {
      this.#count = Math.ceil(this.#count * Math.min(8, Math.max(1.2, (1.1 * seconds) / took)));
      took = await this.round();
    }
    return { count: this.#count, took };
  }

  /** Seconds of one round. A run ends when its results could be read. */
  async round() {
    const start = performance.now();
    await this.#run(this.#count);
    return (performance.now() - start) / 1000;
  }

  /** Answers a call of the harness. */
  async call(command, argument) {
    try {
      return { value: await this[command](argument) };
    } catch (error) {
      const kind = error instanceof NotAvailable ? 'unavailable' : 'error';
      return { [kind]: String(error?.message ?? error) };
    }
  }
}
