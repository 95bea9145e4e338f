// What may be typed at a place.
#pragma once

#include <string>
#include <vector>

#include "compiler/lsp/analysis.h"

namespace aoa::lsp {

struct Completion {
  enum class Kind {
    kKeyword = 14,
    kTensor = 5,
    kDimension = 6,
    kSide = 9,
    kValue = 12,
    kFunction = 3,
    kAttribute = 10
  };
  std::string text;
  Kind kind = Kind::kKeyword;  // numbers of the protocol's CompletionItemKind
  std::string detail;          // a type, or empty
};

struct Completions {
  uint32_t begin = 0;  // of the word that the chosen text replaces; it ends at the cursor
  std::vector<Completion> items;
};

// `analysis` is of a text at most slightly different from `text`, which is what the editor shows; `checkpoint` may be
// null.
Completions CompletionsAt(const Analysis& analysis, const Checkpoint* checkpoint,
                          const std::vector<std::string>& formats, const std::string& text, uint32_t offset);

// The tensor names of a checkpoint as a rule would declare them: `model.layers.0.w` .. `model.layers.31.w` are
// `model.layers.$l.w`. In the order of their first use, each with its shape.
std::vector<Completion> NamesOf(const Schema& schema);

}  // namespace aoa::lsp
