// What an editor asks about: one version of a rule file with its imports, read and checked as far as that needs no
// checkpoint. Everything else in this folder is a function of it and a place.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "compiler/bind/unit.h"
#include "compiler/core/schema.h"
#include "compiler/core/source.h"
#include "compiler/diag/diagnostic.h"

namespace aoa::lsp {

// The text of a file, or nothing and the reason.
using LoadText = std::function<std::optional<std::string>(const std::string& path, std::string& error)>;

// What is known of a checkpoint: its headers, and its configuration.
struct Checkpoint {
  std::string path;
  Schema schema;
  std::optional<nlohmann::json> config;
};

struct Analysis {
  SourceFiles sources;
  const SourceFile* main = nullptr;
  bind::Unit unit;
  diag::Diagnostics diagnostics;
  bool bounded = false;                              // types are small enough to be written out (bind::CheckLimits)
  std::map<const SourceFile*, SourceRange> imports;  // of every imported file: the path that its first importer gives

  // The tree of the file itself.
  const ast::File& file() const { return unit.files.front(); }
  bool Reads(const std::string& path) const;
};

// `formats` are the names that `format` lines may have.
std::unique_ptr<Analysis> Analyse(const std::string& path, const std::string& text, const LoadText& load,
                                  const std::vector<std::string>& formats);

// The path of an import of a file, as it is loaded.
std::string ImportPath(const std::string& importer, const std::string& import);

}  // namespace aoa::lsp
