#include "compiler/draft/side.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/parse/characters.h"

namespace aoa::draft {
namespace {

// The letters that rule files use for the sizes that most configurations spell in one of these ways.
constexpr std::pair<const char*, const char*> kLetters[] = {
    {"hidden_size", "h"}, {"n_embd", "h"},          {"d_model", "h"},    {"intermediate_size", "f"},
    {"ffn_dim", "f"},     {"ffn_hidden_size", "f"}, {"vocab_size", "v"}, {"head_dim", "d"},
};
constexpr size_t kMostGuesses = 3;

std::string LetterOf(const std::string& key) {
  std::string last = key.substr(key.rfind('.') + 1);
  for (const auto& [known, letter] : kLetters) {
    if (last == known) return letter;
  }
  return last;
}

bool IsKeyPath(std::string_view key) { return !key.empty() && parse::IsIdentifier(key); }

// Numbers that name something rather than measure it.
bool IsMeasure(std::string_view key) {
  return !key.ends_with("_id") && !key.ends_with("_ids") && !key.ends_with("_token");
}

}  // namespace

SideDrafter::SideDrafter(const nlohmann::json* config) {
  if (config && config->is_object()) CollectKeys(*config, "");
}

void SideDrafter::CollectKeys(const nlohmann::json& object, const std::string& path) {
  constexpr size_t kDeepest = 4;
  if (std::count(path.begin(), path.end(), '.') > static_cast<ptrdiff_t>(kDeepest)) return;
  for (const auto& [key, value] : object.items()) {
    if (!IsKeyPath(key) || !IsMeasure(key)) continue;
    if (value.is_object())
      CollectKeys(value, path + key + ".");
    else if (value.is_number_integer() && value.get<double>() > 1 && value.get<double>() < 1e15)
      keys_.emplace_back(path + key, value.get<int64_t>());
  }
}

std::vector<std::string> SideDrafter::KeysOf(int64_t value) const {
  std::vector<std::string> found;
  for (const auto& [key, number] : keys_) {
    if (number == value) found.push_back(key);
  }
  return found;
}

std::string SideDrafter::FreeName(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 2; taken_.contains(name); ++i) name = fmt::format("{}_{}", wanted, i);
  return name;
}

const std::string& SideDrafter::NameOf(int64_t extent) {
  auto it = dims_.find(extent);
  if (it != dims_.end()) return it->second;
  std::vector<std::string> keys = KeysOf(extent);
  std::string name = FreeName(keys.size() == 1 ? LetterOf(keys[0]) : fmt::format("x{}", extent));
  taken_[name] = extent;
  if (keys.size() == 1)
    equations_.emplace_back(name, keys[0]);
  else
    unknown_.emplace_back(name, extent);
  return dims_.emplace(extent, name).first->second;
}

// Later axes have the dimension first: the last axis of a square matrix is `h`, the one before it `h_2`.
std::string SideDrafter::TypeOf(const Shape& shape) {
  std::vector<std::string> axes(shape.size());
  std::map<int64_t, int> seen;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) {
      axes[i] = "1";
      continue;
    }
    const std::string& name = NameOf(shape[i]);
    int count = ++seen[shape[i]];
    axes[i] = count == 1 ? name : fmt::format("{}_{}", name, count);
    if (count > 1 && taken_.emplace(axes[i], shape[i]).second) unknown_.emplace_back(axes[i], shape[i]);
  }
  return fmt::format("[{}]", fmt::join(axes, " "));
}

std::vector<std::string> SideDrafter::Declare(const std::vector<NamedShape>& tensors) {
  Folding folding = FoldNames(tensors, true, taken_);
  for (const Folding::Variable& variable : folding.variables) {
    auto [it, added] = taken_.emplace(variable.name, variable.extent);
    if (!added) continue;
    variables_.push_back(variable);
    std::vector<std::string> keys = KeysOf(variable.extent);
    if (keys.size() == 1) equations_.emplace_back(variable.name, keys[0]);
  }
  std::vector<std::string> lines;
  std::vector<FoldedLine::Loop> open;
  auto close = [&](size_t depth) {
    for (; open.size() > depth; open.pop_back()) lines.emplace_back("}");
  };
  for (const FoldedLine& line : folding.lines) {
    size_t common = 0;
    while (common < open.size() && common < line.loops.size() && open[common] == line.loops[common]) ++common;
    close(common);
    for (; open.size() < line.loops.size(); open.push_back(line.loops[open.size()])) {
      const FoldedLine::Loop& loop = line.loops[open.size()];
      lines.push_back(fmt::format("for {} in {}..{} {{", loop.variable, loop.from, loop.to));
    }
    lines.push_back(fmt::format("{} {}", line.name, TypeOf(line.shape)));
  }
  close(0);
  return lines;
}

// The keys and products of two keys that have a value.
std::string SideDrafter::Guesses(int64_t value) const {
  std::vector<std::string> guesses;
  for (const std::string& key : KeysOf(value)) guesses.push_back("config." + key);
  for (size_t i = 0; i < keys_.size(); ++i) {
    for (size_t j = i + 1; j < keys_.size(); ++j) {
      if (keys_[i].second <= value / keys_[j].second && keys_[i].second * keys_[j].second == value)
        guesses.push_back(fmt::format("config.{} * config.{}", keys_[i].first, keys_[j].first));
    }
  }
  if (guesses.size() > kMostGuesses) {
    guesses[kMostGuesses] = fmt::format("{} more", guesses.size() - kMostGuesses);
    guesses.resize(kMostGuesses + 1);
  }
  return fmt::format("{}", fmt::join(guesses, ", or "));
}

std::vector<std::string> SideDrafter::Dims(bool all) const {
  std::vector<std::string> lines;
  for (const auto& [name, key] : equations_) lines.push_back(fmt::format("{} = config.{}", name, key));
  for (const Folding::Variable& v : variables_) {
    bool known = std::any_of(equations_.begin(), equations_.end(), [&](const auto& e) { return e.first == v.name; });
    std::string guesses = known ? "" : Guesses(v.extent);
    if (all && !known)
      lines.push_back(fmt::format("{} = {}{}", v.name, v.extent, guesses.empty() ? "" : "  # " + guesses));
    else if (!guesses.empty())
      lines.push_back(fmt::format("# {} counts {}: {}", v.name, v.extent, guesses));
  }
  for (const auto& [name, extent] : unknown_) {
    std::string guesses = Guesses(extent);
    if (all)
      lines.push_back(fmt::format("{} = {}{}", name, extent, guesses.empty() ? "" : "  # " + guesses));
    else if (!guesses.empty())
      lines.push_back(fmt::format("# {} is {}: {}", name, extent, guesses));
  }
  return lines;
}

}  // namespace aoa::draft
