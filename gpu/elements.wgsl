// Elements of side0 and side1, which the shader declares as words: floats, or where HALF packed halves.
//#for s 2
fn element{{s}}(index: u32) -> f32 {
//#if HALF
  return unpack2x16float(side{{s}}[index / 2u])[index % 2u];
//#else
  return bitcast<f32>(side{{s}}[index]);
//#end
}

//#end
