#include "compiler/driver/identify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>

#include "compiler/bind/bind.h"
#include "compiler/diag/suggest.h"
#include "compiler/driver/pipeline.h"
#include "compiler/prove/prove.h"

namespace aoa::driver {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostAsked = 12;  // sides that are bound: binding a large checkpoint takes time

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The text with `#` for each run of digits.
std::string Numberless(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (!IsDigit(c))
      out += c;
    else if (out.empty() || out.back() != '#')
      out += '#';
  }
  return out;
}

// The same of all names that a pattern spells.
std::string Numberless(const bind::Pattern& pattern) {
  std::string text;
  for (const bind::PatternPart& part : pattern.parts)
    text += part.kind == bind::PatternPart::Kind::kText ? part.text : "0";
  return Numberless(text);
}

// The name with `#` for each number that no letter touches.
std::string KindOf(std::string_view name) {
  auto letter = [&](size_t i) {
    return i < name.size() && (name[i] == '_' || std::isalnum(static_cast<unsigned char>(name[i])) != 0);
  };
  std::string kind;
  for (size_t i = 0; i < name.size();) {
    size_t end = i;
    while (end < name.size() && IsDigit(name[end])) ++end;
    bool alone = end > i && !letter(end) && (i == 0 || !letter(i - 1));
    end = std::max(end, i + 1);
    kind += alone ? "#" : std::string(name.substr(i, end - i));
    i = end;
  }
  return kind;
}

// All names of a checkpoint by kind, in the order of the first of each. Names of one kind differ in numbers between
// dots, slashes and the like: `fc1` and `fc2` are two.
class Kinds {
 public:
  explicit Kinds(const Schema& schema) : schema_(schema) {
    std::map<std::string, size_t> known;
    for (size_t i = 0; i < schema.names.size(); ++i) {
      const auto id = static_cast<uint32_t>(i);
      auto [it, added] = known.try_emplace(KindOf(schema.names[id]), kinds_.size());
      if (added) {
        kinds_.emplace_back();
        alike_[Numberless(schema.names[id])].push_back(it->second);
      }
      kinds_[it->second].push_back(id);
    }
  }

  size_t size() const { return kinds_.size(); }
  const std::string& ExampleOf(size_t kind) const { return schema_.names[kinds_[kind][0]]; }

  // The kinds of which the pattern spells a name.
  std::vector<size_t> SpelledBy(const bind::Pattern& pattern) const {
    std::vector<size_t> found;
    auto it = alike_.find(Numberless(pattern));
    if (it == alike_.end()) return found;
    for (size_t kind : it->second) {
      bool any = std::any_of(kinds_[kind].begin(), kinds_[kind].end(),
                             [&](uint32_t id) { return pattern.Match(schema_.names[id]).has_value(); });
      if (any) found.push_back(kind);
    }
    return found;
  }

 private:
  const Schema& schema_;
  std::vector<std::vector<uint32_t>> kinds_;          // names of each
  std::map<std::string, std::vector<size_t>> alike_;  // by their names without any number
};

// A side with what ranks it.
struct Candidate {
  Fit fit;
  const bind::Unit* unit = nullptr;
  bool format = false;  // the checkpoint's is one of the side's
};

class Identifier {
 public:
  Identifier(const Schema& schema, GivenConfiguration given) : schema_(schema), given_(given), kinds_(schema) {
    const nlohmann::json* config = given.config;
    if (config && config->is_object() && config->contains("model_type") && config->at("model_type").is_string())
      model_type_ = config->at("model_type").get<std::string>();
  }

  std::vector<Fit> Find(const std::string& folder) {
    for (const std::string& path : FilesOf(folder)) {
      sessions_.emplace_back();
      auto unit = LoadRules(path, sessions_.back());
      if (!unit) continue;
      for (const std::string& side : unit->side_order) Look(path, *unit, unit->sides.at(side));
      units_.push_back(std::move(unit));
    }
    Sort();
    for (size_t i = 0; i < candidates_.size() && i < kMostAsked; ++i) Ask(candidates_[i]);
    Sort();
    std::vector<Fit> fits;
    for (Candidate& c : candidates_) fits.push_back(std::move(c.fit));
    return fits;
  }

 private:
  static std::vector<std::string> FilesOf(const std::string& folder) {
    std::vector<std::string> paths;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".aoa") paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  // Compares names with the side's patterns, whatever their conditions.
  void Look(const std::string& path, const bind::Unit& unit, const bind::Side& side) {
    Candidate candidate;
    candidate.unit = &unit;
    candidate.fit.rules = path;
    candidate.fit.side = side.name;
    std::vector<bool> known(kinds_.size(), false);
    std::vector<std::string> absent, unknown;
    for (const bind::Declaration& declaration : side.declarations) {
      bool any = declaration.pattern.HasExtent();  // what it spells is not known yet
      if (!any) {
        for (size_t kind : kinds_.SpelledBy(declaration.pattern)) any = known[kind] = true;
      }
      bool needed = declaration.context.guards.empty() && !declaration.node->optional && !declaration.tied;
      if (!any && needed) absent.push_back(declaration.pattern.text());
    }
    for (size_t i = 0; i < kinds_.size(); ++i) {
      if (!known[i]) unknown.push_back(kinds_.ExampleOf(i));
    }
    if (unknown.size() == kinds_.size()) return;
    candidate.fit.unknown = unknown.size();
    candidate.fit.absent = absent.size();
    if (!unknown.empty()) candidate.fit.why = "not declared: " + Enumerate(unknown);
    if (!absent.empty())
      candidate.fit.why += fmt::format("{}not there: {}", unknown.empty() ? "" : "; ", Enumerate(absent));
    candidate.format = std::any_of(side.formats.begin(), side.formats.end(),
                                   [&](const auto& line) { return line.node->name.text == schema_.format; });
    std::string family = unit.family.empty() ? fs::path(path).stem().string() : unit.family;
    size_t& alike = candidate.fit.alike;
    while (alike < std::min(family.size(), model_type_.size()) && family[alike] == model_type_[alike]) ++alike;
    candidates_.push_back(std::move(candidate));
  }

  void Sort() {
    auto key = [](const Candidate& c) {
      return std::tuple(!c.fit.fits, c.fit.Misnamed(), !c.format, -static_cast<int>(c.fit.alike));
    };
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [&](const Candidate& a, const Candidate& b) { return key(a) < key(b); });
  }

  static std::string Enumerate(std::vector<std::string> names) {
    constexpr size_t kMostNamed = 3;
    for (std::string& name : names) name = fmt::format("`{}`", Printable(name));
    return diag::Enumerate(names, kMostNamed);
  }

  // Binds the checkpoint to the side, as for a run of the side to itself.
  void Ask(Candidate& candidate) {
    bind::Request request;
    request.from = request.to = candidate.fit.side;
    request.config = given_.config;
    Session session;
    std::optional<nlohmann::json> common;
    if (given_.own)
      common = CommonConfigurationOf(*candidate.unit, candidate.unit->sides.at(candidate.fit.side), schema_,
                                     given_.config, session);
    if (common) request.config = &*common;
    diag::Diagnostics found;
    auto program = bind::Bind(*candidate.unit, schema_, request, found);
    candidate.fit.fits = program && prove::Prove(*program, request, found);
    candidate.fit.unsized = found.FirstError({diag::Code::kConfigKey, diag::Code::kUnknownDimension}) != nullptr;
    if (candidate.fit.Misnamed() > 0) return;  // that says more
    for (const diag::Diagnostic* d : found.Sorted()) {
      if (d->severity == diag::Severity::kError && candidate.fit.why.empty()) candidate.fit.why = d->message;
    }
  }

  const Schema& schema_;
  GivenConfiguration given_;
  Kinds kinds_;
  std::string model_type_;
  std::deque<Session> sessions_;  // with the texts that the units point into
  std::vector<std::unique_ptr<bind::Unit>> units_;
  std::vector<Candidate> candidates_;
};

}  // namespace

std::vector<Fit> FindFits(const std::string& folder, const Schema& schema, GivenConfiguration config) {
  return Identifier(schema, config).Find(folder);
}

std::optional<Fit> BetterRules(const std::string& rules, const std::string& side, const Schema& schema,
                               GivenConfiguration config) {
  fs::path folder = fs::path(rules).parent_path();
  std::optional<Fit> found, own;
  std::error_code error;
  auto same = [&](const Fit& fit) { return fs::equivalent(fit.rules, rules, error); };
  auto preferred = [&](const Fit& fit) { return fit.side == side || same(fit); };
  for (Fit& fit : FindFits(folder.empty() ? "." : folder.string(), schema, config)) {
    if (fit.side == side && same(fit))
      own = std::move(fit);
    else if (fit.fits && (!found || (!preferred(*found) && preferred(fit))))
      found = std::move(fit);
  }
  if (!found || !own) return found;
  // Its own rules, by all names and by that of the family, do not become wrong by a size that is.
  bool right = own->fits || (own->Misnamed() == 0 && own->alike > found->alike);
  return right ? std::nullopt : found;
}

std::string ShippedRules() {
  std::error_code error;
  fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  // Beside the program, installed under a prefix, and in a build folder of the repository.
  for (const char* place : {"rules", "../share/aoac/rules", "../../../rules"}) {
    fs::path folder = (program / place).lexically_normal();
    if (fs::is_directory(folder, error)) return folder.string();
  }
  return "";
}

}  // namespace aoa::driver
