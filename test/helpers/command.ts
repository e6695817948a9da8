// Runs the built command line as a process of its own, in the runtime that this suite runs in.
import { environment } from './environment.js';

const { spawn } = await import('node:child_process');
const { fileURLToPath } = await import('node:url');

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** How this runtime is told to run a program. */
const runtimeArguments: Record<string, string[]> = {
  deno: ['run', '--allow-all', '--no-config', '--no-lock', '--no-remote', '--unstable-webgpu'],
  bun: ['run'],
};

/** `everygrad ...args`; `onLine` gets each line of stdout as it comes, and may send a signal. */
export function everygrad(
  args: readonly string[],
  {
    env = {},
    onLine,
  }: { env?: Record<string, string>; onLine?: (line: string, interrupt: () => void) => void } = {},
): Promise<Outcome> {
  const program = fileURLToPath(new URL('dist/cli.js', environment.root));
  const command = [...(runtimeArguments[environment.runtime] ?? []), program, ...args];
  const child = spawn(process.execPath, command, {
    env: { ...process.env, ...env },
    timeout: 600_000, // a command that hangs must not outlive its test
    killSignal: 'SIGKILL',
  });
  const outcome: Outcome = { code: null, stdout: '', stderr: '' };
  let seen = 0;
  child.stdout.on('data', (chunk) => {
    outcome.stdout += String(chunk);
    const lines = outcome.stdout.split('\n').slice(0, -1);
    // Not child.kill, after which Deno takes the child for killed, whatever code it ended with.
    for (const line of lines.slice(seen)) onLine?.(line, () => process.kill(child.pid!, 'SIGINT'));
    seen = lines.length;
  });
  child.stderr.on('data', (chunk) => {
    outcome.stderr += String(chunk);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...outcome, code }));
  });
}

/** The JSON objects of a command that prints one a line, after it ended well. */
export async function jsonLines(
  args: readonly string[],
  options: Parameters<typeof everygrad>[1] = {},
): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await everygrad([...args, '--json'], options);
  if (code !== 0) throw new Error(`everygrad ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
