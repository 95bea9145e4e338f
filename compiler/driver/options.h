// The options of commands that work with a rule file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/arguments.h"
#include "compiler/driver/session.h"

namespace aoa::driver {

enum class Backend { kCpu, kReference };

struct Options {
  std::string rules;
  bool run = false, plan = false;
  std::string emit;  // a phase's dump, or empty
  std::string cpu;   // the processor of --emit=llvm and asm, or empty for this one
  std::optional<SideSpec> from, to;
  std::vector<bind::Definition> definitions;
  std::string config;  // a file, or empty
  bind::MeshSizes mesh_from, mesh_to;
  std::string layout_from, layout_to;  // files or folders, or empty
  std::string prefix;                  // of the target's file names, or empty
  std::optional<DType> dtype;
  uint64_t max_shard_size = 5'000'000'000;
  uint64_t memory = 1ull << 30;
  int threads = 1;
  Backend backend = Backend::kCpu;
  bool resume = false, states = false, strict_states = false, check_replicas = false;
  bool verify = false, sync = false, force = false, quiet = false, json = false;
  std::string only;
  std::vector<int64_t> ranks;
  Part part;
  std::vector<std::string> sides;    // SIDE:PATH of digest and diff
  std::string as;                    // digest --as
  bool md5 = false, sha256 = false;  // digest of files
};

enum class Command { kRules, kDigest, kDiff };

// Reads the arguments behind the command's name. Nothing if a diagnostic was reported.
std::optional<Options> ParseOptions(Command command, const std::vector<std::string>& arguments, Session& session);

}  // namespace aoa::driver
