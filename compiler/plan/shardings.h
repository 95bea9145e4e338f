// The cuts of an end's types as shardings: for formats that keep them beside their files.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "compiler/bind/program.h"
#include "compiler/core/sharding.h"

namespace aoa::plan {

// What the types of these tensors say, tensor by tensor. Null if a cut is no cut of a file's axis into equal blocks, or
// if stages are no runs of ranks. `holds` tells whether a rank has a tensor.
std::shared_ptr<const Shardings> ShardingsOf(const bind::End& end, const std::vector<bind::TensorId>& tensors,
                                             const std::function<bool(bind::TensorId, int64_t rank)>& holds);

// How the ranks' blocks lie side by side, seen from a framework that knows a tensor only as its blocks: for each axis
// the mesh axes whose coordinates number the blocks along it. The blocks of a sum, which are no runs of the whole, are
// placed like others. Ranks are those of the whole mesh: one stage, which holds all. Null if blocks differ in size or
// repeat.
std::shared_ptr<const Shardings> BlocksOf(const bind::End& end, const std::vector<bind::TensorId>& tensors);

}  // namespace aoa::plan
