#include "runtime/formats/paddle.h"

#include <fmt/format.h>

#include <filesystem>

#include "compiler/core/text.h"
#include "runtime/formats/companions.h"
#include "runtime/formats/paddle_flex.h"
#include "runtime/formats/paddle_ranks.h"
#include "runtime/formats/paddle_writer.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_checkpoint.h"

namespace aoa::formats {

bool PaddleFormat::Recognizes(const std::string& path) const {
  return !FindPaddleFlex(path).empty() || !FindPaddleRanks(path).empty();
}

Result<Schema> PaddleFormat::Read(const std::string& path, const ReadOptions& options) const {
  Schema schema;
  schema.path = path;
  schema.format = name();
  if (const auto folders = FindPaddleFlex(path); !folders.empty()) {
    AOA_ASSIGN_OR_RETURN(bool safetensors, ReadPaddleFlex(folders, options.threads, schema));
    schema.variant = safetensors ? "flex_safetensors" : "flex";
  } else if (const auto files = FindPaddleRanks(path); !files.empty()) {
    AOA_RETURN_IF_ERROR(ReadPaddleRanks(files, options.threads, schema));
    schema.variant = "pdparams";
  } else {
    return Status::Invalid(
        fmt::format("{} holds neither `.pdparams` files nor the metadata of a flex checkpoint", Printable(path)));
  }
  std::error_code error;
  const std::filesystem::path here(path);
  AOA_ASSIGN_OR_RETURN(schema.config,
                       ReadConfig(std::filesystem::is_directory(here, error) ? path : here.parent_path().native()));
  return schema;
}

Result<TargetLayout> PaddleFormat::LayOut(const TargetContent& content, const WriteOptions& options) const {
  if (options.variant.starts_with("flex"))
    return Status::Invalid(fmt::format("the variant {} of the format `paddle` is read only", Quote(options.variant)));
  return LayOutPaddleRanks(content, options.variant == "pdparams_stage2");
}

std::vector<std::string> PaddleFormat::Companions(const std::string& path) const { return ModelCompanions(path); }

}  // namespace aoa::formats
