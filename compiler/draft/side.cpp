#include "compiler/draft/side.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "compiler/parse/characters.h"

namespace aoa::draft {
namespace {

// The letters that rule files use for the sizes that most configurations spell in one of these ways.
constexpr std::pair<const char*, const char*> kLetters[] = {
    {"hidden_size", "h"}, {"n_embd", "h"},          {"d_model", "h"},    {"intermediate_size", "f"},
    {"ffn_dim", "f"},     {"ffn_hidden_size", "f"}, {"vocab_size", "v"}, {"head_dim", "d"},
};
constexpr size_t kMostGuesses = 3;

std::string LastPart(const std::string& path) { return path.substr(path.rfind('.') + 1); }

std::string LetterOf(const std::string& key) {
  std::string last = LastPart(key);
  for (const auto& [known, letter] : kLetters) {
    if (last == known) return letter;
  }
  return last;
}

bool IsKeyPath(std::string_view key) { return !key.empty() && parse::IsIdentifier(key); }

bool Contains(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](auto word) { return text.find(word) != std::string_view::npos; });
}

// Not numbers that name something, and not steps and starts of what repeats.
bool IsMeasure(std::string_view key) {
  return !key.ends_with("_id") && !key.ends_with("_ids") && !key.ends_with("_token") &&
         !Contains(key, {"period", "offset"});
}

bool IsDepth(std::string_view key) { return Contains(key, {"layers", "depth"}) || key.ends_with("layer"); }

// The words of a name, in the singular.
std::set<std::string> WordsOf(const std::string& name) {
  std::set<std::string> words;
  std::string word;
  for (char c : name + ".") {
    if (c != '_' && (parse::IsLetter(c) || parse::IsDigit(c))) {
      word += c;
      continue;
    }
    if (word.ends_with('s')) word.pop_back();
    if (word.size() > 2) words.insert(word);  // shorter ones say too little
    word.clear();
  }
  return words;
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
      keys_.push_back({path + key, value.get<int64_t>(), IsDepth(key)});
  }
}

std::vector<std::string> SideDrafter::AxisKeysOf(int64_t value) const {
  std::vector<std::string> found;
  for (const Key& key : keys_) {
    if (key.value == value && !key.depth) found.push_back(key.path);
  }
  return found;
}

// What a variable could count. Layers are not inside of layers.
std::vector<SideDrafter::Key> SideDrafter::KeysOf(const Folding::Variable& variable) const {
  std::vector<Key> found;
  for (const Key& key : keys_) {
    if (key.value == variable.extent && !(key.depth && variable.inner)) found.push_back(key);
  }
  return found;
}

// The key that a variable counts: the only one with this value, or the one whose name says so. Empty: none does.
std::string SideDrafter::KeyOf(const Folding::Variable& variable) const {
  std::vector<Key> keys = KeysOf(variable);
  auto alike = std::count_if(keys_.begin(), keys_.end(), [&](const Key& key) { return key.value == variable.extent; });
  if (alike == 1 && keys.size() == 1) return keys[0].path;
  const std::set<std::string> place = WordsOf(variable.place);
  std::string best;
  size_t most = 0;
  for (const Key& key : keys) {
    size_t score = !variable.inner && Contains(LastPart(key.path), {"layer", "depth", "block"}) ? 1 : 0;
    for (const std::string& word : WordsOf(key.path)) score += place.count(word);
    if (score > most)
      best = key.path;
    else if (score == most)
      best.clear();
    most = std::max(most, score);
  }
  return best;
}

std::string SideDrafter::FreeName(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 2; taken_.contains(name); ++i) name = fmt::format("{}_{}", wanted, i);
  return name;
}

const std::string& SideDrafter::NameOf(int64_t extent) {
  auto it = dims_.find(extent);
  if (it != dims_.end()) return it->second;
  std::vector<std::string> keys = AxisKeysOf(extent);
  auto counted = std::find_if(equations_.begin(), equations_.end(),
                              [&](const auto& e) { return keys.size() == 1 && e.second == keys[0]; });
  if (counted != equations_.end()) return dims_.emplace(extent, counted->first).first->second;  // a variable's
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
    if (std::string key = KeyOf(variable); !key.empty()) equations_.emplace_back(variable.name, key);
  }
  Lines lines;
  for (const FoldedLine& line : folding.lines) lines.push_back(&line);
  std::vector<std::string> out;
  Write(lines, 0, out);
  return out;
}

// The lines' loops from `depth` on, and what is in them.
void SideDrafter::Write(const Lines& lines, size_t depth, std::vector<std::string>& out) {
  auto range = [&](const FoldedLine* line) {
    const FoldedLine::Loop& loop = line->loops[depth];
    return std::tuple(loop.variable, loop.from, loop.to);
  };
  std::map<std::tuple<std::string, int64_t, int64_t>, Lines> loops;
  for (const FoldedLine* line : lines) {
    if (line->loops.size() > depth) loops[range(line)].push_back(line);
  }
  for (const FoldedLine* line : lines) {
    if (line->loops.size() == depth)
      out.push_back(fmt::format("{} {}", line->name, TypeOf(line->shape)));
    else if (auto together = loops.extract(range(line)))
      WriteLoop(together.mapped(), depth, out);
  }
}

// Lines of which each is in a loop over the same range at `depth`: one loop, with a branch for each condition.
void SideDrafter::WriteLoop(const Lines& lines, size_t depth, std::vector<std::string>& out) {
  std::map<std::string, Lines> branches;
  for (const FoldedLine* line : lines) branches[line->loops[depth].condition].push_back(line);
  const FoldedLine::Loop& range = lines[0]->loops[depth];
  out.push_back(fmt::format("for {} in {}..{} {{", range.variable, range.from, EndOf(range)));
  for (const FoldedLine* line : lines) {
    const FoldedLine::Loop* loop = &line->loops[depth];
    if (!branches.contains(loop->condition)) continue;  // written
    if (loop->condition.empty()) {
      Write(branches.extract("").mapped(), depth + 1, out);
      continue;
    }
    auto others = branches.find(loop->otherwise);
    // The fewer numbers are the exception, which is read first.
    if (others != branches.end() && others->second[0]->loops[depth].count < loop->count)
      loop = &others->second[0]->loops[depth];
    out.push_back(fmt::format("if {} {{", loop->condition));
    Write(branches.extract(loop->condition).mapped(), depth + 1, out);
    if (auto rest = branches.extract(loop->otherwise)) {
      out.emplace_back("} else {");
      Write(rest.mapped(), depth + 1, out);
    }
    out.emplace_back("}");
  }
  out.emplace_back("}");
}

// The end of a loop over all numbers is the dimension that counts them, if a key says what it is.
std::string SideDrafter::EndOf(const FoldedLine::Loop& loop) const {
  bool whole = loop.from == 0 && taken_.at(loop.variable) == loop.to && IsKnown(loop.variable);
  return whole ? loop.variable : std::to_string(loop.to);
}

bool SideDrafter::IsKnown(const std::string& name) const {
  return std::any_of(equations_.begin(), equations_.end(), [&](const auto& e) { return e.first == name; });
}

// `keys`, and the products of two keys that have a value.
std::string SideDrafter::Guesses(const std::vector<std::string>& keys, int64_t value) const {
  std::vector<std::string> guesses;
  for (const std::string& key : keys) guesses.push_back("config." + key);
  for (size_t i = 0; i < keys_.size(); ++i) {
    for (size_t j = i + 1; j < keys_.size(); ++j) {
      if (keys_[i].depth || keys_[j].depth) continue;
      if (keys_[i].value <= value / keys_[j].value && keys_[i].value * keys_[j].value == value)
        guesses.push_back(fmt::format("config.{} * config.{}", keys_[i].path, keys_[j].path));
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
    if (IsKnown(v.name)) continue;
    std::vector<std::string> keys;
    for (const Key& key : KeysOf(v)) keys.push_back(key.path);
    std::string guesses = Guesses(keys, v.extent);
    if (all)
      lines.push_back(fmt::format("{} = {}{}", v.name, v.extent, guesses.empty() ? "" : "  # " + guesses));
    else if (!guesses.empty())
      lines.push_back(fmt::format("# {} counts {}: {}", v.name, v.extent, guesses));
  }
  for (const auto& [name, extent] : unknown_) {
    std::string guesses = Guesses(AxisKeysOf(extent), extent);
    if (all)
      lines.push_back(fmt::format("{} = {}{}", name, extent, guesses.empty() ? "" : "  # " + guesses));
    else if (!guesses.empty())
      lines.push_back(fmt::format("# {} is {}: {}", name, extent, guesses));
  }
  return lines;
}

}  // namespace aoa::draft
