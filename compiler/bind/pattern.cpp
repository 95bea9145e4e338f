#include "compiler/bind/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/parse/parse.h"

namespace aoa::bind {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsBare(char c) { return IsWordStart(c) || IsDigit(c) || c == '.' || c == '-' || c == '/'; }
bool IsWord(char c) { return IsWordStart(c) || IsDigit(c); }

// ---------------------------------------------------------------- braces

// A stretch of a name's text and where it stands: variables keep their place through the expansion.
struct Fragment {
  std::string_view text;
  uint32_t begin;
};
using Fragments = std::vector<Fragment>;

// The end of the group that starts at `text[at] == '{'` (its closing brace), or npos. `${` groups nest as well.
size_t GroupEnd(std::string_view text, size_t at) {
  int depth = 0;
  for (size_t i = at; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

constexpr ptrdiff_t kMostGroups = 1000;

// How many names Expand gives, or one more than kMostNames.
size_t CountNames(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '{') continue;
    size_t end = GroupEnd(text, i);
    if (end == std::string_view::npos) break;
    if (i > 0 && text[i - 1] == '$') {
      i = end;
      continue;
    }
    size_t choices = 0;
    int depth = 0;
    for (size_t from = i + 1, at = i + 1; at <= end; ++at) {
      depth += text[at] == '{';
      if (depth == 0 && (text[at] == ',' || at == end)) {
        choices += CountNames(text.substr(from, at - from));
        from = at + 1;
      }
      depth -= text[at] == '}';
    }
    return std::min(kMostNames + 1, std::min(choices, kMostNames + 1) * CountNames(text.substr(end + 1)));
  }
  return 1;
}

std::vector<Fragments> Expand(Fragment whole) {
  // The first brace that opens a choice (not a `${`).
  for (size_t i = 0; i < whole.text.size(); ++i) {
    if (whole.text[i] != '{') continue;
    size_t end = GroupEnd(whole.text, i);
    if (end == std::string_view::npos) break;
    if (i > 0 && whole.text[i - 1] == '$') {
      i = end;
      continue;
    }
    std::vector<Fragments> out,
        tails = Expand({whole.text.substr(end + 1), whole.begin + static_cast<uint32_t>(end) + 1});
    int depth = 0;
    for (size_t from = i + 1, at = i + 1; at <= end; ++at) {
      char c = whole.text[at];
      depth += c == '{';
      if (depth == 0 && (c == ',' || at == end)) {
        for (const Fragments& middle :
             Expand({whole.text.substr(from, at - from), whole.begin + static_cast<uint32_t>(from)})) {
          for (const Fragments& tail : tails) {
            Fragments all = {{whole.text.substr(0, i), whole.begin}};
            all.insert(all.end(), middle.begin(), middle.end());
            all.insert(all.end(), tail.begin(), tail.end());
            out.push_back(std::move(all));
          }
        }
        from = at + 1;
      }
      depth -= c == '}';
    }
    return out;
  }
  return {{whole}};
}

// ---------------------------------------------------------------- variables

constexpr int64_t kLargestShift = int64_t{1} << 53;  // of a number in a name

// The end of the variable that begins at `begin`. Paddle's placeholders end with their last letter, whatever follows:
// `e.$EXPERT_ID_w` is `e.0_w`.
size_t EndOfVariable(std::string_view text, size_t begin) {
  for (std::string_view placeholder : {"LAYER_ID_OFFSET", "LAYER_ID", "EXPERT_ID"}) {
    if (text.substr(begin).starts_with(placeholder)) return begin + placeholder.size();
  }
  size_t end = begin;
  while (end < text.size() && IsWord(text[end])) ++end;
  return end;
}

class PartReader {
 public:
  PartReader(const ast::Name& name, diag::Diagnostics& diagnostics) : name_(name), diagnostics_(diagnostics) {}

  // Adds the parts of a fragment. Braces are gone, but for those of variables.
  bool Read(Fragment fragment, Pattern& pattern) {
    std::string_view text = fragment.text;
    for (size_t i = 0; i < text.size();) {
      uint32_t at = fragment.begin + static_cast<uint32_t>(i);
      if (text[i] == '*') {
        pattern.parts.push_back({PatternPart::Kind::kStar, "*"});
        ++i;
      } else if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') {
        size_t end = GroupEnd(text, i + 1);
        if (end == std::string_view::npos || !Braced(text.substr(i + 2, end - i - 2), at + 2, pattern)) return Fail(at);
        i = end + 1;
      } else if (text[i] == '$') {
        size_t end = EndOfVariable(text, i + 1);
        if (end == i + 1 || !IsWordStart(text[i + 1])) return Fail(at);
        pattern.parts.push_back({PatternPart::Kind::kVariable, std::string(text.substr(i + 1, end - i - 1))});
        i = end;
      } else {
        AddText(pattern, text[i++]);
      }
    }
    return true;
  }

 private:
  static void AddText(Pattern& pattern, char c) {
    if (pattern.parts.empty() || pattern.parts.back().kind != PatternPart::Kind::kText) pattern.parts.push_back({});
    pattern.parts.back().text += c;
  }

  // The inside of ${...}: `=EXPR`, or NAME [+-EXPR] [:0WIDTH].
  bool Braced(std::string_view text, uint32_t begin, Pattern& pattern) {
    if (text.starts_with("=")) {
      SourceRange where{name_.where.file, begin + 1, begin + static_cast<uint32_t>(text.size())};
      ast::ExprPtr expression = parse::ParseExpression(where, diagnostics_);
      reported_ = expression == nullptr;
      pattern.parts.push_back({PatternPart::Kind::kExtent, std::string(text.substr(1)), 0, 0, expression});
      return expression != nullptr;
    }
    PatternPart part{PatternPart::Kind::kVariable};
    size_t i = 0;
    while (i < text.size() && IsWord(text[i])) ++i;
    part.text = text.substr(0, i);
    if (part.text.empty() || !IsWordStart(part.text[0])) return false;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) {
      size_t end = std::min(text.find(':', i), text.size());
      if (!Shift(text.substr(i, end - i), begin + static_cast<uint32_t>(i), part)) return false;
      i = end;
    }
    if (i < text.size() && text[i] == ':') {
      if (i + 1 >= text.size() || text[i + 1] != '0') return false;
      auto [end, error] = std::from_chars(text.data() + i + 2, text.data() + text.size(), part.width);
      if (error != std::errc() || part.width < 1 || part.width > 18) return false;
      i = static_cast<size_t>(end - text.data());
    }
    if (i != text.size()) return false;
    pattern.parts.push_back(std::move(part));
    return true;
  }

  // `+2` is a number at once, `+l` an expression over extents. A minus is the expression's own.
  bool Shift(std::string_view text, uint32_t begin, PatternPart& part) {
    const char *digits = text.data() + 1, *end = text.data() + text.size();
    auto [stop, error] = std::from_chars(digits, end, part.offset);
    if (error == std::errc() && stop == end && *digits != '-') {
      if (text[0] == '-') part.offset = -part.offset;
      return true;
    }
    part.offset = 0;
    if (digits == end) return false;
    SourceRange where{name_.where.file, begin + (text[0] == '+'), begin + static_cast<uint32_t>(text.size())};
    part.expression = parse::ParseExpression(where, diagnostics_);
    part.shift = text;
    reported_ = part.expression == nullptr;
    return part.expression != nullptr;
  }

  bool Fail(uint32_t at) {
    if (reported_) return false;
    SourceRange where{name_.where.file, at, name_.where.end};
    diagnostics_.Error(diag::Code::kNamePattern, where, fmt::format("`{}` has a `$` without a variable", name_.text))
        .Expected(
            "`$l`, `${l+2}`, `${l:02}` (at least two digits), `${l+2:02}` or `${=l+3}` (an expression over extents)")
        .Help("a name that holds a `$` of its own stands in double quotes");
    return false;
  }

  const ast::Name& name_;
  diag::Diagnostics& diagnostics_;
  bool reported_ = false;
};

// ---------------------------------------------------------------- matching

class Matcher {
 public:
  Matcher(const std::vector<PatternPart>& parts, std::string_view name) : parts_(parts), name_(name) {}

  bool Run(size_t part, size_t at) {
    if (part == parts_.size()) return at == name_.size();
    const PatternPart& p = parts_[part];
    if (p.kind == PatternPart::Kind::kText)
      return name_.substr(at).starts_with(p.text) && Run(part + 1, at + p.text.size());
    if (p.expression) return false;  // not resolved yet
    size_t end = at;
    while (end < name_.size() && IsDigit(name_[end])) ++end;
    for (; end > at; --end) {  // the longest run first; a shorter one if text that starts with digits follows
      if (p.kind == PatternPart::Kind::kStar) {
        stars.push_back(std::string(name_.substr(at, end - at)));
        if (Run(part + 1, end)) return true;
        stars.pop_back();
      } else if (Number(p, name_.substr(at, end - at), part, end)) {
        return true;
      }
    }
    return false;
  }

  Assignment values;
  std::vector<std::string> stars;

 private:
  bool Number(const PatternPart& p, std::string_view digits, size_t part, size_t end) {
    auto width = static_cast<size_t>(std::max(1, p.width));
    if (digits.size() < width || (digits.size() > width && digits[0] == '0')) return false;
    int64_t number = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc()) return false;
    number -= p.offset;
    if (number < 0) return false;
    auto [it, added] = values.emplace(p.text, number);
    if (!added && it->second != number) return false;
    if (Run(part + 1, end)) return true;
    if (added) values.erase(p.text);
    return false;
  }

  const std::vector<PatternPart>& parts_;
  std::string_view name_;
};

}  // namespace

std::string Pattern::text() const {
  if (IsPlain() && !parts.empty() && !std::all_of(parts[0].text.begin(), parts[0].text.end(), IsBare)) {
    return '"' + parts[0].text + '"';  // only quotes can have said this
  }
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    const PatternPart& part = parts[i];
    bool goes_on =
        i + 1 < parts.size() && parts[i + 1].kind == PatternPart::Kind::kText && IsWord(parts[i + 1].text[0]);
    switch (part.kind) {
      case PatternPart::Kind::kText:
        out += part.text;
        break;
      case PatternPart::Kind::kStar:
        out += "*";
        break;
      case PatternPart::Kind::kExtent:
        out += "${=" + part.text + "}";
        break;
      case PatternPart::Kind::kVariable:
        if (part.offset == 0 && part.width == 0 && !part.expression && (!goes_on || TakesNumbers(part.text))) {
          out += "$" + part.text;
        } else {
          out += "${" + part.text;
          if (part.offset) out += fmt::format("{:+}", part.offset);
          out += part.shift;
          if (part.width) out += fmt::format(":0{}", part.width);
          out += "}";
        }
        break;
    }
  }
  return out;
}

std::vector<std::string> Pattern::Variables() const {
  std::vector<std::string> out;
  for (const PatternPart& part : parts) {
    if (part.kind == PatternPart::Kind::kVariable && std::find(out.begin(), out.end(), part.text) == out.end())
      out.push_back(part.text);
  }
  return out;
}

bool Pattern::HasStar() const {
  return std::any_of(parts.begin(), parts.end(),
                     [](const PatternPart& p) { return p.kind == PatternPart::Kind::kStar; });
}

bool Pattern::HasExtent() const {
  return std::any_of(parts.begin(), parts.end(), [](const PatternPart& p) { return p.expression != nullptr; });
}

bool Pattern::IsPlain() const {
  return std::all_of(parts.begin(), parts.end(),
                     [](const PatternPart& p) { return p.kind == PatternPart::Kind::kText; });
}

std::string Pattern::Spell(const Assignment& values) const {
  std::string out;
  for (const PatternPart& part : parts) {
    if (part.kind == PatternPart::Kind::kVariable) {
      std::string digits = std::to_string(values.at(part.text) + part.offset);
      if (digits.size() < static_cast<size_t>(part.width))
        out.append(static_cast<size_t>(part.width) - digits.size(), '0');
      out += digits;
    } else {
      out += part.text;
    }
  }
  return out;
}

std::optional<Assignment> Pattern::Match(std::string_view name, std::vector<std::string>* star) const {
  if (parts.front().kind == PatternPart::Kind::kText && !name.starts_with(parts.front().text)) return std::nullopt;
  if (parts.back().kind == PatternPart::Kind::kText && !name.ends_with(parts.back().text)) return std::nullopt;
  Matcher matcher(parts, name);
  if (!matcher.Run(0, 0)) return std::nullopt;
  if (star) *star = std::move(matcher.stars);
  return std::move(matcher.values);
}

std::optional<Pattern> Pattern::Resolve(const std::function<std::optional<int64_t>(const ast::Expr&)>& evaluate) const {
  Pattern out;
  out.where = where;
  for (const PatternPart& part : parts) {
    if (!part.expression) {
      out.parts.push_back(part);
      continue;
    }
    std::optional<int64_t> value = evaluate(*part.expression);
    if (!value || *value > kLargestShift || *value < -kLargestShift) return std::nullopt;
    if (part.kind == PatternPart::Kind::kExtent)
      out.parts.push_back({PatternPart::Kind::kText, std::to_string(*value)});
    else
      out.parts.push_back({part.kind, part.text, part.offset + *value, part.width});
  }
  return out;
}

Pattern Pattern::WithStars(const std::vector<std::string>& digits) const {
  Pattern out = *this;
  size_t next = 0;
  for (PatternPart& part : out.parts) {
    if (part.kind == PatternPart::Kind::kStar) part = {PatternPart::Kind::kText, digits.at(next++)};
  }
  return out;
}

Pattern Pattern::Substitute(const Assignment& values) const {
  Pattern out = *this;
  for (PatternPart& part : out.parts) {
    if (part.kind != PatternPart::Kind::kVariable || !values.contains(part.text)) continue;
    Pattern one;
    one.parts = {part};
    part = {PatternPart::Kind::kText, one.Spell(values)};
  }
  return out;
}

std::vector<Pattern> ExpandName(const ast::Name& name, diag::Diagnostics& diagnostics) {
  if (name.quoted) return {LiteralPattern(name.text, name.where)};
  bool many_groups = std::count(name.text.begin(), name.text.end(), '{') > kMostGroups;
  if (many_groups || CountNames(name.text) > kMostNames) {
    std::string what = many_groups ? fmt::format("a name of more than {} groups", kMostGroups)
                                   : fmt::format("a name expands to more than {} names", kMostNames);
    diagnostics.Error(diag::Code::kTooDeep, name.where, what);
    return {};
  }
  std::vector<Pattern> out;
  PartReader reader(name, diagnostics);
  for (const Fragments& fragments : Expand({name.text, name.where.begin})) {
    Pattern pattern;
    pattern.where = name.where;
    for (const Fragment& fragment : fragments) {
      if (!reader.Read(fragment, pattern)) return {};
    }
    if (pattern.parts.empty()) {
      diagnostics.Error(diag::Code::kNamePattern, name.where, fmt::format("`{}` expands to an empty name", name.text));
      return {};
    }
    out.push_back(std::move(pattern));
  }
  return out;
}

Pattern LiteralPattern(std::string text, SourceRange where) {
  Pattern pattern;
  pattern.where = where;
  pattern.parts = {{PatternPart::Kind::kText, std::move(text)}};
  return pattern;
}

std::vector<Pattern> ExpandReference(const std::optional<ast::Name>& name, size_t declared,
                                     diag::Diagnostics& diagnostics) {
  if (!name) return {};
  std::vector<Pattern> patterns = ExpandName(*name, diagnostics);
  if (patterns.size() == 1 || patterns.size() == declared) return patterns;
  if (!patterns.empty()) {
    auto& d = diagnostics.Error(diag::Code::kNamePattern, name->where,
                                fmt::format("`{}` is {} names", name->text, patterns.size()));
    d.Expected(declared == 1 ? "one, for the tensor that is declared"
                             : fmt::format("one, or {}: as many as are declared", declared));
  }
  return {};
}

void Pattern::Append(const std::string& text) {
  if (!parts.empty() && parts.back().kind == PatternPart::Kind::kText)
    parts.back().text += text;
  else
    parts.push_back({PatternPart::Kind::kText, text});
}

}  // namespace aoa::bind
