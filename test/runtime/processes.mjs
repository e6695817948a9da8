// Node, Deno and Bun: one process per suite, so that a crash is that suite's alone.
import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const harness = fileURLToPath(new URL('../../build/test/harness.js', import.meta.url));

export class ProcessRuntime {
  /** @param has what this runtime should have: `{ webgpu: boolean }` */
  constructor(path, args, env, has) {
    this.path = path;
    this.args = args;
    this.env = { ...process.env, ...env };
    this.has = has;
  }

  version() {
    return execFileSync(this.path, ['--version'], { encoding: 'utf8', stdio: 'pipe' }).split('\n')[0].trim();
  }

  async start() {}
  async stop() {}

  /** Runs one job; gives what went wrong with the process itself, or undefined. */
  async run(job, outcome, signal) {
    const child = spawn(this.path, [...this.args, harness, JSON.stringify(job)], {
      env: this.env,
      signal,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines = [child.stdout, child.stderr].map(async (stream) => {
      for await (const line of createInterface({ input: stream })) outcome.outputLine(line);
    });
    const end = await new Promise((resolve) => {
      child.on('error', (error) =>
        resolve(signal.aborted ? undefined : `could not be started: ${error.message}`),
      );
      child.on('exit', (code, killedBy) =>
        resolve(killedBy ? `killed by ${killedBy}` : code ? `exit code ${code}` : ''),
      );
    });
    await Promise.all(lines);
    if (signal.aborted) return undefined;
    if (end) return `the process ended (${end})`;
    return outcome.done ? undefined : 'the process ended early (exit code 0)';
  }
}
