// Argument block of the matmul kernels, as the host writes it: 15 words of 32 bits.

@unmanaged
export class MatmulArgs {
  /** C[batch] (M,N), overwritten. */
  c: usize;
  /** A[batch] (M,K), or (K,M) if transA. */
  a: usize;
  /** B[batch] (K,N), or (N,K) if transB. */
  b: usize;
  M: i32;
  N: i32;
  K: i32;
  transA: i32;
  transB: i32;
  batch: i32;
  /** Elements from one batch item to the next; A and B may stand still (0). */
  strideA: u32;
  strideB: u32;
  strideC: u32;
  /** scratchBytes for each thread, thread 0 first. */
  scratch: usize;
  scratchBytes: u32;
  /** What becomes of C: see epilogue.ts. */
  epilogue: usize;
}
