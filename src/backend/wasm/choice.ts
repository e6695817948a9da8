// One thread or all: begins with an estimate, then lets the clock decide. The results have the same bits either way.

/** Estimated seconds on one thread below which nothing is to be gained by more. */
const worthTrying = 15e-6;
/** From here on all threads begin: waking them takes about 23 us. */
const worthWaking = 60e-6;
/** From here on all threads are surely faster, and a comparison would cost too much. */
const beyondDoubt = 50e-3;

/** Runs of each kind in a comparison; the first one of a kind, which may wake the workers, does not count. */
const trialRuns = 5;
/** Runs until the first comparison, when kernels are compiled and workers are awake. */
const warmUp = 16;
const shortestRest = 64;
const longestRest = 4096;
/** The machine's load changes: slow programs are compared again after so many milliseconds. */
const longestTime = 2000;

/**
 * How a program runs. Other work on the machine, more threads than cores and costs that were estimated badly all
 * show in the time that runs take, so now and then a few runs of both kinds are compared.
 */
export class Choice {
  /** Whether all threads run the program. */
  together: boolean;
  /** Runs that are left before the next comparison. */
  rest: number;
  readonly #clock: () => number;
  #nextRest = shortestRest;
  #runs = 0;
  readonly #times: { present: number[]; other: number[] } = { present: [], other: [] };

  /** @param seconds what the program takes on one thread, estimated */
  constructor(seconds: number, clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.together = seconds > worthWaking;
    const doubtful = seconds > worthTrying && seconds < beyondDoubt;
    this.rest = doubtful ? warmUp : Number.POSITIVE_INFINITY;
  }

  /**
   * Times a run of a comparison: first those of the present kind, then the others. Where the end of a run is told by a
   * message, as in a page's main thread, the time of the message is part of it. One run at a time.
   */
  compare(run: (together: boolean) => void | Promise<void>): void | Promise<void> {
    const present = this.#runs < trialRuns;
    const start = this.#clock();
    const running = run(present === this.together);
    if (running) return running.then(() => this.#note(present, this.#clock() - start));
    this.#note(present, this.#clock() - start);
  }

  #note(present: boolean, time: number): void {
    const counts = this.#runs % trialRuns > 0;
    if (counts) this.#times[present ? 'present' : 'other'].push(time);
    if (++this.#runs === 2 * trialRuns) this.#decide();
  }

  #decide(): void {
    const { present, other } = this.#times;
    const time = median(present);
    if (median(other) < 0.9 * time) {
      this.together = !this.together;
      this.#nextRest = shortestRest;
    }
    this.rest = Math.max(Math.min(this.#nextRest, Math.floor(longestTime / time)), shortestRest);
    this.#nextRest = Math.min(2 * this.#nextRest, longestRest);
    this.#runs = 0;
    present.length = 0;
    other.length = 0;
  }
}

const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1] as number;
