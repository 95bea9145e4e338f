#include "compiler/draft/reword.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/core/text.h"
#include "compiler/parse/characters.h"

namespace aoa::draft {
namespace {

using ast::Statement;

bool InName(char c) {
  return parse::IsLetter(c) || parse::IsDigit(c) || std::string_view(".$*-/").find(c) != std::string_view::npos;
}

// `text` with `name` replaced on one side of its arrow: everywhere, or where it stands first.
std::string WithName(const std::string& text, bool left, const std::string& name, const std::string& replacement,
                     bool once = false) {
  size_t arrow = text.find("->"), from = left ? 0 : arrow + 2, to = left ? arrow : text.size();
  std::string out = text.substr(0, from);
  bool done = false;
  for (size_t at = from; at < to;) {
    size_t end = at;
    while (end < to && InName(text[end])) ++end;
    if (end == at) {
      out += text[at++];
      continue;
    }
    std::string word = text.substr(at, end - at);
    bool replaced = word == name && !(once && done);
    out += replaced ? replacement : word;
    done |= replaced;
    at = end;
  }
  return out + text.substr(to);
}

std::vector<std::string> NamesOf(const std::vector<ast::Operand>& operands) {
  std::vector<std::string> names;
  for (const ast::Operand& o : operands) {
    if (!o.blank)
      names.push_back(o.slice ? fmt::format("{}[{}:{}]", o.name.text, o.slice->first, o.slice->second) : o.name.text);
  }
  return names;
}

// What a statement reads and makes: carried out backwards, its right and its left.
struct Ends {
  const std::vector<ast::Operand>&in, &out;
  Ends(const Statement& s, bool reverse) : in(reverse ? s.right : s.left), out(reverse ? s.left : s.right) {}
  bool Removes() const { return out.size() == 1 && out[0].blank; }
};

// ---------------------------------------------------------------- replaced results

class Replaced {
 public:
  Replaced(AoaConfig& config, const std::vector<const Statement*>& parsed) : config_(config), parsed_(parsed) {
    for (size_t i = 0; i < parsed.size(); ++i) order_.push_back(config.reverse ? parsed.size() - 1 - i : i);
  }

  void Reword() {
    for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
      if (parsed_[*it]) LookBack(*it, Ends(*parsed_[*it], config_.reverse));
    }
    if (dead_.empty()) return;
    CollectSources();
    for (size_t i : order_) {
      if (dead_.contains(i)) Leave(i, Ends(*parsed_[i], config_.reverse));
    }
  }

 private:
  // From the statements behind: whether a name is wanted, or has no use before it is made again.
  enum class Use { kWanted, kUseless };

  void LookBack(size_t i, const Ends& ends) {
    if (ends.Removes()) return;
    std::vector<std::string> useless;
    size_t wanted = 0;
    for (const ast::Operand& o : ends.out) {  // the last of equal names counts
      if (o.blank) ++wanted;
    }
    std::vector<std::string> made = NamesOf(ends.out);
    for (auto name = made.rbegin(); name != made.rend(); ++name) {
      // Of templates, each may make what the other does not.
      auto use = name->find_first_of("$*") == std::string::npos ? uses_.find(*name) : uses_.end();
      if (use != uses_.end() && use->second == Use::kUseless)
        useless.push_back(*name);
      else
        ++wanted;
      uses_[*name] = Use::kUseless;
    }
    if (!useless.empty()) dead_[i] = {useless, wanted == 0};
    for (const std::string& name : NamesOf(ends.in)) {
      if (wanted > 0)
        uses_[name] = Use::kWanted;
      else
        uses_.try_emplace(name, Use::kUseless);
    }
  }

  // The names that live statements read of the source.
  void CollectSources() {
    std::set<std::string> made;
    for (size_t i : order_) {
      if (!parsed_[i]) continue;
      Ends ends(*parsed_[i], config_.reverse);
      auto dead = dead_.find(i);
      for (const std::string& name : NamesOf(ends.in)) {
        if (made.contains(name))
          results_[i].insert(name);
        else if (dead == dead_.end() || !dead->second.whole)
          read_.insert(name);
      }
      for (const std::string& name : NamesOf(ends.out)) made.insert(name);
    }
  }

  void Leave(size_t i, const Ends& ends) {
    ConfigStatement& statement = config_.statements[i];
    const Dead& dead = dead_.at(i);
    if (!dead.whole) {
      std::string text = statement.AsWritten();
      for (const std::string& name : dead.names) text = WithName(text, config_.reverse, name, "_", true);
      statement.written = text;
      statement.remark =
          fmt::format("{} made again before anything reads it: `{}`", Ticked(dead.names), Printable(statement.text));
      return;
    }
    std::string dropped;
    for (const std::string& name : NamesOf(ends.in)) {
      if (!results_[i].contains(name) && read_.insert(name).second) dropped += (dropped.empty() ? "" : ", ") + name;
    }
    statement.written = dropped.empty() ? "" : config_.reverse ? "_ -> " + dropped : dropped + " -> _";
    statement.remark = dropped.empty() ? fmt::format("{} made again before anything reads it:", Ticked(dead.names))
                                       : fmt::format("{} made again before anything reads it: `{}`", Ticked(dead.names),
                                                     Printable(statement.text));
  }

  static std::string Ticked(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "`" : ", `") + Printable(name) + "`";
    return text + (names.size() == 1 ? " is" : " are");
  }

  struct Dead {
    std::vector<std::string> names;
    bool whole = false;  // the statement makes nothing else
  };

  AoaConfig& config_;
  const std::vector<const Statement*>& parsed_;
  std::vector<size_t> order_;
  std::map<std::string, Use> uses_;
  std::map<size_t, Dead> dead_;
  std::map<size_t, std::set<std::string>> results_;  // names among a statement's inputs that earlier ones made
  std::set<std::string> read_;
};

// ---------------------------------------------------------------- names of a checkpoint

using bind::kResult;
using bind::TensorId;

class Names {
 public:
  Names(AoaConfig& config, const ImportedRules& rules, const std::vector<const Statement*>& parsed,
        const bind::Program& program)
      : config_(config),
        rules_(rules),
        parsed_(parsed),
        leg_(program.legs.front()),
        from_(program.ends.front()),
        to_(program.ends.back()) {}

  std::set<std::string> Reword(std::vector<Trap>& traps) {
    MakeOptional(traps);
    for (const bind::Instance& instance : leg_.instances) Collect(instance);
    FindHidden();
    KeepApart();
    return Rename();
  }

 private:
  // An operand of a statement: number, whether it is read, name.
  using Place = std::tuple<size_t, bool, std::string>;

  std::optional<size_t> NumberOf(const bind::Rule& rule) const {
    auto number = rule.statement ? StatementAt(rules_, rule.statement->node->where.begin) : std::nullopt;
    return number && parsed_[*number] ? number : std::nullopt;
  }

  // A template of which the checkpoint has no name.
  void MakeOptional(std::vector<Trap>& traps) {
    for (const bind::Rule& rule : leg_.rules) {
      auto number = NumberOf(rule);
      if (!rule.matches_nothing || !number) continue;
      const std::vector<ast::Operand>& in = Ends(*parsed_[*number], config_.reverse).in;
      if (in.empty() || in[0].name.text.find('$') == std::string::npos) continue;
      ConfigStatement& statement = config_.statements[*number];
      if (statement.AsWritten().ends_with(", optional")) continue;
      statement.written = statement.AsWritten() + ", optional";
      traps.push_back({*number, std::nullopt,
                       fmt::format("`{}` matches no tensor of the checkpoint: Paddle drops the statement",
                                   Printable(in[0].name.text)),
                       "its tensors may be absent here (`optional`)"});
    }
    std::stable_sort(traps.begin(), traps.end(),
                     [](const Trap& a, const Trap& b) { return a.statement < b.statement; });
  }

  // Where every result is made and read, and what every operand stands for.
  void Collect(const bind::Instance& instance) {
    const bind::Rule& rule = leg_.rules[instance.rule];
    auto number = NumberOf(rule);
    if (!number) return;
    const auto& in = leg_.backwards ? rule.statement->right : rule.statement->left;
    const auto& out = leg_.backwards ? rule.statement->left : rule.statement->right;
    for (TensorId id : instance.in) {
      if (id == bind::kNoTensor) continue;
      bool result = id & kResult;
      Note(*number, true, in, (result ? to_ : from_).NameOf(id & ~kResult),
           result ? std::optional(id & ~kResult) : std::nullopt);
    }
    for (TensorId id : instance.out) Note(*number, false, out, to_.NameOf(id), id);
    if (IsIdentity(*parsed_[*number])) identities_.insert(instance.out.begin(), instance.out.end());
  }

  void Note(size_t number, bool read, const std::vector<bind::Operand>& operands, std::string_view name,
            std::optional<TensorId> result) {
    for (const bind::Operand& o : operands) {
      if (o.node->blank || !o.pattern.Match(std::string(name))) continue;
      Place place{number, read, o.node->name.text};
      if (result) {
        places_[*result].insert(place);
        held_[place].insert(*result);
        if (read) read_.insert(*result);
      } else {
        mixed_.insert(place);
      }
    }
  }

  // `x -> x`: source and result are the same.
  static bool IsIdentity(const Statement& s) {
    return s.left.size() == 1 && s.right.size() == 1 && !s.left[0].transposed && s.attributes.empty() &&
           s.left[0].name.text == s.right[0].name.text;
  }

  // Results that only later statements want, with the name of a tensor of the source or of another result.
  void FindHidden() {
    std::map<std::string, size_t> made;
    for (const auto& [id, places] : places_) made[std::string(to_.NameOf(id))]++;
    for (TensorId id : read_) {
      std::string name(to_.NameOf(id));
      TensorId own = from_.Find(name);
      bool hides = own != bind::kNoTensor && from_.tensors[own].present;
      if ((hides || made[name] > 1) && !identities_.contains(id)) hidden_.insert(id);
    }
  }

  // A name is changed for all that its operands stand for, or not at all.
  void KeepApart() {
    for (bool again = true; again;) {
      again = false;
      for (auto it = hidden_.begin(); it != hidden_.end();) {
        const std::set<Place>& places = places_.at(*it);
        bool clean = std::all_of(places.begin(), places.end(), [&](const Place& place) {
          const std::set<TensorId>& others = held_.at(place);
          return !mixed_.contains(place) &&
                 std::all_of(others.begin(), others.end(), [&](TensorId id) { return hidden_.contains(id); });
        });
        if (clean) {
          ++it;
          continue;
        }
        undeclared_.insert(std::string(to_.NameOf(*it)));
        it = hidden_.erase(it);
        again = true;
      }
    }
  }

  std::set<std::string> Rename() {
    std::string prefix = "tmp.";
    auto taken = [&](const bind::End& end) {
      for (TensorId id = 0; id < end.tensors.size(); ++id) {
        if (end.NameOf(id).starts_with(prefix)) return true;
      }
      return false;
    };
    for (int n = 2; taken(from_) || taken(to_); ++n) prefix = fmt::format("tmp{}.", n);
    std::set<Place> changed;
    for (TensorId id : hidden_) changed.insert(places_.at(id).begin(), places_.at(id).end());
    for (const auto& [number, read, name] : changed) {
      ConfigStatement& statement = config_.statements[number];
      statement.written = WithName(statement.AsWritten(), read != config_.reverse, name, prefix + name);
      if (!read)
        statement.remark = fmt::format(
            "what is read below and made again, or hides a tensor of the source, is called `{}NAME`", prefix);
    }
    return std::move(undeclared_);
  }

  AoaConfig& config_;
  const ImportedRules& rules_;
  const std::vector<const Statement*>& parsed_;
  const bind::Leg& leg_;
  const bind::End &from_, &to_;
  std::map<TensorId, std::set<Place>> places_;
  std::map<Place, std::set<TensorId>> held_;
  std::set<Place> mixed_;  // stand for tensors of the source, too
  std::set<TensorId> read_, identities_, hidden_;
  std::set<std::string> undeclared_;
};

}  // namespace

void RewordReplaced(AoaConfig& config, const std::vector<const Statement*>& parsed) {
  Replaced(config, parsed).Reword();
}

std::set<std::string> RewordForNames(AoaConfig& config, const ImportedRules& rules,
                                     const std::vector<const Statement*>& parsed, const bind::Program& program,
                                     std::vector<Trap>& traps) {
  return Names(config, rules, parsed, program).Reword(traps);
}

}  // namespace aoa::draft
