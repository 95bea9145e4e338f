#include "runtime/formats/deepspeed_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "compiler/core/text.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {
namespace {

using pickle::Value;
using Kind = Value::Kind;

constexpr size_t kMostAxes = 64;
constexpr int64_t kMostElements = int64_t{1} << 56;  // of a group: sums and their products with ranks stay in 63 bits

// The extents of a tuple, a list, or a torch.Size of one.
Result<Shape> ShapeOf(const Value& value, std::string_view name) {
  const Value* list = &value;
  if (value.IsMadeBy("torch Size") && value.arguments && !value.arguments->items.empty())
    list = value.arguments->items[0];
  auto broken = [&] { return Status::Invalid(fmt::format("the shape of {} is no list of numbers", Quote(name))); };
  if ((!list->Is(Kind::kTuple) && !list->Is(Kind::kList)) || list->items.size() > kMostAxes) return broken();
  Shape shape;
  int64_t elements = 1;  // without extents of 0
  for (const Value* item : list->items) {
    auto extent = item->AsInt();
    if (!extent || *extent < 0) return broken();
    if (*extent > 0 && elements > kMostElements / *extent)
      return Status::Invalid(fmt::format("the shape of {} has too many elements", Quote(name)));
    elements *= std::max<int64_t>(*extent, 1);
    shape.push_back(*extent);
  }
  return shape;
}

// Each name stands once in all groups, so that a group that a list holds many times is not read many times.
Result<std::vector<NamedShape>> GroupOf(const Value& value, std::unordered_set<std::string>& names, int64_t& total) {
  std::vector<NamedShape> out;
  if (!value.Is(Kind::kDict) && !value.Is(Kind::kObject)) return Status::Invalid("`param_shapes` is no dictionary");
  for (const auto& [name, shape] : MembersOf(value)) {
    if (name.empty() || !IsUtf8(name)) return Status::Invalid("a name in `param_shapes` is no text");
    if (!names.insert(name).second) return Status::Invalid(fmt::format("`param_shapes` has {} twice", Quote(name)));
    AOA_ASSIGN_OR_RETURN(Shape extents, ShapeOf(*shape, name));
    total += ElementCount(extents);
    if (total > kMostElements) return Status::Invalid("`param_shapes` has too many elements");
    out.push_back({name, std::move(extents)});
  }
  return out;
}

// The group of each of so many lists: as `param_groups` numbers them, or each of its own.
std::vector<size_t> GroupsOfLists(size_t lists, const Value* param_groups) {
  constexpr size_t kMostGroups = 4096;
  std::vector<size_t> out;
  for (size_t g = 0; param_groups && g < std::min(param_groups->items.size(), kMostGroups); ++g) {
    const Value* params = param_groups->items[g]->Find("params");
    if (params && params->items.size() <= lists) out.resize(out.size() + params->items.size(), g);
    if (out.size() > lists) break;
  }
  if (out.size() == lists) return out;
  out.clear();
  for (size_t i = 0; i < lists; ++i) out.push_back(i);
  return out;
}

}  // namespace

Result<std::vector<std::vector<NamedShape>>> ShapesOf(const Value* value) {
  std::vector<std::vector<NamedShape>> out;
  std::unordered_set<std::string> names;
  int64_t total = 0;
  if (!value || value->Is(Kind::kNone)) return out;
  std::vector<const Value*> groups = {value};
  if (value->Is(Kind::kList) || value->Is(Kind::kTuple)) groups = value->items;
  for (const Value* group : groups) {
    AOA_ASSIGN_OR_RETURN(auto shapes, GroupOf(*group, names, total));
    out.push_back(std::move(shapes));
  }
  return out;
}

const Value* OptimizerIn(const Value& root) {
  return root.Find("param_groups") ? &root : root.Find("optimizer_state_dict");
}

const Value* ParamGroupsIn(const Value& optimizer) {
  const Value* out = optimizer.Find("param_groups");
  for (std::string_view base : {"base_optimizer_state", "optimizer_state_dict"}) {
    if (!out) out = FindPath(optimizer, {base, "param_groups"});
  }
  return out && out->Is(Kind::kList) ? out : nullptr;
}

std::vector<std::vector<std::string>> GroupsOf(const std::vector<std::vector<std::vector<NamedShape>>>& ranks,
                                               const Value* param_groups) {
  std::vector<std::vector<std::string>> out;
  std::unordered_set<std::string_view> known;
  for (const auto& lists : ranks) {
    const std::vector<size_t> groups = GroupsOfLists(lists.size(), param_groups);
    for (size_t i = 0; i < lists.size(); ++i) {
      if (groups[i] >= out.size()) out.resize(groups[i] + 1);
      for (const NamedShape& parameter : lists[i]) {
        if (known.insert(parameter.name).second) out[groups[i]].push_back(parameter.name);
      }
    }
  }
  return out;
}

}  // namespace aoa::formats
