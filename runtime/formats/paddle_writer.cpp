#include "runtime/formats/paddle_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/formats/paddle_file.h"
#include "runtime/formats/pickle_writer.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

using pickle::Value;

// A pickle with arrays of tensors, whose bytes come later.
class Pickle {
 public:
  explicit Pickle(const std::vector<TargetTensor>& table) : table_(table) {}

  pickle::Tree tree;

  // numpy's array of a tensor. Scalars are arrays of one element.
  Result<const Value*> Array(uint32_t number) {
    const TargetTensor& tensor = table_[number];
    const std::string_view type = PaddleTypeName(tensor.dtype);
    if (type.empty())
      return Status::Invalid(fmt::format("tensor {}: Paddle has no type {}", Quote(tensor.name), Name(tensor.dtype)));
    Value* bytes = tree.New(Value::Kind::kBytes);
    bytes->outside = true;
    bytes->integer = static_cast<int64_t>(tensor.bytes);
    numbers_[bytes] = number;
    Value* first = tree.New(Value::Kind::kBytes);
    first->text = "b";
    Value* out = tree.Call("numpy.core.multiarray _reconstruct",
                           {tree.Global("numpy ndarray"), tree.Tuple({tree.Int(0)}), first});
    const Shape shape = tensor.scalar ? Shape{1} : tensor.shape;
    std::vector<const Value*> extents;
    for (int64_t extent : shape) extents.push_back(tree.Int(extent));
    out->state = tree.Tuple({tree.Int(1), tree.Tuple(std::move(extents)), Type(type), tree.Bool(false), bytes});
    return out;
  }

  Result<TargetFile> Finish(const Value& root) {
    AOA_ASSIGN_OR_RETURN(pickle::Written written, pickle::Write(root, pickle::Protocol::kFour));
    TargetFile file;
    std::vector<PlacedTensor> tensors;
    std::vector<Insert> inserts;
    size_t from = 0;
    auto insert = [&](size_t to) {
      if (to == from) return;
      auto text = std::make_shared<const std::string>(written.bytes.substr(from, to - from));
      inserts.push_back({file.size, text, text->size()});
      file.size += to - from;
      from = to;
    };
    for (const auto& hole : written.holes) {
      insert(hole.at);
      tensors.push_back({numbers_.at(hole.value), file.size});
      file.size += hole.length;
    }
    insert(written.bytes.size());
    file.tensors = std::make_shared<const std::vector<PlacedTensor>>(std::move(tensors));
    file.inserts = std::make_shared<const std::vector<Insert>>(std::move(inserts));
    return file;
  }

 private:
  const Value* Type(std::string_view name) {
    const Value*& type = types_[std::string(name)];
    if (type) return type;
    Value* made = tree.Call("numpy dtype", {tree.Text(name), tree.Bool(false), tree.Bool(true)});
    const char* order = name.ends_with("1") ? "|" : "<";
    made->state = tree.Tuple({tree.Int(3), tree.Text(order), tree.None(), tree.None(), tree.None(), tree.Int(-1),
                              tree.Int(-1), tree.Int(0)});
    return type = made;
  }

  const std::vector<TargetTensor>& table_;
  std::unordered_map<const Value*, uint32_t> numbers_;
  std::unordered_map<std::string, const Value*> types_;
};

// What the framework might have called a weight's parameter. Its own counters run over layers that only a program
// knows; the table in the file of weights says which is which.
std::string ParameterName(uint32_t weight) { return fmt::format("parameter_{}.w_0", weight); }

Result<TargetFile> WeightsFile(const std::vector<TargetTensor>& table) {
  Pickle pickle(table);
  Value *root = pickle.tree.Dict(), *names = pickle.tree.Dict();
  for (uint32_t i = 0; i < table.size(); ++i) {
    if (!table[i].role.empty()) continue;
    AOA_ASSIGN_OR_RETURN(const Value* array, pickle.Array(i));
    pickle.tree.Set(root, table[i].name, array);
    pickle.tree.Set(names, table[i].name, pickle.tree.Text(ParameterName(i)));
  }
  pickle.tree.Set(root, kPaddleParameterNames, names);
  return pickle.Finish(*root);
}

// The sharding rank that has each weight's states. Stage 1 deals the largest weights first, of equals the first
// declared; stage 2 as they are declared.
std::vector<int64_t> Owners(const std::vector<TargetTensor>& table, int64_t ranks, bool by_size) {
  std::vector<uint32_t> order(table.size());
  std::iota(order.begin(), order.end(), 0u);
  std::erase_if(order, [&](uint32_t i) { return !table[i].role.empty(); });
  if (by_size) {
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      return ElementCount(table[a].shape) > ElementCount(table[b].shape);
    });
  }
  std::vector<int64_t> owners(table.size(), 0), sizes(static_cast<size_t>(ranks), 0);
  for (uint32_t i : order) {
    auto least = std::min_element(sizes.begin(), sizes.end());
    owners[i] = least - sizes.begin();
    *least += ElementCount(table[i].shape);
  }
  return owners;
}

// What stands behind the weight's name in that of a state.
Result<std::string_view> StateOf(const std::vector<TargetTensor>& table, const TargetTensor& state) {
  const std::string_view name = state.name;
  if (state.weight != TargetTensor::kNoWeight) {
    const std::string& weight = table[state.weight].name;
    if (name.starts_with(weight) && name.size() > weight.size() && name[weight.size()] == '.')
      return name.substr(weight.size() + 1);
  }
  return Status::Invalid(fmt::format("the state {} is not called after a weight of its rank", Quote(name)));
}

Result<TargetFile> StatesFile(const std::vector<TargetTensor>& table, const std::vector<int64_t>& owners, int64_t rank,
                              bool stage2) {
  Pickle pickle(table);
  Value *root = pickle.tree.Dict(), *masters = pickle.tree.Dict();
  std::vector<std::pair<uint32_t, std::string_view>> states;
  std::vector<bool> has_master(table.size(), false);
  bool mixed = false;
  for (uint32_t i = 0; i < table.size(); ++i) {
    if (table[i].role.empty()) continue;
    AOA_ASSIGN_OR_RETURN(std::string_view state, StateOf(table, table[i]));
    if (owners[table[i].weight] != rank) continue;
    states.emplace_back(i, state);
    if (state == kPaddleMaster) mixed = has_master[table[i].weight] = true;
  }
  for (const auto& [i, state] : states) {
    const uint32_t weight = table[i].weight;
    const std::string parameter = ParameterName(weight), master = parameter + std::string(kPaddleMasterOf);
    const bool is_master = state == kPaddleMaster;
    const std::string name =
        is_master ? master : fmt::format("{}_{}", has_master[weight] && !stage2 ? master : parameter, state);
    AOA_ASSIGN_OR_RETURN(const Value* value, pickle.Array(i));
    // With a nested dictionary Paddle pairs every array with its name.
    if (mixed) value = pickle.tree.Call("builtins tuple", {pickle.tree.Tuple({pickle.tree.Text(name), value})});
    pickle.tree.Set(is_master ? masters : root, is_master ? parameter : name, value);
  }
  if (mixed) pickle.tree.Set(root, kPaddleMasters, masters);
  return pickle.Finish(*root);
}

struct Axis {
  std::optional<size_t> index;
  int64_t size = 1;

  int64_t At(const std::vector<int64_t>& coordinates) const { return index ? coordinates[*index] : 0; }
};

Axis FindAxis(const TargetContent& content, std::string_view name) {
  Axis out;
  if (content.has_mesh) out.index = content.axes.Find(name);
  if (out.index) out.size = content.axes.axis(*out.index).size;
  return out;
}

std::string Suffix(std::initializer_list<std::tuple<std::string_view, int64_t, int64_t>> parts) {
  std::string out;
  for (const auto& [word, number, size] : parts) {
    if (size > 1) out += fmt::format("{}{}{:02}", out.empty() ? "." : "_", word, number);
  }
  return out;
}

}  // namespace

Result<TargetLayout> LayOutPaddleRanks(const TargetContent& content, bool stage2) {
  const Axis dp = FindAxis(content, "dp"), pp = FindAxis(content, "pp"), sharding = FindAxis(content, "sharding"),
             tp = FindAxis(content, "tp");
  TargetLayout layout;
  auto add = [&](Result<TargetFile> file, std::string path, int64_t rank, uint32_t number) {
    if (!file.ok()) return std::move(file).status();
    file->path = std::move(path);
    file->rank = rank;
    file->table = number;
    layout.files.push_back(*std::move(file));
    return Status();
  };
  for (auto [rank, number] : content.ranks) {
    const auto coordinates = content.has_mesh ? content.axes.Coordinates(rank) : std::vector<int64_t>();
    const auto& table = content.tables[number];
    const int64_t t = tp.At(coordinates), p = pp.At(coordinates), s = sharding.At(coordinates);
    if (dp.At(coordinates) != 0) continue;
    if (s == 0) {
      const std::string suffix = Suffix({{"tp", t, tp.size}, {"pp", p, pp.size}});
      AOA_RETURN_IF_ERROR(add(WeightsFile(table), fmt::format("model_state{}.pdparams", suffix), rank, number));
    }
    if (std::all_of(table.begin(), table.end(), [](const TargetTensor& tensor) { return tensor.role.empty(); }))
      continue;
    const std::string suffix = Suffix({{"tp", t, tp.size}, {"pp", p, pp.size}, {"shard", s, sharding.size}});
    AOA_RETURN_IF_ERROR(add(StatesFile(table, Owners(table, sharding.size, !stage2), s, stage2),
                            fmt::format("optimizer{}.pdopt", suffix), rank, number));
  }
  return layout;
}

}  // namespace aoa::formats
