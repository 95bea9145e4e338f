// Headers and indexes from nowhere. Whatever the input: no crash, memory in proportion to it, and what the parsers
// accept, and only that, is what another JSON library and a second reading of the format call right.
//
// With libFuzzer (clang, -DAOA_LIBFUZZER=ON) this is its target; else standalone.cpp mutates the hostile files.

#include <simdjson.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "runtime/formats/safetensors_header.h"
#include "runtime/formats/shard_index.h"
#include "tests/fuzz/allocations.h"
#include "tests/fuzz/harness.h"

namespace aoa::formats {
namespace {

using Json = nlohmann::json;

// The value of a text, or `discarded` if a key stands twice or values deeper than those of any header. The library
// takes a NUL for the end of the text, and walks deep values recursively.
Json ParseUnique(std::string_view text) {
  constexpr int kDeepest = 4;
  std::vector<std::set<std::string>> keys;
  bool wrong = text.find('\0') != text.npos;
  Json value = Json::parse(
      text,
      [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) wrong = true;
        wrong |= depth > kDeepest;
        return depth <= kDeepest;
      },
      /*allow_exceptions=*/false);
  if (wrong) value = Json(Json::value_t::discarded);
  return value;
}

// Bytes per element by the format's table; those that cannot be read are left out.
const std::map<std::string, unsigned> kWidths = {
    {"BOOL", 1},        {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"F8_E8M0", 1}, {"F8_E4M3FNUZ", 1},
    {"F8_E5M2FNUZ", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},     {"BF16", 2},    {"I32", 4},     {"U32", 4},
    {"F32", 4},         {"C64", 8}, {"F64", 8}, {"I64", 8},     {"U64", 8}};

struct Fact {
  std::string dtype;
  std::vector<uint64_t> shape;
  uint64_t begin = 0, end = 0;
};

bool IsSizes(const Json& json) {
  return json.is_array() &&
         std::all_of(json.begin(), json.end(), [](const Json& number) { return number.is_number_unsigned(); });
}

bool ReadFact(const Json& entry, Fact& fact) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets"))
    return false;
  const Json& offsets = entry["data_offsets"];
  if (!entry["dtype"].is_string() || !IsSizes(entry["shape"]) || !IsSizes(offsets) || offsets.size() != 2) return false;
  fact = {entry["dtype"], entry["shape"], offsets[0], offsets[1]};
  if (!kWidths.contains(fact.dtype) || fact.shape.size() > 64) return false;
  __extension__ using Wide = unsigned __int128;
  Wide nonzero = 1;
  bool empty = false;
  for (uint64_t extent : fact.shape) {
    empty |= extent == 0;
    nonzero *= std::max<uint64_t>(extent, 1);
    if (nonzero > (Wide(1) << 62)) return false;
  }
  return fact.begin <= fact.end && (empty ? 0 : nonzero * kWidths.at(fact.dtype)) == fact.end - fact.begin;
}

// What a header says, if it is right.
struct Facts {
  bool right = false;
  std::map<std::string, Fact> tensors;
  std::map<std::string, std::string> metadata;
  uint64_t data_bytes = 0;
};

Facts ReadFacts(std::string_view text) {
  Facts facts;
  if (!text.starts_with('{')) return facts;
  const Json json = ParseUnique(text);
  if (!json.is_object()) return facts;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const auto& [name, entry] : json.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) return facts;
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) return facts;
        facts.metadata[key] = value;
      }
      continue;
    }
    Fact& fact = facts.tensors[name];
    if (!ReadFact(entry, fact)) return facts;
    ranges.emplace_back(fact.begin, fact.end);
  }
  std::sort(ranges.begin(), ranges.end());
  for (auto [begin, end] : ranges) {
    if (begin != facts.data_bytes) return facts;
    facts.data_bytes = end;
  }
  facts.right = true;
  return facts;
}

void CompareTensors(const Header& header, const Facts& facts) {
  REQUIRE(header.tensors.size() == facts.tensors.size());
  for (const HeaderTensor& tensor : header.tensors) {
    auto fact = facts.tensors.find(std::string(header.Name(tensor)));
    REQUIRE(fact != facts.tensors.end());
    REQUIRE(static_cast<unsigned>(Width(tensor.dtype)) == kWidths.at(fact->second.dtype));
    REQUIRE(std::equal(fact->second.shape.begin(), fact->second.shape.end(), header.shapes[tensor.shape].begin(),
                       header.shapes[tensor.shape].end(),
                       [](uint64_t a, int64_t b) { return b >= 0 && a == static_cast<uint64_t>(b); }));
    REQUIRE(tensor.begin == fact->second.begin && tensor.end == fact->second.end);
  }
}

void TestHeader(std::string_view text) {
  auto header = [&] {
    testing::AllocationBound bound(100 * text.size() + (1 << 20));
    return HeaderParser().Parse(HeaderText(text));
  }();
  const Facts facts = ReadFacts(text);
  REQUIRE(header.ok() == facts.right);
  if (!header.ok()) return fuzz::CheckRefusal(header.status());
  CompareTensors(*header, facts);
  REQUIRE((std::map<std::string, std::string>(header->metadata.begin(), header->metadata.end()) == facts.metadata));
  REQUIRE(CheckDataBytes(*header, facts.data_bytes).ok());
  REQUIRE(!CheckDataBytes(*header, facts.data_bytes + 1).ok());
  REQUIRE(facts.data_bytes == 0 || !CheckDataBytes(*header, facts.data_bytes - 1).ok());
  if (HeaderSplit split = SplitHeader(text); split.metadata_end != 0) {
    auto metadata = HeaderParser().ParseMetadata(
        HeaderText(text.substr(split.metadata_begin, split.metadata_end - split.metadata_begin)));
    REQUIRE(metadata.ok() && *metadata == header->metadata);
  }
}

// What stands in front of a header and what stands behind it may be put together, if both are right by themselves: that
// is what sharing rests on.
void TestSplit(std::string_view text) {
  HeaderSplit split = SplitHeader(text);
  if (split.metadata_end == 0) return;
  std::string_view object = text.substr(split.metadata_begin, split.metadata_end - split.metadata_begin);
  bool object_right = HeaderParser().ParseMetadata(HeaderText(object)).ok();
  bool rest_right =
      HeaderParser().Parse(HeaderText("{\"__metadata__\":{}" + std::string(text.substr(split.metadata_end)))).ok();
  REQUIRE(HeaderParser().Parse(HeaderText(text)).ok() == (object_right && rest_right));
}

// What an index says, by another library than the parser's: false if it is wrong.
bool ReadMap(simdjson::dom::element json, std::map<std::string, std::string>& map) {
  simdjson::dom::object weight_map;
  if (json["weight_map"].get_object().get(weight_map)) return false;
  for (auto field : weight_map) {
    std::string_view shard;
    if (field.value.get_string().get(shard)) return false;
    if (!map.emplace(field.key, shard).second) return false;
    if (shard.empty() || shard == "." || shard == ".." ||
        shard.find_first_of(std::string_view("/\\\0", 3)) != shard.npos)
      return false;
  }
  return true;
}

void TestIndex(std::string_view text) {
  auto index = [&] {
    testing::AllocationBound bound(200 * text.size() + (1 << 20));
    return ParseIndex(text);
  }();
  if (!index.ok()) return fuzz::CheckRefusal(index.status());
  simdjson::dom::parser parser;
  simdjson::dom::element json;
  auto error = parser.parse(simdjson::padded_string(text)).get(json);
  if (error == simdjson::NUMBER_ERROR)
    return;  // that library has no numbers beyond 64 bits; JSON has, and nobody reads them
  std::map<std::string, std::string> map;
  REQUIRE(!error && ReadMap(json, map));
  REQUIRE(std::is_sorted(index->shards.begin(), index->shards.end()));
  REQUIRE(index->weight_map.size() == map.size());
  for (const auto& [tensor, shard] : index->weight_map) REQUIRE(map.at(tensor) == index->shards.at(shard));
}

}  // namespace
}  // namespace aoa::formats

void aoa::fuzz::Test(std::string_view input) {
  // Files and bare texts: the length in front of a file decides nothing here but how much is header.
  std::string_view header = input.substr(std::min<size_t>(input.size(), input.starts_with('{') ? 0 : 8));
  uint64_t length = 0;
  if (header.size() + 8 == input.size()) std::memcpy(&length, input.data(), sizeof(length));
  formats::TestHeader(header);
  if (length > 0 && length < header.size()) formats::TestHeader(header.substr(0, length));
  formats::TestSplit(header);
  formats::TestIndex(header);
}

const std::vector<std::string>& aoa::fuzz::Words() {
  static const std::vector<std::string> words = {"\"",
                                                 "\\",
                                                 "{",
                                                 "}",
                                                 "[",
                                                 "]",
                                                 ",",
                                                 ":",
                                                 "0",
                                                 "-",
                                                 "1",
                                                 ".",
                                                 "e",
                                                 "null",
                                                 "\\u0000",
                                                 "\\ud800",
                                                 "\\u0061",
                                                 "\xff",
                                                 "\xc3\xa9",
                                                 "\n",
                                                 " ",
                                                 "\"__metadata__\":{\"a\":\"b\"},",
                                                 "\"dtype\":\"F32\",",
                                                 "\"shape\":[2]",
                                                 "\"data_offsets\":[0,8]",
                                                 "\"w\":{}",
                                                 "18446744073709551616",
                                                 "4611686018427387904",
                                                 "{}",
                                                 "\"weight_map\":"};
  return words;
}
