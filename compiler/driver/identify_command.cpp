// aoac identify PATH [--rules DIR] [--config FILE] [--json]
#include "compiler/driver/identify.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "compiler/core/text.h"
#include "compiler/driver/commands.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/words.h"

namespace aoa::driver {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUsage = "aoac identify PATH [--rules DIR] [--config FILE] [--json]";
constexpr size_t kMostShown = 5;  // sides that do not fit

std::string Distance(const Fit& fit) {
  if (fit.Misnamed() == 0) return "fits by names only";
  return fmt::format("{} of its kinds of names unknown, {} absent", fit.unknown, fit.absent);
}

void PrintText(const std::vector<Fit>& fits) {
  size_t rules = 0, side = 0, misfits = 0;
  std::vector<std::pair<std::string, const Fit*>> rows;
  for (const Fit& fit : fits) {
    if (!fit.fits && ++misfits > kMostShown) break;
    rows.emplace_back(Printable(fs::path(fit.rules).filename().string()), &fit);
    rules = std::max(rules, rows.back().first.size());
    side = std::max(side, fit.side.size());
  }
  for (const auto& [name, fit] : rows) {
    fmt::print("{:<{}}  {:<{}}  {}\n", name, rules, fit->side, side, fit->fits ? "fits" : Distance(*fit));
    if (!fit->fits && !fit->why.empty()) fmt::print("{:<{}}  {}\n", "", rules, fit->why);
  }
}

void PrintJson(const std::vector<Fit>& fits) {
  nlohmann::ordered_json report = nlohmann::ordered_json::array();
  for (const Fit& fit : fits) {
    report.push_back({{"rules", fit.rules},
                      {"side", fit.side},
                      {"fits", fit.fits},
                      {"unknown", fit.unknown},
                      {"absent", fit.absent},
                      {"why", fit.why}});
  }
  fmt::print("{}\n", report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

void NoneFits(const std::string& folder, const Schema& schema, const std::vector<Fit>& fits, Session& session) {
  auto& d = session.diagnostics.Error(
      diag::Code::kNoRules, {}, fmt::format("no rule file in {} fits {}", Printable(folder), Printable(schema.path)));
  if (fits.empty() || fits[0].Misnamed() > 0 || !fits[0].unsized) {
    d.Help(fmt::format("`aoac init {}` drafts a side for it", Printable(schema.path)));
    return;
  }
  d.Note(fmt::format("all its names are those of side `{}` of {}, but nothing says all of its sizes", fits[0].side,
                     Printable(fs::path(fits[0].rules).filename().string())));
  d.Help("`--config FILE` names the configuration of its model");
}

}  // namespace

Exit RunIdentify(const Arguments& arguments) {
  Session session;
  Words words =
      ReadWords("identify", arguments, {{"--rules", true}, {"--config", true}, {"--json"}}, 1, kUsage, session);
  if (session.diagnostics.HasErrors()) return session.Finish();
  std::string folder = words.Has("--rules") ? words.Value("--rules") : ShippedRules();
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    session
        .Misuse(folder.empty() ? "there is no folder of rule files beside the program"
                               : fmt::format("--rules: {} is no folder", Printable(folder)))
        .Expected(kUsage);
    return session.Finish();
  }
  auto schema = ReadAnyCheckpoint(words.positional[0], 1, session);
  if (!schema) return session.Finish();
  auto config =
      words.Has("--config") ? ReadConfiguration(words.Value("--config"), session) : ConfigurationOf(*schema, session);
  if (session.diagnostics.HasErrors()) return session.Finish();
  std::vector<Fit> fits = FindFits(folder, *schema, {config ? &*config : nullptr, !words.Has("--config")});
  if (words.Has("--json"))
    PrintJson(fits);
  else
    PrintText(fits);
  if (fits.empty() || !fits[0].fits) NoneFits(folder, *schema, fits, session);
  return session.Finish();
}

}  // namespace aoa::driver
