#include "runtime/formats/megatron.h"

#include <filesystem>

#include "runtime/formats/companions.h"
#include "runtime/formats/megatron_dist.h"
#include "runtime/formats/megatron_dist_writer.h"
#include "runtime/formats/megatron_folder.h"
#include "runtime/formats/megatron_rank.h"
#include "runtime/formats/megatron_reader.h"
#include "runtime/formats/megatron_writer.h"

namespace aoa::formats {

namespace fs = std::filesystem;

bool MegatronFormat::Recognizes(const std::string& path) const {
  std::error_code error;
  if (!fs::is_directory(path, error)) return false;
  auto folder = FindMegatronFolder(path);
  if (folder.ok() && IsMegatronDist(folder->path)) return true;
  return folder.ok() && !folder->ranks.empty() &&
         fs::exists(fs::path(folder->path) / folder->ranks[0].name / kMegatronFile, error);
}

Result<Schema> MegatronFormat::Read(const std::string& path, const ReadOptions& options) const {
  Schema schema;
  schema.path = path;
  schema.format = name();
  if (auto folder = FindMegatronFolder(path); folder.ok() && IsMegatronDist(folder->path)) {
    AOA_RETURN_IF_ERROR(ReadMegatronDist(folder->path, options.threads, schema));
  } else {
    AOA_RETURN_IF_ERROR(ReadMegatron(path, options.threads, schema));
  }
  return schema;
}

Result<TargetLayout> MegatronFormat::LayOut(const TargetContent& content, const WriteOptions& options) const {
  return options.variant.starts_with(kDist) ? LayOutMegatronDist(content, options) : LayOutMegatron(content, options);
}

std::vector<std::string> MegatronFormat::Companions(const std::string& path) const { return ModelCompanions(path); }

}  // namespace aoa::formats
