// Runs a list of kernel calls that lies in linear memory.

/** A call: index in the function table, address of the argument block. */
export function runProgram(calls: usize, count: i32, thread: i32, threads: i32): void {
  for (let i = 0; i < count; i++) {
    const call = calls + <usize>(i << 3);
    call_indirect<void>(load<u32>(call), load<u32>(call, 4), thread, threads);
  }
}
