// matmul_f64: for gradient checks; plain loops, one row of C at a time.
import { MatmulArgs } from './gemm-args';

export function matmul_f64(args: usize, thread: i32, threads: i32): void {
  const g = changetype<MatmulArgs>(args);
  const M = g.M, N = g.N, K = g.K;
  if (N <= 0) return;
  const rows = <i64>M * g.batch;
  const from = <i32>(rows * thread / threads), to = <i32>(rows * (thread + 1) / threads);
  const aRow = g.transA ? <usize>8 : <usize>K << 3, aStep = g.transA ? <usize>M << 3 : <usize>8;
  for (let row = from; row < to; row++) {
    const item = row / M, i = row - item * M;
    const a = g.a + (<usize>item * g.strideA << 3) + <usize>i * aRow;
    const b = g.b + (<usize>item * g.strideB << 3);
    const c = g.c + (<usize>item * g.strideC << 3) + (<usize>i * N << 3);
    if (g.transB) dotRow(c, a, aStep, b, N, K);
    else scaledRows(c, a, aStep, b, N, K);
  }
}

/** c[j] = sum over k of a[k] * b[j][k]. */
function dotRow(c: usize, a: usize, aStep: usize, b: usize, N: i32, K: i32): void {
  for (let j = 0; j < N; j++) {
    let sum: f64 = 0;
    let p = a;
    for (let k = 0; k < K; k++) {
      sum += load<f64>(p) * load<f64>(b);
      p += aStep;
      b += 8;
    }
    store<f64>(c + (<usize>j << 3), sum);
  }
}

/** c[0..N] = sum over k of a[k] * b[k][0..N], in strips of 4 columns. */
function scaledRows(c: usize, a: usize, aStep: usize, b: usize, N: i32, K: i32): void {
  const ldb = <usize>N << 3;
  let j = 0;
  for (; j + 4 <= N; j += 4) {
    let l = f64x2.splat(0), r = l, p = a, q = b;
    for (let k = 0; k < K; k++) {
      const x = v128.load64_splat(p);
      l = f64x2.add(l, f64x2.mul(x, v128.load(q)));
      r = f64x2.add(r, f64x2.mul(x, v128.load(q, 16)));
      p += aStep;
      q += ldb;
    }
    v128.store(c, l), v128.store(c, r, 16);
    b += 32;
    c += 32;
  }
  for (; j < N; j++) {
    let sum: f64 = 0, p = a, q = b;
    for (let k = 0; k < K; k++) {
      sum += load<f64>(p) * load<f64>(q);
      p += aStep;
      q += ldb;
    }
    store<f64>(c, sum);
    b += 8;
    c += 8;
  }
}
