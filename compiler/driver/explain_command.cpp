// aoac explain CODE
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/diag/suggest.h"
#include "compiler/driver/commands.h"
#include "compiler/driver/error_pages.h"
#include "compiler/driver/words.h"

namespace aoa::driver {
namespace {

// The sections of docs/errors.md, each from its heading `## AOA0602: ...` on.
std::vector<std::string_view> Sections() {
  std::vector<std::string_view> sections;
  std::string_view rest = kErrorPages;
  for (size_t begin = rest.find("\n## AOA"); begin != std::string_view::npos;) {
    size_t end = rest.find("\n## AOA", begin + 1);
    sections.push_back(rest.substr(begin + 1, end == std::string_view::npos ? end : end - begin));
    begin = end;
  }
  return sections;
}

std::string_view CodeOf(std::string_view section) { return section.substr(3, section.find(':') - 3); }

// `AOA0602` of "aoa0602", "aoa602" and "602".
std::string Written(std::string word) {
  for (char& c : word) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  if (word.starts_with("AOA")) word = word.substr(3);
  const bool digits = !word.empty() && word.size() <= 4 &&
                      std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits ? fmt::format("AOA{:0>4}", word) : word;
}

}  // namespace

Exit RunExplain(const Arguments& arguments) {
  Session session;
  Words words = ReadWords("explain", arguments, {}, 1, "aoac explain CODE", session);
  if (session.diagnostics.HasErrors()) return session.Finish();
  const std::string code = Written(words.positional[0]);
  std::vector<std::string> codes;
  for (std::string_view section : Sections()) {
    if (CodeOf(section) == code) {
      fmt::print("{}", section);
      return Exit::kDone;
    }
    codes.emplace_back(CodeOf(section));
  }
  session.Misuse(fmt::format("explain: there is no code `{}`", diag::Printable(words.positional[0])))
      .Help(fmt::format("the codes are {} to {}", codes.front(), codes.back()));
  return session.Finish();
}

}  // namespace aoa::driver
