#include "compiler/draft/aoa_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/core/text.h"
#include "compiler/diag/suggest.h"

namespace aoa::draft {
namespace {

using diag::Code;
using Kind = Value::Kind;

constexpr const char* kStatements = "aoa_statements";
constexpr const char* kReverse = "aoa_config_reverse";

void FindConfigs(const Value& value, std::vector<const Value*>& found) {
  if (value.Find(kStatements)) {
    found.push_back(&value);
    return;
  }
  for (const auto& [key, inner] : value.map) FindConfigs(inner, found);
  for (const Value& item : value.items) FindConfigs(item, found);
}

void CollectKeys(const Value& value, std::vector<std::string>& keys) {
  for (const auto& [key, inner] : value.map) {
    keys.push_back(key);
    CollectKeys(inner, keys);
  }
}

std::string_view Trimmed(std::string_view text) {
  size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string_view::npos ? "" : text.substr(begin, end - begin + 1);
}

class ConfigReader {
 public:
  explicit ConfigReader(diag::Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  std::optional<AoaConfig> Read(const Value& value) {
    if (value.kind == Kind::kList && std::all_of(value.items.begin(), value.items.end(), IsText)) {
      ReadStatements(value);
      return Finish();
    }
    std::vector<const Value*> found;
    FindConfigs(value, found);
    if (found.empty()) return ReportNone(value);
    if (found.size() > 1) {
      diagnostics_
          .Error(Code::kDeclaredTwice, found[1]->where, fmt::format("{} configurations in one file", found.size()))
          .Also(found[0]->where, "the first one")
          .Help("a file with one of them is imported");
      return std::nullopt;
    }
    const Value& statements = *found[0]->Find(kStatements);
    if (statements.kind == Kind::kList) {
      ReadStatements(statements);
    } else {
      diagnostics_.Error(Code::kSyntax, statements.where, fmt::format("`{}` is no list", kStatements))
          .Expected("a list of texts");
    }
    if (const Value* reverse = found[0]->Find(kReverse)) ReadReverse(*reverse);
    return Finish();
  }

 private:
  static bool IsText(const Value& value) { return value.kind == Kind::kText; }

  std::optional<AoaConfig> Finish() {
    return diagnostics_.HasErrors() ? std::nullopt : std::optional(std::move(config_));
  }

  std::optional<AoaConfig> ReportNone(const Value& value) {
    auto& d = diagnostics_.Error(Code::kSyntax, value.where, fmt::format("there is no `{}` here", kStatements))
                  .Expected(fmt::format("a dictionary with a list of texts under `{}`", kStatements));
    std::vector<std::string> keys;
    CollectKeys(value, keys);
    if (auto near = diag::Nearest(kStatements, keys)) d.Found(fmt::format("a key `{}`", Printable(*near)));
    return std::nullopt;
  }

  void ReadReverse(const Value& value) {
    if (value.kind == Kind::kTruth)
      config_.reverse = value.truth;
    else if (value.kind != Kind::kNull)
      diagnostics_.Error(Code::kSyntax, value.where, fmt::format("`{}` is neither true nor false", kReverse));
  }

  void ReadStatements(const Value& list) {
    for (const Value& item : list.items) {
      if (!IsText(item)) {
        diagnostics_.Error(Code::kSyntax, item.where, fmt::format("an item of `{}` is no text", kStatements))
            .Expected("a statement in quotes, as in `\"a^T -> b\"`");
        continue;
      }
      ReadText(item);
    }
  }

  // A text of the list. Of literals that were joined, one with an arrow of its own was meant as a statement.
  void ReadText(const Value& item) {
    std::vector<size_t> ends = item.joints;
    ends.push_back(item.text.size());
    std::string_view text = item.text;
    size_t begin = 0;
    for (size_t i = 0; i < ends.size(); ++i) {
      bool goes_on = i + 1 < ends.size() && !(HasArrow(text.substr(begin, ends[i] - begin)) &&
                                              HasArrow(text.substr(ends[i], ends[i + 1] - ends[i])));
      if (goes_on) continue;
      ReadLines(item, text.substr(begin, ends[i] - begin), begin > 0);
      begin = ends[i];
    }
  }

  void ReadLines(const Value& item, std::string_view text, bool glued) {
    while (!text.empty()) {
      size_t end = std::min(text.find_first_of("\r\n"), text.size());
      std::string_view line = Trimmed(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
      if (line.empty()) continue;
      for (auto [from, to] : SplitStatements(line)) {
        Add(item, line.substr(from, to - from), glued);
        glued = true;
      }
      glued = false;
    }
  }

  static bool HasArrow(std::string_view text) { return text.find("->") != std::string_view::npos; }

  void Add(const Value& item, std::string_view statement, bool glued) {
    ConfigStatement added;
    added.text = statement;
    added.where = item.where;
    added.glued = glued;
    std::string_view spelled = item.where.text();
    if (size_t at = spelled.find(statement); at != std::string_view::npos) {
      added.where.begin += static_cast<uint32_t>(at);
      added.where.end = added.where.begin + static_cast<uint32_t>(statement.size());
      added.exact = true;
    }
    Check(added);
    config_.statements.push_back(std::move(added));
  }

  // What would reach beyond its own line in a rule file.
  void Check(const ConfigStatement& statement) {
    std::string_view text = statement.text;
    size_t brace = text.find_first_of("{}");
    if (brace != std::string_view::npos) {
      SourceRange where = statement.where;
      if (statement.exact) {
        where.begin += static_cast<uint32_t>(brace);
        where.end = where.begin + 1;
      }
      diagnostics_.Error(Code::kCharacter, where, fmt::format("`{}` stands in a statement", text[brace]))
          .Note("a name that a program puts together, as `f\"layers.{i}\"`, is known to that program only");
    } else if (text.ends_with("->") || text.ends_with(",")) {
      diagnostics_.Error(Code::kSyntax, statement.where, "a statement ends where something has to follow")
          .Expected("`sources -> targets, attributes`");
    } else if (text.starts_with("->") || text.starts_with(",")) {
      diagnostics_.Error(Code::kSyntax, statement.where, "a statement begins where something has to stand before")
          .Expected("`sources -> targets, attributes`");
    }
  }

  AoaConfig config_;
  diag::Diagnostics& diagnostics_;
};

}  // namespace

std::optional<AoaConfig> ReadAoaConfig(const Value& value, diag::Diagnostics& diagnostics) {
  return ConfigReader(diagnostics).Read(value);
}

}  // namespace aoa::draft
