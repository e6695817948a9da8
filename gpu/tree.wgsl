// Joins what COUNT invocations of a workgroup have, STRIDE apart, in a tree: at each step an invocation takes in the one that is
// half as many places on as are left. Put into shaders that say what a State is, and `join(kind, a, b)`.
//   SUBGROUP: invocations of a subgroup at least, 0 without subgroups: steps inside of one need no workgroup memory; the
//   order is the same. Subgroups are taken to be neighbours, as they are in workgroups of one axis.
var<workgroup> partial: array<State, THREADS>;

// The same for all invocations that share a tree.
fn tree(kind: u32, own: State, thread: u32) -> State {
  var state = own;
  let place = thread / STRIDE % COUNT;
  var half = COUNT / 2u;
  for (; half * STRIDE >= max(1u, {{SUBGROUP}}u); half /= 2u) {
    partial[thread] = state;
    workgroupBarrier();
    if (place < half) {
      state = join(kind, state, partial[thread + half * STRIDE]);
    }
    workgroupBarrier();
  }
//#if SUBGROUP
  for (; half > 0u; half /= 2u) {
    state = join(kind, state, subgroupShuffleDown(state, half * STRIDE));
  }
//#end
  partial[thread] = state;
  workgroupBarrier();
  state = partial[thread - place * STRIDE];
  workgroupBarrier();
  return state;
}
