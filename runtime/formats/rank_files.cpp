#include "runtime/formats/rank_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "compiler/core/text.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

constexpr std::string_view kPrefix = "rank_";
constexpr std::string_view kSuffix = ".safetensors";
// Beyond all machines; products of two such numbers do not overflow.
constexpr int64_t kMaxRanks = 1'000'000'000;
constexpr size_t kMaxAxes = 32;

std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > kMaxRanks) return std::nullopt;
  return number;
}

// The products of all choices of factors, as far as they are numbers of ranks.
std::set<int64_t> Products(const MeshAxes& mesh, size_t axes) {
  std::set<int64_t> products = {1};
  for (size_t i = 0; i < axes; ++i) {
    std::vector<int64_t> more;
    for (int64_t product : products) more.push_back(product * mesh[i].second);
    for (int64_t product : more) {
      if (product <= kMaxRanks) products.insert(product);
    }
  }
  return products;
}

// Whether the axes from `first` on fall into runs that each multiply to one of `products`.
bool CanBeOverlays(const MeshAxes& mesh, size_t first, const std::set<int64_t>& products) {
  std::vector<bool> reached(mesh.size() + 1);
  reached[first] = true;
  for (size_t begin = first; begin < mesh.size(); ++begin) {
    int64_t product = 1;
    for (size_t end = begin; reached[begin] && end < mesh.size() && product <= kMaxRanks; ++end) {
      product *= mesh[end].second;
      if (products.contains(product)) reached[end + 1] = true;
    }
  }
  return reached[mesh.size()];
}

// "rank_00001.safetensors, rank_00004.safetensors to rank_00007.safetensors"
std::string MissingRanks(const std::vector<SchemaFile>& files, int64_t ranks) {
  std::string out;
  auto add = [&](int64_t first, int64_t last) {
    if (first > last) return;
    out += (out.empty() ? "" : ", ") + RankFileName(first);
    if (first < last) out += " to " + RankFileName(last);
  };
  int64_t next = 0;
  for (const SchemaFile& file : files) {
    add(next, file.rank - 1);
    next = file.rank + 1;
  }
  add(next, ranks - 1);
  return out;
}

Result<std::string> Required(const Metadata& metadata, std::string_view key, const SchemaFile& file) {
  if (const std::string* value = FindMetadata(metadata, key)) return *value;
  return Status::Invalid(fmt::format("{}: {} is missing in its metadata", Printable(file.path), Quote(key)));
}

bool IsCount(const nlohmann::json& value, int64_t least) {
  return value.is_number_integer() && value >= least && value <= kMaxRanks;
}

// Adds a named number of rounds to the mesh, behind its overlays, or the counts of an axis's stages.
bool AddStages(const std::string& axis, const nlohmann::json& value, Schema& schema) {
  auto same = [&](const auto& other) { return other.first == axis; };
  auto found = std::find_if(schema.mesh.begin(), schema.mesh.end(), same);
  if (!value.is_array()) {
    if (found != schema.mesh.end() || !IsCount(value, 1)) return false;
    schema.mesh.emplace_back(axis, value.get<int64_t>());
    return true;
  }
  if (found == schema.mesh.end() || static_cast<int64_t>(value.size()) != found->second) return false;
  if (!std::all_of(value.begin(), value.end(), [](const auto& count) { return IsCount(count, 0); })) return false;
  schema.stages.emplace_back(axis, value.get<std::vector<int64_t>>());
  return true;
}

Status ReadStages(const std::vector<Metadata>& metadata, Schema& schema) {
  const std::string* first = FindMetadata(metadata.front(), kStagesKey);
  for (size_t i = 1; i < metadata.size(); ++i) {
    const std::string* own = FindMetadata(metadata[i], kStagesKey);
    if (own && first ? *own == *first : own == first) continue;
    return Status::Invalid(fmt::format("{} and {} do not say the same of their stages",
                                       Printable(schema.files.front().path), Printable(schema.files[i].path)));
  }
  if (!first) return {};
  const nlohmann::json stages = nlohmann::json::parse(*first, nullptr, false);
  bool right = stages.is_object() && stages.size() <= kMaxAxes;
  if (right) {
    for (const auto& [axis, value] : stages.items()) right = right && AddStages(axis, value, schema);
  }
  if (right) return {};
  return Status::Invalid(fmt::format("{}: {} is {}, which is not like `{{\"pp\":[3,5]}}` or `{{\"vpp\":2}}`",
                                     Printable(schema.files.front().path), kStagesKey, Quote(*first)));
}

Status CheckRank(const Metadata& metadata, const SchemaFile& file) {
  AOA_ASSIGN_OR_RETURN(std::string rank, Required(metadata, kRankKey, file));
  if (rank == std::to_string(file.rank)) return {};
  return Status::Invalid(fmt::format("{}: its metadata says that it is rank {}", Printable(file.path), Quote(rank)));
}

}  // namespace

std::string RankFileName(int64_t rank) { return fmt::format("{}{:05}{}", kPrefix, rank, kSuffix); }

std::optional<int64_t> RankOfFileName(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.size() < kPrefix.size() + kSuffix.size())
    return std::nullopt;
  auto rank = ParseNumber(name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size()));
  return rank && RankFileName(*rank) == name ? rank : std::nullopt;
}

Result<MeshAxes> ParseMesh(std::string_view text) {
  auto failure = [&] {
    return Status::Invalid(fmt::format("{} is {}, which is no list like `pp=2,tp=2`", kMeshKey, Quote(text)));
  };
  MeshAxes mesh;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    std::string_view axis = text.substr(begin, end - begin);
    size_t equals = axis.find('=');
    if (equals == std::string_view::npos || equals == 0) return failure();
    auto size = ParseNumber(axis.substr(equals + 1));
    auto twice = [&](const auto& other) { return other.first == axis.substr(0, equals); };
    if (!size || *size == 0 || mesh.size() == kMaxAxes || std::any_of(mesh.begin(), mesh.end(), twice))
      return failure();
    mesh.emplace_back(axis.substr(0, equals), *size);
    begin = end + 1;
  }
  return mesh;
}

std::optional<int64_t> CountRanks(const MeshAxes& mesh, int64_t highest) {
  int64_t ranks = 1;
  for (size_t axes = 1; axes <= mesh.size(); ++axes) {
    ranks *= mesh[axes - 1].second;
    if (ranks > kMaxRanks) return std::nullopt;
    if (ranks > highest && CanBeOverlays(mesh, axes, Products(mesh, axes))) return ranks;
  }
  return std::nullopt;
}

Metadata MetadataOf(const TargetContent& content, int64_t rank) {
  Metadata out = {{std::string(kMeshKey), content.mesh}, {std::string(kRankKey), std::to_string(rank)}};
  nlohmann::json stages = nlohmann::json::object();
  for (const auto& [axis, counts] : content.stages) stages[axis] = counts;
  for (const auto& [name, rounds] : content.named_rounds) stages[name] = rounds;
  if (!stages.empty()) out.emplace_back(kStagesKey, stages.dump());
  return out;
}

Status CheckRanks(const std::vector<Metadata>& metadata, Schema& schema) {
  const SchemaFile& first = schema.files.front();
  AOA_ASSIGN_OR_RETURN(std::string mesh, Required(metadata.front(), kMeshKey, first));
  for (size_t i = 0; i < schema.files.size(); ++i) {
    AOA_ASSIGN_OR_RETURN(std::string own, Required(metadata[i], kMeshKey, schema.files[i]));
    AOA_RETURN_IF_ERROR(CheckRank(metadata[i], schema.files[i]));
    if (own == mesh) continue;
    return Status::Invalid(fmt::format("{} is of the mesh {}, {} of {}", Printable(first.path), Quote(mesh),
                                       Printable(schema.files[i].path), Quote(own)));
  }
  auto axes = ParseMesh(mesh);
  if (!axes.ok()) return std::move(axes).status().WithContext(Printable(first.path));
  const SchemaFile& last = schema.files.back();
  auto ranks = CountRanks(*axes, last.rank);
  if (!ranks)
    return Status::Invalid(fmt::format("{}: the mesh {} has no rank {}", Printable(last.path), Quote(mesh), last.rank));
  if (static_cast<int64_t>(schema.files.size()) < *ranks) {
    return Status::Invalid(fmt::format("{}: of the {} ranks of the mesh {} there are {}; missing: {}",
                                       Printable(schema.path), *ranks, Quote(mesh), schema.files.size(),
                                       MissingRanks(schema.files, *ranks)));
  }
  schema.has_mesh = true;
  schema.mesh = *std::move(axes);
  return ReadStages(metadata, schema);
}

}  // namespace aoa::formats
