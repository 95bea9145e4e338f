// aoac RULES.aoa: check, --run, --plan, --emit.
#include <fmt/format.h>

#include <sys/resource.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "compiler/codegen/codegen.h"
#include "compiler/diag/suggest.h"
#include "compiler/driver/commands.h"
#include "compiler/driver/identify.h"
#include "compiler/driver/memory.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/progress.h"
#include "compiler/parse/parse.h"
#include "runtime/exec/executor.h"
#include "runtime/io/file.h"
#include "runtime/io/staging.h"

namespace aoa::driver {
namespace {

namespace fs = std::filesystem;
using diag::Code;
using Clock = std::chrono::steady_clock;

std::string CacheFolder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/') return std::string(cache) + "/aoac";
  if (const char* home = std::getenv("HOME"); home && *home == '/') return std::string(home) + "/.cache/aoac";
  return "";
}

// Of the files that this process may have open, a half each for source and target; threads and the rest have theirs
// too.
size_t MostOpen(int threads) {
  constexpr size_t kMost = 128, kOthers = 24;
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return kMost;
  size_t others = kOthers + 2 * static_cast<size_t>(threads);
  return std::clamp<size_t>((std::max<size_t>(files.rlim_cur, others) - others) / 2, 1, kMost);
}

class RulesCommand {
 public:
  explicit RulesCommand(Options options, Session& session)
      : options_(std::move(options)), session_(session), start_(Clock::now()) {}

  Exit Run() {
    if (options_.emit == "ast") return EmitAst();
    unit_ = LoadRules(options_.rules, session_);
    if (!unit_) return session_.Finish();
    if (!options_.run && !options_.plan && options_.emit.empty()) {
      if (session_.Finish() == Exit::kDone) ReportCheck();
      return session_.exit();
    }
    if (!ResolveSides() || !CompileAndPlan()) return session_.Finish();
    if (!options_.emit.empty()) return Emit();
    if (options_.plan) {
      ReportPlan();
      return session_.Finish();
    }
    return Convert();
  }

 private:
  static std::string Count(size_t count, const char* what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
  }

  void ReportCheck() const {
    size_t sides = unit_->sides.size(), maps = unit_->maps.size();
    if (options_.json)
      fmt::print("{}\n", nlohmann::ordered_json{{"sides", sides}, {"maps", maps}}.dump(2));
    else if (!options_.quiet)
      fmt::print("{}: {} and {} are well typed\n", diag::Printable(options_.rules), Count(sides, "side"),
                 Count(maps, "map"));
    if (!options_.json && !options_.quiet && (options_.from || options_.to))
      fmt::print("nothing was converted: `--run` converts, `--plan` says what that would do\n");
  }

  Exit EmitAst() {
    auto text = io::ReadSmallFile(options_.rules, 64 << 20);
    if (!text.ok())
      session_.Fail(text.status());
    else
      fmt::print("{}", parse::Dump(
                           parse::Parse(session_.sources.Add(options_.rules, *std::move(text)), session_.diagnostics)));
    return session_.Finish();
  }

  // ------------------------------------------------------------ what to convert

  // Fills in what the command line leaves to the file's `default` block, whose paths are relative to the file.
  bool ResolveSides() {
    const ast::Default* defaults = unit_->defaults;
    Complete(options_.from, defaults && defaults->from ? &*defaults->from : nullptr, "--from", true);
    Complete(options_.to, defaults && defaults->to ? &*defaults->to : nullptr, "--to", options_.run);
    if (session_.diagnostics.HasErrors() || !options_.run) return !session_.diagnostics.HasErrors();
    if (options_.force && Holds(options_.to->path, options_.from->path)) {
      session_
          .Misuse(fmt::format("--force would delete the source: {} {} {}", diag::Printable(options_.to->path),
                              Holds(options_.from->path, options_.to->path) ? "is" : "holds",
                              diag::Printable(options_.from->path)))
          .Help("convert to another place, compare with `aoac diff`, then move it");
      return false;
    }
    (void)io::StagingFolder::Recover(options_.to->path);  // what hinders it hinders the run too, which says so
    bool begun = options_.part.parts > 1;                 // by other parts, perhaps: known when the folder is entered
    Status status = io::StagingFolder::CheckTarget(options_.to->path, options_.force || begun);
    if (status.ok()) return true;
    session_.Fail(status);
    return false;
  }

  // Whether a path is another one, or a folder around it.
  static bool Holds(const std::string& outer, const std::string& inner) {
    std::error_code error;
    const fs::path a = fs::weakly_canonical(outer, error), b = fs::weakly_canonical(inner, error);
    return !error && std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first == a.end();
  }

  void Complete(std::optional<SideSpec>& spec, const ast::DefaultEnd* end, const char* option, bool needs_path) {
    bool same_side = end && (!spec || spec->side == end->side.text);
    if (!spec && end) spec = SideSpec{end->side.text, "", ""};
    if (!spec) {
      session_.Misuse(fmt::format("{} is missing", option))
          .Expected(fmt::format("{} SIDE{}", option, needs_path ? ":PATH" : ""))
          .Note("the file has no `default` block that would say it");
      return;
    }
    if (spec->path.empty() && same_side) spec->path = (fs::path(options_.rules).parent_path() / end->path).string();
    if (spec->path.empty() && needs_path)
      session_.Misuse(fmt::format("{} {}: a path is missing", option, diag::Printable(spec->side)))
          .Expected(fmt::format("{} {}:PATH", option, diag::Printable(spec->side)));
  }

  bool CompileAndPlan() {
    auto source = ReadSource(*unit_, *options_.from, options_, session_);
    if (!source) return false;
    source_ = std::move(*source);
    bind::Request request = MakeRequest(*unit_, options_, source_, options_.from->side, options_.to->side, session_);
    if (session_.diagnostics.HasErrors()) return false;
    auto compiled = Compile(*unit_, source_, request, session_);
    if (!compiled) {
      SuggestRules();
      return false;
    }
    compiled_.emplace(std::move(*compiled));
    if (options_.emit == "types" || options_.emit == "map" || options_.emit == "index") return true;
    plan::Resources resources;
    resources.memory = options_.memory;
    resources.held = HeldMemory;
    resources.threads = options_.threads;
    resources.check_replicas = options_.check_replicas;
    resources.part = options_.part.part;
    resources.parts = options_.part.parts;
    auto planned = MakePlan(*compiled_, source_, *options_.to, resources, options_, session_);
    if (!planned) return false;
    planned_.emplace(std::move(*planned));
    return true;
  }

  // Of a checkpoint that the side does not fit: the rule file beside this one that it does.
  void SuggestRules() {
    static const std::vector<Code> misfits = {Code::kUnknownTensor,  Code::kUnknownDimension, Code::kContradiction,
                                              Code::kConfigKey,      Code::kArithmetic,       Code::kNoFit,
                                              Code::kRank,           Code::kNotConsumed,      Code::kMissing,
                                              Code::kMatchesNothing, Code::kCondition};
    diag::Diagnostic* misfit = session_.diagnostics.FirstError(misfits);
    if (!misfit) return;
    auto better = BetterRules(options_.rules, options_.from->side, source_.schema,
                              {source_.config ? &*source_.config : nullptr, options_.config.empty()});
    if (!better) return;
    // Against the wrong rules there is one thing to say, however many of their tensors are not there.
    diag::Diagnostics kept;
    kept.Append(session_.diagnostics,
                [&](const diag::Diagnostic& d) { return &d == misfit || d.severity != diag::Severity::kError; });
    int others = session_.diagnostics.errors() - 1;
    session_.diagnostics = std::move(kept);
    misfit = session_.diagnostics.FirstError(misfits);
    misfit->Help(fmt::format("the checkpoint fits side `{}` of {}", better->side, diag::Printable(better->rules)));
    if (others > 0) misfit->Note(fmt::format("{} more {} left out", others, others == 1 ? "error is" : "errors are"));
  }

  // ------------------------------------------------------------ --emit, --plan

  Exit Emit() {
    const std::string& phase = options_.emit;
    auto print = [&](const Result<std::string>& text) {
      if (text.ok())
        fmt::print("{}", *text);
      else
        session_.Fail(text.status());
    };
    if (phase == "types")
      print(bind::Dump(compiled_->program));
    else if (phase == "map")
      print(prove::Dump(compiled_->program, compiled_->mapping));
    else if (phase == "index")
      print(index::Dump(compiled_->program, compiled_->index));
    else if (phase == "plan")
      print(plan::Dump(planned_->plan));
    else
      print(phase == "llvm" ? codegen::EmitLlvm(planned_->plan.kernels, options_.cpu)
                            : codegen::EmitAssembly(planned_->plan.kernels, options_.cpu));
    return session_.Finish();
  }

  void ReportPlan() const {
    const Plan& plan = planned_->plan;
    if (options_.json) {
      nlohmann::ordered_json report = {{"bytes_read", plan.bytes_read},   {"bytes_written", plan.bytes_written},
                                       {"peak_memory", plan.peak_memory}, {"seconds", plan.seconds},
                                       {"files", plan.out_files.size()},  {"shards", plan.out_shards.size()},
                                       {"jobs", plan.jobs.size()},        {"kernels", plan.kernels.size()}};
      fmt::print("{}\n", report.dump(2));
      return;
    }
    fmt::print("reads    {} from {}\n", ShowBytes(static_cast<double>(plan.bytes_read)),
               Count(plan.in_files.size(), "file"));
    fmt::print("writes   {} to {}, {}\n", ShowBytes(static_cast<double>(plan.bytes_written)),
               Count(plan.out_files.size(), "file"),
               Count(plan.out_shards.size() + plan.scalar_shards.size(), "tensor"));
    fmt::print("memory   {} at most, {} for the plan and {} for each of {}\n",
               ShowBytes(static_cast<double>(plan.peak_memory)), ShowBytes(static_cast<double>(plan.plan_memory)),
               ShowBytes(static_cast<double>(plan.job_memory)), Count(static_cast<size_t>(plan.threads), "thread"));
    fmt::print("work     {}, {}\n", Count(plan.jobs.size(), "job"), Count(plan.kernels.size(), "kernel"));
    fmt::print("time     about {} if the files are cached\n", ShowSeconds(plan.seconds));
    if (std::string left = StatesLeft(); !left.empty()) fmt::print("leaves   {}\n", left);
  }

  // The states of the source that a run without --states leaves behind: "states moment1 and step; --states carries
  // them".
  std::string StatesLeft() const {
    const bind::End &from = compiled_->program.ends.front(), &to = compiled_->program.ends.back();
    std::vector<std::string> roles;
    bool carries = false;
    for (size_t role : from.roles_left) {
      const std::string& name = from.roles[role].name;
      roles.push_back(name);
      carries |= std::any_of(to.roles.begin(), to.roles.end(), [&](const auto& other) { return other.name == name; });
    }
    if (roles.empty()) return "";
    return fmt::format("states {}{}", diag::Enumerate(roles, 16), carries ? "; --states carries them" : "");
  }

  // ------------------------------------------------------------ --run

  // All that a layout says.
  static std::string LayoutText(const Shardings& shardings) {
    std::string text = fmt::format("{} {}", shardings.stages, shardings.ranks);
    for (const auto& [name, by_stage] : shardings.tensors()) {
      text += "\n" + name;
      for (uint32_t index : by_stage) {
        if (index == Shardings::kNone) continue;
        const Sharding& sharding = shardings.sharding(index);
        text += fmt::format(" [{}] {} [{}]", fmt::join(sharding.mesh, ","), sharding.again,
                            fmt::join(sharding.seen_as, ","));
        for (const auto& cuts : sharding.cuts) text += fmt::format("/{}", fmt::join(cuts, ","));
      }
      for (uint32_t index : by_stage) text += index == Shardings::kNone ? "-" : "+";
    }
    return text;
  }

  // What a run is known by: all that decides its result and how it is cut into jobs.
  std::string Key() const {
    std::string text;
    auto add = [&](const std::string& part) { text += fmt::format("{}:{}", part.size(), part); };
    for (const SourceFile& file : session_.sources.all()) add(file.text());
    add(options_.from->side + "+" + options_.from->variant);
    add(options_.to->side + "+" + options_.to->variant);
    for (const auto& d : options_.definitions) add(fmt::format("{}{}={}", static_cast<int>(d.at), d.name, d.value));
    for (const bind::MeshSizes* sizes : {&options_.mesh_from, &options_.mesh_to}) {
      for (const auto& e : sizes->entries) add(fmt::format("{}={}[{}]", e.axis, e.size, fmt::join(e.counts, ",")));
      add(";");
    }
    for (const bind::End& end : compiled_->program.ends) add(end.shardings ? LayoutText(*end.shardings) : "");
    add(options_.prefix);
    if (source_.config) add(source_.config->dump());
    add(options_.dtype ? std::string(Name(*options_.dtype)) : "");
    add(options_.only);
    add(fmt::format("{} {} {} [{}] {} {}", options_.states, options_.max_shard_size, options_.part.parts,
                    fmt::join(options_.ranks, ","), options_.memory, AOA_VERSION));
    auto add_file = [&](const std::string& path, uint64_t size) {
      std::error_code error;
      add(fmt::format("{} {} {}", fs::absolute(path).string(), size,
                      fs::last_write_time(path, error).time_since_epoch().count()));
    };
    for (const SchemaFile& file : source_.schema.files) {
      if (!file.stretches) add_file(file.path, file.size);
    }
    for (const Store& store : source_.schema.stores) {
      if (store.content)
        add(*store.content);
      else
        add_file(store.path, store.size);
    }
    return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
  }

  // Configuration, tokenizer and the like, but for what the run writes itself.
  std::vector<exec::CarriedFile> Carried() const {
    std::vector<exec::CarriedFile> carried;
    auto written = [&](const std::string& name) {
      return std::any_of(planned_->extras.begin(), planned_->extras.end(),
                         [&](const ExtraFile& e) { return e.path == name; });
    };
    std::vector<std::string> names = source_.format->Companions(source_.path);
    for (const std::string& name : names) {
      if (!written(name)) carried.push_back({(fs::path(source_.path) / name).string(), name});
    }
    bool has_config = written("config.json") || std::find(names.begin(), names.end(), "config.json") != names.end();
    if (!has_config && !options_.config.empty()) carried.push_back({options_.config, "config.json"});
    return carried;
  }

  Exit Convert() {
    std::unique_ptr<codegen::KernelTable> kernels;
    exec::Work work{planned_->plan,
                    {},
                    [this](uint32_t target) { return TargetNameOf(*compiled_, target); },
                    ScalarsOf(*compiled_),
                    planned_->extras,
                    Carried()};
    if (options_.backend == Backend::kCpu) {
      codegen::Options codegen_options;
      codegen_options.cache_folder = CacheFolder();
      codegen_options.threads = options_.threads;
      if (!planned_->plan.kernels.empty())
        kernels = codegen::KernelTable::Start(planned_->plan.kernels, codegen_options);
      work.kernels = [&](uint32_t index) { return kernels->Get(index); };
    }
    exec::RunOptions run;
    run.target = options_.to->path;
    run.key = Key();
    run.threads = planned_->plan.threads;
    run.most_open = MostOpen(run.threads);
    run.part = options_.part.part;
    run.parts = options_.part.parts;
    run.resume = options_.resume;
    run.sync = options_.sync;
    run.force = options_.force;
    run.verify = options_.verify;
    exec::Progress progress;
    int signal = 0;
    auto report = [&] {
      ProgressLine line(progress, options_.quiet);
      auto result = exec::Execute(work, run, progress);
      signal = line.signal();
      return result;
    }();
    if (!report.ok()) {
      auto target = report.status().subject();
      session_.Fail(report.status(), target ? StatementOf(*compiled_, *target) : SourceRange{});
      return session_.Finish();
    }
    if (report->interrupted) return Interrupted(signal);
    Report(*report);
    return session_.Finish();
  }

  Exit Interrupted(int signal) {
    session_.Finish();
    fmt::print(stderr, "stopped; the same command with --resume goes on from here\n");
    std::raise(signal);
    return Exit::kSystem;
  }

  void Report(const exec::RunReport& report) const {
    double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    if (options_.json) {
      nlohmann::ordered_json json = {
          {"target", options_.to->path},
          {"published", report.published},
          {"bytes_read", report.bytes_read},
          {"bytes_written", report.bytes_written},
          {"peak_memory", PeakMemory()},
          {"seconds", seconds},
          {"files", planned_->plan.out_files.size()},
          {"tensors", planned_->plan.out_shards.size() + planned_->plan.scalar_shards.size()}};
      fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
      return;
    }
    if (options_.quiet) return;
    if (!report.published) {
      fmt::print("part {} of {} is done\n", options_.part.part, options_.part.parts);
      return;
    }
    fmt::print("{}: {} in {}, {} in {} ({}/s){}\n", diag::Printable(options_.to->path),
               Count(planned_->plan.out_shards.size() + planned_->plan.scalar_shards.size(), "tensor"),
               Count(planned_->plan.out_files.size(), "file"), ShowBytes(static_cast<double>(report.bytes_written)),
               ShowSeconds(seconds), ShowBytes(static_cast<double>(report.bytes_written) / std::max(seconds, 1e-9)),
               options_.verify ? ", verified" : "");
    if (std::string left = StatesLeft(); !left.empty()) fmt::print("left behind: {}\n", left);
  }

  Options options_;
  Session& session_;
  Clock::time_point start_;
  std::unique_ptr<bind::Unit> unit_;
  Source source_;
  std::optional<Compiled> compiled_;
  std::optional<Planned> planned_;
};

}  // namespace

Exit RunRules(const Arguments& arguments) {
  Session session;
  auto options = ParseOptions(Command::kRules, arguments, session);
  return options ? RulesCommand(std::move(*options), session).Run() : session.Finish();
}

}  // namespace aoa::driver
