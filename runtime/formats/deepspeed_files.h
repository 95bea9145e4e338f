// The files of a DeepSpeed checkpoint:
//
//   latest                                                        the tag: the name of the folder
//   TAG/mp_rank_TT_model_states.pt                                a model-parallel rank's weights and run state
//   TAG/zero_pp_rank_D_mp_rank_TT_model_states.pt                 the same of ZeRO-3, for each data-parallel rank
//   TAG/[bf16_|fp16_]zero_pp_rank_D_mp_rank_TT_optim_states.pt    a data-parallel rank's part of the optimizer
//   TAG/layer_II-model_TT-model_states.pt                         an item of a pipeline, on a tensor rank
//   latest_universal, TAG/zero/NAME/{fp32,exp_avg,...}.pt         universal: a folder for each parameter
//
// "pp" is the data-parallel rank, for historical reasons. In a pipeline TT of mp_rank counts stages and tensor ranks.
//
// Source: deepspeed/runtime/engine.py and deepspeed/runtime/pipe/module.py, and files of DeepSpeed 0.19.8.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/status.h"

namespace aoa::formats {

struct DeepSpeedName {
  enum class Kind { kModel, kOptimizer, kLayer };
  Kind kind = Kind::kModel;
  std::optional<int64_t> data;  // the data-parallel rank, if the name has one
  int64_t model = 0;            // the model-parallel rank; of layers the tensor rank
  int64_t item = 0;             // of layers
  std::string prefix;           // "bf16_"
};

std::optional<DeepSpeedName> ParseDeepSpeedName(std::string_view name);
// Spells any but the numbers of a layer without a tensor rank.
std::string SpellDeepSpeedName(const DeepSpeedName& name);

// What the folder of a tag holds, as paths.
struct DeepSpeedFiles {
  using Rank = std::pair<int64_t, int64_t>;  // (data, model)

  std::string folder;
  std::string tag;
  std::map<int64_t, std::string> models;  // by model-parallel rank
  std::map<Rank, std::string> shards;     // model states of ZeRO-3
  std::map<Rank, std::string> optimizers;
  std::map<Rank, std::string> layers;   // (item, tensor rank)
  std::vector<std::string> parameters;  // of a universal checkpoint: names of folders below zero/
  std::vector<std::string> notes;

  bool universal() const { return !parameters.empty(); }
  int64_t data_ranks() const;  // those that names speak of; at least 1
  int64_t model_ranks() const;
  int64_t tensor_ranks() const;  // of layers

  // That every rank of so many has its files; or the message lists the missing ones.
  Status CheckComplete(int64_t data, int64_t model) const;
};

// Finds the files at a path: a folder with `latest`, or that of a tag. Every rank has its files, or the message lists
// the missing ones.
Result<DeepSpeedFiles> FindDeepSpeedFiles(const std::string& path);

// Scripts that DeepSpeed puts into every checkpoint, beside the folder of the tag.
constexpr std::array<std::string_view, 2> kDeepSpeedScripts = {"zero_to_fp32.py", "zero_to_torch.py"};

constexpr std::string_view kUniversalOptimizer = "optimizer_state.pt";  // below zero/
constexpr std::string_view kUniversalEnd = "_universal";                // of a tag
// The number that a tag ends in ("global_step2500", also before kUniversalEnd): the steps that its trainer counts.
std::optional<int64_t> StepsInTag(std::string_view tag);

// Whether FindDeepSpeedFiles would find any.
bool LooksLikeDeepSpeed(const std::string& path);

}  // namespace aoa::formats
