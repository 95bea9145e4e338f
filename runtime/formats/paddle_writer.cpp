#include "runtime/formats/paddle_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "runtime/formats/paddle_file.h"
#include "runtime/formats/paddle_pickle.h"

namespace aoa::formats {
namespace {

using pickle::Value;

Result<TargetFile> WeightsFile(const PaddleTarget& target, uint32_t number) {
  const auto& table = target.content().tables[number];
  PaddlePickle pickle(table);
  Value *root = pickle.tree.Dict(), *names = pickle.tree.Dict();
  for (uint32_t i = 0; i < table.size(); ++i) {
    if (!table[i].role.empty()) continue;
    pickle.tree.Set(root, table[i].name, pickle.Array(i, target.ShareOf(number, i, 0)));
    pickle.tree.Set(names, table[i].name, pickle.tree.Text(PaddleParameterName(i)));
  }
  pickle.tree.Set(root, kPaddleParameterNames, names);
  return pickle.Finish(*root);
}

// The file of states of a sharding rank.
class StatesFile {
 public:
  StatesFile(const PaddleTarget& target, uint32_t number, int64_t sharding)
      : target_(target),
        number_(number),
        sharding_(sharding),
        table_(target.content().tables[number]),
        pickle_(table_),
        root_(pickle_.tree.Dict()),
        masters_(pickle_.tree.Dict()) {}

  Result<TargetFile> Make() {
    for (uint32_t i = 0; i < table_.size(); ++i) mixed_ |= Holds(i) && IsMaster(i);
    for (uint32_t i = 0; i < table_.size(); ++i) {
      if (Holds(i)) Add(i);
    }
    if (mixed_) pickle_.tree.Set(root_, kPaddleMasters, masters_);
    return pickle_.Finish(*root_);
  }

 private:
  bool Holds(uint32_t i) const { return !table_[i].role.empty() && target_.ShareOf(number_, i, sharding_).held; }
  bool IsMaster(uint32_t i) const { return target_.StateOf(number_, i) == kPaddleMaster; }

  // Stages 2 and 3 call a master like its parameter, stage 3 a slice of a parameter otherwise.
  void Add(uint32_t i) {
    const uint32_t weight = table_[i].weight;
    const PaddleDealing dealing = target_.dealing();
    const bool sliced = dealing == PaddleDealing::kSlices && target_.IsCut(number_, weight, sharding_);
    const bool own = dealing == PaddleDealing::kWholeBySize || dealing == PaddleDealing::kBuffers;
    const std::string parameter = PaddleParameterName(weight);
    const std::string part = (sliced ? std::string(kPaddleSlice) : "") + parameter;
    const std::string master = parameter + (own ? std::string(kPaddleMasterOf) : "");
    const std::string& of = target_.HasMaster(number_, weight) ? master : part;
    const std::string name = IsMaster(i) ? master : fmt::format("{}_{}", of, target_.StateOf(number_, i));
    const Value* value = pickle_.Array(i, target_.ShareOf(number_, i, sharding_));
    // With a nested dictionary Paddle pairs every array with its name.
    if (mixed_) value = pickle_.tree.Call("builtins tuple", {pickle_.tree.Tuple({pickle_.tree.Text(name), value})});
    pickle_.tree.Set(IsMaster(i) ? masters_ : root_, IsMaster(i) ? part : name, value);
  }

  const PaddleTarget& target_;
  uint32_t number_;
  int64_t sharding_;
  const std::vector<TargetTensor>& table_;
  PaddlePickle pickle_;
  Value *root_, *masters_;
  bool mixed_ = false;  // there are masters
};

std::string Suffix(std::initializer_list<std::tuple<std::string_view, int64_t, int64_t>> parts) {
  std::string out;
  for (const auto& [word, number, size] : parts) {
    if (size > 1) out += fmt::format("{}{}{:02}", out.empty() ? "." : "_", word, number);
  }
  return out;
}

}  // namespace

Result<TargetLayout> LayOutPaddleRanks(const PaddleTarget& target) {
  const PaddleMesh& mesh = target.mesh();
  TargetLayout layout;
  auto add = [&](Result<TargetFile> file, std::string path, int64_t rank, uint32_t number) {
    if (!file.ok()) return std::move(file).status();
    file->path = std::move(path);
    file->rank = rank;
    file->table = number;
    layout.files.push_back(*std::move(file));
    return Status();
  };
  for (auto [rank, number] : target.content().ranks) {
    const PaddlePlace at = target.PlaceOf(rank);
    const auto& table = target.content().tables[number];
    if (at.dp != 0) continue;
    if (at.sharding == 0) {
      const std::string suffix = Suffix({{"tp", at.tp, mesh.tp}, {"pp", at.pp, mesh.pp}});
      AOA_RETURN_IF_ERROR(
          add(WeightsFile(target, number), fmt::format("model_state{}.pdparams", suffix), rank, number));
    }
    if (std::all_of(table.begin(), table.end(), [](const TargetTensor& tensor) { return tensor.role.empty(); }))
      continue;
    const std::string suffix =
        Suffix({{"tp", at.tp, mesh.tp}, {"pp", at.pp, mesh.pp}, {"shard", at.sharding, mesh.sharding}});
    AOA_RETURN_IF_ERROR(
        add(StatesFile(target, number, at.sharding).Make(), fmt::format("optimizer{}.pdopt", suffix), rank, number));
  }
  return layout;
}

}  // namespace aoa::formats
