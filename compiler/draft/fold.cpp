#include "compiler/draft/fold.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "compiler/draft/numbers.h"
#include "compiler/parse/characters.h"

namespace aoa::draft {
namespace {

constexpr size_t kLongestNumber = 9;  // digits
constexpr const char* kOuterNames[] = {"l", "k", "j", "i"};
constexpr const char* kInnerNames[] = {"e", "m", "u", "w"};

bool IsBareName(const std::string& name) {
  auto bare = [](char c) { return parse::IsNameCharacter(c) && c != '*'; };
  return !name.empty() && name != "_" && std::all_of(name.begin(), name.end(), bare) &&
         name.find("->") == std::string::npos && name.find("<-") == std::string::npos;
}

// Names in the order in which people count: "a.2" before "a.10".
bool Before(const SplitName& a, const SplitName& b) {
  for (size_t i = 0; i < a.texts.size() && i < b.texts.size(); ++i) {
    if (a.texts[i] != b.texts[i]) return a.texts[i] < b.texts[i];
    if (i >= a.numbers.size() || i >= b.numbers.size()) break;
    if (a.numbers[i] != b.numbers[i]) return a.numbers[i] < b.numbers[i];
  }
  return a.numbers.size() < b.numbers.size();
}

// Numbers at one place of all names.
struct Place {
  std::set<int64_t> numbers;
  size_t tensors = 0;
  const Place* outer = nullptr;  // of the number before; null: none
  std::string variable;          // empty: its numbers stay
  int64_t first() const { return *numbers.begin(); }
  int64_t extent() const { return static_cast<int64_t>(numbers.size()); }
};

// Numbers of each variable, ascending: all their combinations.
using Box = std::vector<std::vector<int64_t>>;

// Ascending numbers, cut where one is left out.
std::vector<std::vector<int64_t>> RangesOf(const std::vector<int64_t>& numbers) {
  std::vector<std::vector<int64_t>> ranges;
  for (int64_t number : numbers) {
    if (ranges.empty() || ranges.back().back() + 1 != number) ranges.emplace_back();
    ranges.back().push_back(number);
  }
  return ranges;
}

// The tuples as boxes: numbers of the first variable that have the same boxes of the others stand together.
std::vector<Box> BoxesOf(std::vector<std::vector<int64_t>> tuples) {
  if (tuples.empty() || tuples[0].empty()) return {Box()};
  std::map<int64_t, std::vector<std::vector<int64_t>>> by_first;
  for (std::vector<int64_t>& tuple : tuples) by_first[tuple[0]].emplace_back(tuple.begin() + 1, tuple.end());
  std::map<std::vector<Box>, std::vector<int64_t>> alike;
  for (auto& [number, rest] : by_first) alike[BoxesOf(std::move(rest))].push_back(number);
  std::vector<Box> boxes;
  for (const auto& [inner, numbers] : alike) {
    for (const Box& box : inner) {
      boxes.push_back({numbers});
      boxes.back().insert(boxes.back().end(), box.begin(), box.end());
    }
  }
  std::stable_sort(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) { return a[0][0] < b[0][0]; });
  return boxes;
}

class Folder {
 public:
  Folder(std::vector<NamedShape> tensors, const std::map<std::string, int64_t>& taken) : taken_(taken) {
    for (NamedShape& t : tensors) {
      if (IsBareName(t.name))
        tensors_.push_back({Split(t.name), std::move(t.shape)});
      else
        quoted_.push_back({WriteName(t.name), std::move(t.shape), {}});
    }
    std::sort(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) { return Before(a.name, b.name); });
    std::sort(quoted_.begin(), quoted_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  }

  Folding Fold(bool braces) {
    FindPlaces();
    NameVariables();
    MakeLines();
    if (braces) JoinLines();
    folding_.lines.insert(folding_.lines.end(), quoted_.begin(), quoted_.end());
    return std::move(folding_);
  }

 private:
  struct Entry {
    SplitName name;
    Shape shape;
  };

  // What stands before the i-th number, where `#` stands for earlier numbers.
  static std::string PrefixOf(const SplitName& name, size_t i) {
    std::string prefix = name.texts[0];
    for (size_t k = 0; k < i; ++k) prefix += "#" + name.texts[k + 1];
    return prefix;
  }

  void FindPlaces() {
    for (const Entry& t : tensors_) {
      for (size_t i = 0; i < t.name.numbers.size(); ++i) {
        Place& place = places_[PrefixOf(t.name, i)];
        place.numbers.insert(t.name.numbers[i]);
        place.tensors++;
        if (i > 0) place.outer = &places_[PrefixOf(t.name, i - 1)];
      }
    }
  }

  void NameVariables() {
    std::vector<std::pair<std::string, Place*>> order;
    for (auto& [prefix, place] : places_) {
      bool gapless = *place.numbers.rbegin() - place.first() + 1 == place.extent();
      if (gapless && place.extent() > 1) order.emplace_back(prefix, &place);
    }
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second->outer != nullptr, b.second->tensors) <
             std::pair(b.second->outer != nullptr, a.second->tensors);
    });
    std::set<std::string> used;
    for (auto& [prefix, place] : order) {
      for (size_t i = 0; place->variable.empty(); ++i) {
        std::string name = VariableName(i, place->outer != nullptr);
        auto it = taken_.find(name);
        if (it != taken_.end() && it->second != place->extent()) continue;
        if (used.insert(name).second) place->variable = name;
      }
      folding_.variables.push_back({place->variable, place->extent(), prefix, IsInner(*place)});
    }
  }

  // Outer places have their names by now.
  static bool IsInner(const Place& place) {
    const Place* outer = place.outer;
    while (outer && outer->variable.empty()) outer = outer->outer;
    return outer != nullptr;
  }

  static std::string VariableName(size_t i, bool inner) {
    if (i < std::size(kOuterNames)) return (inner ? kInnerNames : kOuterNames)[i];
    return fmt::format("{}{}", inner ? "e" : "l", i);
  }

  // Tensors that differ in the numbers of variables only, and have one shape.
  struct Group {
    const Entry* example = nullptr;
    std::vector<const Place*> places;  // of each number of the name; null: it stays
    std::vector<std::vector<int64_t>> tuples;
  };

  void MakeLines() {
    std::vector<Group> groups;
    std::map<std::pair<std::string, Shape>, size_t> known;
    for (const Entry& t : tensors_) {
      std::string key = t.name.texts[0];
      std::vector<int64_t> tuple;
      std::vector<const Place*> places;
      for (size_t i = 0; i < t.name.numbers.size(); ++i) {
        const Place& place = places_.at(PrefixOf(t.name, i));
        bool varies = !place.variable.empty();
        if (varies) tuple.push_back(t.name.numbers[i]);
        places.push_back(varies ? &place : nullptr);
        key += (varies ? "$" : std::to_string(t.name.numbers[i])) + t.name.texts[i + 1];
      }
      auto [it, added] = known.try_emplace({key, t.shape}, groups.size());
      if (added) groups.push_back({&t, std::move(places), {}});
      groups[it->second].tuples.push_back(std::move(tuple));
    }
    for (Group& group : groups) {
      for (const Box& box : BoxesOf(std::move(group.tuples))) AddLines(group, box);
    }
  }

  // A line, or one for each range of numbers that no condition says.
  void AddLines(const Group& group, const Box& box) {
    size_t variable = 0;
    for (const Place* place : group.places) {
      if (!place) continue;
      std::vector<std::vector<int64_t>> ranges = RangesOf(box[variable++]);
      if (ranges.size() == 1 || ConditionFor(*place, box[variable - 1])) continue;
      for (std::vector<int64_t>& range : ranges) {
        Box part = box;
        part[variable - 1] = std::move(range);
        AddLines(group, part);
      }
      return;
    }
    AddLine(group, box);
  }

  static std::optional<std::string> ConditionFor(const Place& place, std::vector<int64_t> numbers) {
    for (int64_t& number : numbers) number -= place.first();
    return ConditionOf(place.variable, numbers, place.extent());
  }

  void AddLine(const Group& group, const Box& box) {
    const SplitName& name = group.example->name;
    FoldedLine line{name.texts[0], group.example->shape, {}};
    size_t variable = 0;
    for (size_t i = 0; i < name.numbers.size(); ++i) {
      if (const Place* place = group.places[i])
        line.name += Varied(*place, box[variable++], line.loops);
      else
        line.name += std::to_string(name.numbers[i]);
      line.name += name.texts[i + 1];
    }
    folding_.lines.push_back(std::move(line));
  }

  // How a name spells numbers of a place. They have a loop unless they are all or one.
  static std::string Varied(const Place& place, const std::vector<int64_t>& numbers,
                            std::vector<FoldedLine::Loop>& loops) {
    if (numbers.size() == 1) return std::to_string(numbers[0]);
    int64_t from = numbers.front() - place.first(), to = numbers.back() + 1 - place.first();
    auto count = static_cast<int64_t>(numbers.size());
    if (to - from > count) {
      std::vector<int64_t> others;
      std::set_difference(place.numbers.begin(), place.numbers.end(), numbers.begin(), numbers.end(),
                          std::back_inserter(others));
      loops.push_back({place.variable, 0, place.extent(), ConditionFor(place, numbers).value_or(""),
                       ConditionFor(place, others).value_or(""), count});
    } else if (count < place.extent()) {
      loops.push_back({place.variable, from, to, "", "", count});
    }
    return place.first() == 0 ? "$" + place.variable : fmt::format("${{{}+{}}}", place.variable, place.first());
  }

  // ------------------------------------------------------------ braces

  // Lines of one shape whose names differ in one word that ends alike: `{gate,up}_proj`.
  void JoinLines() {
    std::vector<FoldedLine> joined;
    std::map<std::string, size_t> known;  // what is common -> line
    std::vector<std::vector<std::string>> choices;
    std::vector<std::pair<std::string, std::string>> around;
    for (FoldedLine& line : folding_.lines) {
      auto word = Varying(line);
      std::string key =
          word ? fmt::format("{}|{}|{}|{}", word->before, word->after, aoa::ToString(line.shape), Show(line)) : "";
      auto it = word ? known.find(key) : known.end();
      if (it != known.end()) {
        choices[it->second].push_back(word->text);
        continue;
      }
      if (word) known.emplace(key, joined.size());
      choices.push_back({word ? word->text : ""});
      around.emplace_back(word ? word->before : "", word ? word->after : "");
      joined.push_back(std::move(line));
    }
    for (size_t i = 0; i < joined.size(); ++i) {
      if (choices[i].size() > 1)
        joined[i].name = fmt::format("{}{{{}}}{}", around[i].first, fmt::join(choices[i], ","), around[i].second);
    }
    folding_.lines = std::move(joined);
  }

  static std::string Show(const FoldedLine& line) {
    std::string text;
    for (const auto& loop : line.loops)
      text += fmt::format("{} {} {} {};", loop.variable, loop.from, loop.to, loop.condition);
    return text;
  }

  struct Word {
    std::string before, text, after;
  };
  // The word before the last underscore of the last but one part: "q" of `attn.q_proj.weight`. Not of square matrices:
  // nothing tells which way round they lie, and a line for each is to be thought about.
  static std::optional<Word> Varying(const FoldedLine& line) {
    std::set<int64_t> extents(line.shape.begin(), line.shape.end());
    size_t end = line.name.rfind('.');
    if (end == std::string::npos || extents.size() != line.shape.size()) return std::nullopt;
    size_t dot = line.name.rfind('.', end - 1), begin = dot == std::string::npos ? 0 : dot + 1;
    size_t underscore = line.name.rfind('_', end);
    if (underscore == std::string::npos || underscore <= begin || line.name[begin] == '$') return std::nullopt;
    return Word{line.name.substr(0, begin), line.name.substr(begin, underscore - begin), line.name.substr(underscore)};
  }

  const std::map<std::string, int64_t>& taken_;
  std::vector<Entry> tensors_;
  std::vector<FoldedLine> quoted_;
  std::map<std::string, Place> places_;
  Folding folding_;
};

}  // namespace

SplitName Split(const std::string& name) {
  SplitName split;
  split.texts.emplace_back();
  for (size_t at = 0; at < name.size();) {
    size_t end = std::min(name.find_first_of("./", at), name.size());
    bool number = end > at && end - at <= kLongestNumber && (name[at] != '0' || end == at + 1) &&
                  std::all_of(name.begin() + static_cast<ptrdiff_t>(at), name.begin() + static_cast<ptrdiff_t>(end),
                              parse::IsDigit);
    if (number) {
      split.numbers.push_back(std::stoll(name.substr(at, end - at)));
      split.texts.emplace_back();
    } else {
      split.texts.back() += name.substr(at, end - at);
    }
    if (end < name.size()) split.texts.back() += name[end];
    at = end + 1;
  }
  return split;
}

std::string WriteName(const std::string& name) {
  if (IsBareName(name)) return name;
  std::string text = "\"";
  for (char c : name) {
    auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      text += fmt::format("\\{}", c);
    else if (code < 0x20)
      text += fmt::format("\\u{:04x}", code);
    else
      text += c;
  }
  return text + "\"";
}

Folding FoldNames(std::vector<NamedShape> tensors, bool braces, const std::map<std::string, int64_t>& taken) {
  return Folder(std::move(tensors), taken).Fold(braces);
}

}  // namespace aoa::draft
