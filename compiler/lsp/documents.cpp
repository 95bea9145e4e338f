#include "compiler/lsp/documents.h"

#include "compiler/lsp/position.h"

namespace aoa::lsp {

void Documents::Open(const std::string& uri, std::string text, nlohmann::json version) {
  Document& document = open_[uri];
  document.uri = uri;
  document.path = PathOf(uri);
  Change(document, std::move(text), std::move(version));
}

Document* Documents::Find(const std::string& uri) {
  auto found = open_.find(uri);
  return found == open_.end() ? nullptr : &found->second;
}

void Documents::Change(Document& document, std::string text, nlohmann::json version) {
  document.text = std::move(text);
  document.version = std::move(version);
  Forget(document);
  ForgetImporters(document.path);
}

void Documents::Close(const std::string& uri) {
  std::string path = PathOf(uri);
  open_.erase(uri);
  ForgetImporters(path);
}

void Documents::Forget(Document& document) {
  document.extents.reset();
  document.analysis.reset();
  document.published = false;
}

// A file that could not be loaded is in no analysis; whoever imports it is found by its diagnostics' absence of it, so
// files with an import that failed are looked at again as well.
void Documents::ForgetImporters(const std::string& path) {
  for (auto& [uri, document] : open_) {
    if (!document.analysis || document.path == path) continue;
    bool failed = false;
    for (const diag::Diagnostic& d : document.analysis->diagnostics.all()) failed |= d.code == diag::Code::kImport;
    if (failed || document.analysis->Reads(path)) Forget(document);
  }
}

void Documents::ForgetAll() {
  for (auto& [uri, document] : open_) Forget(document);
}

void Documents::ForgetExtents() {
  for (auto& [uri, document] : open_) document.extents.reset();
}

const Analysis& Documents::AnalysisOf(Document& document) {
  if (!document.analysis) {
    auto load = [this](const std::string& path, std::string& error) { return Load(path, error); };
    document.analysis = Analyse(document.path, document.text, load, formats_);
  }
  return *document.analysis;
}

std::optional<std::string> Documents::Load(const std::string& path, std::string& error) const {
  for (const auto& [uri, document] : open_) {
    if (document.path == path) return document.text;
  }
  return load_(path, error);
}

std::vector<Document*> Documents::Unpublished() {
  std::vector<Document*> out;
  for (auto& [uri, document] : open_) {
    if (!document.published) out.push_back(&document);
  }
  return out;
}

std::string Documents::UriOfPath(const std::string& path) const {
  for (const auto& [uri, document] : open_) {
    if (document.path == path) return uri;
  }
  return UriOf(path);
}

}  // namespace aoa::lsp
