// Elements of side0 and side1, which the shader declares as arrays of words.
{{words}}
//#for s 2
fn element{{s}}(index: u32) -> Value {
//#if HALF
//#if LANES>1
  let word = side{{s}}[index];
  return vec4f(unpack2x16float(word.x), unpack2x16float(word.y));
//#else
  return unpack2x16float(side{{s}}[index / 2u])[index % 2u];
//#end
//#else
  return bitcast<Value>(side{{s}}[index]);
//#end
}

//#end
