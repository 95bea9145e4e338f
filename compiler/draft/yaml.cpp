#include "compiler/draft/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "compiler/core/text.h"

namespace aoa::draft {
namespace {

using diag::Code;

class Converter {
 public:
  Converter(const SourceFile& source, diag::Diagnostics& diagnostics) : source_(source), diagnostics_(diagnostics) {}

  bool Convert(const YAML::Node& node, Value& value, int depth) {
    value.where = RangeOf(node.Mark(), node.IsScalar() ? node.Scalar().size() : 1);
    // An alias stands for what it names, so a short text may mean an endless one.
    if (depth > kDeepestValue || ++count_ > kMostValues) {
      diagnostics_.Error(Code::kSyntax, value.where,
                         depth > kDeepestValue ? "values inside each other, deeper than 64" : "too many values");
      return false;
    }
    if (node.IsScalar()) {
      ConvertScalar(node, value);
    } else if (node.IsSequence()) {
      value.kind = Value::Kind::kList;
      for (const YAML::Node& item : node) {
        value.items.emplace_back();
        if (!Convert(item, value.items.back(), depth + 1)) return false;
      }
    } else if (node.IsMap()) {
      value.kind = Value::Kind::kMap;
      for (const auto& entry : node) {
        value.map.emplace_back(entry.first.IsScalar() ? entry.first.Scalar() : "", Value());
        if (!Convert(entry.second, value.map.back().second, depth + 1)) return false;
      }
    }
    return true;
  }

 private:
  // Quoted scalars have the tag "!"; plain ones mean what they look like.
  void ConvertScalar(const YAML::Node& node, Value& value) {
    value.text = node.Scalar();
    std::string lower = value.text;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    value.kind = Value::Kind::kText;
    if (node.Tag() == "!") return;
    if (lower == "true" || lower == "false") {
      value.kind = Value::Kind::kTruth;
      value.truth = lower == "true";
    } else if (lower.empty() || lower == "null" || lower == "~") {
      value.kind = Value::Kind::kNull;
    }
  }

  SourceRange RangeOf(const YAML::Mark& mark, size_t size) const {
    size_t end = source_.text().size(), begin = std::min(end, static_cast<size_t>(std::max(mark.pos, 0)));
    size_t line_end = std::min(source_.text().find('\n', begin), end);
    return {&source_, static_cast<uint32_t>(begin), static_cast<uint32_t>(std::min(begin + size, line_end))};
  }

  const SourceFile& source_;
  diag::Diagnostics& diagnostics_;
  size_t count_ = 0;
};

}  // namespace

std::optional<Value> ReadYaml(const SourceFile& source, diag::Diagnostics& diagnostics) {
  try {
    Value value;
    YAML::Node node = YAML::Load(source.text());
    if (!Converter(source, diagnostics).Convert(node, value, 0)) return std::nullopt;
    return value;
  } catch (const YAML::Exception& failure) {
    auto begin =
        static_cast<uint32_t>(std::clamp<int64_t>(failure.mark.pos, 0, static_cast<int64_t>(source.text().size())));
    diagnostics.Error(Code::kSyntax, {&source, begin, begin}, fmt::format("no YAML: {}", Printable(failure.msg)));
    return std::nullopt;
  }
}

}  // namespace aoa::draft
