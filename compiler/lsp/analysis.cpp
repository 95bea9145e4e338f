#include "compiler/lsp/analysis.h"

#include <algorithm>
#include <filesystem>

#include "compiler/bind/limits.h"
#include "compiler/prove/prove.h"

namespace aoa::lsp {

std::string ImportPath(const std::string& importer, const std::string& import) {
  return (std::filesystem::path(importer).parent_path() / import).lexically_normal().string();
}

bool Analysis::Reads(const std::string& path) const {
  return std::any_of(sources.all().begin(), sources.all().end(),
                     [&](const SourceFile& file) { return file.path() == path; });
}

std::unique_ptr<Analysis> Analyse(const std::string& path, const std::string& text, const LoadText& load,
                                  const std::vector<std::string>& formats) {
  auto out = std::make_unique<Analysis>();
  out->main = &out->sources.Add(path, text);
  auto import = [&](const std::string& importer, const std::string& name, std::string& error) -> const SourceFile* {
    std::string from = ImportPath(importer, name);
    if (auto imported = load(from, error)) return &out->sources.Add(from, *std::move(imported));
    return nullptr;
  };
  out->unit = bind::ReadUnit(*out->main, import, out->diagnostics);
  for (const ast::File& file : out->unit.files) {
    for (const ast::Item& item : file.items) {
      auto* line = std::get_if<ast::Import>(&item);
      if (!line) continue;
      std::string target = ImportPath(file.source->path(), line->path);
      for (const SourceFile& source : out->sources.all()) {
        if (source.path() == target) out->imports.try_emplace(&source, line->path_where);
      }
    }
  }
  out->bounded = bind::CheckLimits(out->unit, out->diagnostics);
  if (!out->bounded) return out;
  prove::CheckUnit(out->unit, formats, out->diagnostics);
  return out;
}

}  // namespace aoa::lsp
