// Functions that expressions of ops may use and WGSL does not have; put before a chain that needs them.

// Error function to about 2 ulp, as in assembly/math.ts: a polynomial near 0, 1 - exp(polynomial) beyond 0.92.
fn erf(x: f32) -> f32 {
  let a = min(abs(x), 3.95f);
  let z = a * a;
  var p = -0.0005996604f * z + 0.004994754f;
  p = p * z - 0.026768073f;
  p = p * z + 0.1128187f;
  p = p * z - 0.376125f;
  p = p * z + 0.12837915f;
  var q = -2.116485e-5f * a + 0.00043525253f;
  q = q * a - 0.0041748057f;
  q = q * a + 0.025129054f;
  q = q * a - 0.10829461f;
  q = q * a - 0.63333404f;
  q = q * a - 1.1295211f;
  q = q * a + 0.00017594024f;
  let y = select(1.0f - exp(q), p * a + a, a < 0.92f);
  return select(select(y, -y, x < 0.0f), x, x != x);
}

// Natural logarithm with the rules of C: WGSL leaves open what log gives for 0 and below, and SwiftShader gives -88.
fn logarithm(x: f32) -> f32 {
  if (x > 0.0f) {
    return log(x);
  }
  if (x == 0.0f) {
    return -1.0f / abs(x);
  }
  let nothing = x - x;
  return nothing / nothing;
}

// x to the power y with the rules of C: 1 for y = 0 or x = 1, and a negative x takes whole y only.
fn power(x: f32, y: f32) -> f32 {
  if (y == 0.0f || x == 1.0f) {
    return 1.0f;
  }
  let magnitude = pow(abs(x), y);
  if (x >= 0.0f || x != x) {
    return magnitude;
  }
  let half = 0.5f * y;
  if (y != floor(y)) {
    let nothing = x - x;
    return nothing / nothing;
  }
  return select(-magnitude, magnitude, half == floor(half));
}
