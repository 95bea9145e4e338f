// The files that are open in an editor, each with what was found out about its text.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compiler/lsp/analysis.h"
#include "compiler/lsp/extents.h"

namespace aoa::lsp {

struct Document {
  std::string uri;
  std::string path;
  std::string text;
  nlohmann::json version;              // as the editor counts it
  std::unique_ptr<Analysis> analysis;  // of the text, or null
  std::unique_ptr<Extents> extents;    // of the analysis, or null
  bool published = false;              // whether the editor has the diagnostics of this text
};

class Documents {
 public:
  // `load` reads files that are not open.
  Documents(LoadText load, std::vector<std::string> formats) : load_(std::move(load)), formats_(std::move(formats)) {}

  void Open(const std::string& uri, std::string text, nlohmann::json version);
  // Null if it is not open.
  Document* Find(const std::string& uri);
  void Change(Document& document, std::string text, nlohmann::json version);
  void Close(const std::string& uri);
  // What was found out about all files may be out of date.
  void ForgetAll();
  // What was found out with the checkpoint is out of date.
  void ForgetExtents();

  const Analysis& AnalysisOf(Document& document);
  // Those whose diagnostics the editor does not have.
  std::vector<Document*> Unpublished();
  // As the editor spells it, if the file is open.
  std::string UriOfPath(const std::string& path) const;
  const std::vector<std::string>& formats() const { return formats_; }

 private:
  std::optional<std::string> Load(const std::string& path, std::string& error) const;
  void Forget(Document& document);
  void ForgetImporters(const std::string& path);

  LoadText load_;
  std::vector<std::string> formats_;
  std::map<std::string, Document> open_;  // by URI
};

}  // namespace aoa::lsp
