// `everygrad doctor`: what this machine and runtime can do.
import { arch, platform, release } from 'node:os';
import { describeMachine } from '../bench.js';
import { writeJson } from './reporter.js';
import { dim, green, grouped, table, yellow } from './style.js';

const yes = (text = 'yes'): string => green(text);
const no = (why: string): string => `${yellow('no')}${why ? dim(`: ${why}`) : ''}`;

export async function doctor(version: string, { json }: { json?: boolean }): Promise<void> {
  const { runtime, cores, wasm, webgpu, cache } = await describeMachine();
  const os = `${platform()} ${release()}`;
  if (json) return writeJson({ everygrad: version, runtime, os, arch: arch(), cores, wasm, webgpu, cache });
  const threads = wasm.threads ? yes() : no(wasm.threadsWhyNot ?? '');
  const chosen = wasm.build
    ? `${wasm.build}, ${wasm.threadCount} thread${wasm.threadCount === 1 ? '' : 's'}`
    : no(wasm.problem ?? '');
  const limits = webgpu.available
    ? Object.entries(webgpu.limits).map(([name, value], i): [string, string] => [
        i === 0 ? '  limits' : '',
        `${grouped(value).padStart(14)}  ${name}`,
      ])
    : [];
  const gpu: [string, string][] = webgpu.available
    ? [
        ['WebGPU', `${yes()}, ${webgpu.description}${webgpu.software ? dim(' (in software)') : ''}`],
        ['  features', webgpu.features.join(', ')],
        ...limits,
      ]
    : [['WebGPU', no(webgpu.reason)]];
  console.log(
    table([
      ['everygrad', version],
      ['runtime', runtime],
      ['system', `${os}, ${arch()}, ${cores} core${cores === 1 ? '' : 's'}`],
      ['SIMD', wasm.simd ? yes() : no('')],
      ['relaxed SIMD', wasm.relaxedSimd ? yes() : no('')],
      ['threads', threads],
      ['kernels', chosen],
      ...gpu,
      ['cache', cache ?? 'none'],
    ]),
  );
}
