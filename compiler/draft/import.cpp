#include "compiler/draft/import.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/core/text.h"

namespace aoa::draft {
namespace {

class RulesWriter {
 public:
  RulesWriter(const AoaConfig& config, const ImportedSides& sides) : config_(config), sides_(sides) {}

  ImportedRules Write(const std::string& origin, const std::vector<Trap>& traps) {
    Put(fmt::format("# The statements of {}.{}\n", Printable(origin),
                    config_.reverse ? " They are carried out from right to left: `--from target --to source`." : ""));
    if (!sides_.dims.empty()) {
      Put("\ndims {\n");
      for (const std::string& line : sides_.dims) Put(line + "\n");
      Put("}\n");
    }
    Side("source", sides_.source);
    Side("target", sides_.target);
    Put("\nmap source <-> target {\n");
    auto trap = traps.begin();
    for (size_t i = 0; i < config_.statements.size(); ++i) {
      for (; trap != traps.end() && trap->statement == i; ++trap)
        Put(fmt::format("# trap: {}; {}\n", trap->what, trap->advice));
      Statement(i);
    }
    if (!sides_.passed.empty()) Put("\n# No statement reads these; they pass by name. `NAME -> _` leaves one out.\n");
    for (const std::string& line : sides_.passed) Put(line + "\n");
    if (!sides_.dropped.empty()) Put("\n# No statement reads these, and others make tensors of their names.\n");
    for (const std::string& name : sides_.dropped) Put(config_.reverse ? "_ <- " + name + "\n" : name + " -> _\n");
    Put("}\n");
    return std::move(rules_);
  }

 private:
  void Put(std::string_view text) { rules_.text += text; }

  void Side(const char* name, const std::vector<std::string>& lines) {
    Put(fmt::format("\nside {} {{\nformat {}\n", name, sides_.format));
    for (const std::string& line : lines) Put(line + "\n");
    Put("}\n");
  }

  void Statement(size_t i) {
    const ConfigStatement& statement = config_.statements[i];
    const std::string& text = statement.AsWritten();
    if (!statement.remark.empty()) Put(fmt::format("# {}\n", statement.remark));
    if (text.empty() || IsInitial(statement, config_.reverse)) {
      Put(fmt::format("# {}\n", statement.text));
      return;
    }
    size_t arrow = text.find("->");
    if (!config_.reverse || arrow == std::string::npos) return Line(i, text, !statement.written);
    std::string left = text.substr(0, arrow), right = text.substr(arrow + 2);
    // A removal backwards drops what is on the right; a pair of types is two casts.
    if (left.find_first_not_of(" \t_") == std::string::npos) return Line(i, fmt::format("_ <- {}", right), false);
    size_t source = text.find("src_dtype"), target = text.find("dst_dtype");
    if (source == std::string::npos || target == std::string::npos) return Line(i, left + "<->" + right, false);
    Line(i, text, !statement.written);
    Line(i, left + "<-" + SwapTypes(right), false);
  }

  // The two words have one length, so replacing one does not move the other.
  static std::string SwapTypes(std::string text) {
    size_t source = text.find("src_dtype"), target = text.find("dst_dtype");
    if (source != std::string::npos) text.replace(source, 3, "dst");
    if (target != std::string::npos) text.replace(target, 3, "src");
    return text;
  }

  void Line(size_t i, const std::string& text, bool exact) {
    rules_.lines.push_back({i, rules_.text.size(), text.size(), exact});
    Put(text + "\n");
  }

  const AoaConfig& config_;
  const ImportedSides& sides_;
  ImportedRules rules_;
};

// The line that holds byte `at` of the rules, or null.
const ImportedRules::Line* LineAt(const ImportedRules& rules, size_t at) {
  auto it = std::upper_bound(rules.lines.begin(), rules.lines.end(), at,
                             [](size_t place, const ImportedRules::Line& line) { return place < line.begin; });
  if (it == rules.lines.begin()) return nullptr;
  --it;
  return at <= it->begin + it->size ? &*it : nullptr;
}

SourceRange AtConfiguration(SourceRange range, const SourceFile& text, const ImportedRules& rules,
                            const AoaConfig& config) {
  if (range.file != &text) return range;
  const ImportedRules::Line* line = LineAt(rules, range.begin);
  if (!line) return range;
  const ConfigStatement& statement = config.statements[line->statement];
  if (!line->exact || !statement.exact) return statement.where;
  SourceRange where = statement.where;
  where.begin += static_cast<uint32_t>(range.begin - line->begin);
  where.end = std::min(where.end, statement.where.begin + static_cast<uint32_t>(range.end - line->begin));
  return where;
}

}  // namespace

ImportedRules WriteRules(const AoaConfig& config, const std::string& origin, const std::vector<Trap>& traps,
                         const ImportedSides& sides) {
  return RulesWriter(config, sides).Write(origin, traps);
}

std::optional<size_t> StatementAt(const ImportedRules& rules, size_t at) {
  const ImportedRules::Line* line = LineAt(rules, at);
  return line ? std::optional(line->statement) : std::nullopt;
}

std::vector<const ast::Statement*> StatementsOf(const AoaConfig& config, const ImportedRules& rules,
                                                const ast::File& file) {
  std::vector<const ast::Statement*> found(config.statements.size(), nullptr);
  for (const ast::Item& item : file.items) {
    const auto* map = std::get_if<ast::Map>(&item);
    if (!map) continue;
    for (const ast::MapItem& line : map->items) {
      const auto* statement = std::get_if<ast::Statement>(&line.item);
      const ImportedRules::Line* at = statement ? LineAt(rules, statement->where.begin) : nullptr;
      if (at && !found[at->statement]) found[at->statement] = statement;
    }
  }
  return found;
}

diag::Diagnostics AtConfiguration(const diag::Diagnostics& found, const SourceFile& text, const ImportedRules& rules,
                                  const AoaConfig& config) {
  diag::Diagnostics told;
  for (const diag::Diagnostic& d : found.all()) {
    SourceRange where = AtConfiguration(d.where, text, rules, config);
    diag::Diagnostic& added = d.severity == diag::Severity::kError ? told.Error(d.code, where, d.message)
                                                                   : told.Warning(d.code, where, d.message);
    added.label = d.label;
    added.expected = d.expected;
    added.found = d.found;
    added.notes = d.notes;
    added.helps = d.helps;
    for (const diag::Mention& other : d.others)
      added.Also(AtConfiguration(other.range, text, rules, config), other.text);
  }
  return told;
}

}  // namespace aoa::draft
