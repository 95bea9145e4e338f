// The phases in their order, from a rule file and the headers of a checkpoint to a plan.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "compiler/bind/bind.h"
#include "compiler/driver/options.h"
#include "compiler/index/index_program.h"
#include "compiler/plan/build_plan.h"
#include "compiler/prove/prove.h"
#include "runtime/exec/digest.h"
#include "runtime/exec/scalars.h"
#include "runtime/formats/format.h"

namespace aoa::driver {

// Parses a rule file with its imports and checks it as far as that needs no checkpoint. Nothing if it has errors.
std::unique_ptr<bind::Unit> LoadRules(const std::string& path, Session& session);

// A checkpoint's headers and configuration.
struct Source {
  const formats::Format* format = nullptr;
  std::string path;
  Schema schema;
  std::optional<nlohmann::json> config;
  // The same as the rules' dimensions spell it, with what a config.json beside it adds; if that is anything else.
  std::optional<nlohmann::json> common;
};
// Reads a layout file (--layout-from, --layout-to) of the side's format. Null and a diagnostic if it cannot.
std::shared_ptr<const Shardings> ReadLayout(const formats::Format& format, const char* option, const std::string& path,
                                            Session& session);

// Reads the source of a run; `spec` has a path.
std::optional<Source> ReadSource(const bind::Unit& unit, const SideSpec& spec, const Options& options,
                                 Session& session);

// The configuration that `--config` names. Nothing and a diagnostic if it cannot be read.
std::optional<nlohmann::json> ReadConfiguration(const std::string& path, Session& session);
// Reads a checkpoint of whatever format it is.
std::optional<Schema> ReadAnyCheckpoint(const std::string& path, int threads, Session& session);
// Its configuration. Nothing if it carries none, or if a diagnostic was reported.
std::optional<nlohmann::json> ConfigurationOf(const Schema& schema, Session& session);
// The same as the rules' dimensions spell it, if `side` spells it otherwise, and what a config.json beside a checkpoint
// with a configuration of its own adds; nothing if that is all the same. `own` may be null.
std::optional<nlohmann::json> CommonConfigurationOf(const bind::Unit& unit, const bind::Side& side,
                                                    const Schema& schema, const nlohmann::json* own, Session& session);
// Whether its files hold whole tensors, as what is drafted from names and shapes needs. Else a diagnostic.
bool IsWhole(const Schema& schema, Session& session);

// What is known once the rules have met the headers.
struct Compiled {
  bind::Program program;
  prove::Mapping mapping;
  index::IndexProgram index;
};
std::optional<Compiled> Compile(const bind::Unit& unit, const Source& source, const bind::Request& request,
                                Session& session);

// What the options ask of the compiler for a run between two sides. Reads the target's layout, if one is asked for.
bind::Request MakeRequest(const bind::Unit& unit, const Options& options, const Source& source, const std::string& from,
                          const std::string& to, Session& session);

struct Planned {
  Plan plan;
  std::vector<ExtraFile> extras;  // small files of the target's format, and its configuration
};
std::optional<Planned> MakePlan(const Compiled& compiled, const Source& source, const SideSpec& to,
                                const plan::Resources& resources, const Options& options, Session& session);

// The name of a target as the whole model has it, by OutShard::target.
std::string TargetNameOf(const Compiled& compiled, uint32_t target);
// The statement that makes it, or (for a state or blocks) its weight.
SourceRange StatementOf(const Compiled& compiled, uint32_t target);
// The same with its type and whole shape.
exec::TensorHead TargetHeadOf(const Compiled& compiled, uint32_t target);
// Evaluates the expressions of computed scalars. `compiled` must outlive it.
exec::ComputeScalar ScalarsOf(const Compiled& compiled);

}  // namespace aoa::driver
