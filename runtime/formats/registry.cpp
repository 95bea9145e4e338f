#include "runtime/formats/dcp.h"
#include "runtime/formats/deepspeed.h"
#include "runtime/formats/format.h"
#include "runtime/formats/hf.h"
#include "runtime/formats/internevo.h"
#include "runtime/formats/megatron.h"
#include "runtime/formats/mindspore.h"
#include "runtime/formats/paddle.h"
#include "runtime/formats/safetensors.h"
#include "runtime/formats/torch.h"

#include <algorithm>

namespace aoa::formats {

const std::vector<const Format*>& AllFormats() {
  static const SafetensorsFormat safetensors;
  static const HfFormat hf;
  static const DeepSpeedFormat deepspeed;
  static const InternEvoFormat internevo;
  static const TorchFormat torch;
  static const MegatronFormat megatron;
  static const DcpFormat dcp;
  static const MindSporeFormat mindspore;
  static const PaddleFormat paddle;
  static const std::vector<const Format*> all = {&safetensors, &hf,  &megatron,  &deepspeed, &internevo,
                                                 &torch,       &dcp, &mindspore, &paddle};
  return all;
}

const Format* FindFormat(std::string_view name) {
  const auto& all = AllFormats();
  auto it = std::find_if(all.begin(), all.end(), [&](const Format* format) { return format->name() == name; });
  return it == all.end() ? nullptr : *it;
}

const Format* RecognizeFormat(const std::string& path) {
  const auto& all = AllFormats();
  auto it = std::find_if(all.begin(), all.end(), [&](const Format* format) { return format->Recognizes(path); });
  return it == all.end() ? nullptr : *it;
}

}  // namespace aoa::formats
