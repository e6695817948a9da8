// How long each step of a program takes on the GPU. Loads on demand, and imports nothing but types.

/** A dispatch, and the step that it belongs to. */
export interface TimedCommand {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
  readonly step: number;
}

/** Timestamps in a set, at most, and bytes of one. */
const [mostStamps, stampBytes] = [4096, 8];

/**
 * Runs the commands once, each step in a pass of its own. Seconds of each step: by the GPU's clock where it has one that
 * can be read, else by the host's, without the time of a submit that has nothing to do.
 */
export async function profileCommands(
  device: GPUDevice,
  commands: readonly TimedCommand[],
  steps: number,
): Promise<number[]> {
  const hasClock = device.features.has('timestamp-query');
  const seconds = new Array<number>(steps).fill(0);
  const atOnce = hasClock ? mostStamps / 2 : 1;
  const idle = hasClock ? 0 : await idleSeconds(device);
  for (let first = 0; first < steps; first += atOnce) {
    const count = Math.min(atOnce, steps - first);
    const chosen = Array.from({ length: count }, (_, i) => commands.filter((c) => c.step === first + i));
    const times = hasClock ? await byTimestamps(device, chosen) : [await byClock(device, chosen[0]!, idle)];
    for (const [i, time] of times.entries()) seconds[first + i] = time;
  }
  return seconds;
}

function encode(pass: GPUComputePassEncoder, commands: readonly TimedCommand[]): void {
  for (const { pipeline, group, workgroups } of commands) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...workgroups);
  }
  pass.end();
}

async function byTimestamps(
  device: GPUDevice,
  steps: readonly (readonly TimedCommand[])[],
): Promise<number[]> {
  const count = 2 * steps.length;
  const size = count * stampBytes;
  const querySet = device.createQuerySet({ type: 'timestamp', count });
  const resolved = device.createBuffer({
    size,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  try {
    const encoder = device.createCommandEncoder();
    for (const [i, commands] of steps.entries()) {
      const timestampWrites = {
        querySet,
        beginningOfPassWriteIndex: 2 * i,
        endOfPassWriteIndex: 2 * i + 1,
      };
      encode(encoder.beginComputePass({ timestampWrites }), commands);
    }
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
    // Nanoseconds; clocks of some adapters step back now and then.
    return steps.map((_, i) => Math.max(0, Number(stamps[2 * i + 1]! - stamps[2 * i]!)) / 1e9);
  } finally {
    for (const made of [querySet, resolved, staging]) made.destroy();
  }
}

async function byClock(device: GPUDevice, commands: readonly TimedCommand[], idle: number): Promise<number> {
  const start = performance.now();
  const encoder = device.createCommandEncoder();
  encode(encoder.beginComputePass(), commands);
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  return Math.max(0, (performance.now() - start) / 1000 - idle);
}

async function idleSeconds(device: GPUDevice): Promise<number> {
  await byClock(device, [], 0);
  return Math.min(await byClock(device, [], 0), await byClock(device, [], 0));
}
