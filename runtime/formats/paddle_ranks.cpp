#include "runtime/formats/paddle_ranks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "compiler/core/text.h"
#include "runtime/formats/composite.h"
#include "runtime/formats/paddle_file.h"
#include "runtime/formats/parallel.h"
#include "runtime/formats/quote.h"
#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostRanks = 1'000'000;
constexpr std::string_view kStates[] = {"moment1_0", "moment2_0", "moment2_max_0", "beta1_pow_acc_0",
                                        "beta2_pow_acc_0"};

// "tp01" for "tp".
std::optional<int64_t> NumberBehind(std::string_view part, std::string_view word) {
  if (!part.starts_with(word) || part.size() == word.size()) return std::nullopt;
  int64_t number = 0;
  const char* end = part.data() + part.size();
  auto [stop, error] = std::from_chars(part.data() + word.size(), end, number);
  if (error != std::errc() || stop != end || number < 0 || number >= kMostRanks) return std::nullopt;
  return number;
}

// What a file's name says; nothing of names that are no rank's.
std::optional<PaddleRankFile> ParseName(const std::string& folder, const std::string& name) {
  PaddleRankFile out;
  out.path = (fs::path(folder) / name).native();
  out.states = name.ends_with(".pdopt");
  if (!out.states && !name.ends_with(".pdparams") && name != "model.pdmodel") return std::nullopt;
  if (name.starts_with("scheduler") || name.starts_with("scaler")) return std::nullopt;
  std::string_view rest = std::string_view(name).substr(0, name.rfind('.'));
  const size_t dot = rest.find('.');
  rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('_'), rest.size());
    const std::string_view part = rest.substr(0, end);
    if (auto number = NumberBehind(part, "tp"))
      out.tp = *number;
    else if (auto stage = NumberBehind(part, "pp"))
      out.pp = *stage;
    else if (auto shard = NumberBehind(part, "shard"))
      out.shard = *shard;
    else
      return std::nullopt;
    rest = rest.substr(std::min(end + 1, rest.size()));
  }
  return out;
}

std::vector<PaddleRankFile> FilesIn(const std::string& folder) {
  std::vector<PaddleRankFile> out;
  auto names = io::ListFolder(folder);
  if (!names.ok()) return out;
  for (const std::string& name : *names) {
    if (auto file = ParseName(folder, name)) out.push_back(*std::move(file));
  }
  return out;
}

// The files of one tensor-parallel rank of a stage.
struct Rank {
  std::vector<const PaddleFile*> weights, states;  // by sharding rank
};

// A piece of a tensor, and the file that has it.
using Held = std::pair<const PaddleFile*, const PaddleArray*>;

class RankAdder {
 public:
  // `taken`: weights that a stage before has. A tied weight lies on all stages that use it, and its first copy counts.
  RankAdder(const Rank& rank, std::set<std::string>& taken, CompositeSchema& out, Schema& schema)
      : rank_(rank), taken_(taken), out_(out), schema_(schema) {}

  Status Add() {
    for (const PaddleFile* file : rank_.weights) {
      for (const auto& [name, array] : file->arrays) weights_.try_emplace(name, file, &array);
      for (const auto& [name, parameter] : file->parameters) names_.try_emplace(parameter, name);
    }
    for (const auto& [name, held] : weights_) {
      if (taken_.contains(name)) continue;
      if (!IsUtf8(name)) return Status::Invalid(fmt::format("the name {} is not UTF-8", Quote(name)));
      AOA_RETURN_IF_ERROR(AddPieces(name, held.second->shape, {held}));
    }
    for (const PaddleFile* file : rank_.states) {
      for (const auto& [key, array] : file->arrays) SortState(key, {file, &array});
      for (const auto& [key, array] : file->masters) Sort(key, kPaddleMaster, {file, &array});
    }
    for (const auto& [key, pieces] : states_) {
      const auto& [weight, state] = key;
      if (taken_.contains(weight)) continue;
      Status status = AddState(weights_.at(weight).second->shape, fmt::format("{}.{}", weight, state), pieces);
      if (!status.ok()) return std::move(status).WithContext(Printable(pieces[0].first->path));
    }
    for (const auto& [name, held] : weights_) taken_.insert(name);
    return Status();
  }

 private:
  void SortState(std::string_view key, const Held& held) {
    for (std::string_view state : kStates) {
      if (!key.ends_with(state) || key.size() <= state.size() || key[key.size() - state.size() - 1] != '_') continue;
      Sort(key.substr(0, key.size() - state.size() - 1), state, held);
      return;
    }
    Leave(key, *held.first);
  }

  void Sort(std::string_view parameter, std::string_view state, const Held& held) {
    if (parameter.starts_with(kPaddleSlice)) parameter.remove_prefix(kPaddleSlice.size());
    if (parameter.ends_with(kPaddleMasterOf)) parameter.remove_suffix(kPaddleMasterOf.size());
    auto name = names_.find(std::string(parameter));
    if (name == names_.end() || !weights_.contains(name->second)) return Leave(parameter, *held.first);
    states_[{name->second, std::string(state)}].push_back(held);
  }

  void Leave(std::string_view name, const PaddleFile& file) {
    schema_.notes.push_back(
        fmt::format("{}: {} belongs to no weight and is left behind", Printable(file.path), Quote(name)));
  }

  Status AddState(const Shape& weight, const std::string& name, const std::vector<Held>& pieces) {
    const Shape& first = pieces[0].second->shape;
    if (first == weight || name.find("_pow_acc_") != std::string::npos) return AddPieces(name, first, {pieces[0]});
    for (const auto& [file, array] : pieces) {
      if (array->shape.size() != 1)
        return Status::Invalid(
            fmt::format("{} is {}, and its weight {}", Quote(name), ToString(array->shape), ToString(weight)));
    }
    return AddPieces(name, weight, pieces);
  }

  // The first elements of all pieces, as many as the shape has.
  Status AddPieces(const std::string& name, const Shape& shape, const std::vector<Held>& pieces) {
    const DType dtype = pieces[0].second->dtype;
    auto left = static_cast<uint64_t>(ElementCount(shape) * Width(dtype));
    std::vector<StoredPart> parts;
    for (const auto& [file, array] : pieces) {
      if (array->dtype != dtype)
        return Status::Invalid(fmt::format("{} is of {} and of {}", Quote(name), Name(dtype), Name(array->dtype)));
      for (const PaddleArray::Piece& piece : array->pieces) {
        const uint64_t bytes = std::min(left, piece.bytes);
        const uint32_t store =
            piece.content ? out_.StoreOf(file->path, piece.content) : out_.StoreOf(file->path, file->size);
        if (bytes > 0) parts.push_back({store, piece.offset, bytes});
        left -= bytes;
      }
    }
    return out_.Add(name, dtype, shape, parts);
  }

  const Rank& rank_;
  std::set<std::string>& taken_;
  CompositeSchema& out_;
  Schema& schema_;
  std::map<std::string, Held> weights_;
  std::map<std::string, std::string> names_;  // of parameters' weights
  std::map<std::pair<std::string, std::string>, std::vector<Held>> states_;
};

using ReadFiles = std::vector<std::optional<Result<PaddleFile>>>;

// Of folders of ranks: which tensor-parallel and which sharding rank each is. In stage 3 all have the states of all
// weights, and there is no tensor parallelism.
void TellRanksApart(const ReadFiles& read, std::vector<PaddleRankFile>& files) {
  std::map<std::string_view, int64_t> holders;
  int64_t ranks = 0, tp = 1;
  for (size_t i = 0; i < files.size(); ++i) {
    if (!files[i].states) continue;
    ++ranks;
    for (const auto& [key, array] : (*read[i])->arrays) tp = std::max(tp, ++holders[key]);
  }
  if (tp == ranks || ranks % tp != 0) return;
  for (PaddleRankFile& file : files) {
    file.tp = file.shard % tp;
    file.shard /= tp;
  }
}

}  // namespace

std::vector<PaddleRankFile> FindPaddleRanks(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const fs::path file(path);
    auto parsed = ParseName(file.parent_path().native(), file.filename().native());
    if (!parsed || parsed->states) return {};
    return {{path, false, 0, 0, 0}};
  }
  std::vector<PaddleRankFile> out = FilesIn(path);
  for (int64_t rank = 0; out.empty() || rank > 0; ++rank) {
    std::vector<PaddleRankFile> files = FilesIn((fs::path(path) / fmt::format("rank{}", rank)).native());
    if (files.empty()) break;
    for (PaddleRankFile& file : files) {
      file.shard = rank;
      file.folder = true;
      out.push_back(std::move(file));
    }
  }
  const bool weights = std::any_of(out.begin(), out.end(), [](const PaddleRankFile& file) { return !file.states; });
  return weights ? out : std::vector<PaddleRankFile>();
}

Status ReadPaddleRanks(std::vector<PaddleRankFile> files, int threads, Schema& schema) {
  ReadFiles read(files.size());
  ParallelFor(files.size(), threads, [&](size_t i) { read[i] = ReadPaddleFile(files[i].path); });
  for (const auto& file : read) {
    if (!file->ok()) return std::move(*file).status();
  }
  if (files[0].folder) TellRanksApart(read, files);
  int64_t tp = 1, pp = 1, sharding = 1;
  std::map<std::pair<int64_t, int64_t>, Rank> ranks;  // by tensor-parallel rank and stage
  std::vector<size_t> order(files.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return files[a].shard < files[b].shard; });
  for (size_t i : order) {
    const PaddleRankFile& file = files[i];
    Rank& rank = ranks[{file.tp, file.pp}];
    (file.states ? rank.states : rank.weights).push_back(&**read[i]);
    tp = std::max(tp, file.tp + 1);
    pp = std::max(pp, file.pp + 1);
    sharding = std::max(sharding, file.shard + 1);
  }
  // Names count layers over the whole model, so which stage has a layer, in one round or several, makes no difference.
  schema.has_mesh = true;
  schema.mesh = {{"dp", 1}, {"pp", 1}, {"sharding", sharding}, {"tp", tp}};
  if (static_cast<int64_t>(ranks.size()) != tp * pp)
    return Status::Invalid(fmt::format("{}: there are files of {} of its {} ranks (pp={}, tp={})",
                                       Printable(schema.path), ranks.size(), tp * pp, pp, tp));
  CompositeSchema composite(schema);
  for (const auto& [place, rank] : ranks) {
    if (rank.weights.empty())
      return Status::Invalid(fmt::format("{}: the states of the rank pp={}, tp={} are there, and its weights are not",
                                         Printable(schema.path), place.second, place.first));
  }
  auto rank = ranks.begin();
  for (int64_t t = 0; t < tp; ++t) {
    composite.Begin(rank->second.weights[0]->path, t);
    std::set<std::string> taken;
    for (int64_t p = 0; p < pp; ++p, ++rank)
      AOA_RETURN_IF_ERROR(RankAdder(rank->second, taken, composite, schema).Add());
    composite.End();
  }
  return Status();
}

}  // namespace aoa::formats
