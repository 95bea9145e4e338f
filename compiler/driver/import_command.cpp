// aoac import-aoa FILE [-o FILE] [--from-checkpoint PATH]
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "compiler/bind/limits.h"
#include "compiler/diag/suggest.h"
#include "compiler/draft/import.h"
#include "compiler/draft/infer.h"
#include "compiler/draft/literal.h"
#include "compiler/draft/reword.h"
#include "compiler/draft/yaml.h"
#include "compiler/driver/commands.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/words.h"
#include "compiler/parse/parse.h"
#include "compiler/prove/prove.h"
#include "runtime/io/file.h"

namespace aoa::driver {
namespace {

namespace fs = std::filesystem;
using diag::Code;

constexpr const char* kUsage = "aoac import-aoa FILE [-o FILE] [--from-checkpoint PATH]";
constexpr uint64_t kLongest = 64 << 20;
constexpr size_t kMostWarnings = 100;

class Import {
 public:
  Import(std::string path, std::string out, std::string checkpoint, Session& session)
      : path_(std::move(path)), out_(std::move(out)), checkpoint_(std::move(checkpoint)), session_(session) {}

  Exit Run() {
    if (!ReadConfig() || !CheckStatements() || !AskCheckpoint()) return session_.Finish();
    draft::ImportedRules rules = draft::WriteRules(config_, Origin(), traps_, sides_);
    const SourceFile& text = session_.sources.Add(out_.empty() ? "imported.aoa" : out_, std::move(rules.text));
    if (!checkpoint_.empty() && !Checks(text)) return session_.Finish();
    Write(parse::Format(text));
    size_t shown = std::min(traps_.size(), kMostWarnings);
    for (size_t i = 0; i < shown; ++i) Warn(traps_[i], i + 1 == shown ? traps_.size() - shown : 0);
    return session_.Finish();
  }

 private:
  std::string Origin() const { return fs::path(path_).filename().string(); }

  bool ReadConfig() {
    auto text = io::ReadSmallFile(path_, kLongest);
    if (!text.ok()) {
      session_.Fail(text.status());
      return false;
    }
    const SourceFile& source = session_.sources.Add(path_, *std::move(text));
    auto value = IsYaml(source) ? draft::ReadYaml(source, session_.diagnostics)
                                : draft::ReadLiteral(source, session_.diagnostics);
    if (!value) return false;
    auto config = draft::ReadAoaConfig(*value, session_.diagnostics);
    if (config) config_ = std::move(*config);
    return config.has_value();
  }

  // By the name of the file, else by the first line that says anything: YAML neither opens a bracket nor sets a name to
  // what a bracket opens.
  bool IsYaml(const SourceFile& source) const {
    std::string extension = fs::path(path_).extension().string();
    if (extension == ".yaml" || extension == ".yml") return true;
    if (extension == ".json" || extension == ".py") return false;
    constexpr std::string_view kOpening = "{[(\"'", kBlanks = " \t\xEF\xBB\xBF";
    constexpr int kMostComments = 1000;
    for (int line = 1; line < kMostComments; ++line) {
      std::string_view text = source.Line(line);
      size_t first = text.find_first_not_of(kBlanks);
      if (first == std::string_view::npos || text[first] == '#') continue;
      size_t value = text.find_first_not_of(kBlanks, std::min(text.find('='), text.size() - 1) + 1);
      bool set = value != std::string_view::npos && kOpening.find(text[value]) != std::string_view::npos;
      return !set && kOpening.find(text[first]) == std::string_view::npos && !text.substr(first).starts_with("return");
    }
    return false;
  }

  // Types the statements by structure, and looks for what the engine would have got wrong.
  bool CheckStatements() {
    draft::ImportedRules rules = draft::WriteRules(config_, Origin(), {}, sides_);
    const SourceFile& text = checked_.Add("imported.aoa", rules.text);
    diag::Diagnostics found;
    auto no_import = [](const std::string&, const std::string&, std::string&) -> const SourceFile* { return nullptr; };
    bind::Unit unit = bind::ReadUnit(text, no_import, found);
    if (!found.HasErrors() && bind::CheckLimits(unit, found)) prove::CheckRules(unit, found);
    session_.diagnostics.Append(draft::AtConfiguration(found, text, rules, config_));
    if (session_.diagnostics.HasErrors()) return false;
    auto statements = draft::StatementsOf(config_, rules, unit.files.front());
    for (size_t i = 0; i < statements.size(); ++i) {
      if (statements[i] || draft::IsInitial(config_.statements[i], config_.reverse)) continue;
      session_.diagnostics.Error(Code::kSyntax, config_.statements[i].where, "a text that is no statement")
          .Expected("`sources -> targets, attributes`");
    }
    traps_ = draft::FindTraps(config_, statements);
    draft::RewordReplaced(config_, statements);
    return !session_.diagnostics.HasErrors();
  }

  // The types that were inferred against the statements.
  bool Checks(const SourceFile& text) {
    auto no_import = [](const std::string&, const std::string&, std::string&) -> const SourceFile* { return nullptr; };
    bind::Unit unit = bind::ReadUnit(text, no_import, session_.diagnostics);
    if (bind::CheckLimits(unit, session_.diagnostics)) prove::CheckRules(unit, session_.diagnostics);
    return !session_.diagnostics.HasErrors();
  }

  // Types for both sides, from what the statements make of a checkpoint.
  bool AskCheckpoint() {
    if (checkpoint_.empty()) return true;
    auto schema = ReadAnyCheckpoint(checkpoint_, 1, session_);
    if (!schema || !IsWhole(*schema, session_)) return false;
    auto config = ConfigurationOf(*schema, session_);
    if (session_.diagnostics.HasErrors()) return false;
    auto sides = draft::InferSides(config_, *schema, config ? &*config : nullptr, traps_, session_.sources,
                                   session_.diagnostics);
    if (sides) sides_ = std::move(*sides);
    return sides.has_value();
  }

  void Write(const std::string& text) {
    if (out_.empty()) {
      fmt::print("{}", text);
    } else {
      session_.WriteNew(out_, text);
    }
  }

  // `more` others follow that are not shown.
  void Warn(const draft::Trap& trap, size_t more) {
    const draft::ConfigStatement& statement = config_.statements[trap.statement];
    auto& d = session_.diagnostics.Warning(Code::kTrap, statement.where, trap.what);
    if (!statement.exact) d.Label(fmt::format("`{}`", diag::Printable(statement.text)));
    if (trap.other) d.Also(config_.statements[*trap.other].where, "the other one");
    d.Note(trap.advice);
    if (more > 0) d.Note(fmt::format("{} more warnings like these stand as comments in the rules", more));
  }

  std::string path_, out_, checkpoint_;
  Session& session_;
  SourceFiles checked_;
  draft::AoaConfig config_;
  draft::ImportedSides sides_;
  std::vector<draft::Trap> traps_;
};

}  // namespace

Exit RunImport(const Arguments& arguments) {
  Session session;
  Words words = ReadWords("import-aoa", arguments, {{"-o", true}, {"--from-checkpoint", true}}, 1, kUsage, session);
  if (session.diagnostics.HasErrors()) return session.Finish();
  return Import(words.positional[0], words.Value("-o"), words.Value("--from-checkpoint"), session).Run();
}

}  // namespace aoa::driver
