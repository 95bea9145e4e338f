#include "compiler/driver/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "compiler/bind/configuration.h"
#include "compiler/bind/limits.h"
#include "compiler/core/check.h"
#include "compiler/core/text.h"
#include "compiler/diag/suggest.h"
#include "runtime/io/file.h"

namespace aoa::driver {
namespace {

namespace fs = std::filesystem;
using diag::Code;

// Whether the laws of index programs and plans are checked: in builds that check themselves, for it takes time.
#ifdef NDEBUG
constexpr bool kCheckPhases = false;
#else
constexpr bool kCheckPhases = true;
#endif
constexpr uint64_t kLongestRules = 64 << 20;
constexpr uint64_t kLongestConfiguration = 64 << 20;
constexpr const char* kConfigName = "config.json";

std::vector<std::string> FormatNames() {
  std::vector<std::string> names;
  for (const formats::Format* format : formats::AllFormats()) names.emplace_back(format->name());
  return names;
}

// The formats that a side names, whatever their conditions.
std::vector<const formats::Format*> FormatsOf(const bind::Side& side) {
  std::vector<const formats::Format*> found;
  for (const auto& line : side.formats) {
    if (const formats::Format* format = formats::FindFormat(line.node->name.text)) found.push_back(format);
  }
  return found;
}

const bind::Side* FindSide(const bind::Unit& unit, const std::string& name, Session& session) {
  auto it = unit.sides.find(name);
  if (it != unit.sides.end()) return &it->second;
  auto& d = session.Misuse(fmt::format("there is no side `{}`", diag::Printable(name)));
  if (auto near = diag::Nearest(name, unit.side_order))
    d.Help(fmt::format("there is `{}`", *near));
  else if (!unit.side_order.empty())
    d.Help(fmt::format("the sides are {}", diag::Enumerate(unit.side_order, 30)));
  return nullptr;
}

std::optional<nlohmann::json> ParseConfiguration(const std::string& text, const std::string& path, Session& session) {
  nlohmann::json config = nlohmann::json::parse(WithoutNonFinite(text), nullptr, false);
  if (config.is_object()) return config;
  session.diagnostics.Error(
      Code::kFile, {},
      fmt::format("{}: {}", diag::Printable(path), config.is_discarded() ? "is no JSON" : "is no JSON object"));
  return std::nullopt;
}

// Scalars are evaluated in float64 over the source's scalars, by role.
Result<double> EvaluateScalar(const index::ScalarTarget& scalar, const std::vector<double>& inputs,
                              const bind::Scope& dimensions) {
  bind::Scope scope;
  scope.config = dimensions.config;
  scope.name = [&](const std::string& name, SourceRange where) {
    for (size_t i = 0; i < scalar.inputs.size(); ++i) {
      if (scalar.inputs[i].first == name) return bind::Value::Real(inputs[i]);
    }
    return dimensions.name(name, where);
  };
  bind::Value value = bind::Evaluate(*scalar.computed, scope, bind::Arithmetic::kReal);
  if (value.kind == bind::Value::Kind::kNumber) return value.number;
  return Status::Value(fmt::format("`{}` is {}, no number", bind::ToString(*scalar.computed),
                                   value.failure ? value.failure->message : value.Show()));
}

}  // namespace

std::unique_ptr<bind::Unit> LoadRules(const std::string& path, Session& session) {
  auto text = io::ReadSmallFile(path, kLongestRules);
  if (!text.ok()) {
    session.Fail(text.status());
    return nullptr;
  }
  const SourceFile& main = session.sources.Add(path, *std::move(text));
  auto load = [&](const std::string& importer, const std::string& import, std::string& error) -> const SourceFile* {
    std::string from = (fs::path(importer).parent_path() / import).lexically_normal().string();
    auto imported = io::ReadSmallFile(from, kLongestRules);
    if (imported.ok()) return &session.sources.Add(from, *std::move(imported));
    error = imported.status().message();
    return nullptr;
  };
  auto unit = std::make_unique<bind::Unit>(bind::ReadUnit(main, load, session.diagnostics));
  if (!bind::CheckLimits(*unit, session.diagnostics)) return nullptr;
  prove::CheckUnit(*unit, FormatNames(), session.diagnostics);
  if (session.diagnostics.HasErrors()) return nullptr;
  return unit;
}

std::shared_ptr<const Shardings> ReadLayout(const formats::Format& format, const char* option, const std::string& path,
                                            Session& session) {
  if (!format.HasLayouts()) {
    session.Misuse(fmt::format("{}: format `{}` has no files that say how tensors are cut", option, format.name()));
    return nullptr;
  }
  auto layout = format.ReadLayout(path);
  if (layout.ok()) return *layout;
  session.Fail(std::move(layout).status().WithContext(option));
  return nullptr;
}

namespace {

// What the configuration among a checkpoint's companions says beyond `common`.
void AddCompanion(const formats::Format& format, const Schema& schema, nlohmann::json& common, Session& session) {
  const std::vector<std::string> names = format.Companions(schema.path);
  if (std::find(names.begin(), names.end(), kConfigName) == names.end()) return;
  const std::string path = (fs::path(schema.path) / kConfigName).native();
  auto text = io::ReadSmallFile(path, kLongestConfiguration);
  if (!text.ok()) return session.Fail(std::move(text).status());
  if (auto config = ParseConfiguration(*text, path, session)) {
    for (const auto& [key, value] : config->items()) common.emplace(key, value);
  }
}

}  // namespace

std::optional<nlohmann::json> CommonConfigurationOf(const bind::Unit& unit, const bind::Side& side,
                                                    const Schema& schema, const nlohmann::json* own, Session& session) {
  const formats::Format& format = *formats::FindFormat(schema.format);
  std::optional<nlohmann::json> common;
  if (own) common = bind::CommonConfiguration(unit, side, *own);
  if (!common && format.StoresConfiguration()) common = own ? *own : nlohmann::json::object();
  if (common) AddCompanion(format, schema, *common, session);
  if (!own && common && common->empty()) return std::nullopt;
  return common;
}

std::optional<Source> ReadSource(const bind::Unit& unit, const SideSpec& spec, const Options& options,
                                 Session& session) {
  const bind::Side* side = FindSide(unit, spec.side, session);
  if (!side) return std::nullopt;
  std::vector<const formats::Format*> candidates = FormatsOf(*side);
  if (candidates.empty()) {
    session.diagnostics.Error(Code::kFormat, side->where.front(), fmt::format("side `{}` has no format", side->name))
        .Help("a line `format safetensors` or `format hf` says what its files are");
    return std::nullopt;
  }
  auto recognized = std::find_if(candidates.begin(), candidates.end(),
                                 [&](const auto* format) { return format->Recognizes(spec.path); });
  Source source;
  source.format = recognized == candidates.end() ? candidates.back() : *recognized;
  source.path = spec.path;
  formats::ReadOptions read{options.threads};
  read.partial = !options.ranks.empty();
  if (!options.layout_from.empty()) {
    read.layout = ReadLayout(*source.format, "--layout-from", options.layout_from, session);
    if (!read.layout) return std::nullopt;
  }
  auto schema = source.format->Read(spec.path, read);
  if (!schema.ok()) {
    session.Fail(schema.status());
    return std::nullopt;
  }
  source.schema = *std::move(schema);
  if (!options.config.empty()) {
    source.config = ReadConfiguration(options.config, session);
  } else {
    source.config = ConfigurationOf(source.schema, session);
    const nlohmann::json* own = source.config ? &*source.config : nullptr;
    source.common = CommonConfigurationOf(unit, *side, source.schema, own, session);
  }
  if (session.diagnostics.HasErrors()) return std::nullopt;
  return source;
}

std::optional<nlohmann::json> ReadConfiguration(const std::string& path, Session& session) {
  auto text = io::ReadSmallFile(path, kLongestConfiguration);
  if (text.ok()) return ParseConfiguration(*text, path, session);
  session.Fail(std::move(text).status().WithContext("--config"));
  return std::nullopt;
}

std::optional<Schema> ReadAnyCheckpoint(const std::string& path, int threads, Session& session) {
  std::error_code unreadable;
  if (!fs::exists(path, unreadable) && !unreadable) {
    session.diagnostics.Error(Code::kFile, {}, fmt::format("{} does not exist", diag::Printable(path)));
    return std::nullopt;
  }
  const formats::Format* format = formats::RecognizeFormat(path);
  std::error_code error;
  if (!format && !fs::exists(path, error)) {
    session.diagnostics.Error(Code::kFile, {}, fmt::format("{} does not exist", diag::Printable(path)));
    return std::nullopt;
  }
  if (!format) {
    session.diagnostics
        .Error(Code::kFile, {}, fmt::format("{}: no checkpoint of a known format", diag::Printable(path)))
        .Note(fmt::format("the formats are {}", diag::Enumerate(FormatNames(), 30)));
    return std::nullopt;
  }
  auto schema = format->Read(path, formats::ReadOptions{threads});
  if (schema.ok()) return *std::move(schema);
  session.Fail(schema.status());
  return std::nullopt;
}

std::optional<nlohmann::json> ConfigurationOf(const Schema& schema, Session& session) {
  if (schema.config.empty()) return std::nullopt;
  return ParseConfiguration(schema.config, fmt::format("the configuration of {}", schema.path), session);
}

bool IsWhole(const Schema& schema, Session& session) {
  if (!schema.has_mesh || schema.files.size() <= 1) return true;
  session.diagnostics
      .Error(Code::kFile, {},
             fmt::format("{}: {} ranks, whose shapes do not say which axes are cut", diag::Printable(schema.path),
                         schema.files.size()))
      .Help("draft the side of a checkpoint of one rank, then write `mesh` and the cuts: `[h f@tp]`");
  return false;
}

bind::Request MakeRequest(const bind::Unit& unit, const Options& options, const Source& source, const std::string& from,
                          const std::string& to, Session& session) {
  bind::Request request;
  if (!options.layout_to.empty()) {
    const bind::Side* side = FindSide(unit, to, session);
    std::vector<const formats::Format*> formats = side ? FormatsOf(*side) : std::vector<const formats::Format*>();
    if (!formats.empty()) request.layout_to = ReadLayout(*formats.back(), "--layout-to", options.layout_to, session);
  }
  request.from = from;
  request.to = to;
  request.definitions = options.definitions;
  request.config = source.common ? &*source.common : source.config ? &*source.config : nullptr;
  request.mesh_from = options.mesh_from;
  request.mesh_to = options.mesh_to;
  request.states = options.states;
  request.strict_states = options.strict_states;
  request.dtype = options.dtype;
  request.only = options.only;
  return request;
}

std::optional<Compiled> Compile(const bind::Unit& unit, const Source& source, const bind::Request& request,
                                Session& session) {
  diag::Diagnostics& diagnostics = session.diagnostics;
  auto program = bind::Bind(unit, source.schema, request, diagnostics);
  if (!program) return std::nullopt;
  auto mapping = prove::Prove(*program, request, diagnostics);
  if (!mapping) return std::nullopt;
  auto index = index::Lower(*program, *mapping, request, diagnostics);
  if (!index) return std::nullopt;
  if (kCheckPhases) {
    std::string broken = index::Verify(*program, *index);
    AOA_CHECK(broken.empty(), broken);
  }
  return Compiled{std::move(*program), std::move(*mapping), std::move(*index)};
}

std::optional<Planned> MakePlan(const Compiled& compiled, const Source& source, const SideSpec& to,
                                const plan::Resources& resources, const Options& options, Session& session) {
  const bind::End& end = compiled.program.ends.back();
  const bool looked_at = to.path.empty();  // not written: any layout will do
  const formats::Format* format = formats::FindFormat(looked_at ? "safetensors" : end.format);
  std::string variant = looked_at ? "" : to.variant.empty() ? end.variant : to.variant;
  auto variants = format->variants();
  if (!variant.empty() && std::find(variants.begin(), variants.end(), variant) == variants.end()) {
    std::vector<std::string> names(variants.begin(), variants.end());
    auto& d = session.Misuse(fmt::format("format `{}` has no variant `{}`", format->name(), diag::Printable(variant)));
    if (!names.empty()) d.Help(fmt::format("its variants are {}", diag::Enumerate(names, 30)));
    return std::nullopt;
  }
  for (int64_t rank : options.ranks) {
    if (rank < end.mesh.ranks()) continue;
    session.Misuse(fmt::format("--ranks: there is no rank {}", rank))
        .Expected(fmt::format("ranks from 0 to {}: the mesh of the target is {}", end.mesh.ranks() - 1,
                              end.mesh.ranks() == 1 ? "one rank" : end.mesh.ToString()));
    return std::nullopt;
  }
  Planned planned;
  const bool alike = !format->StoresConfiguration() || source.format == format;
  auto config = bind::TargetConfiguration(compiled.program, source.config ? &*source.config : nullptr, alike);
  if (!config && !compiled.program.ends[0].side->config.empty()) config = source.common;
  formats::WriteOptions write;
  write.max_shard_size = options.max_shard_size;
  write.variant = variant;
  write.prefix = options.prefix;
  if (config) write.config = config->dump(2) + "\n";
  write.iteration = source.schema.iteration;
  write.number = [&](const std::string& name) -> std::optional<int64_t> {
    const nlohmann::json value = compiled.program.dimensions->ConfigValue(name, compiled.program.ends.size() - 1);
    return value.is_number_integer() ? std::optional(value.get<int64_t>()) : std::nullopt;
  };
  if (source.format == format) write.preserved = source.schema.preserved;
  auto lay_out = [&](const TargetContent& content) -> std::optional<TargetLayout> {
    auto layout = format->LayOut(content, write);
    if (!layout.ok()) {
      session.Fail(layout.status());
      return std::nullopt;
    }
    planned.extras = layout->extras;
    return *std::move(layout);
  };
  plan::Resources wanted = resources;
  wanted.cuts = format->WantsCuts();
  auto plan = plan::BuildPlan(compiled.program, compiled.index, source.schema, lay_out, options.ranks, wanted,
                              session.diagnostics);
  if (!plan) return std::nullopt;
  if (kCheckPhases) {
    std::string broken = plan::Verify(*plan);
    AOA_CHECK(broken.empty(), broken);
  }
  planned.plan = std::move(*plan);
  if (config && !format->StoresConfiguration()) planned.extras.push_back({kConfigName, write.config});
  return planned;
}

std::string TargetNameOf(const Compiled& compiled, uint32_t target) { return TargetHeadOf(compiled, target).name; }

SourceRange StatementOf(const Compiled& compiled, uint32_t target) {
  const auto& targets = compiled.index.targets;
  uint32_t weight = target < targets.size() ? target : compiled.index.blocks[target - targets.size()].weight;
  const bind::End& end = compiled.program.ends.back();
  const bind::Tensor& tensor = end.tensors[targets[weight].tensor];
  return tensor.role < 0 ? tensor.where : end.tensors[tensor.weight].where;
}

exec::TensorHead TargetHeadOf(const Compiled& compiled, uint32_t target) {
  const bind::End& end = compiled.program.ends.back();
  size_t weights = compiled.index.targets.size();
  bool blocks = target >= weights;
  bind::TensorId id = blocks ? compiled.index.blocks[target - weights].tensor : compiled.index.targets[target].tensor;
  const bind::Tensor& tensor = end.tensors[id];
  if (!blocks) return {end.NameOf(id), tensor.dtype, WholeShape(end.types[tensor.type])};
  const bind::Tensor& weight =
      end.tensors[compiled.index.targets[compiled.index.blocks[target - weights].weight].tensor];
  return {end.NameOf(id), tensor.dtype,
          plan::ScaleShape(WholeShape(end.types[weight.type]), end.families[tensor.family].blocks)};
}

exec::ComputeScalar ScalarsOf(const Compiled& compiled) {
  return [&compiled](uint32_t index, const std::vector<double>& inputs) {
    return EvaluateScalar(compiled.index.scalars[index], inputs,
                          compiled.program.dimensions->ScopeAt(compiled.program.ends.size() - 1));
  };
}

}  // namespace aoa::driver
