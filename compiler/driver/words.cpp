#include "compiler/driver/words.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diag/suggest.h"

namespace aoa::driver {

Words ReadWords(const std::string& command, const std::vector<std::string>& arguments,
                const std::vector<WordOption>& options, size_t count, const std::string& usage, Session& session) {
  Words words;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (!word.starts_with("-") || word == "-") {
      words.positional.push_back(word);
      continue;
    }
    size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    std::string name = word.substr(0, equals);
    auto option = std::find_if(options.begin(), options.end(), [&](const WordOption& o) { return o.name == name; });
    if (option == options.end() || (!option->has_value && equals != std::string::npos)) {
      session.Misuse(fmt::format("{}: there is no such option", diag::Printable(word))).Expected(usage);
    } else if (words.Has(name)) {
      session.Misuse(fmt::format("{}: it is given twice", name)).Expected(usage);
    } else if (!option->has_value) {
      words.options[name] = "yes";
    } else if (equals != std::string::npos) {
      words.options[name] = word.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      words.options[name] = arguments[++i];
    } else {
      session.Misuse(fmt::format("{}: a value is missing", name)).Expected(usage);
    }
  }
  if (words.positional.size() != count && !session.diagnostics.HasErrors())
    session
        .Misuse(fmt::format("{}: {} {}", command, count == 1 ? "one path" : fmt::format("{} words", count),
                            count == 1 ? "is needed" : "are needed"))
        .Expected(usage);
  return words;
}

}  // namespace aoa::driver
