// aoac init PATH [--side NAME] [-o FILE]
#include <fmt/format.h>

#include <filesystem>

#include "compiler/core/text.h"
#include "compiler/draft/infer.h"
#include "compiler/driver/commands.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/words.h"
#include "compiler/parse/characters.h"
#include "compiler/parse/parse.h"

namespace aoa::driver {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUsage = "aoac init PATH [--side NAME] [-o FILE]";

std::string LastPart(const std::string& path) {
  fs::path clean = fs::absolute(path).lexically_normal();
  return Printable((clean.has_filename() ? clean : clean.parent_path()).filename().string());
}

std::string Draft(const Schema& schema, const nlohmann::json* config, const std::string& side) {
  draft::SideDrafter drafter(config);
  std::vector<std::string> declarations = drafter.Declare(draft::TensorsOf(schema));
  std::vector<std::string> dims = drafter.Dims(false);
  std::string text = fmt::format("# Drafted from {}.\n\n", LastPart(schema.path));
  if (!dims.empty()) text += fmt::format("dims {{\n{}\n}}\n\n", fmt::join(dims, "\n"));
  return text + fmt::format("side {} {{\nformat {}\n{}\n}}\n", side, schema.format, fmt::join(declarations, "\n"));
}

}  // namespace

Exit RunInit(const Arguments& arguments) {
  Session session;
  Words words = ReadWords("init", arguments, {{"--side", true}, {"-o", true}}, 1, kUsage, session);
  if (session.diagnostics.HasErrors()) return session.Finish();
  std::string side = words.Value("--side"), out = words.Value("-o");
  if (words.Has("--side") && !parse::IsIdentifier(side))
    session.Misuse(fmt::format("--side: `{}` is no name of a side", Printable(side)))
        .Expected("letters, digits and `_`");
  if (session.diagnostics.HasErrors()) return session.Finish();
  auto schema = ReadAnyCheckpoint(words.positional[0], 1, session);
  if (!schema || !IsWhole(*schema, session)) return session.Finish();
  auto config = ConfigurationOf(*schema, session);
  if (session.diagnostics.HasErrors()) return session.Finish();
  const SourceFile& text =
      session.sources.Add(out, Draft(*schema, config ? &*config : nullptr, side.empty() ? schema->format : side));
  std::string formatted = parse::Format(text);
  if (out.empty())
    fmt::print("{}", formatted);
  else
    session.WriteNew(out, formatted);
  return session.Finish();
}

}  // namespace aoa::driver
