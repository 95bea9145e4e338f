#include "runtime/formats/deepspeed_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "compiler/core/text.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {
namespace {

using nlohmann::json;
using pickle::Value;
using Kind = Value::Kind;

constexpr int64_t kMostElements = int64_t{1} << 56;  // of a group: sums and their products with ranks stay in 63 bits
constexpr size_t kMostAxes = 64;
constexpr int kDeepest = 64;
constexpr int64_t kMostValues = 1 << 18, kValueBytes = 32;

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

// `left` bounds the work: values that are shared would be spelled again and again.
json ToJson(const Value& value, int depth, int64_t& left) {
  if (depth > kDeepest || --left < 0) return json::value_t::discarded;
  switch (value.kind) {
    case Kind::kNone:
      return nullptr;
    case Kind::kBool:
      return value.integer != 0;
    case Kind::kInt:
      return value.outside ? json(json::value_t::discarded) : json(value.integer);
    case Kind::kFloat:
      return std::isfinite(value.number) ? json(value.number) : json(json::value_t::discarded);
    case Kind::kText:
      left -= static_cast<int64_t>(value.text.size()) / kValueBytes;
      return left < 0 || value.outside || !IsUtf8(value.text) ? json(json::value_t::discarded) : json(value.text);
    case Kind::kList:
    case Kind::kTuple: {
      json out = json::array();
      for (const Value* item : value.items) {
        if (left < 0) break;
        json one = ToJson(*item, depth + 1, left);
        out.push_back(one.is_discarded() ? json(nullptr) : std::move(one));
      }
      return out;
    }
    case Kind::kDict:
    case Kind::kObject: {
      if (value.Is(Kind::kObject) && !HoldsAttributes(value) && value.entries.empty()) return json::value_t::discarded;
      json out = json::object();
      for (const auto& [name, member] : MembersOf(value)) {
        if (left < 0) break;
        if (name.empty() || !IsUtf8(name)) continue;
        left -= static_cast<int64_t>(name.size()) / kValueBytes;
        json one = ToJson(*member, depth + 1, left);
        if (!one.is_discarded()) out[name] = std::move(one);
      }
      return out;
    }
    default:
      return json::value_t::discarded;
  }
}

}  // namespace

const Value* FindPath(const Value& value, std::initializer_list<std::string_view> keys) {
  const Value* at = &value;
  for (std::string_view key : keys) {
    if (!at) return nullptr;
    at = HoldsAttributes(*at) && at->state ? at->state->Find(key) : at->Find(key);
  }
  return at;
}

const Value* FindNumber(const Value& dict, int64_t key) {
  for (size_t i = dict.entries.size(); i >= 2; i -= 2) {
    if (dict.entries[i - 2]->Is(Kind::kInt) && dict.entries[i - 2]->AsInt() == key) return dict.entries[i - 1];
  }
  return nullptr;
}

std::optional<int64_t> NumberIn(const Value* value) {
  if (!value) return std::nullopt;
  if (value->Is(Kind::kObject) && value->arguments && value->arguments->items.size() == 1)
    return value->arguments->items[0]->AsInt();
  return value->AsInt();
}

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

json JsonOf(const Value& value) {
  int64_t left = kMostValues;
  json out = ToJson(value, 0, left);
  return out.is_object() ? out : json::object();
}

const Value* ValueOf(const json& from, pickle::Tree& tree) {
  switch (from.type()) {
    case json::value_t::boolean:
      return tree.Bool(from.get<bool>());
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      return tree.Int(from.get<int64_t>());
    case json::value_t::number_float:
      return tree.Float(from.get<double>());
    case json::value_t::string:
      return tree.Text(from.get<std::string>());
    case json::value_t::array: {
      std::vector<const Value*> items;
      for (const json& item : from) items.push_back(ValueOf(item, tree));
      return tree.List(std::move(items));
    }
    case json::value_t::object: {
      Value* out = tree.Dict();
      for (const auto& [key, item] : from.items()) tree.Set(out, key, ValueOf(item, tree));
      return out;
    }
    default:
      return tree.None();
  }
}

}  // namespace aoa::formats
