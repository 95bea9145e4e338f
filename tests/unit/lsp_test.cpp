// The language service by itself: places, changes, headers of messages, where a cursor stands.
#include <gtest/gtest.h>

#include "compiler/lsp/completion.h"
#include "compiler/lsp/context.h"
#include "compiler/lsp/definition.h"
#include "compiler/lsp/format_edit.h"
#include "compiler/lsp/framing.h"
#include "compiler/lsp/position.h"
#include "compiler/lsp/server.h"

namespace aoa::lsp {
namespace {

using nlohmann::json;
using Block = CursorContext::Block;

TEST(Position, CountsUtf16Units) {
  SourceFile source("", "a\xC3\xA9\xF0\x9F\x98\x80z\r\nb");  // a, e acute, a face of two units, z
  EXPECT_EQ(PositionAt(source, 1), (Position{0, 1}));
  EXPECT_EQ(PositionAt(source, 3), (Position{0, 2}));
  EXPECT_EQ(PositionAt(source, 7), (Position{0, 4}));
  EXPECT_EQ(PositionAt(source, 10), (Position{1, 0}));
  EXPECT_EQ(PositionAt(source, 99), (Position{1, 1}));
  for (uint32_t offset : {0u, 1u, 3u, 7u, 8u, 10u, 11u})
    EXPECT_EQ(OffsetAt(source, PositionAt(source, offset)), offset);
}

TEST(Position, TakesAnyPlace) {
  SourceFile source("", "a\xF0\x9F\x98\x80\n\xFFz");
  EXPECT_EQ(OffsetAt(source, {0, 2}), 1u);    // the middle of the face
  EXPECT_EQ(OffsetAt(source, {0, 100}), 5u);  // the end of the line, before its line end
  EXPECT_EQ(OffsetAt(source, {1, 1}), 7u);    // a byte that is no UTF-8 is one unit
  EXPECT_EQ(OffsetAt(source, {9, 0}), 8u);
  EXPECT_EQ(OffsetAt(source, {-1, -1}), 0u);
  EXPECT_EQ(OffsetAt(SourceFile("", ""), {0, 0}), 0u);
}

TEST(Position, AppliesChanges) {
  json range = {{"start", {{"line", 0}, {"character", 1}}}, {"end", {{"line", 1}, {"character", 1}}}};
  EXPECT_EQ(ApplyChange("ab\ncd", {{"range", range}, {"text", "X"}}), "aXd");
  EXPECT_EQ(ApplyChange("ab\ncd", {{"text", "new"}}), "new");
  std::swap(range["start"], range["end"]);  // the wrong way round: nothing is taken away
  EXPECT_EQ(ApplyChange("ab\ncd", {{"range", range}, {"text", "X"}}), "ab\ncXd");
  EXPECT_THROW(ApplyChange("", {{"text", 3}}), json::exception);
}

TEST(Position, Uris) {
  EXPECT_EQ(PathOf("file:///a%20b/%C3%A9.aoa"), "/a b/\xC3\xA9.aoa");
  EXPECT_EQ(PathOf("file://localhost/a"), "/a");
  EXPECT_EQ(PathOf("file:///a%2"), "/a%2");
  EXPECT_EQ(PathOf("untitled:Untitled-1"), "untitled:Untitled-1");
  EXPECT_EQ(UriOf("/a b/\xC3\xA9.aoa"), "file:///a%20b/%C3%A9.aoa");
}

TEST(Framing, ReadsWhatComesInPieces) {
  FrameReader reader;
  std::string bytes = Framed("{}") + Framed("") + Framed("[1]");
  std::vector<std::string> bodies;
  for (char byte : bytes) {
    reader.Feed(std::string_view(&byte, 1));
    while (auto frame = reader.Next()) bodies.push_back(frame->problem + frame->body);
  }
  EXPECT_EQ(bodies, (std::vector<std::string>{"{}", "", "[1]"}));
  EXPECT_FALSE(reader.Inside());
}

TEST(Framing, GoesOnBehindWhatIsWrong) {
  FrameReader reader;
  reader.Feed("Content-Length: 1e3\r\n\r\n" + Framed("a"));
  EXPECT_EQ(reader.Next()->problem, "Content-Length is no number");
  EXPECT_EQ(reader.Next()->body, "a");
  reader.Feed("Content-Length: 99999999999\r\n\r\nabc");
  EXPECT_NE(reader.Next()->problem, "");
  reader.Feed("more of it");
  EXPECT_EQ(reader.Next(), std::nullopt);  // it is passed by without being kept
}

TEST(Framing, BoundsHeaders) {
  FrameReader reader;
  reader.Feed(std::string(10000, 'x'));
  EXPECT_NE(reader.Next()->problem, "");
  EXPECT_NE(reader.Next()->problem, "");
  EXPECT_FALSE(reader.Next().has_value());
}

CursorContext At(const std::string& text) { return ContextAt(text, static_cast<uint32_t>(text.size())); }

TEST(Context, KnowsBlockAndLine) {
  EXPECT_EQ(At("").block, Block::kFile);
  EXPECT_EQ(At("dims {\n  h = con").block, Block::kDims);
  CursorContext side = At("side a { }\nside hf {\n  if config.x {\n    w [h] opt");
  EXPECT_EQ(side.block, Block::kSide);
  EXPECT_EQ(side.side, "hf");
  EXPECT_EQ(side.typed, "opt");
  EXPECT_EQ(side.line, (std::vector<std::string>{"w", "[", "h", "]"}));
  CursorContext map = At("map a <-> b {\n  x <-> model.la");
  EXPECT_EQ(map.left + map.right, "ab");
  EXPECT_TRUE(map.HasArrow());
  EXPECT_EQ(map.typed, "model.la");
  EXPECT_TRUE(At("map a <-> b {\n  x <->\n  y").HasArrow());  // the line goes on
  EXPECT_FALSE(At("map a <-> b {\n  x <-> y\n  ").HasArrow());
  EXPECT_EQ(At("side a {\n}\n").block, Block::kFile);
}

TEST(Context, KnowsTypesAndComments) {
  EXPECT_TRUE(At("side a {\n  w [h (n ").in_type);
  EXPECT_FALSE(At("side a {\n  w [h] ").in_type);
  EXPECT_TRUE(At("side a {\n  # w ").in_comment);
  EXPECT_FALSE(At("side a {\n  \"#\" ").in_comment);
}

TEST(Completion, FoldsNumbersThatRepeat) {
  Schema schema;
  schema.shapes.push_back({4, 2});
  schema.tables.emplace_back();
  for (const char* name : {"h.0.w", "h.1.w", "h.0.e.0.x", "h.0.e.1.x", "head.0.b", "w1.weight"}) {
    StoredTensor tensor;
    tensor.name = schema.names.Intern(name);
    schema.tables[0].push_back(tensor);
  }
  std::vector<std::string> names;
  for (const Completion& c : NamesOf(schema)) names.push_back(c.text);
  EXPECT_EQ(names, (std::vector<std::string>{"h.$l.w", "h.$l.e.$e.x", "head.0.b", "w1.weight"}));
}

TEST(FormatEdit, TouchesTheLinesThatChange) {
  std::string text = "dims {\n  a = 1\n    b = 2\n  c = 3\n}\n";
  json edits = FormatEdits(SourceFile("", text));
  ASSERT_EQ(edits.size(), 1u);
  EXPECT_EQ(edits[0]["newText"], "  b = 2\n");
  EXPECT_EQ(ApplyChange(text, {{"range", edits[0]["range"]}, {"text", edits[0]["newText"]}}),
            "dims {\n  a = 1\n  b = 2\n  c = 3\n}\n");
  EXPECT_EQ(FormatEdits(SourceFile("", "dims {\n  a = 1\n}\n")), json::array());
  EXPECT_TRUE(FormatEdits(SourceFile("", "dims {")).is_null());
}

TEST(Definition, PrefersTheLoopAndTheSide) {
  std::string text =
      "dims {\n  k = 1\n}\nside a {\n  format hf\n  dims {\n    k = 2\n  }\n  for i in 0..3 {\n    w.$i  [k]\n  }\n}\n";
  auto load = [](const std::string&, std::string&) { return std::optional<std::string>(); };
  auto analysis = Analyse("a.aoa", text, load, {"hf"});
  auto place = [&](const std::string& words, uint32_t inside) {
    auto found = DefinitionAt(*analysis, static_cast<uint32_t>(text.find(words)) + inside);
    return found.size() == 1 ? found[0].begin : 0;
  };
  EXPECT_EQ(place("[k]", 1), text.find("k = 2"));
  EXPECT_EQ(place("$i", 1), text.find("i in"));
}

}  // namespace
}  // namespace aoa::lsp
