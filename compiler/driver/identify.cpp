#include "compiler/driver/identify.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "compiler/bind/bind.h"
#include "compiler/diag/suggest.h"
#include "compiler/driver/pipeline.h"
#include "compiler/prove/prove.h"

namespace aoa::driver {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostAsked = 12;  // sides that are bound: binding a large checkpoint takes time

// One name for each kind.
std::vector<std::string> KindsOf(const Schema& schema) {
  std::vector<std::string> kinds;
  std::set<std::string> seen;
  for (size_t i = 0; i < schema.names.size(); ++i) {
    const std::string& name = schema.names[static_cast<uint32_t>(i)];
    std::string kind;
    for (char c : name) {
      bool digit = c >= '0' && c <= '9';
      if (!digit)
        kind += c;
      else if (kind.empty() || kind.back() != '#')
        kind += '#';
    }
    if (seen.insert(kind).second) kinds.push_back(name);
  }
  return kinds;
}

// A side with what ranks it.
struct Candidate {
  Fit fit;
  const bind::Unit* unit = nullptr;
  bool format = false;  // the checkpoint's is one of the side's
  size_t alike = 0;     // leading characters that the family's name shares with the configuration's `model_type`
};

class Identifier {
 public:
  Identifier(const Schema& schema, const nlohmann::json* config)
      : schema_(schema), config_(config), kinds_(KindsOf(schema)) {
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
      for (size_t i = 0; i < kinds_.size() && !declaration.pattern.HasExtent(); ++i) {
        if (!declaration.pattern.Match(kinds_[i])) continue;
        any = known[i] = true;
      }
      bool needed = declaration.context.guards.empty() && !declaration.node->optional && !declaration.tied;
      if (!any && needed) absent.push_back(declaration.pattern.text());
    }
    for (size_t i = 0; i < kinds_.size(); ++i) {
      if (!known[i]) unknown.push_back(kinds_[i]);
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
    while (candidate.alike < std::min(family.size(), model_type_.size()) &&
           family[candidate.alike] == model_type_[candidate.alike])
      ++candidate.alike;
    candidates_.push_back(std::move(candidate));
  }

  void Sort() {
    auto key = [](const Candidate& c) {
      return std::tuple(!c.fit.fits, c.fit.unknown + c.fit.absent, !c.format, -static_cast<int>(c.alike));
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
    request.config = config_;
    diag::Diagnostics found;
    auto program = bind::Bind(*candidate.unit, schema_, request, found);
    candidate.fit.fits = program && prove::Prove(*program, request, found);
    if (candidate.fit.unknown + candidate.fit.absent > 0) return;  // that says more
    for (const diag::Diagnostic* d : found.Sorted()) {
      if (d->severity == diag::Severity::kError && candidate.fit.why.empty()) candidate.fit.why = d->message;
    }
  }

  const Schema& schema_;
  const nlohmann::json* config_;
  std::vector<std::string> kinds_;
  std::string model_type_;
  std::deque<Session> sessions_;  // with the texts that the units point into
  std::vector<std::unique_ptr<bind::Unit>> units_;
  std::vector<Candidate> candidates_;
};

}  // namespace

std::vector<Fit> FindFits(const std::string& folder, const Schema& schema, const nlohmann::json* config) {
  return Identifier(schema, config).Find(folder);
}

std::optional<Fit> BetterRules(const std::string& rules, const std::string& side, const Schema& schema,
                               const nlohmann::json* config) {
  fs::path folder = fs::path(rules).parent_path();
  std::optional<Fit> found;
  std::error_code error;
  auto preferred = [&](const Fit& fit) { return fit.side == side || fs::equivalent(fit.rules, rules, error); };
  for (Fit& fit : FindFits(folder.empty() ? "." : folder.string(), schema, config)) {
    if (!fit.fits) continue;
    if (fit.side == side && fs::equivalent(fit.rules, rules, error)) return std::nullopt;
    if (!found || (!preferred(*found) && preferred(fit))) found = std::move(fit);
  }
  return found;
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
