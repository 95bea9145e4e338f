#include "runtime/formats/paddle_flex_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "compiler/core/sharding.h"
#include "runtime/formats/paddle_file.h"
#include "runtime/formats/paddle_flex_metadata.h"
#include "runtime/formats/paddle_pickle.h"
#include "runtime/formats/safetensors_writer.h"

namespace aoa::formats {
namespace {

using pickle::Value;
using Range = std::optional<std::pair<int64_t, int64_t>>;

// A block of a tensor on a rank: where it begins in what Paddle takes for the whole, which is the blocks of all ranks
// side by side.
struct Box {
  Shape at, whole;
};

// One of the checkpoint's folders.
class Folder {
 public:
  Folder(const PaddleTarget& target, std::string_view name, bool safetensors)
      : target_(target), name_(name), safetensors_(safetensors) {}

  // Takes in what a rank has of a tensor: ranks in ascending order.
  void Add(int64_t rank, uint32_t table, uint32_t tensor, const PaddleShare& share, Box box) {
    const TargetTensor& stored = target_.content().tables[table][tensor];
    Range range;
    if (share.flat) range = {share.first, share.first + share.count};
    auto [known, added] = numbers_.try_emplace(Key(stored.name, box.at, range), blocks_.size());
    if (added) {
      const Shape shape = stored.scalar ? Shape{1} : stored.shape;
      blocks_.push_back({{stored.name, stored.dtype, std::move(box.whole), std::move(box.at), shape, range, ""}, {}});
    }
    blocks_[known->second].holders.push_back(rank);
    contents_[rank].push_back({known->second, tensor});
  }

  bool empty() const { return blocks_.empty(); }

  // Says which rank keeps each block.
  void Assign() {
    std::map<int64_t, int64_t> loads;
    for (Block& block : blocks_) {
      std::string name;
      for (int64_t rank : block.holders) {
        const std::string other = FileName(rank);
        const bool first = name.empty();
        if (!first &&
            std::pair(loads[rank], std::string_view(other)) >= std::pair(loads[block.keeper], std::string_view(name)))
          continue;
        block.keeper = rank;
        name = other;
      }
      ++loads[block.keeper];
      block.facts.file = name;
    }
  }

  // The file of a rank, which may keep nothing.
  Result<TargetFile> FileOf(int64_t rank, uint32_t table) {
    std::vector<Held> kept;
    for (const Held& held : contents_[rank]) {
      if (blocks_[held.block].keeper == rank) kept.push_back(held);
    }
    AOA_ASSIGN_OR_RETURN(TargetFile file, safetensors_ ? Safetensors(kept, table)
                                                       : Pickled(kept, table, target_.PlaceOf(rank).sharding));
    file.path = fmt::format("{}/{}", name_, FileName(rank));
    file.rank = rank;
    file.table = table;
    return file;
  }

  Result<ExtraFile> Metadata() const {
    std::vector<PaddleFlexBlock> blocks;
    for (const Block& block : blocks_) blocks.push_back(block.facts);
    AOA_ASSIGN_OR_RETURN(std::string text, PaddleFlexMetadata(blocks));
    return ExtraFile{fmt::format("{}/0.metadata", name_), std::move(text)};
  }

 private:
  using Key = std::tuple<std::string_view, Shape, Range>;

  struct Block {
    PaddleFlexBlock facts;
    std::vector<int64_t> holders;
    int64_t keeper = 0;
  };
  struct Held {
    size_t block = 0;
    uint32_t tensor = 0;
  };

  std::string FileName(int64_t rank) const {
    return fmt::format("{}_0.{}", rank, safetensors_ ? "safetensors" : "distcp");
  }

  Result<TargetFile> Pickled(const std::vector<Held>& kept, uint32_t number, int64_t sharding) const {
    const auto& table = target_.content().tables[number];
    PaddlePickle pickle(table);
    Value *root = pickle.tree.Dict(), *names = pickle.tree.Dict();
    for (const Held& held : kept) {
      const TargetTensor& tensor = table[held.tensor];
      PaddleShare share = target_.ShareOf(number, held.tensor, sharding);
      share.length = share.count;  // without padding
      pickle.tree.Set(root, tensor.name, pickle.Array(held.tensor, share));
      const std::string parameter = PaddleParameterName(tensor.role.empty() ? held.tensor : tensor.weight);
      const std::string_view state = target_.StateOf(number, held.tensor);
      pickle.tree.Set(names, tensor.name,
                      pickle.tree.Text(state.empty() ? parameter : parameter + "_" + std::string(state)));
    }
    pickle.tree.Set(root, kPaddleParameterNames, names);
    return pickle.Finish(*root);
  }

  Result<TargetFile> Safetensors(const std::vector<Held>& kept, uint32_t number) const {
    std::vector<TargetTensor> table = target_.content().tables[number];
    std::vector<uint32_t> members;
    for (const Held& held : kept) {
      if (table[held.tensor].scalar) table[held.tensor].shape = {1};
      members.push_back(held.tensor);
    }
    AOA_ASSIGN_OR_RETURN(PlacedTable placed, PlaceTensors(table, members));
    return MakeFile("", placed, {});
  }

  const PaddleTarget& target_;
  std::string_view name_;
  bool safetensors_;
  std::vector<Block> blocks_;      // in the order in which the ranks name them
  std::map<Key, size_t> numbers_;  // of blocks
  std::map<int64_t, std::vector<Held>> contents_;
};

Box BoxOf(const PaddleTarget& target, const TargetTensor& tensor, const Sharding* sharding, int64_t rank) {
  if (tensor.scalar) return {{0}, {1}};
  Box out{Shape(tensor.shape.size(), 0), tensor.shape};
  if (!sharding) return out;
  const std::vector<int64_t> coordinates = target.content().axes.Coordinates(rank);
  for (size_t axis = 0; axis < tensor.shape.size(); ++axis) {
    int64_t number = 0;
    for (size_t by : sharding->cuts[axis]) {
      number = number * sharding->mesh[by] + coordinates[by];
      out.whole[axis] *= sharding->mesh[by];
    }
    out.at[axis] = number * tensor.shape[axis];
  }
  return out;
}

// How the blocks of a table's tensors lie, by tensor; null: whole on every rank.
std::vector<const Sharding*> ShardingsOf(const TargetContent& content, const std::vector<TargetTensor>& table) {
  std::vector<const Sharding*> out;
  for (const TargetTensor& tensor : table) {
    const uint32_t number =
        content.shardings && !tensor.scalar ? content.shardings->Find(tensor.name) : Shardings::kNone;
    out.push_back(number == Shardings::kNone ? nullptr : content.shardings->At(number, 0));
  }
  return out;
}

Status Check(const TargetContent& content) {
  if (!content.has_mesh) return Status();
  if (static_cast<int64_t>(content.ranks.size()) != content.axes.ranks())
    return Status::Usage("the metadata of a flex checkpoint tell of all ranks: write it without --ranks");
  if (content.shardings) return Status();
  return Status::Usage(
      fmt::format("on the mesh {} this side has blocks of different sizes, repeated blocks, or states that it deals "
                  "itself, which a flex checkpoint cannot say: take a variant `pdparams`",
                  content.mesh));
}

}  // namespace

Result<TargetLayout> LayOutPaddleFlex(const PaddleTarget& target, bool safetensors) {
  const TargetContent& content = target.content();
  AOA_RETURN_IF_ERROR(Check(content));
  Folder weights(target, "model_state", safetensors), masters(target, "master_weight", safetensors),
      states(target, "optimizer_state", safetensors);
  std::vector<std::vector<const Sharding*>> shardings;
  for (const auto& table : content.tables) shardings.push_back(ShardingsOf(content, table));
  for (auto [rank, number] : content.ranks) {
    const auto& table = content.tables[number];
    const int64_t sharding = target.PlaceOf(rank).sharding;
    for (uint32_t i = 0; i < table.size(); ++i) {
      if (!target.IsInFlex(number, i, sharding)) continue;
      const std::string_view state = target.StateOf(number, i);
      Folder& folder = state.empty() ? weights : state == kPaddleMaster ? masters : states;
      folder.Add(rank, number, i, target.ShareOf(number, i, sharding),
                 BoxOf(target, table[i], shardings[number][i], rank));
    }
  }
  TargetLayout layout;
  std::vector<Folder*> folders;
  for (Folder* folder : {&weights, &masters, &states}) {
    if (folder->empty()) continue;
    folder->Assign();
    folders.push_back(folder);
    AOA_ASSIGN_OR_RETURN(ExtraFile metadata, folder->Metadata());
    layout.extras.push_back(std::move(metadata));
  }
  for (auto [rank, number] : content.ranks) {
    for (Folder* folder : folders) {
      AOA_ASSIGN_OR_RETURN(TargetFile file, folder->FileOf(rank, number));
      layout.files.push_back(std::move(file));
    }
  }
  return layout;
}

}  // namespace aoa::formats
