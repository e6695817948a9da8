// The pages of demo/: served while they are worked on, or built into demo/dist, a static site for any path.
//   node scripts/demo.mjs serve|build
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { env, execPath, platform } from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const demo = `${root}demo`;
const command = process.argv[2];

function run(program, args, cwd = root) {
  execFileSync(program, args, { cwd, stdio: 'inherit', env });
}

try {
  if (!['serve', 'build'].includes(command)) throw new Error('node scripts/demo.mjs serve|build');
  if (!existsSync(`${demo}/node_modules/vite`)) {
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
    execFileSync('npm', args, { cwd: demo, stdio: 'inherit', shell: platform === 'win32' });
  }
  run(execPath, ['scripts/build.mjs']);
  const vite = `${demo}/node_modules/vite/bin/vite.js`;
  if (command === 'build') {
    run(execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', '.'], demo);
    run(execPath, [vite, 'build', '--logLevel', 'warn'], demo);
  } else run(execPath, [vite], demo);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
