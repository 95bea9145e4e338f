// The folders of a Megatron checkpoint: SAVE/latest_checkpointed_iteration.txt names SAVE/iter_0000100 (or `release`),
// which holds mp_rank_TT, mp_rank_TT_PPP or mp_rank_TT_PPP_EEE per model-parallel rank.
//
// Source: megatron/training/checkpointing.py (get_checkpoint_name), Megatron-LM 2.0 to Core 0.16.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/status.h"

namespace aoa::formats {

constexpr std::string_view kTracker = "latest_checkpointed_iteration.txt";

struct MegatronRankFolder {
  std::string name;
  std::vector<int64_t> numbers;  // tp, then what parallelism beyond it there is
};

struct MegatronFolder {
  std::string path;  // of the iteration
  std::string name;  // "iter_0000100", "release"; empty if the checkpoint's path is the iteration itself
  std::vector<MegatronRankFolder> ranks;  // by name
};

// The numbers of "mp_rank_01_003"; nothing for another name.
std::optional<std::vector<int64_t>> RankFolderNumbers(std::string_view name);
// "mp_rank_01_003"; without the stage if there is one only.
std::string RankFolderName(int64_t tp, int64_t pp, int64_t stages);
// "iter_0000100"
std::string IterationFolderName(int64_t iteration);

// The iteration below `path`: `path` itself, the one that the tracker file names, or the only one.
Result<MegatronFolder> FindMegatronFolder(const std::string& path);

}  // namespace aoa::formats
