// What stands around the tensors in model_optim_rng.pt, as values to be written.
//
// Source: megatron/training/checkpointing.py, megatron/core/optimizer, and the classes of megatron/legacy/model, whose
// dictionaries are nested.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/dtype.h"
#include "runtime/formats/megatron_object.h"
#include "runtime/formats/pickle.h"
#include "runtime/formats/torch_copy.h"
#include "runtime/formats/torch_writer.h"

namespace aoa::formats {

// The keys that lead to a weight: one in models of Core, whose dictionaries are flat; several before it, where only
// those of the encoder are flat.
std::vector<std::string> MegatronPath(const std::string& name);

// A dictionary of dictionaries.
class NestedDictionary {
 public:
  explicit NestedDictionary(pickle::Tree& tree) : tree_(tree), root_(Make()) {}

  void Set(const std::vector<std::string>& path, const pickle::Value* value);
  const pickle::Value* root() const { return root_; }

 private:
  pickle::Value* Make() { return tree_.Call("collections OrderedDict", {}); }

  pickle::Tree& tree_;
  pickle::Value* root_;
  std::map<std::string, pickle::Value*> inner_;  // by the keys that lead there
};

// The key under which a distributed checkpoint says how it is made.
inline constexpr std::string_view kMegatronContent = "content_metadata";

// Whether a value of the outermost dictionary is one rank's own, and of no use to another.
bool IsOfOneRank(std::string_view key);

// A rank's model, as far as the arguments speak of it.
struct MegatronFacts {
  int64_t layers = 0;  // of the stage
  DType dtype = DType::kF32;
  bool distributed = false;
};

// The arguments that the target's mesh and the rules decide; without `kept` ones, also those that every run has.
Result<nlohmann::json> TargetArguments(const MegatronTarget& target, const MegatronFacts& facts, bool kept);

// A parameter group of a source, and the file that it stands in; null if there is none.
struct MegatronGroup {
  const pickle::Value* value = nullptr;
  const TorchFile* file = nullptr;
};

// The group whose weights do or do not decay.
MegatronGroup FindMegatronGroup(const MegatronRank& rank, bool decays);
// The source's group without its weights and its step; without a source one with the settings that Megatron has by
// itself. What changes while training, its schedule sets.
Result<pickle::Value*> MakeMegatronGroup(const MegatronRank* like, bool decays, TorchStorages& storages,
                                         pickle::Tree& tree);
// The source's scale of losses; without one what a run in f16 begins with, else null.
Result<const pickle::Value*> MakeMegatronScaler(const MegatronRank* like, bool half, TorchStorages& storages,
                                                pickle::Tree& tree);

// Adds what else the source has to a dictionary: schedules, and where `same_rank` says so, the states of random
// generators.
Status KeepMegatronOthers(const MegatronRank& like, bool same_rank, TorchCopier& copier, pickle::Value* root);

}  // namespace aoa::formats
