// The arguments of a Megatron run, which its checkpoints carry as an argparse.Namespace: read as JSON, and made.
//
// Source: megatron/training/arguments.py and checkpointing.py of Megatron Core 0.16.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "compiler/core/status.h"
#include "runtime/formats/pickle.h"

namespace aoa::formats {

// How a run was cut.
struct MegatronMesh {
  int64_t tp = 1, pp = 1, dp = 1, vpp = 1;
  bool operator==(const MegatronMesh&) const = default;
};

// "pp=2, dp=1, tp=2"
std::string ToString(const MegatronMesh& mesh);

// The arguments whose values JSON has: numbers, texts, lists, element types by name. Where one argument decides whether
// another counts, it is as if that had been said: groups of queries are as many as heads unless they are asked for, and
// embeddings are shared unless it says otherwise. Null if `args` is no namespace.
nlohmann::json MegatronArguments(const pickle::Value& args);

// The mesh of a run. kInvalid for sizes that are none, and for experts on ranks of their own.
Result<MegatronMesh> MegatronMeshOf(const nlohmann::json& arguments);

// A namespace with these arguments, on top of those of `like` (which may be null). Nodes of `like` are used as they
// are.
const pickle::Value* MakeMegatronArguments(const nlohmann::json& arguments, const pickle::Value* like,
                                           pickle::Tree& tree);

}  // namespace aoa::formats
