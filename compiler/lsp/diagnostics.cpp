#include "compiler/lsp/diagnostics.h"

#include "compiler/lsp/position.h"

namespace aoa::lsp {
namespace {

using nlohmann::json;

int SeverityOf(diag::Severity severity) {
  switch (severity) {
    case diag::Severity::kError:
      return 1;
    case diag::Severity::kWarning:
      return 2;
    case diag::Severity::kNote:
      return 3;
  }
  return 1;
}

// The headline, and below it what the terminal shows below the underlined text.
std::string MessageOf(const diag::Diagnostic& d) {
  std::string text = d.message;
  if (!d.label.empty()) text += "\n" + d.label;
  for (const std::string& line : d.expected) text += "\nexpected: " + line;
  for (const std::string& line : d.found) text += "\nfound: " + line;
  for (const std::string& line : d.notes) text += "\nnote: " + line;
  for (const std::string& line : d.helps) text += "\nhelp: " + line;
  return text;
}

json Related(SourceRange where, const std::string& text) {
  return {{"location", {{"uri", UriOf(where.file->path())}, {"range", ToJson(where)}}}, {"message", text}};
}

// The place in the file itself: what stands in an imported file is seen from the line that imports it.
SourceRange PlaceIn(const Analysis& analysis, SourceRange where) {
  for (size_t steps = 0; where && where.file != analysis.main && steps <= analysis.sources.all().size(); ++steps) {
    auto import = analysis.imports.find(where.file);
    where = import == analysis.imports.end() ? SourceRange{} : import->second;
  }
  return where && where.file == analysis.main ? where : SourceRange{analysis.main, 0, 0};
}

}  // namespace

json DiagnosticsOf(const Analysis& analysis) {
  json out = json::array();
  for (const diag::Diagnostic* d : analysis.diagnostics.Sorted()) {
    SourceRange where = PlaceIn(analysis, d->where);
    json related = json::array();
    if (d->where && where != d->where) related.push_back(Related(d->where, d->message));
    for (const diag::Mention& other : d->others) {
      if (other.range) related.push_back(Related(other.range, other.text.empty() ? "the other place" : other.text));
    }
    json entry = {{"range", ToJson(where)},
                  {"severity", SeverityOf(d->severity)},
                  {"code", diag::CodeText(d->code)},
                  {"source", "aoac"},
                  {"message", MessageOf(*d)}};
    if (!related.empty()) entry["relatedInformation"] = std::move(related);
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace aoa::lsp
