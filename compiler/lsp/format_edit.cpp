#include "compiler/lsp/format_edit.h"

#include <algorithm>
#include <string_view>

#include "compiler/lsp/position.h"
#include "compiler/parse/parse.h"

namespace aoa::lsp {

nlohmann::json FormatEdits(const SourceFile& source) {
  diag::Diagnostics found;
  parse::Parse(source, found);
  if (found.HasErrors()) return nullptr;
  const std::string formatted = parse::Format(source);
  std::string_view before = source.text(), after = formatted;
  if (before == after) return nlohmann::json::array();
  // Whole lines that are equal at the start and at the end stay, and with them the cursors that stand in them.
  size_t same = static_cast<size_t>(std::mismatch(before.begin(), before.end(), after.begin(), after.end()).first -
                                    before.begin());
  size_t head = before.substr(0, same).rfind('\n') + 1;
  std::string_view old_rest = before.substr(head), new_rest = after.substr(head);
  size_t tail = static_cast<size_t>(
      std::mismatch(old_rest.rbegin(), old_rest.rend(), new_rest.rbegin(), new_rest.rend()).first - old_rest.rbegin());
  size_t line_end = old_rest.substr(old_rest.size() - tail).find('\n');
  tail = line_end == std::string_view::npos ? 0 : tail - line_end - 1;
  nlohmann::json edit = {
      {"range", ToJson(source, static_cast<uint32_t>(head), static_cast<uint32_t>(before.size() - tail))},
      {"newText", new_rest.substr(0, new_rest.size() - tail)}};
  return nlohmann::json::array({std::move(edit)});
}

}  // namespace aoa::lsp
