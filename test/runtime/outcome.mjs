// What one suite did in one runtime, put together from its events and its output.

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours in uvu's messages begin with ESC
const colours = /\x1b\[[\d;]*m/g;
/** uvu's own progress: the suite's name between blanks, a mark for each test, `(3 / 3)`. */
const progress = /^( \S.* )?\s*([•✘]\s*)*(\(\d+ \/ \d+\))?\s*$/;
const keptLines = 60;

export class Outcome {
  passed = 0;
  failed = 0;
  /** `SKIP name: reason` lines, without the first word. */
  skips = [];
  /** Lines that the suite wants to be seen: `NOTE text`. */
  notes = [];
  /** Messages in full. */
  failures = [];
  seconds = 0;
  adapter = undefined;
  /** Whether anything was heard of the runtime. */
  up = false;

  #output = [];
  #test = '';
  #done = undefined;
  #started = performance.now();

  /** One line of a process's output; events are among them, marked. */
  outputLine(line) {
    const mark = line.indexOf('@everygrad {');
    if (mark < 0) return this.#text(line);
    this.event(JSON.parse(line.slice(line.indexOf('{', mark))));
  }

  event(event) {
    this.up = true;
    if (event.type === 'start') this.#test = event.test;
    else if (event.type === 'line') for (const line of event.text.split('\n')) this.#text(line);
    else if (event.type === 'error') this.failures.push(event.message);
    else if (event.type === 'done') this.#done = event;
  }

  /** Whether a test began. */
  get began() {
    return this.#test !== '' || this.#done !== undefined;
  }

  get done() {
    return this.#done !== undefined;
  }

  /** Ends the count; `problem` tells how the runtime ended, if not as it should. */
  finish(problem) {
    this.seconds = (performance.now() - this.#started) / 1000;
    const done = this.#done ?? { passed: 0, total: 0, skipped: 0, errors: [] };
    this.adapter = done.adapter;
    this.passed = done.passed;
    if (problem) this.failures.push(`${problem}${this.#where()}`);
    const broken = done.total - done.passed;
    for (const text of done.errors) this.failures.push(text.replace(colours, '').trim());
    if (broken > 0 && this.failures.length === 0) {
      this.failures.push(`${broken} of ${done.total} tests did not run: a hook failed`);
    }
    for (let i = 0; i < done.skipped; i++)
      this.skips.push('a test marked with test.skip or left out by test.only');
    if (done.total === 0 && this.skips.length === 0 && this.failures.length === 0) {
      this.failures.push('no test was executed; does the suite end with test.run()?');
    }
    this.failed = Math.max(broken, this.failures.length > 0 ? 1 : 0);
    if (this.failed > 0 && this.#output.length > 0) {
      this.failures.push(`Its output:\n${this.#output.slice(-keptLines).join('\n')}`);
    }
    return this;
  }

  #where() {
    if (this.#done) return ' after the last test';
    return this.#test ? ` in the test "${this.#test}"` : ' before the first test';
  }

  #text(raw) {
    const line = raw.replace(colours, '');
    const [, word, rest] = /^(SKIP|NOTE) (.*)$/.exec(line) ?? [];
    if (word === 'SKIP') this.skips.push(rest);
    else if (word === 'NOTE') this.notes.push(rest);
    else if (!progress.test(line)) this.#output.push(line.trimEnd());
  }
}
