// Runs a list of kernel calls that lies in linear memory: on one thread, or on all threads in step.
// The threads share a control block of 32-bit words. What different threads write often has a cache line to itself.

/** Number of the current run; going up by one starts the workers. */
const RUN: usize = 0;
/** Address and length of the list of calls; a length of -1 ends the workers, -2 lets them fetch more kernels. */
const CALLS: usize = 4;
const COUNT: usize = 8;
/** How often a waiting thread looks before it sleeps. */
const SPIN: usize = 12;
/** Not 0 when a thread died in a kernel: nobody waits for it then. */
const FAILED: usize = 16;
// Words 5 to 7 are the host's: how many workers are ready, have left for good, have more kernels.
/** Threads that have reached the barrier, how often it opened, and how many sleep at it. */
const ARRIVED: usize = 64;
const OPENED: usize = 128;
const SLEEPING: usize = 192;
/** Workers that sleep until the next run. */
const IDLE: usize = 256;

/** In nanoseconds: a thread that sleeps at the barrier looks this often whether another one died. */
const CHECK: i64 = 100_000_000;

/** Number of the last run that this instance, that is this thread, took part in. */
let seen: i32 = 0;

/** First address that no kernel's constants lie in; the host owns all memory from here on. */
export function heapBase(): usize {
  return __heap_base;
}

/** All calls, on this thread alone. A call is an index in the function table and the address of its arguments. */
export function runAlone(calls: usize, count: i32): void {
  for (let i = 0; i < count; i++) {
    const call = calls + (<usize>i << 3);
    call_indirect<void>(load<u32>(call), load<u32>(call, 4), 0, 1);
  }
}

/** Lets the workers begin a program. The one before must be over. */
export function start(control: usize, calls: usize, count: i32): void {
  if (ASC_FEATURE_THREADS) {
    store<u32>(control, calls as u32, CALLS);
    store<i32>(control, count, COUNT);
    atomic.add<i32>(control, 1, RUN);
    if (atomic.load<i32>(control, IDLE) > 0) atomic.notify(control + RUN, -1);
  }
}

/** Runs a program on all threads; the calling one is thread 0 and comes back when all are done. */
export function lead(control: usize, calls: usize, count: i32, threads: i32): void {
  start(control, calls, count);
  takePart(control, 0, threads);
}

/**
 * What a worker does: its share of each program. Comes back with 0 at the end, with 1 after each run if `once`, with 2
 * to fetch more kernels.
 */
export function work(control: usize, thread: i32, threads: i32, once: i32): i32 {
  if (ASC_FEATURE_THREADS) {
    for (;;) {
      awaitRun(control);
      seen = atomic.load<i32>(control, RUN);
      const count = load<i32>(control, COUNT);
      if (count < 0) return count == -2 ? 2 : 0;
      takePart(control, thread, threads);
      if (once) return 1;
    }
  }
  return 0;
}

/** This thread's share of every call, with a barrier after each. */
function takePart(control: usize, thread: i32, threads: i32): void {
  const calls = <usize>load<u32>(control, CALLS);
  const count = load<i32>(control, COUNT);
  for (let i = 0; i < count; i++) {
    const call = calls + (<usize>i << 3);
    call_indirect<void>(load<u32>(call), load<u32>(call, 4), thread, threads);
    barrier(control, threads);
  }
}

function barrier(control: usize, threads: i32): void {
  if (ASC_FEATURE_THREADS) {
    const opened = atomic.load<i32>(control, OPENED);
    if (atomic.add<i32>(control, 1, ARRIVED) == threads - 1) {
      atomic.store<i32>(control, 0, ARRIVED);
      atomic.add<i32>(control, 1, OPENED);
      // Who sleeps counts itself first and then compares OPENED, so none is missed when this reads 0.
      if (atomic.load<i32>(control, SLEEPING) > 0) atomic.notify(control + OPENED, -1);
      return;
    }
    for (let n = load<i32>(control, SPIN); n > 0; n--) {
      if (atomic.load<i32>(control, OPENED) != opened) return;
    }
    atomic.add<i32>(control, 1, SLEEPING);
    while (atomic.load<i32>(control, OPENED) == opened) {
      if (atomic.load<i32>(control, FAILED) != 0) unreachable();
      atomic.wait<i32>(control + OPENED, opened, CHECK);
    }
    atomic.sub<i32>(control, 1, SLEEPING);
  }
}

function awaitRun(control: usize): void {
  if (ASC_FEATURE_THREADS) {
    for (let n = load<i32>(control, SPIN); n > 0; n--) {
      if (atomic.load<i32>(control, RUN) != seen) return;
    }
    atomic.add<i32>(control, 1, IDLE);
    while (atomic.load<i32>(control, RUN) == seen) atomic.wait<i32>(control + RUN, seen, -1);
    atomic.sub<i32>(control, 1, IDLE);
  }
}
