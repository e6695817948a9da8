// The runtimes: where each is found on this machine, how it is started, whether it should have WebGPU.
import { existsSync } from 'node:fs';
import { delimiter } from 'node:path';
import { arch, env, execPath, platform } from 'node:process';
import { fileURLToPath } from 'node:url';
import { Chromium, Firefox } from './browsers.mjs';
import { ProcessRuntime } from './processes.mjs';
import { WebKit } from './webkit.mjs';

const installed = fileURLToPath(new URL('../../.runtimes/node_modules', import.meta.url));
const notInstalled = 'not installed (npm run runtimes)';

/** The first of these programs that exists; a bare name is looked up in PATH. */
function program(...candidates) {
  const folders = (env.PATH ?? '').split(delimiter);
  return candidates
    .flatMap((c) => (c.includes('/') ? [c] : folders.map((folder) => `${folder}/${c}`)))
    .find(existsSync);
}

/** A Vulkan driver in software, unless the machine has a GPU or the user chose a driver. */
function softwareVulkan(icd) {
  const hardware = existsSync('/dev/dri/renderD128') || existsSync('/dev/nvidia0');
  return platform === 'linux' && !hardware && !env.VK_ICD_FILENAMES ? { VK_ICD_FILENAMES: icd } : {};
}

// Dawn refuses the lavapipe of Debian 12, wgpu and Firefox run on it.
const swiftShader = softwareVulkan('/usr/lib/chromium/vk_swiftshader_icd.json');
const lavapipe = softwareVulkan('/usr/share/vulkan/icd.d/lvp_icd.x86_64.json');

const denoPackage = `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`;
const bunPackage = `@oven/bun-${platform}-${arch === 'arm64' ? 'aarch64' : arch}`;

/** Each entry gives a runtime that can be started, or the reason why there is none. The slowest comes first, so that the others run beside it. */
export const runtimes = {
  firefox: () => {
    const path = program('firefox-esr', 'firefox');
    return path ? new Firefox(path, lavapipe) : notInstalled;
  },
  node: () => node(execPath),
  node24: () => node(program(`${installed}/node-${platform}-${arch}/bin/node`)),
  deno: () => {
    const path = program(`${installed}/${denoPackage}/deno`, 'deno');
    const args = ['run', '--allow-all', '--no-config', '--no-lock', '--no-remote', '--unstable-webgpu'];
    const own = { DENO_DIR: `${installed}/../deno`, DENO_NO_UPDATE_CHECK: '1', ...lavapipe };
    return path ? new ProcessRuntime(path, args, own, { webgpu: true }) : notInstalled;
  },
  bun: () => {
    const path = program(`${installed}/${bunPackage}/bin/bun`, 'bun');
    return path ? new ProcessRuntime(path, ['run'], {}, { webgpu: false }) : notInstalled;
  },
  chromium: () => {
    const path = program('chromium', 'chromium-browser', 'google-chrome');
    return path ? new Chromium(path, swiftShader) : notInstalled;
  },
  webkit: () => {
    const path = program('WebKitWebDriver');
    return path ? new WebKit(path) : notInstalled;
  },
};

function node(path) {
  return path
    ? new ProcessRuntime(path, ['--enable-source-maps'], swiftShader, { webgpu: true })
    : notInstalled;
}
