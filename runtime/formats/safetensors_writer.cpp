#include "runtime/formats/safetensors_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>

#include "compiler/core/check.h"
#include "compiler/core/text.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_dtype.h"

namespace aoa::formats {
namespace {

constexpr uint64_t kAlignment = 8;

// With its quotes; what must be escaped is, all else stands as it is.
std::string JsonText(const std::string& text) { return nlohmann::json(text).dump(); }

Status CheckName(const std::string& name) {
  if (name == kMetadataKey)
    return Status::Invalid(fmt::format("no tensor can be called {} in safetensors", Quote(name)));
  if (!IsUtf8(name)) return Status::Invalid(fmt::format("tensor {}: names in safetensors are UTF-8", Quote(name)));
  return {};
}

Status CheckMembers(const std::vector<TargetTensor>& table, std::span<const uint32_t> members) {
  std::unordered_set<std::string_view> seen;
  for (uint32_t member : members) {
    const TargetTensor& tensor = table[member];
    AOA_RETURN_IF_ERROR(CheckName(tensor.name));
    AOA_CHECK(seen.insert(tensor.name).second, tensor.name + " is laid out twice");
    AOA_CHECK(tensor.bytes == static_cast<uint64_t>(ElementCount(tensor.shape) * Width(tensor.dtype)), tensor.name);
  }
  return {};
}

std::vector<uint32_t> InFileOrder(const std::vector<TargetTensor>& table, std::span<const uint32_t> members) {
  std::vector<uint32_t> order(members.begin(), members.end());
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    int type_a = SafetensorsOrder(table[a].dtype), type_b = SafetensorsOrder(table[b].dtype);
    return type_a != type_b ? type_a > type_b : table[a].name < table[b].name;
  });
  return order;
}

void AppendEntry(std::string& out, const TargetTensor& tensor, uint64_t begin) {
  fmt::format_to(std::back_inserter(out), "{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                 JsonText(tensor.name), SafetensorsName(tensor.dtype), fmt::join(tensor.shape, ","), begin,
                 begin + tensor.bytes);
}

// The length field, the opening brace and the metadata.
std::string HeadFront(const Metadata& metadata, bool tensors_follow, uint64_t header_bytes) {
  static_assert(std::endian::native == std::endian::little);
  std::string out(sizeof(header_bytes), '\0');
  std::memcpy(out.data(), &header_bytes, sizeof(header_bytes));
  out += '{';
  if (metadata.empty()) return out;
  out += JsonText(std::string(kMetadataKey)) + ":{";
  for (size_t i = 0; i < metadata.size(); ++i) {
    out += (i > 0 ? "," : "") + JsonText(metadata[i].first) + ":" + JsonText(metadata[i].second);
  }
  out += tensors_follow ? "}," : "}";
  return out;
}

}  // namespace

Result<PlacedTable> PlaceTensors(const std::vector<TargetTensor>& table, std::span<const uint32_t> members) {
  AOA_RETURN_IF_ERROR(CheckMembers(table, members));
  PlacedTable placed;
  std::vector<PlacedTensor> tensors;
  std::string entries;
  for (uint32_t member : InFileOrder(table, members)) {
    if (!tensors.empty()) entries += ',';
    tensors.push_back({member, placed.data_bytes});
    AppendEntry(entries, table[member], placed.data_bytes);
    placed.data_bytes += table[member].bytes;
  }
  entries += '}';
  placed.tensors = std::make_shared<const std::vector<PlacedTensor>>(std::move(tensors));
  placed.entries = std::make_shared<const std::string>(std::move(entries));
  return placed;
}

Result<TargetFile> MakeFile(const std::string& path, const PlacedTable& placed, const Metadata& metadata) {
  const bool tensors_follow = !placed.tensors->empty();
  const uint64_t used = HeadFront(metadata, tensors_follow, 0).size() + placed.entries->size();
  TargetFile file;
  file.path = path;
  file.data_start = (used + kAlignment - 1) / kAlignment * kAlignment;
  file.size = file.data_start + placed.data_bytes;
  file.tensors = placed.tensors;
  const uint64_t header_bytes = file.data_start - kHeaderLengthBytes;
  if (header_bytes > kMaxHeaderBytes) {
    return Status::Invalid(fmt::format("{} would need a header of {} bytes for its {} tensors, and readers take {}",
                                       path, header_bytes, placed.tensors->size(), kMaxHeaderBytes));
  }
  file.head.push_back(std::make_shared<const std::string>(HeadFront(metadata, tensors_follow, header_bytes)));
  file.head.push_back(placed.entries);
  file.head.push_back(std::make_shared<const std::string>(file.data_start - used, ' '));
  return file;
}

}  // namespace aoa::formats
