// What sorting compares; put into shaders that sort.
//   TYPE: 0 f32, 1 i32;  DESCENDING
const TYPE = {{TYPE}}u;
const DESCENDING = {{DESCENDING}}u;

// To a word that compares like the value as an unsigned number.
fn to_key(word: u32) -> u32 {
  var key = word ^ 0x80000000u;
  if (TYPE == 0u) {
    if ((word & 0x7fffffffu) > 0x7f800000u) {
      key = 0xffffffffu;
    } else if (word >= 0x80000000u) {
      key = select(~word, 0x80000000u, word == 0x80000000u);
    }
  }
  return select(key, ~key, DESCENDING == 1u);
}
