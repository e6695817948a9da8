// What this machine's GPU is, in words and numbers.
import { DeviceError } from '../../errors.js';
import { requestAdapter } from '../../platform-gpu.js';
import { describe, isSoftware, limitsOf, type WebgpuOptions } from './device.js';

/** What `everygrad doctor` shows. */
export type GpuDescription =
  | { readonly available: false; readonly reason: string }
  | {
      readonly available: true;
      readonly description: string;
      readonly software: boolean;
      readonly features: readonly string[];
      readonly limits: Readonly<Record<string, number>>;
    };

/** The adapter, or why there is none; never throws. */
export async function describeGpu(options: WebgpuOptions = {}): Promise<GpuDescription> {
  try {
    const { info, features, limits } = await requestAdapter(options);
    return {
      available: true,
      description: describe(info),
      software: isSoftware(info),
      features: [...features].sort(),
      limits: limitsOf(limits),
    };
  } catch (error) {
    const reason = error instanceof DeviceError ? error.problem : String(error);
    return { available: false, reason };
  }
}
