// How the threads share work: contiguous ranges of units, where a unit is always computed as a whole.

/** First unit of a thread's share of `units`; the share of thread t ends where that of t + 1 begins. */
@inline
export function shareOf(units: i32, thread: i32, threads: i32): i32 {
  return <i32>((<i64>units * thread) / threads);
}

/** Word i of an argument block. */
@inline
export function word(args: usize, i: i32): i32 {
  return load<i32>(args + (<usize>i << 2));
}

@inline
export function address(args: usize, i: i32): usize {
  return <usize>load<u32>(args + (<usize>i << 2));
}
