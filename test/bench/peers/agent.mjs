// A process with one competitor: `node agent.mjs NAME`. Calls come by lines of JSON, answers go back the same way.
import { createInterface } from 'node:readline';
import { Session } from './session.mjs';

const log = console.error;
// Standard output belongs to the answers; libraries greet there.
for (const method of ['log', 'info', 'warn', 'debug']) console[method] = log;

const session = new Session(await import(`./peers/${process.argv[2]}.mjs`));
for await (const line of createInterface({ input: process.stdin })) {
  const { command, argument } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await session.call(command, argument))}\n`);
}
process.exit();
