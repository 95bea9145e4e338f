#include "runtime/formats/paddle.h"

#include <fmt/format.h>

#include <filesystem>

#include "compiler/core/text.h"
#include "runtime/formats/companions.h"
#include "runtime/formats/paddle_flex.h"
#include "runtime/formats/paddle_flex_writer.h"
#include "runtime/formats/paddle_ranks.h"
#include "runtime/formats/paddle_target.h"
#include "runtime/formats/paddle_writer.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_checkpoint.h"

namespace aoa::formats {
namespace {

constexpr std::string_view kSegment = "segment_size";  // what rules call it

}  // namespace

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
  const PaddleDealing dealing = PaddleDealingOf(options.variant);
  const int64_t segment =
      options.number ? options.number(std::string(kSegment)).value_or(kPaddleSegment) : kPaddleSegment;
  if (segment < 0) return Status::Usage(fmt::format("{} is {}: it is a number of elements", Quote(kSegment), segment));
  AOA_ASSIGN_OR_RETURN(PaddleTarget target, PaddleTarget::Make(content, dealing, segment));
  if (options.variant.starts_with("pdparams")) return LayOutPaddleRanks(target);
  return LayOutPaddleFlex(target, options.variant == "flex_safetensors");
}

std::vector<std::string> PaddleFormat::Companions(const std::string& path) const { return ModelCompanions(path); }

}  // namespace aoa::formats
