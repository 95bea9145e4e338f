// Which files make a checkpoint of MindSpore.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/core/sharding.h"
#include "compiler/core/status.h"

namespace aoa::formats {

constexpr const char* kParamNameMap = "param_name_map.json";
constexpr const char* kHyperParam = "hyper_param.safetensors";

enum class MindSporeKind { kCkpt, kSafetensors, kUnified };

struct MindSporeFiles {
  struct File {
    int64_t rank = 0;
    std::string path;
  };
  MindSporeKind kind = MindSporeKind::kCkpt;
  std::vector<File> files;         // by rank; of a unified folder its parts by name, without hyper_param
  std::vector<int64_t> absent;     // ranks of the layout that have no folder
  std::vector<std::string> notes;  // what was passed over
};

// Finds the files at `path`: one for each rank of `layout`, or a complete one where that is null. What is missing (some
// ranks may be, if `partial`) or too much is named.
Result<MindSporeFiles> FindMindSporeFiles(const std::string& path, const Shardings* layout, bool partial = false);

// Whether there is such a checkpoint, by a look at names and first bytes.
bool LooksLikeMindSpore(const std::string& path);

}  // namespace aoa::formats
