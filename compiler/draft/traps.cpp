#include "compiler/draft/traps.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/core/text.h"

namespace aoa::draft {
namespace {

using ast::Statement;

constexpr const char* kPlaceholders[] = {"$LAYER_ID", "$EXPERT_ID", "$LAYER_ID_OFFSET"};
// Words that the engine's macros look for among all words of a statement.
constexpr const char* kKeywords[] = {
    "axis",    "fused_ffn", "fused_qkv_old", "num_heads", "dtype", "fused_qkv", "num_key_value_groups",
    "permute", "src_dtype", "dst_dtype",     "reshape"};

bool HasPlaceholder(std::string_view name) {
  return std::any_of(std::begin(kPlaceholders), std::end(kPlaceholders),
                     [&](const char* word) { return name.find(word) != std::string_view::npos; });
}

bool HasFlag(const Statement& s, std::string_view flag) {
  return std::any_of(s.attributes.begin(), s.attributes.end(), [&](const auto& a) { return a.key.text == flag; });
}
bool IsFused(const Statement& s) {
  return HasFlag(s, "fused_qkv") || HasFlag(s, "fused_qkv_old") || HasFlag(s, "fused_ffn");
}

// The names of an operand, slices expanded as far as they are short.
std::vector<std::string> NamesOf(const ast::Operand& o) {
  if (o.blank) return {};
  if (!o.slice) return {o.name.text};
  std::vector<std::string> names;
  for (int64_t i = o.slice->first; i < o.slice->second && i < o.slice->first + 1024; ++i)
    names.push_back(fmt::format("{}_{}", o.name.text, i));
  return names;
}

// How a statement reads one of its operands: what the engine keeps under the tensor's box and offset.
struct Reading {
  size_t statement;
  bool straight;     // to the parameter itself, without a temporary
  std::string form;  // equal for readings that do not disturb each other
};

Reading ReadingOf(const Statement& s, size_t number, const ast::Operand& operand, size_t parts) {
  std::string form = operand.transposed ? "^T" : "";
  for (const ast::Attribute& a : s.attributes) {
    bool moves = a.key.text != "axis" || parts > 1 || IsFused(s);
    if (moves) form += fmt::format(",{}={}", a.key.text, a.text);
  }
  if (parts > 1) form += fmt::format(";{} parts", parts);
  return {number, form.empty() && s.left.size() == 1 && s.right.size() == 1, form};
}

class TrapFinder {
 public:
  TrapFinder(const AoaConfig& config, const std::vector<const Statement*>& parsed) : config_(config), parsed_(parsed) {}

  std::vector<Trap> Find() {
    for (size_t k = 0; k < parsed_.size(); ++k) {
      size_t i = config_.reverse ? parsed_.size() - 1 - k : k;
      if (config_.statements[i].glued)
        Add(i, "two statements stand in one text, as after a forgotten comma; Paddle's parser takes them apart",
            "they are two statements here");
      if (IsInitial(config_.statements[i], config_.reverse))
        Add(i, "its target keeps the value with which the model is made, which no checkpoint has",
            "it is left out; `_ -> NAME [TYPE] : f32, fill=0` makes a tensor of a constant");
      if (parsed_[i]) Look(i, *parsed_[i]);
    }
    for (const auto& [name, removal] : removed_) LookAtRemoval(name, removal);
    std::stable_sort(traps_.begin(), traps_.end(),
                     [](const Trap& a, const Trap& b) { return a.statement < b.statement; });
    return std::move(traps_);
  }

 private:
  struct Made {
    size_t statement;
    bool read;
    bool itself;  // `x -> x`: whoever reads it reads the source
  };

  // The operands that a statement reads and makes: carried out backwards, those on its right and its left.
  const std::vector<ast::Operand>& In(const Statement& s) const { return config_.reverse ? s.right : s.left; }
  const std::vector<ast::Operand>& Out(const Statement& s) const { return config_.reverse ? s.left : s.right; }
  bool Removes(const Statement& s) const { return Out(s).size() == 1 && Out(s)[0].blank; }

  void Add(size_t statement, std::string what, std::string advice, std::optional<size_t> other = std::nullopt) {
    traps_.push_back({statement, other, std::move(what), std::move(advice)});
  }

  void Look(size_t i, const Statement& s) {
    LookAtNames(i, s);
    LookAtAttributes(i, s);
    for (const ast::Operand& o : In(s)) {
      for (const std::string& name : NamesOf(o)) {
        Read(i, s, o, name);
        if (Removes(s)) removed_.emplace(name, i);
      }
    }
    for (const ast::Operand& o : Out(s)) {
      for (const std::string& name : NamesOf(o)) Make(i, s, name);
    }
  }

  void LookAtNames(size_t i, const Statement& s) {
    bool star = false, placeholder = false;
    for (const auto* side : {&s.left, &s.right}) {
      for (const ast::Operand& o : *side) {
        star |= o.name.text.find('*') != std::string::npos;
        placeholder |= HasPlaceholder(o.name.text);
        for (const char* word : kKeywords) {
          if (o.name.text == word)
            Add(i, fmt::format("`{}` is a keyword of Paddle's macros, and no name of a tensor to them", word),
                "it is a name here");
        }
      }
    }
    if (star && placeholder)
      Add(i,
          "a star stands beside a placeholder: Paddle looks for a name with a literal star, finds none, and drops "
          "the statement",
          "the star stands for all numbers here");
    if (In(s).empty() || In(s)[0].blank || !HasPlaceholder(In(s)[0].name.text)) return;
    const std::string& first = In(s)[0].name.text;
    if (made_.contains(first) && !source_.contains(first))
      Add(i,
          fmt::format("`{}` is made by an earlier statement: Paddle finds no number for its placeholder in the "
                      "source, and drops the statement",
                      Printable(first)),
          "the chain is followed here", made_.at(first).statement);
  }

  void LookAtAttributes(size_t i, const Statement& s) {
    auto many = [](const ast::Operand& o) { return o.slice || o.name.text.find('*') != std::string::npos; };
    bool one_to_one = s.left.size() == 1 && s.right.size() == 1 && !many(s.left[0]) && !many(s.right[0]);
    if (one_to_one && !IsFused(s) && HasFlag(s, "axis"))
      Add(i, "`axis` has no effect between one tensor and one, in Paddle", "the statement is a renaming here too");
    bool by_shards = HasFlag(s, "fused_ffn") || HasFlag(s, "fused_qkv_old");
    if (by_shards && s.left.size() == 1 && s.left[0].transposed)
      Add(i, "`^T` beside a layout that depends on ranks: Paddle forgets how many shards the source has, and takes one",
          "the number follows from the cuts in the type of the source here");
  }

  void Read(size_t i, const Statement& s, const ast::Operand& o, const std::string& name) {
    if (auto made = made_.find(name); made != made_.end()) {
      made->second.read = true;
      if (!made->second.itself) return;
    }
    source_.insert(name);
    if (Removes(s)) return;
    Reading reading = ReadingOf(s, i, o, Out(s).size());
    auto [it, first] = readings_.try_emplace(name, reading);
    if (first || it->second.statement == i) return;
    if (!reading.straight && !it->second.straight && reading.form == it->second.form) return;
    Add(i,
        fmt::format("`{}` is read by two statements in different ways: Paddle loads one of the targets only",
                    Printable(name)),
        "both are made here", it->second.statement);
  }

  void Make(size_t i, const Statement& s, const std::string& name) {
    bool itself = In(s).size() == 1 && In(s)[0].name.text == name && ReadingOf(s, i, In(s)[0], 1).straight;
    auto [it, first] = made_.try_emplace(name, Made{i, false, itself});
    bool one = name.find_first_of("$*") == std::string::npos;  // of templates, each may make what the other does not
    if (!first && !it->second.read && one)
      Add(i, fmt::format("`{}` was made before, and nothing has read it: Paddle keeps the last one", Printable(name)),
          "the earlier result is left out", it->second.statement);
    it->second = {i, false, itself};
  }

  void LookAtRemoval(const std::string& name, size_t removal) {
    auto it = readings_.find(name);
    if (it == readings_.end()) return;
    Add(removal,
        fmt::format("`{}` is removed, and with it, in Paddle, all that other statements make of it", Printable(name)),
        "one of the two statements is to go", it->second.statement);
  }

  const AoaConfig& config_;
  const std::vector<const Statement*>& parsed_;
  std::map<std::string, Made> made_;
  std::map<std::string, Reading> readings_;
  std::map<std::string, size_t> removed_;
  std::set<std::string> source_;  // names that were read from the source
  std::vector<Trap> traps_;
};

}  // namespace

bool IsInitial(const ConfigStatement& statement, bool reverse) {
  size_t arrow = statement.text.find("->");
  if (arrow == std::string::npos) return false;
  auto trimmed = [](std::string_view text) {
    size_t begin = std::min(text.find_first_not_of(" \t"), text.size()), end = text.find_last_not_of(" \t");
    return end == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
  };
  std::string_view text = statement.text;
  return trimmed(reverse ? text.substr(arrow + 2) : text.substr(0, arrow)) == "_";
}

std::vector<Trap> FindTraps(const AoaConfig& config, const std::vector<const Statement*>& parsed) {
  return TrapFinder(config, parsed).Find();
}

}  // namespace aoa::draft
