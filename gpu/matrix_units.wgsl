// The matrix units of a GPU, in Dawn's experimental words (docs/dawn/features/subgroup_matrix.md there): a subgroup has
// together a left matrix (UM, UK), a right one (UK, UN) and their product (UM, UN). Put into matmul_matrix.wgsl.
//   Unit: the type of left and right, as the cells of the tiles have it;  places and strides are counted in vectors
alias Left = subgroup_matrix_left<{{Unit}}, {{UK}}, {{UM}}>;
alias Right = subgroup_matrix_right<{{Unit}}, {{UN}}, {{UK}}>;
alias Product = subgroup_matrix_result<f32, {{UN}}, {{UM}}>;

fn load_left(at: u32) -> Left {
  return subgroupMatrixLoad<Left, col_major>(&tile0, at, SPAN0);
}

fn load_right(at: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&tile1, at, SPAN1);
}

fn multiply(left: Left, right: Right, sum: Product) -> Product {
  return subgroupMatrixMultiplyAccumulate(left, right, sum);
}

fn put_product(at: u32, sum: Product) {
  subgroupMatrixStore<row_major>(&products, at, sum, {{UN}}u / 4u);
}
