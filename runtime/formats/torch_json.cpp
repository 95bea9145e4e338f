#include "runtime/formats/torch_json.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/text.h"
#include "runtime/formats/torch_dtype.h"
#include "runtime/formats/torch_walk.h"

namespace aoa::formats {
namespace {

using nlohmann::json;
using pickle::Value;
using Kind = Value::Kind;

constexpr int kDeepest = 64;
constexpr int64_t kMostValues = 1 << 18, kValueBytes = 32;
constexpr std::string_view kTypePrefix = "torch.", kGlobalPrefix = "torch ";

// A container may hold another many times over: what it comes to is bounded.
class JsonMaker {
 public:
  // Nothing for values that JSON does not have.
  std::optional<json> Make(const Value& value, int depth) {
    if (depth > kDeepest || value.outside || --left_ < 0) return std::nullopt;
    switch (value.kind) {
      case Kind::kNone:
        return json(nullptr);
      case Kind::kBool:
        return json(value.integer != 0);
      case Kind::kInt:
        return json(value.integer);
      case Kind::kFloat:
        return std::isfinite(value.number) ? std::optional<json>(value.number) : std::nullopt;
      case Kind::kText:
        left_ -= static_cast<int64_t>(value.text.size()) / kValueBytes;  // it may stand in many places
        return left_ >= 0 && IsUtf8(value.text) ? std::optional<json>(value.text) : std::nullopt;
      case Kind::kList:
      case Kind::kTuple:
        return List(value, depth);
      case Kind::kDict:
        return Members(value, depth);
      case Kind::kObject:
        if (!HoldsAttributes(value) && value.entries.empty()) return std::nullopt;
        return Members(value, depth);
      case Kind::kGlobal:
        if (!TorchDType(value.text)) return std::nullopt;
        return json(std::string(kTypePrefix) + value.text.substr(kGlobalPrefix.size()));
      default:
        return std::nullopt;
    }
  }

 private:
  json Members(const Value& value, int depth) {
    json out = json::object();
    for (const auto& [name, member] : MembersOf(value)) {
      left_ -= static_cast<int64_t>(name.size()) / kValueBytes;
      if (left_ < 0) break;
      if (name.empty() || !IsUtf8(name)) continue;
      if (auto made = Make(*member, depth + 1)) out[name] = *std::move(made);
    }
    return out;
  }

  std::optional<json> List(const Value& value, int depth) {
    json out = json::array();
    for (const Value* item : value.items) {
      auto made = Make(*item, depth + 1);
      if (!made) return std::nullopt;
      out.push_back(*std::move(made));
    }
    return out;
  }

  int64_t left_ = kMostValues;
};

}  // namespace

json JsonOf(const Value& value) {
  auto out = JsonMaker().Make(value, 0);
  return out && out->is_object() ? *std::move(out) : json::object();
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
    case json::value_t::string: {
      const auto& text = from.get_ref<const std::string&>();
      const std::string type =
          text.starts_with(kTypePrefix) ? std::string(kGlobalPrefix) + text.substr(kTypePrefix.size()) : "";
      return !type.empty() && TorchDType(type) ? tree.Global(type) : tree.Text(text);
    }
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
