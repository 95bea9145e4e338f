// The rule file of an `aoa_config`: its statements in a map between two sides.
#pragma once

#include <string>
#include <vector>

#include "compiler/draft/aoa_config.h"
#include "compiler/draft/traps.h"

namespace aoa::draft {

// What a checkpoint adds: lines of blocks, without indentation.
struct ImportedSides {
  std::vector<std::string> dims, source, target;
  std::vector<std::string> passed;   // lines of the map for what no statement reads and passes by name
  std::vector<std::string> dropped;  // names of the source that no statement reads, as rules write them
  std::string format = "safetensors";
};

struct ImportedRules {
  // A line of the map that spells a statement: bytes [begin, begin + size) are the statement's, from its `offset` on.
  struct Line {
    size_t statement = 0;
    size_t begin = 0, size = 0;
    bool exact = false;  // spells it byte for byte
  };
  std::string text;  // not formatted
  std::vector<Line> lines;
};

// `origin` is named in the first comment. Statements that are carried out backwards become two-way ones.
ImportedRules WriteRules(const AoaConfig& config, const std::string& origin, const std::vector<Trap>& traps,
                         const ImportedSides& sides);

// The statement that a line at byte `at` of the rules spells, or nothing.
std::optional<size_t> StatementAt(const ImportedRules& rules, size_t at);

// The tree of each statement; null where it has no line, or where its line is no statement of the map.
std::vector<const ast::Statement*> StatementsOf(const AoaConfig& config, const ImportedRules& rules,
                                                const ast::File& file);

// Diagnostics about the text of `rules` (a file with that text), told of the places in the configuration.
diag::Diagnostics AtConfiguration(const diag::Diagnostics& found, const SourceFile& text, const ImportedRules& rules,
                                  const AoaConfig& config);

}  // namespace aoa::draft
