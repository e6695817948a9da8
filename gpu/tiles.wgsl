// The tiles of products: sizes, which tile a workgroup makes, and how A and B come into workgroup memory. Put into the
// shaders that multiply them, which declare side0 and side1; matmul.wgsl says what the names mean.
//   PAD: vectors left free after each row of a tile
struct Sizes {
  M: u32,
  N: u32,
  K: u32,
  BATCH: u32,
  STRIDE0: u32,
  STRIDE1: u32,
  STRIDE: u32,
  ROW0: u32,
  ROW1: u32,
  ROW: u32,
  PART: u32,
  PART_STRIDE: u32,
  TILES: u32,
{{epilogueSizes}}
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
{{words}}
//#if HALF>1
alias Cell = vec4<f16>;
//#else
alias Cell = vec4f;
//#end
const BK = {{BK}}u;
const ROWS = {{EXTENT0}}u / {{TM}}u; // invocations down a tile
const COLUMNS = {{EXTENT1}}u / {{TN}}u; // and across
const THREADS = ROWS * COLUMNS;

// Of tile `index` of all: its part and batch, its first row and column.
fn tile_of(index: u32) -> vec4u {
  let down = (sizes.M + EXTENT0 - 1u) / EXTENT0;
  let across = (sizes.N + EXTENT1 - 1u) / EXTENT1;
  let matrix = index / (down * across);
  return vec4u(
    matrix / sizes.BATCH, matrix % sizes.BATCH, index / across % down * EXTENT0, index % across * EXTENT1,
  );
}

// Four neighbours in a row of the result, as far as they are in it.
fn store(tile: vec4u, m: u32, n: u32, sum: vec4f) {
  if (m < sizes.M && n < sizes.N) {
    let at = tile.x * sizes.PART_STRIDE + tile.y * sizes.STRIDE + m * sizes.ROW + n;
//#if LANES>1
    finish(at / 4u, sum);
//#else
    for (var j = 0u; j < min(4u, sizes.N - n); j++) {
      finish(at + j, sum[j]);
    }
//#end
  }
}

//#if CONV
{{conv_gather}}
//#end
//#for s 2
const EXTENT{{s}} = {{EXTENT{{s}}}}u;
// (BK, EXTENT / 4): four rows of A, or columns of B, in a vector. Twice where the tiles take turns.
const SPAN{{s}} = EXTENT{{s}} / 4u + {{PAD}}u; // from one k to the next
const TILE{{s}} = SPAN{{s}} * BK;
var<workgroup> tile{{s}}: array<Cell, TILE{{s}} * ({{DOUBLE}}u + 1u)>;

// Zero beyond the end of k. Rows and columns beyond the edge may hold anything, as they are not stored.
fn load{{s}}(index: u32, inside: bool) -> Value {
  let word = side{{s}}[index / {{WIDTH}}u];
//#if HALF
//#if LANES>1
  let value = vec4f(unpack2x16float(word.x), unpack2x16float(word.y));
//#else
  let value = unpack2x16float(word)[index % 2u];
//#end
//#else
  let value = bitcast<Value>(word);
//#end
  return select(Value(), value, inside);
}

//#if CONV
//#else
// Element (first + r, k); with LANES 4 it and the next three, as they are stored.
fn element{{s}}(base: u32, first: u32, r: u32, k: u32) -> Value {
//#if ALONG{{s}}
  return load{{s}}(base + k * sizes.ROW{{s}} + first + r, k < sizes.K);
//#else
  return load{{s}}(base + (first + r) * sizes.ROW{{s}} + k, k < sizes.K);
//#end
}

//#end
//#if TURN{{s}}
// Blocks of four rows by four k, turned on the way.
alias Unit{{s}} = mat4x4f;
const PIECES{{s}} = EXTENT{{s}} * BK / 16u;
//#else
alias Unit{{s}} = vec4f;
const PIECES{{s}} = EXTENT{{s}} * BK / 4u;
//#end

fn fetch{{s}}(base: u32, first: u32, k0: u32, t: u32) -> Unit{{s}} {
  if (t >= PIECES{{s}}) {
    return Unit{{s}}();
  }
//#if TURN{{s}}
  return transpose(mat4x4f(
//#for j 4
    element{{s}}(base, first, t / (BK / 4u) * 4u + {{j}}u, k0 + t % (BK / 4u) * 4u),
//#end
  ));
//#else
//#if ALONG{{s}}
  let r = t % (EXTENT{{s}} / 4u) * 4u;
  let k = k0 + t / (EXTENT{{s}} / 4u);
//#else
  let r = t / BK * 4u;
  let k = k0 + t % BK;
//#end
//#if LANES>1
  return element{{s}}(base, first, r, k);
//#else
  return vec4f(
//#for j 4
    element{{s}}(base, first, r + {{j}}u, k),
//#end
  );
//#end
//#end
}

fn put{{s}}(at: u32, t: u32, unit: Unit{{s}}) {
  if (t >= PIECES{{s}}) {
    return;
  }
//#if TURN{{s}}
  let place = at + t % (BK / 4u) * 4u * SPAN{{s}} + t / (BK / 4u);
//#for j 4
  tile{{s}}[place + {{j}}u * SPAN{{s}}] = Cell(unit[{{j}}]);
//#end
//#else
//#if ALONG{{s}}
  tile{{s}}[at + t / (EXTENT{{s}} / 4u) * SPAN{{s}} + t % (EXTENT{{s}} / 4u)] = Cell(unit);
//#else
  tile{{s}}[at + t % BK * SPAN{{s}} + t / BK] = Cell(unit);
//#end
//#end
}
//#end
