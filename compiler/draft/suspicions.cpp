#include "compiler/draft/suspicions.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/core/text.h"
#include "compiler/diag/suggest.h"
#include "compiler/draft/fold.h"
#include "compiler/draft/numbers.h"

namespace aoa::draft {
namespace {

constexpr int64_t kFew = 5;  // at most one in so many is odd
constexpr size_t kMostSets = 200;

struct Stored {
  Shape shape;
  DType dtype = DType::kF32;
};

// Each name with what the first file that holds it says.
std::map<std::string, Stored> StoredOf(const Schema& schema) {
  std::map<std::string, Stored> found;
  for (const SchemaFile& file : schema.files) {
    for (const StoredTensor& t : schema.tables[file.table])
      found.try_emplace(schema.names[t.name], Stored{schema.shapes[t.shape], t.dtype});
  }
  return found;
}

std::string Ticked(const std::string& name) { return fmt::format("`{}`", Printable(name)); }

class Suspicions {
 public:
  explicit Suspicions(const Schema& schema) : tensors_(StoredOf(schema)) {
    for (const auto& [name, stored] : tensors_) {
      SplitName split = Split(name);
      for (size_t i = 0; i < split.numbers.size(); ++i) {
        auto& places = kinds_[KindOf(split, i)];
        places[split.numbers[i]] = name;
        numbers_[PrefixOf(split, i)].insert(split.numbers[i]);
      }
    }
  }

  std::vector<std::string> Find() {
    for (const auto& [prefix, numbers] : numbers_) LookForGap(prefix, numbers);
    for (const auto& [prefix, numbers] : numbers_) LookForLacks(prefix, numbers);
    for (const auto& [kind, names] : kinds_) {
      LookForOdd(names, "shape", [](const Stored& s) { return aoa::ToString(s.shape); });
      LookForOdd(names, "element type", [](const Stored& s) { return std::string(Name(s.dtype)); });
    }
    for (const auto& [name, stored] : tensors_) {
      if (ElementCount(stored.shape) == 0) Say(fmt::format("{} has no elements", Ticked(name)));
    }
    return std::move(found_);
  }

 private:
  using ByNumber = std::map<int64_t, std::string>;

  // The name with its i-th number left out, and what stands before that number with all numbers as they are.
  static std::pair<std::string, std::string> KindOf(const SplitName& name, size_t i) {
    std::string before = name.texts[0], after;
    for (size_t k = 0; k < i; ++k) before += std::to_string(name.numbers[k]) + name.texts[k + 1];
    after = name.texts[i + 1];
    for (size_t k = i + 1; k < name.numbers.size(); ++k) after += std::to_string(name.numbers[k]) + name.texts[k + 1];
    return {before, after};
  }
  static std::string PrefixOf(const SplitName& name, size_t i) { return KindOf(name, i).first; }

  void Say(std::string what) {
    if (said_.insert(what).second) found_.push_back(std::move(what));
  }

  // Few numbers are missing among many, so that they count something.
  void LookForGap(const std::string& prefix, const std::set<int64_t>& numbers) {
    auto size = static_cast<int64_t>(numbers.size());
    int64_t missing = *numbers.rbegin() - *numbers.begin() + 1 - size;
    if (missing == 0 || missing > size / kFew + 1 || size < 3) return;
    std::vector<std::string> names;
    for (int64_t n = *numbers.begin(); n < *numbers.rbegin(); ++n) {
      if (!numbers.contains(n)) names.push_back(Ticked(prefix + std::to_string(n)));
    }
    Say(fmt::format("there is no {}, though there are numbers from {} to {}", diag::Enumerate(names), *numbers.begin(),
                    *numbers.rbegin()));
  }

  using Numbers = std::vector<int64_t>;
  // What stands behind the numbers of one prefix, by the numbers that have it.
  using Sets = std::map<Numbers, std::vector<std::string>>;

  // Tensors without some of the numbers that others of their kind have.
  void LookForLacks(const std::string& prefix, const std::set<int64_t>& numbers) {
    const Numbers all(numbers.begin(), numbers.end());
    Sets sets;
    for (auto it = kinds_.lower_bound({prefix, ""}); it != kinds_.end() && it->first.first == prefix; ++it) {
      Numbers own;
      for (const auto& [number, name] : it->second) own.push_back(number);
      sets[std::move(own)].push_back(it->first.second);
    }
    if (sets.size() > kMostSets) return;  // layers are of few kinds
    std::vector<const Numbers*> kinds = {&all};
    for (const auto& [own, behind] : sets) {
      if (own != all && (behind.size() > 1 || Repeats(own, all))) kinds.push_back(&own);
    }
    for (const auto& [own, behind] : sets) {
      if (own == all || own.size() < 3 || Repeats(own, all)) continue;
      const Numbers* of = nullptr;  // the kind with the fewest numbers more
      for (const Numbers* kind : kinds) {
        bool more = kind->size() > own.size() && std::includes(kind->begin(), kind->end(), own.begin(), own.end());
        if (more && (!of || kind->size() < of->size())) of = kind;
      }
      if (of) Compare(prefix, own, *of, behind, sets);
    }
  }

  // Whether some of the numbers that are used are told by a remainder of their rank.
  static bool Repeats(const Numbers& some, const Numbers& all) {
    Numbers ranks;
    for (int64_t n : some) ranks.push_back(std::lower_bound(all.begin(), all.end(), n) - all.begin());
    return RepetitionOf(ranks, static_cast<int64_t>(all.size())).has_value();
  }

  // `own` is a part of the numbers of their kind. Few of these are missing, each between two that are not.
  void Compare(const std::string& prefix, const Numbers& own, const Numbers& kind,
               const std::vector<std::string>& behind, const Sets& sets) {
    Numbers missing;
    std::set_difference(kind.begin(), kind.end(), own.begin(), own.end(), std::back_inserter(missing));
    if (static_cast<int64_t>(missing.size()) > static_cast<int64_t>(kind.size()) / kFew + 1) return;
    std::erase_if(missing, [&](int64_t n) {
      auto at = std::lower_bound(kind.begin(), kind.end(), n);
      bool between = at != kind.begin() && std::next(at) != kind.end() &&
                     std::binary_search(own.begin(), own.end(), *std::prev(at)) &&
                     std::binary_search(own.begin(), own.end(), *std::next(at));
      return !between || OthersAt(n, own, sets) >= (behind.size() == 1 ? 2 : 1);  // one for one: a slip in a name
    });
    const std::string& last = behind.back();  // the first may be nothing but the number
    auto name = [&](int64_t number, const std::string& rest) { return fmt::format("{}{}{}", prefix, number, rest); };
    std::erase_if(missing, [&](int64_t n) { return behind.size() == 1 && !lacking_.insert(name(n, last)).second; });
    if (missing.empty()) return;
    auto next = std::upper_bound(own.begin(), own.end(), missing[0]);
    const int64_t before = *std::prev(next), after = *next;
    if (missing.size() + behind.size() == 2) {
      return Say(fmt::format("there is no {}, though there is {} and {}", Ticked(name(missing[0], last)),
                             Ticked(name(before, last)), Ticked(name(after, last))));
    }
    std::vector<std::string> without;
    for (int64_t n : missing) without.push_back(Ticked(name(n, "")));
    std::string more = behind.size() == 1 ? "" : fmt::format(" and {} more", behind.size() - 1);
    Say(fmt::format("{} {} {}{}, though {} and {} have {}", diag::Enumerate(without),
                    without.size() == 1 ? "lacks" : "lack",
                    Ticked(last.substr(std::min(last.find_first_not_of("./"), last.size()))), more,
                    Ticked(name(before, "")), Ticked(name(after, "")), behind.size() == 1 ? "it" : "them"));
  }

  // How many tensors a number has that none of `own` has: in their place, perhaps.
  static size_t OthersAt(int64_t number, const Numbers& own, const Sets& sets) {
    size_t count = 0;
    for (const auto& [numbers, behind] : sets) {
      if (!std::binary_search(numbers.begin(), numbers.end(), number)) continue;
      Numbers both;
      std::set_intersection(numbers.begin(), numbers.end(), own.begin(), own.end(), std::back_inserter(both));
      if (both.empty()) count += behind.size();
    }
    return count;
  }

  template <class Show>
  void LookForOdd(const ByNumber& names, const char* what, Show show) {
    std::map<std::string, std::vector<std::string>> by_value;
    for (const auto& [number, name] : names) by_value[show(tensors_.at(name))].push_back(name);
    if (by_value.size() != 2) return;
    auto few = by_value.begin(), most = std::next(few);
    if (few->second.size() > most->second.size()) std::swap(few, most);
    if (static_cast<int64_t>(few->second.size()) * kFew > static_cast<int64_t>(names.size())) return;
    std::vector<std::string> odd;
    for (const std::string& name : few->second) odd.push_back(Ticked(name));
    Say(fmt::format("{} {} the {} {}, while {} has {}", diag::Enumerate(odd), odd.size() == 1 ? "has" : "have", what,
                    few->first, Ticked(most->second[0]), most->first));
  }

  std::map<std::string, Stored> tensors_;
  std::map<std::pair<std::string, std::string>, ByNumber> kinds_;
  std::map<std::string, std::set<int64_t>> numbers_;  // by what stands before them
  std::set<std::string> said_, lacking_;
  std::vector<std::string> found_;
};

// The words around the name of a weight in `name`: behind it, or in front of it. Nothing if no part of the name is one.
std::string RoleIn(const std::string& name, const std::map<std::string, Stored>& tensors) {
  auto fits = [&](const std::string& weight) {
    auto it = tensors.find(weight);
    if (it == tensors.end()) return false;
    const Shape& shape = tensors.at(name).shape;
    return shape == it->second.shape || ElementCount(shape) <= 1;
  };
  for (size_t at = name.rfind('.'); at != std::string::npos && at > 0; at = name.rfind('.', at - 1)) {
    if (fits(name.substr(0, at))) return name.substr(at + 1);
  }
  for (size_t at = name.find('.'); at != std::string::npos; at = name.find('.', at + 1)) {
    if (fits(name.substr(at + 1))) return name.substr(0, at);
  }
  return "";
}

}  // namespace

std::vector<std::string> SuspicionsOf(const Schema& schema) { return Suspicions(schema).Find(); }

std::vector<std::string> RolesOf(const Schema& schema) {
  std::map<std::string, Stored> tensors = StoredOf(schema);
  std::vector<std::string> roles(schema.names.size());
  std::map<std::string, size_t> counts;
  for (size_t i = 0; i < roles.size(); ++i) {
    const std::string& name = schema.names[static_cast<uint32_t>(i)];
    if (tensors.contains(name)) roles[i] = RoleIn(name, tensors);
    counts[roles[i]]++;
  }
  for (std::string& role : roles) {
    if (counts[role] * 2 < counts[""]) role.clear();
  }
  return roles;
}

}  // namespace aoa::draft
