// One model-parallel rank of a Megatron checkpoint: what model_optim_rng.pt and distrib_optim.pt hold.
//
// Source: generate_state_dict of megatron/training/checkpointing.py, megatron/core/optimizer of Core 0.4 to 0.16, and
// megatron/legacy/model for the names before Core.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/megatron_args.h"
#include "runtime/formats/megatron_weights.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {

constexpr std::string_view kMegatronFile = "model_optim_rng.pt", kMegatronBuffers = "distrib_optim.pt";

struct MegatronWeight {
  std::string name;  // in the rank, layers numbered over all its virtual stages
  TorchTensor tensor;
  size_t chunk = 0;  // the virtual stage
};

struct MegatronRank {
  std::string folder;  // "mp_rank_01_003"
  TorchFile file;
  const pickle::Value* common = nullptr;  // the dictionary in the file; null: its root
  std::optional<TorchFile> buffers;       // of the distributed optimizer
  std::optional<TorchFile> groups;        // of a distributed checkpoint: the optimizer's groups, where they lie apart
  nlohmann::json arguments;               // null if there are none
  MegatronMesh mesh;                      // of the arguments
  double version = 0;
  std::optional<int64_t> iteration;
  std::vector<MegatronWeight> weights;  // in the order of the model
  size_t chunks = 1;

  const pickle::Value& root() const { return common ? *common : file.root(); }
};

// What a reader keeps of a checkpoint for the writer: the ranks' objects, in rank order; of a distributed checkpoint
// the one that is common to all.
struct MegatronPreserved : Preserved {
  MegatronMesh mesh;
  bool distributed = false;
  std::vector<MegatronRank> ranks;
  std::map<std::string, std::string> objects;  // of a distributed checkpoint, by name: bytes of torch.save

  // Whether ranks of this mesh are those of the checkpoint, but for copies.
  bool HasRanksOf(const MegatronMesh& other) const {
    return !distributed && mesh.tp == other.tp && mesh.pp == other.pp;
  }
};

// Reads the files of SAVE/ITERATION/`folder`. Failures name the file.
Result<MegatronRank> ReadMegatronRank(const std::string& iteration, const std::string& folder);

// The digits behind `layers.` in a name: where they begin and end, and the number.
struct MegatronLayer {
  size_t begin = 0, end = 0;
  int64_t number = 0;
};

// Nothing for a name that is of no layer.
std::optional<MegatronLayer> FindMegatronLayer(const std::string& name);
void RenumberMegatronLayer(std::string& name, const MegatronLayer& layer, int64_t number);

// Whether the optimizer lets a weight's size decay, which decides its group.
bool DecaysInMegatron(std::string_view name, const Shape& shape);
// Whether a weight is the embedding that the first and the last stage share.
bool IsMegatronEmbedding(std::string_view name);

// The value of an integer key of a dictionary; null if there is none.
const pickle::Value* FindKey(const pickle::Value& dictionary, int64_t key);
// Of ints and floats.
std::optional<double> NumberOf(const pickle::Value* value);

}  // namespace aoa::formats
