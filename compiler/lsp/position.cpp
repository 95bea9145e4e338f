#include "compiler/lsp/position.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/core/text.h"

namespace aoa::lsp {
namespace {

constexpr std::string_view kFileScheme = "file://";

// Bytes of the character at the start of `text`, and its UTF-16 units: two beyond the basic plane.
struct Character {
  size_t bytes = 1;
  int64_t units = 1;
};
Character CharacterAt(std::string_view text) {
  size_t bytes = std::max<size_t>(Utf8Length(text), 1);
  return {bytes, bytes == 4 ? 2 : 1};
}

}  // namespace

Position PositionAt(const SourceFile& source, uint32_t offset) {
  offset = std::min<uint32_t>(offset, static_cast<uint32_t>(source.text().size()));
  int line = source.PositionOf(offset).line;
  std::string_view rest = std::string_view(source.text()).substr(source.LineStart(line));
  size_t left = offset - source.LineStart(line);
  Position position{line - 1, 0};
  while (left > 0) {
    Character c = CharacterAt(rest);
    if (c.bytes > left) break;
    position.character += c.units;
    rest.remove_prefix(c.bytes);
    left -= c.bytes;
  }
  return position;
}

uint32_t OffsetAt(const SourceFile& source, Position position) {
  if (position.line < 0) return 0;
  uint32_t size = static_cast<uint32_t>(source.text().size());
  int last = source.PositionOf(size).line;
  if (position.line >= last) return size;
  int line = static_cast<int>(position.line) + 1;
  std::string_view rest = source.Line(line);
  uint32_t offset = source.LineStart(line);
  int64_t left = position.character;
  while (!rest.empty() && left > 0) {
    Character c = CharacterAt(rest);
    if (c.units > left) break;
    left -= c.units;
    offset += static_cast<uint32_t>(c.bytes);
    rest.remove_prefix(c.bytes);
  }
  return offset;
}

nlohmann::json ToJson(Position position) { return {{"line", position.line}, {"character", position.character}}; }

nlohmann::json ToJson(const SourceFile& source, uint32_t begin, uint32_t end) {
  return {{"start", ToJson(PositionAt(source, begin))}, {"end", ToJson(PositionAt(source, end))}};
}

nlohmann::json ToJson(SourceRange range) { return ToJson(*range.file, range.begin, range.end); }

Position PositionFrom(const nlohmann::json& value) {
  return {value.at("line").get<int64_t>(), value.at("character").get<int64_t>()};
}

std::string ApplyChange(const std::string& text, const nlohmann::json& change) {
  const std::string& inserted = change.at("text").get_ref<const std::string&>();
  auto range = change.find("range");
  if (range == change.end() || range->is_null()) return inserted;
  SourceFile source("", text);
  uint32_t begin = OffsetAt(source, PositionFrom(range->at("start")));
  uint32_t end = std::max(begin, OffsetAt(source, PositionFrom(range->at("end"))));
  return text.substr(0, begin) + inserted + text.substr(end);
}

std::string PathOf(std::string_view uri) {
  if (!uri.starts_with(kFileScheme)) return std::string(uri);
  std::string_view encoded = uri.substr(kFileScheme.size());
  encoded.remove_prefix(std::min(encoded.find('/'), encoded.size()));  // an authority: this machine
  std::string path;
  for (size_t i = 0; i < encoded.size(); ++i) {
    unsigned byte = 0;
    const char* digits = encoded.data() + i + 1;
    if (encoded[i] == '%' && i + 2 < encoded.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      path += static_cast<char>(byte);
      i += 2;
    } else {
      path += encoded[i];
    }
  }
  return path;
}

std::string UriOf(std::string_view path) {
  if (!path.starts_with("/")) return std::string(path);
  std::string uri(kFileScheme);
  for (char c : path) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 std::string_view("-._~/").find(c) != std::string_view::npos;
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

}  // namespace aoa::lsp
