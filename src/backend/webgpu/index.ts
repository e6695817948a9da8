// The WebGPU backend: kernels of gpu/ and generated elementwise kernels, one submit for each run of a program.
import type { DType, HostArray } from '../../dtype.js';
import { sizeOf } from '../../dtype.js';
import { DeviceError } from '../../errors.js';
import type { Spec } from '../../graph.js';
import type { OpDefinition, Site } from '../../ops/define.js';
import { keyOf } from '../../ops/shader-calls.js';
import type { Backend, Memory, MemoryStats, Program, Rates, SitedOp, Step, Tuned } from '../backend.js';
import { Gpu, type WebgpuOptions } from './device.js';
import { type Binding, type Dispatch, lowerSteps, shadersOf } from './lower.js';
import { elementBytes, GpuMemories, type GpuMemory } from './memory.js';
import type { TimedCommand } from './profile.js';
import { loadShaders, PipelineCache, sizesStride } from './shaders.js';
import { type Capabilities, choose, usable } from './variants.js';

export type { WebgpuOptions } from './device.js';

class WebgpuProgram implements Program {
  readonly steps: number;
  readonly commands: readonly TimedCommand[];
  /** Memory that the program itself needed. */
  readonly scratch: readonly GpuMemory[];
  /** Whether a run has shown that the device takes the commands. */
  accepted = false;

  constructor(steps: number, commands: readonly TimedCommand[], scratch: readonly GpuMemory[]) {
    this.steps = steps;
    this.commands = commands;
    this.scratch = scratch;
  }
}

/** Submits after which `run` waits for the GPU, so that a loop that reads nothing cannot run away from it. */
const submitsAhead = 64;

export class WebgpuBackend implements Backend {
  readonly name = 'webgpu';
  readonly description: string;
  /** No adapter asks for more. */
  readonly alignment = 256;
  /** What the adapter allows, unless a test says otherwise. */
  pieceBytes: number;
  readonly maxOperands: number;
  /** Bytes of an operand at most. */
  readonly mostBound: number;
  readonly fusesEpilogue = true;
  readonly rates: Rates;
  /** Optional features that the device was given. */
  readonly features: readonly string[];
  /** Resolves when the device is gone, with the reason. */
  readonly lost: Promise<DeviceError>;
  /** Which variants of kernels are compiled: those for this adapter, unless a test says otherwise. */
  variants: 'software' | 'hardware';
  /** How the trials of variants went: trials.ts. */
  readonly verdicts: Record<string, string> = {};
  /** Which kernels are the fastest: tuning.ts. */
  tuned: Record<string, Tuned> = {};
  readonly #gpu: Gpu;
  readonly #memories: GpuMemories;
  readonly #pipelines: PipelineCache;
  /** Memory of its own: for tensors without elements, and for copies within one buffer. */
  #nothing: GpuMemory | null = null;
  #detour: GpuMemory | null = null;
  #encoder: GPUCommandEncoder | null = null;
  #submits = 0;
  #reached: Promise<undefined> | null = null;
  #disposed = false;

  constructor(
    gpu: Gpu,
    readonly options: WebgpuOptions,
  ) {
    const { limits } = gpu.device;
    this.#gpu = gpu;
    this.#memories = new GpuMemories(gpu);
    this.#pipelines = new PipelineCache(gpu, options.onCompile);
    this.description = gpu.description;
    this.rates = gpu.rates;
    this.variants = gpu.software ? 'software' : 'hardware';
    this.features = gpu.features;
    this.lost = gpu.lost;
    this.pieceBytes = limits.maxBufferSize - (limits.maxBufferSize % this.alignment);
    this.mostBound = Math.min(limits.maxStorageBufferBindingSize, this.pieceBytes);
    this.maxOperands = Math.min(16, limits.maxStorageBuffersPerShaderStage);
  }

  get device(): GPUDevice {
    return this.#gpu.device;
  }

  /** What variants of kernels are chosen by. */
  get capabilities(): Capabilities {
    const { features, device, verdicts, tuned } = this;
    const software = this.variants === 'software';
    const subgroups = !software && features.includes('subgroups');
    const subgroup = subgroups ? (device.adapterInfo?.subgroupMinSize ?? 4) : 0;
    return { software, features, subgroup, device, verdicts, tuned };
  }

  bytesOf(spec: Spec): number {
    return sizeOf(spec.shape) * elementBytes;
  }

  supports(op: OpDefinition, site: Site): boolean {
    const operands = [...site.inputs, site.output];
    // Larger operands cannot be bound: WASM takes such ops.
    if (operands.some((s) => s.dtype === 'float64' || sizeOf(s.shape) * elementBytes > this.mostBound))
      return false;
    if (op.kind === 'view') return true;
    if (op.kind === 'elementwise') return Boolean(op.webgpu.expression(site));
    return op.webgpu.calls(site) !== null;
  }

  allocate(bytes: number, together?: boolean): GpuMemory {
    return this.#memories.allocate(bytes, 'everygrad', together);
  }

  free(memory: Memory): void {
    this.#flush(); // a copy that waits may use it
    this.#memories.free(memory as GpuMemory);
  }

  write(to: Memory, offset: number, data: HostArray, dtype: DType): void {
    this.#gpu.check();
    this.#flush();
    this.#memories.write(to as GpuMemory, offset, data, dtype);
  }

  async read(from: Memory, offset: number, spec: Spec): Promise<HostArray> {
    this.#gpu.check();
    this.#flush();
    return this.#memories.read(from as GpuMemory, offset, spec);
  }

  /** Copies wait for the next run, read or write and go to the GPU together with it. */
  copy(from: Memory, fromOffset: number, to: Memory, toOffset: number, bytes: number): void {
    if (bytes === 0) return;
    const size = Math.ceil(bytes / 4) * 4;
    const { buffer: source, start } = from as GpuMemory;
    const { buffer: target, start: toStart } = to as GpuMemory;
    const [first, at] = [start + fromOffset, toStart + toOffset];
    if (source !== target) {
      this.#commands().copyBufferToBuffer(source, first, target, at, size);
      return;
    }
    // A buffer is not copied to itself; the values take a detour.
    if (!this.#detour || this.#detour.bytes < size) {
      if (this.#detour) this.free(this.#detour);
      this.#detour = this.#memories.allocate(size, 'everygrad detour');
    }
    const { buffer } = this.#detour;
    this.#commands().copyBufferToBuffer(source, first, buffer, 0, size);
    this.#commands().copyBufferToBuffer(buffer, 0, target, at, size);
  }

  #commands(): GPUCommandEncoder {
    this.#encoder ??= this.device.createCommandEncoder();
    return this.#encoder;
  }

  async tune(ops: readonly SitedOp[], runtime: string): Promise<void> {
    if (this.options.tune === false || this.variants === 'software') return;
    const { tune } = await import('./tuning.js');
    await tune(this, ops, runtime, { keyOf, usable, choose, loadShaders });
  }

  async compile(steps: readonly Step[]): Promise<WebgpuProgram> {
    this.#gpu.check();
    const scratch: GpuMemory[] = [];
    const options = {
      ...this.capabilities,
      maxBuffers: this.device.limits.maxStorageBuffersPerShaderStage,
      mostBound: this.mostBound,
      scratch: (bytes: number): GpuMemory => {
        const memory = this.#memories.allocate(bytes, 'everygrad scratch');
        scratch.push(memory);
        return memory;
      },
      fill: (memory: Memory, words: Int32Array) => this.write(memory, 0, words, 'int32'),
    };
    await loadShaders(this, () => shadersOf(steps, options));
    try {
      const dispatches = lowerSteps(steps, options);
      const compiled = Promise.all(dispatches.map((d) => this.#pipelines.get(d)));
      const pipelines = await this.#gpu.settle(compiled, 'compiling');
      await this.#gpu.allocated;
      this.#gpu.check();
      const sizes = this.#sizes(dispatches);
      if (sizes) scratch.push(sizes);
      const commands = dispatches.map((dispatch, i): TimedCommand => {
        const group = this.#group(dispatch, {
          buffer: sizes!.buffer,
          offset: i * sizesStride,
          size: sizesStride,
        });
        const { workgroups, step } = dispatch;
        return { pipeline: pipelines[i]!, group, workgroups, step };
      });
      return new WebgpuProgram(steps.length, commands, scratch);
    } catch (error) {
      for (const memory of scratch) this.#memories.free(memory);
      throw error;
    }
  }

  /** The uniforms of all dispatches, in one buffer. */
  #sizes(dispatches: readonly Dispatch[]): GpuMemory | null {
    if (dispatches.length === 0) return null;
    const bytes = new Uint8Array(dispatches.length * sizesStride);
    dispatches.forEach(({ sizes }, i) => {
      bytes.set(new Uint8Array(sizes.buffer), i * sizesStride);
    });
    return this.#memories.uniform(bytes);
  }

  #group({ text, bindings, label }: Dispatch, sizes: GPUBufferBinding): GPUBindGroup {
    const limit = this.mostBound;
    const entries = bindings.map((binding, slot) => {
      if (binding.bytes > limit) {
        throw new DeviceError({
          where: label,
          problem: `an operand of ${binding.bytes} bytes is too large: this adapter binds at most ${limit}`,
          hint: 'use a smaller batch or device "wasm"',
          values: { bytes: binding.bytes, limit },
        });
      }
      return { binding: slot + 1, resource: this.#resource(binding, slot) };
    });
    return this.device.createBindGroup({
      label,
      layout: this.#pipelines.layout(text).group,
      entries: [{ binding: 0, resource: sizes }, ...entries],
    });
  }

  /** Tensors without elements are bound to a few bytes that nobody uses. */
  #resource({ memory, offset, bytes }: Binding, slot: number): GPUBufferBinding {
    const { buffer, start } = memory as GpuMemory;
    this.#memories.check(buffer);
    if (bytes > 0) return { buffer, offset: start + offset, size: bytes };
    this.#nothing ??= this.#memories.allocate(this.maxOperands * this.alignment, 'everygrad nothing');
    return { buffer: this.#nothing.buffer, offset: slot * this.alignment, size: 16 };
  }

  run(program: Program): void | Promise<void> {
    this.#gpu.check();
    const known = program as WebgpuProgram;
    if (known.accepted) {
      this.#encode(known);
      if (++this.#submits % submitsAhead === 0) return this.#keepUp();
    } else {
      known.accepted = true;
      return this.#firstRun(known);
    }
  }

  /** What is wrong with a program shows at once; the errors of later runs may come after a read. */
  async #firstRun(program: WebgpuProgram): Promise<void> {
    this.device.pushErrorScope('validation');
    this.#encode(program);
    const error = await this.#gpu.settle(this.device.popErrorScope(), 'the first run');
    if (error) this.#gpu.fail('a command was refused', error.message);
    this.#gpu.check();
  }

  #encode({ commands }: WebgpuProgram): void {
    const pass = this.#commands().beginComputePass();
    let current: GPUComputePipeline | null = null;
    for (const { pipeline, group, workgroups } of commands) {
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    }
    pass.end();
    this.#flush();
  }

  /** Waits until the GPU has done what was submitted at the last such wait. */
  async #keepUp(): Promise<void> {
    const earlier = this.#reached;
    this.#reached = this.device.queue.onSubmittedWorkDone();
    this.#reached.catch(() => {});
    if (earlier) await this.#gpu.settle(earlier, 'waiting for the GPU');
  }

  #flush(): void {
    if (!this.#encoder) return;
    const commands = this.#encoder.finish();
    this.#encoder = null;
    this.device.queue.submit([commands]);
  }

  async profile(program: Program): Promise<number[]> {
    this.#gpu.check();
    this.#flush();
    const { profileCommands } = await import('./profile.js');
    const { commands, steps } = program as WebgpuProgram;
    return this.#gpu.settle(profileCommands(this.device, commands, steps), 'profiling');
  }

  release(program: Program): void {
    for (const memory of (program as WebgpuProgram).scratch) this.#memories.free(memory);
  }

  stats(): MemoryStats {
    const { pieces, bytes, systemAllocations } = this.#memories.stats();
    const own = [this.#nothing, this.#detour].filter((memory) => memory !== null);
    const ownBytes = own.reduce((n, memory) => n + memory.bytes, 0);
    return { pieces: pieces - own.length, bytes: bytes - ownBytes, systemAllocations };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.device.destroy();
  }
}

/** Throws DeviceError with the reason where there is no GPU. */
export async function createWebgpuBackend(options: WebgpuOptions = {}): Promise<WebgpuBackend> {
  return new WebgpuBackend(await Gpu.open(options), options);
}
