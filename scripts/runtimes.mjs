// Installs the optional runtimes that the tests can use: Node 24, Deno and Bun and the test tools from npm
// into .runtimes/ (which git ignores), and as root on Debian the browsers with apt. Does nothing twice.
//   node scripts/runtimes.mjs
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, platform } from 'node:process';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../.runtimes', import.meta.url));

/** npm packages that are nothing but one platform's binary: no install script has to run. */
const packages = {
  [`node-${platform}-${arch}`]: '24.9.0',
  [`@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`]: '2.9.6',
  [`@oven/bun-${platform}-${arch === 'arm64' ? 'aarch64' : arch}`]: '1.4.5',
  'puppeteer-core': '24.43.1',
  publint: '0.3.25',
  '@arethetypeswrong/cli': '0.18.5',
};

/** Debian's packages, each with a file by which an installed one is known. */
const debian = {
  chromium: '/usr/bin/chromium',
  'firefox-esr': '/usr/bin/firefox-esr',
  'mesa-vulkan-drivers': '/usr/share/doc/mesa-vulkan-drivers',
  libvulkan1: '/usr/share/doc/libvulkan1',
  'webkit2gtk-driver': '/usr/bin/WebKitWebDriver',
  xvfb: '/usr/bin/Xvfb',
};

const problems = [];

/** Runs an installer; what it printed is shown only when it fails. */
function install(what, command, args, options = {}) {
  try {
    execFileSync(command, args, { ...options, stdio: 'pipe' });
    return true;
  } catch (error) {
    problems.push(`${what}: ${String(error.stderr || error.message).trim()}`);
    return false;
  }
}

const installedVersion = (name) => {
  try {
    const { version } = JSON.parse(readFileSync(`${folder}/node_modules/${name}/package.json`, 'utf8'));
    return version.replace(/^v/, ''); // the Node packages write v24.9.0
  } catch {
    return undefined;
  }
};

function installFromNpm() {
  const missing = Object.entries(packages).filter(([name, version]) => installedVersion(name) !== version);
  if (missing.length === 0) return console.log('npm packages: already there');
  mkdirSync(folder, { recursive: true });
  const manifest = { name: 'everygrad-runtimes', private: true, dependencies: packages };
  writeFileSync(`${folder}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  // No shell on Unix; npm is a script on Windows.
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const done = install('npm packages', 'npm', args, { cwd: folder, shell: platform === 'win32' });
  if (done) console.log(`npm packages: installed ${missing.map((p) => p.join('@')).join(', ')}`);
}

function installFromDebian() {
  const missing = Object.keys(debian).filter((name) => !existsSync(debian[name]));
  if (missing.length === 0) return console.log('Debian packages: already there');
  if (!existsSync('/usr/bin/apt-get'))
    return problems.push(`no apt-get here to install ${missing.join(', ')}`);
  if (process.getuid() !== 0)
    return problems.push(`not root, so not installed: apt-get install ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  if (!install('apt-get update', 'apt-get', ['update', '-q'], { env })) return;
  const args = ['install', '-y', '-q', '--no-install-recommends', ...missing];
  if (install('apt-get install', 'apt-get', args, { env })) {
    console.log(`Debian packages: installed ${missing.join(', ')}`);
  }
}

/** What builds and checks pages, from lockfiles of their own. */
function installInto(folder, what) {
  const cwd = fileURLToPath(new URL(`../${folder}`, import.meta.url));
  if (existsSync(`${cwd}/node_modules`)) return console.log(`${what}: already there`);
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const done = install(what, 'npm', args, { cwd, shell: platform === 'win32' });
  if (done) console.log(`${what}: installed`);
}

installFromNpm();
installInto('demo', 'packages of the pages');
installInto('test/bundlers', 'bundlers');
installInto('scripts/docs', 'packages of the API docs');
installFromDebian();
for (const problem of problems) console.error(`not installed: ${problem}`);
if (problems.length > 0) process.exitCode = 1;
