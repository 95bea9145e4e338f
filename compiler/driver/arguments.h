// Words of the command line as values. A mistake is a diagnostic that shows the word.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/bind/program.h"
#include "compiler/diag/diagnostic.h"

namespace aoa::driver {

// SIDE[+VARIANT][:PATH]
struct SideSpec {
  std::string side, variant, path;
};
std::optional<SideSpec> ParseSideSpec(std::string_view option, const std::string& word, diag::Diagnostics& diagnostics);

// "tp=2,pp=[9,8,8,7]"
std::optional<bind::MeshSizes> ParseMeshSizes(std::string_view option, const std::string& word,
                                              diag::Diagnostics& diagnostics);

// "NAME=VALUE", "from.NAME=VALUE", "to.NAME=VALUE"
std::optional<bind::Definition> ParseDefinition(const std::string& word, diag::Diagnostics& diagnostics);

// A number of bytes: 1000, 512M, 5GB, 1GiB. K, M, G, T and KiB.. are powers of 1024, KB.. of 1000. At least 1.
std::optional<uint64_t> ParseSize(std::string_view option, const std::string& word, diag::Diagnostics& diagnostics);

// A whole number of at least `least`.
std::optional<int64_t> ParseNumber(std::string_view option, const std::string& word, int64_t least,
                                   diag::Diagnostics& diagnostics);

// "0,2-3": ascending, each once.
std::optional<std::vector<int64_t>> ParseRanks(const std::string& word, diag::Diagnostics& diagnostics);

// "2/8"
struct Part {
  int64_t part = 1, parts = 1;
};
std::optional<Part> ParsePart(const std::string& word, diag::Diagnostics& diagnostics);

}  // namespace aoa::driver
