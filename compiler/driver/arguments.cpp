#include "compiler/driver/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "compiler/diag/suggest.h"

namespace aoa::driver {
namespace {

using diag::Code;
using diag::Diagnostics;

// Ranks and mesh axes beyond this are slips of the pen.
constexpr int64_t kMostRanks = 1 << 20;

std::optional<int64_t> WholeNumber(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

diag::Diagnostic& Mistake(std::string_view option, std::string_view word, const char* what, Diagnostics& diagnostics) {
  return diagnostics.Error(Code::kCommandLine, {}, fmt::format("{}: `{}` {}", option, diag::Printable(word), what));
}

bool IsIdentifier(std::string_view text) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// Splits at commas outside brackets.
std::vector<std::string_view> SplitList(std::string_view text) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '[') ++depth;
    if (i < text.size() && text[i] == ']') --depth;
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  return parts;
}

// "[9,8]"
std::optional<std::vector<int64_t>> Counts(std::string_view text) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return std::nullopt;
  std::vector<int64_t> counts;
  for (std::string_view part : SplitList(text.substr(1, text.size() - 2))) {
    auto count = WholeNumber(part);
    if (!count || *count < 0) return std::nullopt;
    counts.push_back(*count);
  }
  return counts;
}

}  // namespace

std::optional<SideSpec> ParseSideSpec(std::string_view option, const std::string& word, Diagnostics& diagnostics) {
  SideSpec spec;
  size_t colon = word.find(':');
  std::string side = word.substr(0, colon);
  if (colon != std::string::npos) {
    spec.path = word.substr(colon + 1);
    if (spec.path.empty()) {
      Mistake(option, word, "has no path behind its colon", diagnostics).Expected("SIDE, or SIDE:PATH");
      return std::nullopt;
    }
  }
  size_t plus = side.find('+');
  if (plus != std::string::npos) spec.variant = side.substr(plus + 1);
  spec.side = side.substr(0, plus);
  if (!IsIdentifier(spec.side) || (plus != std::string::npos && spec.variant.empty())) {
    Mistake(option, word, "names no side", diagnostics)
        .Expected("SIDE, SIDE:PATH or SIDE+VARIANT:PATH, where SIDE is declared in the rule file");
    return std::nullopt;
  }
  return spec;
}

std::optional<bind::MeshSizes> ParseMeshSizes(std::string_view option, const std::string& word,
                                              Diagnostics& diagnostics) {
  bind::MeshSizes sizes;
  for (std::string_view part : SplitList(word)) {
    size_t equals = part.find('=');
    std::string_view axis = part.substr(0, equals),
                     value = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    bind::MeshSizes::Entry entry{std::string(axis), 0, {}};
    if (auto counts = Counts(value)) {
      entry.counts = std::move(*counts);
      entry.size = static_cast<int64_t>(entry.counts.size());
    } else if (auto size = WholeNumber(value)) {
      entry.size = *size;
    }
    if (!IsIdentifier(axis) || entry.size < 1 || entry.size > kMostRanks) {
      Mistake(option, part, "is no size of a mesh axis", diagnostics)
          .Expected(fmt::format(
              "AXIS=SIZE with a size from 1 to {}, or AXIS=[COUNT,COUNT,...] for uneven stages; several with commas",
              kMostRanks));
      return std::nullopt;
    }
    if (std::any_of(sizes.entries.begin(), sizes.entries.end(), [&](const auto& e) { return e.axis == entry.axis; })) {
      Mistake(option, entry.axis, "is given twice", diagnostics).Found(word);
      return std::nullopt;
    }
    sizes.entries.push_back(std::move(entry));
  }
  return sizes;
}

std::optional<bind::Definition> ParseDefinition(const std::string& word, Diagnostics& diagnostics) {
  size_t equals = word.find('=');
  std::string name = word.substr(0, equals);
  auto value = equals == std::string::npos ? std::nullopt : WholeNumber(std::string_view(word).substr(equals + 1));
  bind::Definition definition;
  if (name.starts_with("from.")) {
    definition.at = bind::Definition::At::kFrom;
    name = name.substr(5);
  } else if (name.starts_with("to.")) {
    definition.at = bind::Definition::At::kTo;
    name = name.substr(3);
  }
  if (!value || *value < 0 || !IsIdentifier(name)) {
    Mistake("-D", word, "sets no dimension", diagnostics)
        .Expected("NAME=NUMBER, from.NAME=NUMBER or to.NAME=NUMBER, with a whole number");
    return std::nullopt;
  }
  definition.name = name;
  definition.value = *value;
  return definition;
}

std::optional<uint64_t> ParseSize(std::string_view option, const std::string& word, Diagnostics& diagnostics) {
  size_t digits = 0;
  while (digits < word.size() && ((word[digits] >= '0' && word[digits] <= '9') || word[digits] == '.')) ++digits;
  double number = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + digits, number);
  std::string unit = word.substr(digits);
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  double factor = 1;
  bool known = unit.empty() || unit == "B";
  if (!known) {
    size_t power = std::string_view("KMGT").find(unit[0]);
    std::string_view rest = std::string_view(unit).substr(1);
    known = power != std::string_view::npos && (rest.empty() || rest == "IB" || rest == "B");
    for (size_t i = 0; known && i <= power; ++i) factor *= rest == "B" ? 1000 : 1024;
  }
  double bytes = number * factor;
  if (error != std::errc() || end != word.data() + digits || !known || bytes < 1 || bytes > 9e18) {
    Mistake(option, word, "is no size", diagnostics)
        .Expected("a number with an optional unit, as in 512M, 5GB or 1GiB");
    return std::nullopt;
  }
  return static_cast<uint64_t>(bytes);
}

std::optional<int64_t> ParseNumber(std::string_view option, const std::string& word, int64_t least,
                                   Diagnostics& diagnostics) {
  auto value = WholeNumber(word);
  if (value && *value >= least) return value;
  Mistake(option, word, "is not possible", diagnostics).Expected(fmt::format("a whole number, {} or more", least));
  return std::nullopt;
}

std::optional<std::vector<int64_t>> ParseRanks(const std::string& word, Diagnostics& diagnostics) {
  std::vector<int64_t> ranks;
  for (std::string_view part : SplitList(word)) {
    size_t dash = part.find('-');
    auto first = WholeNumber(part.substr(0, dash)),
         last = dash == std::string_view::npos ? first : WholeNumber(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last > kMostRanks) {
      Mistake("--ranks", word, "are no ranks", diagnostics).Expected("numbers and ranges from 0, as in 0-7 or 0,2-3");
      return std::nullopt;
    }
    for (int64_t rank = *first; rank <= *last; ++rank) ranks.push_back(rank);
  }
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

std::optional<Part> ParsePart(const std::string& word, Diagnostics& diagnostics) {
  size_t slash = word.find('/');
  auto part = WholeNumber(std::string_view(word).substr(0, slash));
  auto parts = slash == std::string::npos ? std::nullopt : WholeNumber(std::string_view(word).substr(slash + 1));
  if (!part || !parts || *part < 1 || *part > *parts || *parts > kMostRanks) {
    Mistake("--part", word, "is no part", diagnostics).Expected("I/N with I from 1 to N");
    return std::nullopt;
  }
  return Part{*part, *parts};
}

}  // namespace aoa::driver
