// aoac layouts PATH [-o FILE], aoac layouts --needs RANKS [--layout-from PATH] [--layout-to PATH]
#include <fmt/format.h>

#include <algorithm>

#include "compiler/core/sharding_needs.h"
#include "compiler/diag/suggest.h"
#include "compiler/driver/arguments.h"
#include "compiler/driver/commands.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/words.h"
#include "runtime/formats/format.h"

namespace aoa::driver {
namespace {

constexpr const char* kUsage =
    "aoac layouts PATH [-o FILE], or aoac layouts --needs RANKS [--layout-from PATH] [--layout-to PATH]";

const formats::Format* FormatWithLayouts() {
  const auto& all = formats::AllFormats();
  return *std::find_if(all.begin(), all.end(), [](const auto* format) { return format->HasLayouts(); });
}

// "[2*2, 1]": by axis of the tensor, the sizes of what cuts it.
std::string CutsText(const Sharding& sharding) {
  std::string out;
  for (const auto& cuts : sharding.cuts) {
    std::string axis;
    for (size_t by : cuts) axis += fmt::format("{}{}", axis.empty() ? "" : "*", sharding.mesh[by]);
    out += (out.empty() ? "" : ", ") + (axis.empty() ? "1" : axis);
  }
  return "[" + out + "]";
}

void Print(const Shardings& shardings) {
  fmt::print("stages   {}\nranks    {} in each\n", shardings.stages, shardings.ranks);
  size_t width = 0;
  for (const auto& [name, by_stage] : shardings.tensors()) width = std::max(width, diag::Printable(name).size());
  for (const auto& [name, by_stage] : shardings.tensors()) {
    for (size_t stage = 0; stage < by_stage.size(); ++stage) {
      if (by_stage[stage] == Shardings::kNone) continue;
      const Sharding& sharding = shardings.sharding(by_stage[stage]);
      std::string again = sharding.again > 1 ? fmt::format(", axis 0 again by {}", sharding.again) : "";
      fmt::print("  {:<{}}  stage {}  devices {}  cut by {}{}\n", diag::Printable(name), width, stage,
                 ToString(sharding.mesh), CutsText(sharding), again);
    }
  }
}

Exit ShowNeeds(const Words& words, Session& session) {
  auto ranks = ParseRanks(words.Value("--needs"), session.diagnostics);
  const formats::Format* format = FormatWithLayouts();
  std::shared_ptr<const Shardings> from, to;
  for (auto [option, layout] : {std::pair("--layout-from", &from), std::pair("--layout-to", &to)}) {
    if (words.Has(option)) *layout = ReadLayout(*format, option, words.Value(option), session);
  }
  if (session.diagnostics.HasErrors()) return session.Finish();
  const int64_t count = to ? to->stages * to->ranks : 1;
  if (ranks->back() >= count) {
    session.Misuse(fmt::format("--needs: there is no rank {}", ranks->back()))
        .Expected(fmt::format("ranks from 0 to {}", count - 1));
    return session.Finish();
  }
  std::string out;
  for (int64_t rank : NeededRanks(from.get(), to.get(), *ranks))
    out += fmt::format("{}{}", out.empty() ? "" : " ", rank);
  fmt::print("{}\n", out);
  return session.Finish();
}

}  // namespace

Exit RunLayouts(const Arguments& arguments) {
  Session session;
  const bool needs = std::any_of(arguments.begin(), arguments.end(), [](const std::string& word) {
    return word == "--needs" || word.starts_with("--needs=");
  });
  const Words words =
      ReadWords("layouts", arguments, {{"-o", true}, {"--needs", true}, {"--layout-from", true}, {"--layout-to", true}},
                needs ? 0 : 1, kUsage, session);
  if (session.diagnostics.HasErrors()) return session.Finish();
  if (needs) return ShowNeeds(words, session);
  const formats::Format* format = FormatWithLayouts();
  auto layout = ReadLayout(*format, "layouts", words.positional[0], session);
  if (!layout) return session.Finish();
  if (!words.Has("-o")) {
    Print(*layout);
    return session.Finish();
  }
  const std::string out = words.Value("-o");
  auto text = format->WriteLayout(*layout, out);
  if (text.ok())
    session.WriteNew(out, *text);
  else
    session.Fail(text.status());
  return session.Finish();
}

}  // namespace aoa::driver
