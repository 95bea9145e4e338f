// What golden files cannot reach: places of nodes, expressions alone, budgets.
#include "compiler/parse/parse.h"

#include <gtest/gtest.h>

#include "compiler/diag/diagnostic.h"

namespace aoa::parse {
namespace {

struct Parsed {
  explicit Parsed(std::string text) : source("test.aoa", std::move(text)), file(Parse(source, diagnostics)) {}
  SourceFile source;
  diag::Diagnostics diagnostics;
  ast::File file;
};

const ast::Side& SideOf(const Parsed& parsed, size_t item) { return std::get<ast::Side>(parsed.file.items.at(item)); }

TEST(ParseTest, RangesAreTheTextOfTheirNodes) {
  Parsed parsed("\xEF\xBB\xBFside a {\r\n  \"\xC3\xA9\" [(n@tp d) h] : bf16 optional  # c\r\n}\r\n");
  ASSERT_FALSE(parsed.diagnostics.HasErrors());
  const ast::Side& side = SideOf(parsed, 0);
  EXPECT_EQ(side.where.text(), "side a");
  const auto& tensor = std::get<ast::Declaration>(side.items.at(0).item);
  EXPECT_EQ(tensor.where.text(), "\"\xC3\xA9\" [(n@tp d) h] : bf16 optional");
  EXPECT_EQ(tensor.name.text, "\xC3\xA9");
  EXPECT_EQ(tensor.type->where.text(), "[(n@tp d) h]");
  EXPECT_EQ(tensor.type->axes[0].where.text(), "(n@tp d)");
  EXPECT_EQ(tensor.type->axes[0].parts[0].cut->where.text(), "tp");
  EXPECT_EQ(tensor.dtype_where->text(), "bf16");
  EXPECT_EQ(parsed.source.PositionOf(tensor.dtype_where->begin).line, 2);
}

TEST(ParseTest, StatementsHaveTheRangesOfTheirParts) {
  Parsed parsed("map a <-> b {\n  q^T,\n    k[0:2] -> f : f32, axis=-1\n}\n");
  ASSERT_FALSE(parsed.diagnostics.HasErrors());
  const auto& map = std::get<ast::Map>(parsed.file.items.at(0));
  EXPECT_EQ(map.where.text(), "map a <-> b");
  const auto& statement = std::get<ast::Statement>(map.items.at(0).item);
  EXPECT_EQ(statement.where.text(), "q^T,\n    k[0:2] -> f : f32, axis=-1");
  EXPECT_EQ(statement.left.at(0).transposed_where.text(), "^T");
  EXPECT_EQ(statement.left.at(1).slice_where.text(), "[0:2]");
  EXPECT_EQ(statement.right.at(0).where.text(), "f : f32");
  EXPECT_EQ(statement.attributes.at(0).where.text(), "axis=-1");
  EXPECT_EQ(statement.attributes.at(0).value_where.text(), "-1");
  EXPECT_EQ(statement.attributes.at(0).integer, -1);
}

TEST(ParseTest, MistakesLeaveTheRest) {
  Parsed parsed("side a {\n  w [x; y]\n  v [x]\n}\nsied b {\n  u [x]\n}\n");
  EXPECT_EQ(parsed.diagnostics.errors(), 2);
  ASSERT_EQ(parsed.file.items.size(), 2u);
  EXPECT_EQ(SideOf(parsed, 0).items.size(), 2u);
  EXPECT_EQ(SideOf(parsed, 1).name.text, "b");
  EXPECT_EQ(parsed.file.source, &parsed.source);
}

TEST(ParseTest, AnExpressionAloneHasItsPlaceInTheFile) {
  SourceFile source("test.aoa", "side a {\n  ${=l + 3*k}.w [h]\n}\n");
  uint32_t begin = static_cast<uint32_t>(source.text().find('=')) + 1;
  diag::Diagnostics diagnostics;
  ast::ExprPtr sum = ParseExpression({&source, begin, begin + 7}, diagnostics);
  ASSERT_TRUE(sum);
  EXPECT_FALSE(diagnostics.HasErrors());
  EXPECT_EQ(sum->text, "+");
  EXPECT_EQ(sum->args[1]->where.text(), "3*k");
}

TEST(ParseTest, AnExpressionWithAMistakeIsNull) {
  SourceFile source("test.aoa", "${=l +} ${=} ${=(l} ${=l k} ${=a else}");
  for (auto [begin, end] : {std::pair{3u, 6u}, {11u, 11u}, {16u, 18u}, {23u, 26u}, {31u, 37u}}) {
    diag::Diagnostics diagnostics;
    EXPECT_FALSE(ParseExpression({&source, begin, end}, diagnostics)) << begin;
    EXPECT_EQ(diagnostics.errors(), 1) << begin;
  }
}

TEST(ParseTest, SixteenMebibytesAreTheMost) {
  std::string longest = "side a { } # ";
  longest.resize(16 << 20, '#');
  EXPECT_EQ(Parsed(longest).diagnostics.errors(), 0);
  Parsed longer(longest + "#");
  EXPECT_EQ(longer.diagnostics.errors(), 1);
  EXPECT_EQ(longer.diagnostics.all()[0].code, diag::Code::kTooDeep);
}

// Each of these once took time or stack in the square, or worse, of its length.
TEST(ParseTest, HostileTextEnds) {
  auto repeat = [](std::string_view text, size_t count) {
    std::string out;
    for (size_t i = 0; i < count; ++i) out += text;
    return out;
  };
  constexpr size_t kMany = 30'000;
  for (std::string_view piece : {"{a", "{a,", "${", "}", ")", "[", "'", "\"", "(", "a ", "a,", "->", "if a {\n",
                                 "w [x\n", "[(\n", "\n", "#\n", "for ", "x.{a b}"}) {
    Parsed("side a {\n" + repeat(piece, kMany));
    Parsed("map a <-> b {\n x -> y" + repeat(piece, kMany));
    Parsed("dims {\n a = " + repeat(piece, kMany));
    Parsed(repeat(piece, kMany));
  }
  for (std::string_view piece : {"-", "not ", "x+", "x else ", "x*"}) {
    EXPECT_EQ(Parsed("dims {\n a = " + repeat(piece, kMany) + "x\n}\n").diagnostics.errors(), 1) << piece;
  }
  EXPECT_EQ(
      Parsed("map a <-> b {\n if a { x -> y }" + repeat(" else if a { x -> y }", kMany) + "\n}\n").diagnostics.errors(),
      1);
}

TEST(ParseTest, ErrorsAreBounded) {
  std::string text = "map a <-> b {\n";
  for (int i = 0; i < 5000; ++i) text += "  x y\n";
  Parsed parsed(text + "}\n");
  EXPECT_EQ(parsed.diagnostics.errors(), 1000);
}

}  // namespace
}  // namespace aoa::parse
