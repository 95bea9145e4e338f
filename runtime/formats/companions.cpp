#include "runtime/formats/companions.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;

// What from_pretrained of transformers opens besides weights, and the licence. Left behind on purpose: README.md (it
// describes the repository that it lies in, with its sizes and formats), .gitattributes, training state (optimizer.pt,
// trainer_state.json, training_args.bin), and adapters, which are tensors.
constexpr std::array<std::string_view, 19> kNames = {
    // the classes and their dimensions, and how text is generated
    "config.json", "generation_config.json",
    // tokenizers: the fast one, then what the slow ones read
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "vocab.txt", "merges.txt", "bpe.codes", "normalizer.json", "tekken.json",
    // templates from before they were .jinja
    "chat_template.json",
    // images, audio, video
    "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json",
    "audio_tokenizer_config.json",
    // terms that hold for every copy of the weights
    "LICENSE", "NOTICE"};

constexpr std::array<std::string_view, 4> kEndings = {
    ".jinja",     // chat templates
    ".py",        // the classes of models that bring their own code (auto_map); copied, never run
    ".model",     // sentencepiece: tokenizer.model, spiece.model, ice_text.model
    ".tiktoken",  // ranks of byte pairs
};
constexpr std::array<std::string_view, 2> kBeginnings = {"LICENSE.", "USE_POLICY"};

constexpr const char* kMoreTemplates = "additional_chat_templates";

bool IsCompanion(std::string_view name) {
  auto ends = [&](std::string_view ending) { return name.ends_with(ending); };
  auto begins = [&](std::string_view beginning) { return name.starts_with(beginning); };
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() ||
         std::any_of(kEndings.begin(), kEndings.end(), ends) ||
         std::any_of(kBeginnings.begin(), kBeginnings.end(), begins);
}

// Model caches hold symlinks to the files: they count as what they point to.
bool IsFile(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

}  // namespace

std::vector<std::string> ModelCompanions(const std::string& path) {
  std::vector<std::string> found;
  auto add = [&](const fs::path& below, auto belongs) {
    auto names = io::ListFolder(fs::path(path) / below);
    if (!names.ok()) return;
    for (const std::string& name : *names) {
      if (belongs(name) && IsFile(fs::path(path) / below / name)) found.push_back((below / name).native());
    }
  };
  add("", IsCompanion);
  add(kMoreTemplates, [](std::string_view name) { return name.ends_with(".jinja"); });
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace aoa::formats
