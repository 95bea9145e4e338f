// Places as editors count them: lines from 0, columns in UTF-16 code units (the protocol's default encoding).
// https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#position
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "compiler/core/source.h"

namespace aoa::lsp {

struct Position {
  int64_t line = 0;
  int64_t character = 0;
  bool operator==(const Position&) const = default;
};

// Of the byte at `offset`. A byte that is no UTF-8 counts as one unit.
Position PositionAt(const SourceFile& source, uint32_t offset);
// The byte at a position: columns past the end of a line are its end, lines past the end of the file are the file's
// end, and the middle of a character is its start.
uint32_t OffsetAt(const SourceFile& source, Position position);

nlohmann::json ToJson(Position position);
nlohmann::json ToJson(const SourceFile& source, uint32_t begin, uint32_t end);  // a range
nlohmann::json ToJson(SourceRange range);

// Throws nlohmann::json::exception if it is none.
Position PositionFrom(const nlohmann::json& value);

// One entry of `contentChanges`: the text after it. A change without a range is the whole text.
std::string ApplyChange(const std::string& text, const nlohmann::json& change);

// "file:///a%20b" as a path, and back; another scheme's URI stands for itself.
std::string PathOf(std::string_view uri);
std::string UriOf(std::string_view path);

}  // namespace aoa::lsp
