// A chain of elementwise ops on element(s) `q`, put into elementwise.wgsl and into kernels that have an epilogue or a
// prologue, where it gives the word that the kernel reads.
// All buffers hold 32-bit words, so that one buffer can be read and written as different types. With LANES = 4, q
// counts groups of four elements. All loads come before all stores.
//#for x buffers
@group(0) @binding({{x.binding}}) var<storage, read_write> {{x.name}}: array<{{x.type}}>;
//#end

// Or-ed into the bits of constants that have no WGSL literal (NaN, infinities, -0), so that nothing folds them early.
var<private> no_bits: u32 = 0u;

//#for f functions
fn {{f.name}}({{f.parameters}}) -> {{f.type}} {
  return {{f.expression}};
}
//#end

struct Stored {
//#for s stores
  {{s.name}}: u32,
//#end
}

fn chain({{parameters}}) -> Stored {
//#for v values
  let {{v.name}} = {{v.value}};
//#end
  return Stored({{results}});
}

fn finish({{signature}} {
//#for l loads
  let {{l.name}} = {{l.value}};
//#end
//#for n lanes
  let {{n.result}} = chain({{n.arguments}});
//#end
//#for s stores
  {{s.to}} {{s.words}};
//#end
}
