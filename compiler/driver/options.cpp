#include "compiler/driver/options.h"

#include <fmt/format.h>
#include <sched.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "compiler/diag/suggest.h"

namespace aoa::driver {
namespace {

constexpr const char* kPhases[] = {"ast", "types", "map", "index", "plan", "llvm", "asm"};

// As many as the process may use.
int Processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

// The words as they stand, before they mean anything.
struct Words {
  std::vector<std::string> positional, definitions;
  std::string emit, from, to, mesh_from, mesh_to, dtype, max_shard_size, memory, threads, backend, ranks, part;
};

void AddCommon(CLI::App& app, Options& options, Words& words) {
  app.add_option("words", words.positional);
  app.add_option("-D", words.definitions)->allow_extra_args(false);
  app.add_option("--config", options.config);
  app.add_option("--mesh-from", words.mesh_from);
  app.add_option("--layout-from", options.layout_from);
  app.add_option("--memory", words.memory);
  app.add_option("--threads", words.threads);
  app.add_option("--backend", words.backend);
  app.add_flag("--states", options.states);
  app.add_flag("--quiet", options.quiet);
  app.add_flag("--json", options.json);
  app.add_option("--only", options.only);
}

void AddRun(CLI::App& app, Options& options, Words& words) {
  app.add_flag("--run", options.run);
  app.add_flag("--plan", options.plan);
  app.add_option("--emit", words.emit);
  app.add_option("--cpu", options.cpu);
  app.add_option("--from", words.from);
  app.add_option("--to", words.to);
  app.add_option("--mesh-to", words.mesh_to);
  app.add_option("--layout-to", options.layout_to);
  app.add_option("--prefix", options.prefix);
  app.add_option("--dtype", words.dtype);
  app.add_option("--max-shard-size", words.max_shard_size);
  app.add_option("--ranks", words.ranks);
  app.add_option("--part", words.part);
  app.add_flag("--resume", options.resume);
  app.add_flag("--strict-states", options.strict_states);
  app.add_flag("--check-replicas", options.check_replicas);
  app.add_flag("--verify", options.verify);
  app.add_flag("--sync", options.sync);
  app.add_flag("--force", options.force);
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) names.push_back(option->get_name());
  }
  return names;
}

// The option that an error of the parser names first.
std::string OptionIn(std::string_view text) {
  size_t begin = std::min(text.find('-'), text.size());
  return diag::Printable(text.substr(begin, std::min(text.find_first_of(" :=", begin), text.size()) - begin));
}

void ReportUnknown(const CLI::App& app, Session& session) {
  for (const std::string& word : app.remaining()) {
    if (!word.starts_with("-")) continue;
    std::string name = word.substr(0, word.find('='));
    auto& d = session.Misuse(fmt::format("{}: there is no such option", diag::Printable(name)));
    auto near = name.size() > 3 ? diag::Nearest(name, OptionNames(app)) : std::nullopt;
    if (near)
      d.Help(fmt::format("there is `{}`", *near));
    else
      d.Help("`aoac --help` lists the options");
  }
}

class Reader {
 public:
  Reader(Options& options, const Words& words, Session& session)
      : options_(options), words_(words), session_(session) {}

  void Read() {
    Set(options_.from, words_.from,
        [&](const std::string& w) { return ParseSideSpec("--from", w, session_.diagnostics); });
    Set(options_.to, words_.to, [&](const std::string& w) { return ParseSideSpec("--to", w, session_.diagnostics); });
    Set(options_.mesh_from, words_.mesh_from,
        [&](const std::string& w) { return ParseMeshSizes("--mesh-from", w, session_.diagnostics); });
    Set(options_.mesh_to, words_.mesh_to,
        [&](const std::string& w) { return ParseMeshSizes("--mesh-to", w, session_.diagnostics); });
    Set(options_.max_shard_size, words_.max_shard_size,
        [&](const std::string& w) { return ParseSize("--max-shard-size", w, session_.diagnostics); });
    Set(options_.memory, words_.memory,
        [&](const std::string& w) { return ParseSize("--memory", w, session_.diagnostics); });
    options_.threads = Processors();
    Set(options_.threads, words_.threads,
        [&](const std::string& w) { return ParseNumber("--threads", w, 1, session_.diagnostics); });
    options_.threads = std::min(options_.threads, 256);
    Set(options_.ranks, words_.ranks, [&](const std::string& w) { return ParseRanks(w, session_.diagnostics); });
    Set(options_.part, words_.part, [&](const std::string& w) { return ParsePart(w, session_.diagnostics); });
    for (const std::string& word : words_.definitions) {
      if (auto definition = ParseDefinition(word, session_.diagnostics)) options_.definitions.push_back(*definition);
    }
    ReadDType();
    ReadBackend();
    ReadPhase();
    CheckMode();
  }

 private:
  template <class T, class Parse>
  void Set(T& value, const std::string& word, Parse parse) {
    if (word.empty()) return;
    if (auto parsed = parse(word)) value = static_cast<T>(*parsed);
  }

  void ReadDType() {
    if (words_.dtype.empty()) return;
    options_.dtype = DTypeNamed(words_.dtype);
    if (options_.dtype && IsFloat(*options_.dtype)) return;
    std::vector<std::string> names;
    for (std::string_view name : DTypeNames()) {
      if (IsFloat(*DTypeNamed(name))) names.emplace_back(name);
    }
    session_.Misuse(fmt::format("--dtype: `{}` is no floating-point type", diag::Printable(words_.dtype)))
        .Expected(diag::Enumerate(names, 20, " or "));
  }

  void ReadBackend() {
    if (words_.backend == "reference")
      options_.backend = Backend::kReference;
    else if (!words_.backend.empty() && words_.backend != "cpu") {
      auto& d = session_.Misuse(fmt::format("--backend: there is no `{}` here", diag::Printable(words_.backend)))
                    .Expected("cpu, or reference (one element at a time, for checks)");
      if (words_.backend == "cuda") d.Note("this program was built without CUDA");
    }
  }

  void ReadPhase() {
    options_.emit = words_.emit;
    if (words_.emit.empty() || std::find(std::begin(kPhases), std::end(kPhases), words_.emit) != std::end(kPhases))
      return;
    std::vector<std::string> names(std::begin(kPhases), std::end(kPhases));
    auto& d = session_.Misuse(fmt::format("--emit: there is no `{}`", diag::Printable(words_.emit)))
                  .Expected(diag::Enumerate(names, 20, " or "));
    if (words_.emit == "ptx")
      d.Note("this program was built without CUDA");
    else if (auto near = diag::Nearest(words_.emit, names))
      d.Help(fmt::format("there is `{}`", *near));
  }

  // One of --run, --plan and --emit; without any of them the ends say nothing.
  void CheckMode() {
    std::vector<std::string> modes;
    if (options_.run) modes.emplace_back("--run");
    if (options_.plan) modes.emplace_back("--plan");
    if (!words_.emit.empty()) modes.emplace_back("--emit");
    if (modes.size() > 1)
      session_.Misuse(fmt::format("{} stand together", diag::Enumerate(modes))).Expected("one of them");
    if (modes.empty() && (options_.from || options_.to))
      session_.diagnostics.Warning(diag::Code::kCommandLine, {}, "the rules are checked, and nothing is converted")
          .Help("`--run` converts, `--plan` says what a run would do");
  }

  Options& options_;
  const Words& words_;
  Session& session_;
};

struct Form {
  size_t least, most;  // words
  const char* text;
};
Form FormOf(Command command) {
  switch (command) {
    case Command::kDigest:
      return {1, 2, "aoac digest PATH [--md5 | --sha256], or aoac digest RULES.aoa SIDE:PATH"};
    case Command::kDiff:
      return {2, 3, "aoac diff A B, or aoac diff RULES.aoa SIDE:PATH SIDE:PATH"};
    default:
      return {1, 1, "aoac RULES.aoa [--run --from SIDE:PATH --to SIDE:PATH]"};
  }
}

void TakePositionals(Command command, const Words& words, Options& options, Session& session) {
  const auto& given = words.positional;
  Form form = FormOf(command);
  if (given.size() < form.least) {
    session.Misuse("a word is missing").Expected(form.text);
  } else if (given.size() > form.most) {
    session.Misuse(fmt::format("`{}`: one word too many", diag::Printable(given[form.most]))).Expected(form.text);
  } else {
    options.rules = given[0];
    options.sides.assign(given.begin() + 1, given.end());
  }
}

}  // namespace

std::optional<Options> ParseOptions(Command command, const std::vector<std::string>& arguments, Session& session) {
  Options options;
  Words words;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  AddCommon(app, options, words);
  if (command == Command::kRules) AddRun(app, options, words);
  if (command == Command::kDiff) app.add_option("--mesh-to", words.mesh_to);
  if (command == Command::kDigest) {
    app.add_option("--as", options.as);
    app.add_flag("--md5", options.md5);
    app.add_flag("--sha256", options.sha256);
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ArgumentMismatch& error) {
    std::string option = OptionIn(error.what());
    auto given = std::count_if(arguments.begin(), arguments.end(), [&](const std::string& word) {
      return word == option || word.starts_with(option + "=");
    });
    session.Misuse(fmt::format("{}: {}", option, given > 1 ? "it is given twice" : "a value is missing"))
        .Help("`aoac --help` lists the options");
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    session.Misuse(fmt::format("{}: its value means nothing", OptionIn(error.what())))
        .Help("`aoac --help` lists the options");
    return std::nullopt;
  }
  ReportUnknown(app, session);
  if (session.diagnostics.HasErrors()) return std::nullopt;
  Reader(options, words, session).Read();
  TakePositionals(command, words, options, session);
  if (session.diagnostics.HasErrors()) return std::nullopt;
  return options;
}

}  // namespace aoa::driver
