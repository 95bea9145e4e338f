// Whatever the bytes: the readers of configurations end and throw nothing. What they read becomes a rule file that is
// formatted to a fixed point, if its statements parse. As a list of
// names they are folded to a side without mistakes.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

#include "compiler/bind/unit.h"
#include "compiler/core/text.h"
#include "compiler/diag/render.h"
#include "compiler/draft/import.h"
#include "compiler/draft/literal.h"
#include "compiler/draft/side.h"
#include "compiler/draft/yaml.h"
#include "compiler/parse/parse.h"
#include "tests/fuzz/harness.h"

namespace {

using namespace aoa;

void Require(bool holds, const char* what, const std::string& text) {
  if (holds) return;
  std::fprintf(stderr, "%s for:\n%s\n", what, text.c_str());
  std::abort();
}

bool IsText(const std::string& name) {
  for (size_t at = 0; at < name.size();) {
    size_t length = Utf8Length(std::string_view(name).substr(at));
    if (length == 0) return false;
    at += length;
  }
  return true;
}

bool Checks(const SourceFile& text, diag::Diagnostics& found) {
  auto no_import = [](const std::string&, const std::string&, std::string&) -> const SourceFile* { return nullptr; };
  bind::Unit unit = bind::ReadUnit(text, no_import, found);
  return !found.HasErrors();
}

void Import(const SourceFile& source, bool yaml) {
  diag::Diagnostics diagnostics;
  auto value = yaml ? draft::ReadYaml(source, diagnostics) : draft::ReadLiteral(source, diagnostics);
  Require(value.has_value() || diagnostics.HasErrors(), "no value and no mistake", source.text());
  auto config = value ? draft::ReadAoaConfig(*value, diagnostics) : std::nullopt;
  diag::Render(diagnostics, {.limit = 1 << 20});
  if (!config) return;
  draft::ImportedRules rules = draft::WriteRules(*config, "fuzz", {}, {});
  SourceFile text("imported.aoa", rules.text);
  diag::Diagnostics found;
  ast::File file = parse::Parse(text, found);
  diag::Render(draft::AtConfiguration(found, text, rules, *config), {.limit = 1 << 20});
  auto statements = draft::StatementsOf(*config, rules, file);
  auto traps = draft::FindTraps(*config, statements);
  if (found.HasErrors()) return;
  SourceFile again("again.aoa", draft::WriteRules(*config, "fuzz", traps, {}).text);
  diag::Diagnostics none;
  parse::Parse(again, none);
  Require(!none.HasErrors(), "comments break the rules", again.text());
}

void Fold(const std::string& text) {
  std::set<std::string> names;
  std::vector<draft::NamedShape> tensors;
  for (size_t at = 0; at < text.size() && names.size() < 200;) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string name = text.substr(at, end - at);
    if (!name.empty() && IsText(name) && names.insert(name).second)
      tensors.push_back({name, {static_cast<int64_t>(name.size() % 3) + 1, 4}});
    at = end + 1;
  }
  draft::SideDrafter drafter(nullptr);
  std::string side = "side a {\nformat safetensors\n";
  for (const std::string& line : drafter.Declare(tensors)) side += line + "\n";
  SourceFile source("drafted.aoa", side + "}\n");
  diag::Diagnostics found;
  Require(Checks(source, found), "a draft with mistakes", side + diag::Render(found, {}));
}

}  // namespace

void aoa::fuzz::Test(std::string_view input) {
  const std::string text(input);
  SourceFile source("fuzz", text);
  Import(source, false);
  Import(source, true);
  Fold(text);
}

const std::vector<std::string>& aoa::fuzz::Words() {
  static const std::vector<std::string> words = {"{",        "}",
                                                 "[",        "]",
                                                 "(",        ")",
                                                 " -> ",     ",",
                                                 "\n",       "\"",
                                                 "'",        "#",
                                                 ":",        "aoa_statements",
                                                 "True",     "null",
                                                 "\"\"\"",   "f\"",
                                                 "r'",       "\\u",
                                                 "\\x4",     "- ",
                                                 "&a ",      "*a",
                                                 "|\n",      "  ",
                                                 "^T",       "_ -> ",
                                                 "+",        "for x",
                                                 "axis=0",   "$LAYER_ID",
                                                 "*",        ".0.",
                                                 ".1.",      "\xEF\xBB\xBF",
                                                 "\xC3\xA9", "aoa_config_reverse"};
  return words;
}
