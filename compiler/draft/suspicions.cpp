#include "compiler/draft/suspicions.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/core/text.h"
#include "compiler/diag/suggest.h"
#include "compiler/draft/fold.h"

namespace aoa::draft {
namespace {

constexpr int64_t kFew = 5;  // at most one in so many is odd

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
    for (const auto& [kind, names] : kinds_) {
      LookForLack(kind, names);
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

  // A number without this tensor, between two that have it.
  void LookForLack(const std::pair<std::string, std::string>& kind, const ByNumber& names) {
    for (auto it = names.begin(); it != names.end() && std::next(it) != names.end(); ++it) {
      int64_t next = std::next(it)->first;
      bool counted = numbers_.at(kind.first).contains(it->first + 1);  // else it is a gap
      if (next != it->first + 2 || names.size() < 3 || !counted) continue;
      std::string lacking = fmt::format("{}{}{}", kind.first, it->first + 1, kind.second);
      Say(fmt::format("there is no {}, though there is {} and {}", Ticked(lacking), Ticked(it->second),
                      Ticked(std::next(it)->second)));
    }
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
  std::set<std::string> said_;
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
