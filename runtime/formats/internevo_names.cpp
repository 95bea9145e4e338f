#include "runtime/formats/internevo_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

constexpr std::string_view kModel = "model.";
constexpr int64_t kMostChunks = 1 << 16, kMostLayers = 1 << 24;  // numbers beyond are none of layers

// A number that stands between dots, or between the beginning and a dot.
struct Number {
  size_t begin = 0, length = 0;
  int64_t value = 0;
};

std::optional<Number> FindNumber(std::string_view name) {
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    Number out{begin, end - begin, 0};
    auto [last, error] = std::from_chars(name.data() + begin, name.data() + end, out.value);
    if (error == std::errc() && last == name.data() + end && out.value >= 0 && out.value < kMostLayers &&
        end < name.size())
      return out;
    begin = end + 1;
  }
  return std::nullopt;
}

void Renumber(std::string& name, const Number& at, int64_t value) {
  name.replace(at.begin, at.length, std::to_string(value));
}

// Takes the number of the virtual stage and `model.` from a name.
std::optional<int64_t> TakeChunk(std::string& name) {
  auto number = FindNumber(name);
  std::optional<int64_t> chunk;
  if (number && number->begin == 0) {
    chunk = number->value;
    name.erase(0, number->length + 1);
  }
  if (name.starts_with(kModel)) name.erase(0, kModel.size());
  return chunk;
}

}  // namespace

Result<int64_t> ToStageNames(std::vector<std::string>& names) {
  std::vector<std::optional<int64_t>> chunks;
  std::map<int64_t, int64_t> layers;  // by virtual stage
  for (std::string& name : names) {
    const std::string whole = name;
    chunks.push_back(TakeChunk(name));
    if (chunks.back().has_value() != chunks.front().has_value() || chunks.back().value_or(0) >= kMostChunks) {
      return Status::Invalid(fmt::format("{} has no number of a virtual stage in front that goes with those of {}",
                                         Quote(whole), Quote(names.front())));
    }
    int64_t& count = layers[chunks.back().value_or(0)];
    if (auto layer = FindNumber(name)) count = std::max(count, layer->value + 1);
  }
  if (names.empty() || !chunks.front()) return 1;
  const int64_t count = layers.rbegin()->first + 1, each = layers.begin()->second;
  for (int64_t chunk = 0; chunk < count; ++chunk) {
    auto it = layers.find(chunk);
    if (it != layers.end() ? it->second == each : each == 0) continue;
    return Status::Invalid(fmt::format("virtual stage {} has {} layers, stage {} has {}: they are dealt evenly", chunk,
                                       it == layers.end() ? 0 : it->second, layers.begin()->first, each));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (auto layer = FindNumber(names[i])) Renumber(names[i], *layer, layer->value + *chunks[i] * each);
  }
  return count;
}

Status ToFileNames(std::vector<std::string>& names, int64_t chunks, bool first_stage) {
  int64_t layers = 0;
  for (const std::string& name : names) {
    if (auto layer = FindNumber(name)) layers = std::max(layers, layer->value + 1);
  }
  if (layers % chunks != 0)
    return Status::Invalid(fmt::format("{} layers of a stage do not divide into {} virtual stages", layers, chunks));
  const int64_t each = layers / chunks;
  bool behind = layers == 0 && !first_stage;
  for (std::string& name : names) {
    int64_t chunk = behind ? chunks - 1 : 0;
    if (auto layer = FindNumber(name)) {
      chunk = layer->value / each;
      Renumber(name, *layer, layer->value % each);
      behind = true;
    }
    name = (chunks > 1 ? std::to_string(chunk) + "." : "") + std::string(kModel) + name;
  }
  return Status();
}

}  // namespace aoa::formats
