// What is said of a shader that does not compile. Loads on demand.
import type { DeviceError } from '../../errors.js';
import type { PipelineSource } from './shaders.js';

export async function shaderError(
  Class: typeof DeviceError,
  { text, label }: PipelineSource,
  module: GPUShaderModule,
  cause: Error,
): Promise<DeviceError> {
  const info = await module.getCompilationInfo().catch(() => null);
  const lines = text.split('\n');
  const messages = info?.messages
    .filter(({ type }) => type === 'error')
    .map(({ lineNum, message }) => `${message} at line ${lineNum}: ${lines[lineNum - 1]?.trim()}`);
  const problem = messages?.length ? messages.join('; ') : cause.message;
  return new Class({
    where: label,
    problem: `its shader does not compile: ${problem}`,
    hint: 'this is a bug in the library or the driver; use device "wasm" meanwhile',
    values: { text },
    cause,
  });
}
