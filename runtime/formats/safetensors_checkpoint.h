// A checkpoint of safetensors files: a file, or a folder in one of its forms.
#pragma once

#include <string>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/format.h"

namespace aoa::formats {

constexpr const char* kConfigName = "config.json";

// Which forms a folder may have.
enum class Forms {
  kWholeOrShards,         // model.safetensors, or an index and its shards
  kWholeOrShardsOrRanks,  // these, or the files of the ranks of a mesh
};

// Reads the headers at `path`; no other file of a folder is looked at but config.json. A file is read as it stands,
// whatever its metadata say of a mesh. Leaves `format` and `variant` of the schema to the caller.
Result<Schema> ReadCheckpoint(const std::string& path, Forms forms, const ReadOptions& options);

// The text of config.json in a folder, empty if there is none.
Result<std::string> ReadConfig(const std::string& folder);

// What a look at names tells.
struct FolderForm {
  bool whole = false;
  bool index = false;
  bool ranks = false;
  bool config = false;
};
// Nothing of it if `path` is no folder that can be read.
FolderForm FormOfFolder(const std::string& path);

// Whether `path` is a file that begins like safetensors.
bool LooksLikeSafetensors(const std::string& path);

}  // namespace aoa::formats
