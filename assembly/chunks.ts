// How (reduce, inner) matrices are cut for kernels that go by columns: by shape alone, so that the threads change nothing.
// Some rows together are seen as one wide row, so that it is a multiple of 16 elements whatever the number of channels;
// some of the wide rows are a chunk. Rows that are left over come last.

/** How many rows make a wide row. */
@inline
export function rowsTogether(inner: i32): i32 {
  return 16 / min(inner & -inner, 16);
}

/** Wide rows of a chunk: about 64 KB, so that a second look finds it in the cache. */
@inline
export function rowsOfChunk(wide: i32): i32 {
  return min(max(16384 / wide, 16), 256);
}

@inline
export function chunksOf(reduce: i32, inner: i32): i32 {
  const together = rowsTogether(inner);
  const size = rowsOfChunk(together * inner);
  return (reduce / together + size - 1) / size;
}

/**
 * Where the coefficients of 16 columns from column `first` of a wide row on lie one after the other: where they are, or
 * for rows that are several in one, copied to `to`.
 */
@inline
export function coefficients(from: usize, first: i32, inner: i32, wide: i32, to: usize): usize {
  if (inner == wide) return from + (<usize>first << 2);
  let c = first % inner;
  const end = to + 64;
  for (let p = to; p < end; p += 4) {
    store<f32>(p, load<f32>(from + (<usize>c << 2)));
    c = c + 1 == inner ? 0 : c + 1;
  }
  return to;
}
