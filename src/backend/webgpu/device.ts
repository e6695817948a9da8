// Finding a GPU, asking for all that it has, and turning what goes wrong on it into the library's errors.
import { DeviceError, DeviceLostError } from '../../errors.js';
import { type AdapterOptions, inTime, requestAdapter, unavailable } from '../../platform-gpu.js';
import type { Rates } from '../backend.js';

/** Hears how many of the pipelines that are wanted are compiled. */
export type OnCompile = (progress: { done: number; of: number }) => void;

export interface WebgpuOptions extends AdapterOptions {
  /** Called after each pipeline; all of a plan are compiled at the same time, before its first step. */
  onCompile?: OnCompile | undefined;
  /** One that is there already, and has given no device yet. */
  adapter?: GPUAdapter;
  /** false: no kernels are measured, see tuning.ts. */
  tune?: boolean | undefined;
}

/** Features that are asked for where the adapter has them. */
const wantedFeatures: readonly string[] = ['subgroups', 'timestamp-query', 'shader-f16'];
/** Asked for as well, unless the adapter gives no device with them. */
const triedFeatures = [...wantedFeatures, 'subgroup-size-control', 'chromium-experimental-subgroup-matrix'];

/** Limits that kernels and memory run into; all of what the adapter has is asked for. */
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupsPerDimension',
] as const;

const softwareNames = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;

export const describe = ({ vendor, architecture, device, description }: GPUAdapterInfo): string => {
  const named = [vendor, architecture].filter((part) => /[a-z]/i.test(part)).join(' ');
  const detail = description || (/[a-z]/i.test(device) ? device : '');
  return [named, detail].filter(Boolean).join(', ') || 'unnamed adapter';
};

export const isSoftware = (info: GPUAdapterInfo): boolean =>
  Boolean(info.isFallbackAdapter) ||
  softwareNames.test(`${info.architecture} ${info.description} ${info.device}`);

export const limitsOf = (limits: GPUSupportedLimits): Record<string, number> =>
  Object.fromEntries(wantedLimits.map((name) => [name, limits[name]]));

/** First guesses; the scheduler measures. */
const rates = {
  gpu: { overhead: 8e-6, flopsPerSecond: 2e12, bytesPerSecond: 2e11, transferOverhead: 1e-4 },
  software: { overhead: 30e-6, flopsPerSecond: 1e9, bytesPerSecond: 1e9, transferOverhead: 2e-4 },
};

/** A device and what went wrong on it since the last look. */
export class Gpu {
  readonly device: GPUDevice;
  readonly description: string;
  /** The adapter is a CPU in disguise. */
  readonly software: boolean;
  readonly rates: Rates;
  readonly features: readonly string[];
  /** Resolves when the device is gone, with the reason. */
  readonly lost: Promise<DeviceError>;
  /** Settles when it is known whether the buffers made so far are there. */
  allocated: Promise<unknown> | null = null;
  #failure: DeviceError | null = null;
  #refused = false;
  #gone: DeviceError | null = null;

  private constructor(device: GPUDevice, info: GPUAdapterInfo) {
    this.device = device;
    const software = isSoftware(info);
    this.software = software;
    this.description = `WebGPU on ${describe(info)}${software ? ' (software)' : ''}`;
    this.rates = { ...(software ? rates.software : rates.gpu), transferBytesPerSecond: 5e9 };
    this.features = triedFeatures.filter((name) => device.features.has(name));
    device.onuncapturederror = (event) => {
      event.preventDefault(); // it is thrown, not printed
      const { message } = event.error;
      // Dawn tells of a bad command when it is encoded and again when it is submitted, maybe a read later.
      if (this.#refused && message.includes('due to a previous error')) return;
      this.#refused = true;
      this.fail('a command was refused', message);
    };
    this.lost = device.lost.then(({ reason, message }) => {
      const how = reason === 'destroyed' ? 'the device was destroyed' : 'the device was lost';
      this.#gone = new DeviceLostError({
        where: 'webgpu',
        problem: message ? `${how}: ${message}` : how,
        hint: 'recoverDevice() goes on with what the host has',
        values: { reason },
      });
      return this.#gone;
    });
  }

  static async open(options: WebgpuOptions = {}): Promise<Gpu> {
    const adapter = options.adapter ?? (await requestAdapter(options));
    return Gpu.#from(adapter, triedFeatures, options).catch(async (error) => {
      // What is on trial must not be why there is no device.
      if (!triedFeatures.some((f) => adapter.features.has(f) && !wantedFeatures.includes(f))) throw error;
      return Gpu.#from(await requestAdapter(options), wantedFeatures, options);
    });
  }

  static async #from(adapter: GPUAdapter, wanted: readonly string[], options: WebgpuOptions): Promise<Gpu> {
    const requiredFeatures = wanted.filter((name) => adapter.features.has(name)) as GPUFeatureName[];
    const requiredLimits = limitsOf(adapter.limits);
    const asked = adapter.requestDevice({ requiredFeatures, requiredLimits }).catch((error: Error) => {
      throw unavailable(`the adapter gives no device: ${error.message}`, error);
    });
    const device = await inTime(asked, 'a device', options.gpuSeconds);
    return new Gpu(device, adapter.info);
  }

  /** Keeps the first thing that goes wrong until `check`. */
  fail(problem: string, detail: string, values: Record<string, unknown> = {}): DeviceError {
    const error = new DeviceError({ where: 'webgpu', problem: `${problem}: ${detail}`, values });
    this.#failure ??= error;
    return error;
  }

  /** Throws what went wrong since the last check, and for ever once the device is gone. */
  check(): void {
    if (this.#gone) throw this.#gone;
    const failure = this.#failure;
    this.#failure = null;
    if (failure) throw failure;
  }

  /** Waits for `work`; when it fails because the device is gone, says so. */
  async settle<R>(work: Promise<R>, what: string): Promise<R> {
    try {
      return await work;
    } catch (error) {
      // The loss is announced after the rejections that it causes.
      await Promise.race([this.lost, new Promise((resolve) => setTimeout(resolve, 500))]);
      this.check();
      if (error instanceof DeviceError) throw error;
      throw new DeviceError({ where: 'webgpu', problem: `${what} failed: ${String(error)}`, cause: error });
    }
  }
}
