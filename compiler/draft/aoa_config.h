// An `aoa_config`: the dictionary with which PaddlePaddle programs say how the tensors of two models correspond.
//
//     {"aoa_statements": ["a^T -> b", "q, k -> c, axis=1"], "aoa_config_reverse": False}
//
// The engine reads each text of the list as one statement, or as several: a line end separates them, and so does the
// end of a statement's last attribute. Where a comma between two texts is forgotten, Python joins them, and the engine
// takes them apart again if it can; what it does, we do, and say so.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/diag/diagnostic.h"
#include "compiler/draft/value.h"

namespace aoa::draft {

struct ConfigStatement {
  std::string text;
  SourceRange where;   // of the text that holds it
  bool exact = false;  // `where` spells `text` byte for byte
  bool glued = false;  // follows another one without a separator
  // How the rules say it, where `text` would mean something else there; empty: not at all. `remark` says why.
  std::optional<std::string> written;
  std::string remark;

  const std::string& AsWritten() const { return written ? *written : text; }
};

struct AoaConfig {
  std::vector<ConfigStatement> statements;
  // The statements say how to come from the right to the left: they are carried out backwards.
  bool reverse = false;
};

// Finds the configuration in a value: a dictionary with `aoa_statements` at any depth, or a list of statements alone.
std::optional<AoaConfig> ReadAoaConfig(const Value& value, diag::Diagnostics& diagnostics);

// The statements of a line, as the engine's parser tells them apart: [begin, end) of each. One, if it is no
// sequence of statements.
std::vector<std::pair<size_t, size_t>> SplitStatements(std::string_view text);

}  // namespace aoa::draft
