// What the server does for each message: parameters to calls of the functions of this folder, and results to JSON.
#include <fmt/format.h>

#include <filesystem>

#include "compiler/core/text.h"
#include "compiler/lsp/completion.h"
#include "compiler/lsp/definition.h"
#include "compiler/lsp/format_edit.h"
#include "compiler/lsp/hover.h"
#include "compiler/lsp/position.h"
#include "compiler/lsp/server.h"
#include "compiler/lsp/symbols.h"

namespace aoa::lsp {

using nlohmann::json;

namespace {

const std::string& UriIn(const json& params) {
  return params.at("textDocument").at("uri").get_ref<const std::string&>();
}

std::string TextOr(const json& object, const char* key, std::string otherwise) {
  auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

}  // namespace

// ---------------------------------------------------------------- the conversation

json Server::Initialize(Params params) {
  state_ = State::kRunning;
  if (params.is_object()) {
    root_ = PathOf(TextOr(params, "rootUri", ""));
    if (auto options = params.find("initializationOptions"); options != params.end()) TakeSettings(*options);
  }
  constexpr int kIncremental = 2;
  json sync = {{"openClose", true}, {"change", kIncremental}, {"save", true}};
  json capabilities = {{"positionEncoding", "utf-16"},
                       {"textDocumentSync", sync},
                       {"hoverProvider", true},
                       {"definitionProvider", true},
                       {"completionProvider", {{"triggerCharacters", {".", "$", "@", ":"}}}},
                       {"documentSymbolProvider", true},
                       {"documentFormattingProvider", true}};
  return {{"capabilities", capabilities}, {"serverInfo", {{"name", "aoac"}, {"version", host_.version}}}};
}

json Server::Shutdown(Params) {
  shut_down_ = true;
  return nullptr;
}

// ---------------------------------------------------------------- documents

void Server::DidOpen(Params params) {
  const json& document = params.at("textDocument");
  documents_.Open(UriIn(params), document.at("text").get<std::string>(), document.value("version", json()));
}

void Server::DidChange(Params params) {
  Document* document = DocumentOf(params);
  std::string text = document->text;
  for (const json& change : params.at("contentChanges")) text = ApplyChange(text, change);
  documents_.Change(*document, std::move(text), params.at("textDocument").value("version", json()));
}

// What others import may have changed on the disk.
void Server::DidSave(Params) { documents_.ForgetAll(); }
void Server::DidChangeWatchedFiles(Params) { documents_.ForgetAll(); }

void Server::DidClose(Params params) {
  const std::string& uri = UriIn(params);
  documents_.Close(uri);
  json nothing = {{"uri", uri}, {"diagnostics", json::array()}};
  output_.push_back(NotificationText("textDocument/publishDiagnostics", std::move(nothing)));
}

// Throws what makes an error of parameters if the document is not open.
Document* Server::DocumentOf(Params params) {
  const std::string& uri = UriIn(params);
  if (Document* document = documents_.Find(uri)) return document;
  throw json::other_error::create(501, fmt::format("{} is not open", Printable(uri)), &params);
}

uint32_t Server::OffsetOf(const Document& document, Params params) {
  return OffsetAt(SourceFile("", document.text), PositionFrom(params.at("position")));
}

// ---------------------------------------------------------------- settings

void Server::DidChangeConfiguration(Params params) {
  const json& settings = params.at("settings");
  auto own = settings.is_object() ? settings.find("aoa") : settings.end();
  TakeSettings(own != settings.end() ? *own : settings);
}

// {"checkpoint": PATH, "config": PATH}
void Server::TakeSettings(const json& settings) {
  auto path = [&](const char* key) {
    std::string text = settings.is_object() ? TextOr(settings, key, "") : "";
    return text.empty() ? text : (std::filesystem::path(root_) / text).string();
  };
  checkpoint_path_ = path("checkpoint");
  config_path_ = path("config");
  checkpoint_.reset();
  checkpoint_read_ = false;
  documents_.ForgetExtents();
}

// Read when it is first needed. The editor hears once if it cannot be.
const Checkpoint* Server::CheckpointNow() {
  if (checkpoint_path_.empty() && config_path_.empty()) return nullptr;
  if (!checkpoint_read_) {
    checkpoint_read_ = true;
    std::string error;
    checkpoint_ = host_.read_checkpoint(checkpoint_path_, config_path_, error);
    constexpr int kWarning = 2;
    if (!checkpoint_)
      output_.push_back(NotificationText("window/showMessage", {{"type", kWarning}, {"message", error}}));
  }
  return checkpoint_ ? &*checkpoint_ : nullptr;
}

// ---------------------------------------------------------------- questions

json Server::Hover(Params params) {
  Document* document = DocumentOf(params);
  const Analysis& analysis = documents_.AnalysisOf(*document);
  if (!analysis.bounded) return nullptr;
  const Checkpoint* checkpoint = CheckpointNow();
  if (!document->extents) document->extents = std::make_unique<Extents>(analysis, checkpoint);
  auto hover = HoverAt(analysis, checkpoint, *document->extents, OffsetOf(*document, params));
  if (!hover) return nullptr;
  return {{"contents", {{"kind", "markdown"}, {"value", hover->markdown}}}, {"range", ToJson(hover->where)}};
}

json Server::Definition(Params params) {
  Document* document = DocumentOf(params);
  json out = json::array();
  for (SourceRange where : DefinitionAt(documents_.AnalysisOf(*document), OffsetOf(*document, params)))
    out.push_back({{"uri", documents_.UriOfPath(where.file->path())}, {"range", ToJson(where)}});
  return out;
}

json Server::Completion(Params params) {
  Document* document = DocumentOf(params);
  uint32_t offset = OffsetOf(*document, params);
  Completions found =
      CompletionsAt(documents_.AnalysisOf(*document), CheckpointNow(), documents_.formats(), document->text, offset);
  SourceFile source("", document->text);
  json items = json::array();
  for (const lsp::Completion& c : found.items) {
    json item = {{"label", c.text},
                 {"kind", static_cast<int>(c.kind)},
                 {"textEdit", {{"range", ToJson(source, found.begin, offset)}, {"newText", c.text}}}};
    if (!c.detail.empty()) item["detail"] = c.detail;
    items.push_back(std::move(item));
  }
  return {{"isIncomplete", false}, {"items", std::move(items)}};
}

json Server::Symbols(Params params) { return SymbolsOf(documents_.AnalysisOf(*DocumentOf(params))); }

json Server::Formatting(Params params) {
  Document* document = DocumentOf(params);
  return FormatEdits(SourceFile(document->path, document->text));
}

}  // namespace aoa::lsp
