#include "runtime/formats/deepspeed.h"

#include <algorithm>

#include "runtime/formats/companions.h"
#include "runtime/formats/deepspeed_files.h"
#include "runtime/formats/deepspeed_reader.h"
#include "runtime/formats/deepspeed_writer.h"
#include "runtime/formats/safetensors_checkpoint.h"

namespace aoa::formats {

bool DeepSpeedFormat::Recognizes(const std::string& path) const { return LooksLikeDeepSpeed(path); }

Result<Schema> DeepSpeedFormat::Read(const std::string& path, const ReadOptions& options) const {
  return ReadDeepSpeed(path, options);
}

Result<TargetLayout> DeepSpeedFormat::LayOut(const TargetContent& content, const WriteOptions& options) const {
  WriteOptions chosen = options;
  if (chosen.variant.empty()) chosen.variant = "zero1";
  auto layout = LayOutDeepSpeed(content, chosen);
  // A pipeline has its configuration among the arguments of the run.
  if (layout.ok() && !chosen.config.empty() && chosen.variant != "pipeline")
    layout->extras.push_back({kConfigName, chosen.config});
  return layout;
}

std::vector<std::string> DeepSpeedFormat::Companions(const std::string& path) const {
  std::vector<std::string> names = ModelCompanions(path);
  std::erase_if(names, [](const std::string& name) {  // they read no other format; ours keeps them
    return std::find(kDeepSpeedScripts.begin(), kDeepSpeedScripts.end(), name) != kDeepSpeedScripts.end();
  });
  return names;
}

}  // namespace aoa::formats
