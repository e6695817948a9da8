// Vector constants as globals. In code, V8 builds a v128 constant anew at each use, in several instructions; a
// global is one load. Their values pass through this zero, so that the compiler does not put them back into code.
const ZERO: i32 = <i32>(memory.size() >>> 17); // there are at most 2^16 pages

@inline
export function floats(x: f32): v128 {
  return f32x4.splat(x + <f32>ZERO);
}

@inline
export function ints(x: i32): v128 {
  return i32x4.splat(x + ZERO);
}
