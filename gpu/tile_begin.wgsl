// How `main` begins in the shaders of tiles: which tile the workgroup makes, and from which part of k.
  let index = group.x + group.y * groups.x;
  if (index >= sizes.TILES) {
    return;
  }
  let tile = tile_of(index);
  let start = tile.x * sizes.PART;
  let end = min(sizes.K, start + sizes.PART);
//#if CONV
  prepare(tile.z, thread);
  workgroupBarrier();
//#end
