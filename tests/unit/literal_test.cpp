#include "compiler/draft/literal.h"

#include <gtest/gtest.h>

#include "compiler/draft/aoa_config.h"
#include "compiler/draft/yaml.h"

namespace aoa::draft {
namespace {

Value Read(const SourceFile& source) {
  diag::Diagnostics diagnostics;
  auto value = ReadLiteral(source, diagnostics);
  EXPECT_TRUE(value && !diagnostics.HasErrors()) << source.text();
  return value.value_or(Value());
}

std::string Mistake(const std::string& text) {
  SourceFile source("a.py", text);
  diag::Diagnostics diagnostics;
  EXPECT_FALSE(ReadLiteral(source, diagnostics)) << text;
  return diagnostics.all().empty() ? "" : diagnostics.all()[0].message;
}

TEST(Literal, ReadsTextsAsPythonDoes) {
  SourceFile source("a.py", R"(['a' "b", r"\n", "\x41\u00e9\n\q", """two
lines""", "\ud83d\ude00"])");
  Value value = Read(source);
  ASSERT_EQ(value.items.size(), 5u);
  EXPECT_EQ(value.items[0].text, "ab");
  EXPECT_EQ(value.items[0].joints, std::vector<size_t>{1});
  EXPECT_EQ(value.items[1].text, "\\n");
  EXPECT_EQ(value.items[2].text, "A\u00e9\n\\q");
  EXPECT_EQ(value.items[3].text, "two\nlines");
  EXPECT_EQ(value.items[4].text, "\U0001F600");
  EXPECT_EQ(value.items[0].where.text(), "'a' \"b\"");
}

TEST(Literal, ReadsValuesWithWhatStandsAroundThem) {
  for (const char* text : {"x = {'a': [1, -2.5e-3, (True), (None,)],}", "x: dict = {'a': [1, 2, true, [null]]};",
                           "return {'a': [1] + [2, False, ()]}", "\xEF\xBB\xBF# c\n'x': {'a': [1, 2, 3, [4]]},"}) {
    SourceFile source("a.py", text);
    Value value = Read(source);
    ASSERT_TRUE(value.Find("a")) << text;
    EXPECT_EQ(value.Find("a")->items.size(), 4u) << text;
  }
}

TEST(Literal, SaysWhatItDoesNotCarryOut) {
  EXPECT_EQ(Mistake("[f'{x}']"), "a format string, whose fields only a program knows");
  EXPECT_EQ(Mistake("['a' for x in y]"), "a comprehension is not carried out here");
  EXPECT_EQ(Mistake("['a' if x else 'b']"), "a conditional value is not carried out here");
  EXPECT_EQ(Mistake("[a.b()]"), "`a.b` is a name of a program, and no value");
  EXPECT_EQ(Mistake("{'a'}"), "a key without a value");
  EXPECT_EQ(Mistake("['a' + 1]"), "`+` between values that do not join");
  EXPECT_EQ(Mistake("['a'"), "`[` is never closed");
  EXPECT_EQ(Mistake("['a\n']"), "a quote is never closed");
  EXPECT_EQ(Mistake(""), "the text ends where a value is expected");
  EXPECT_EQ(Mistake(std::string(100, '[')), "values inside each other, deeper than 64");
}

TEST(Statements, EndWhereTheEngineEndsThem) {
  auto split = [](const std::string& text) {
    std::vector<std::string> parts;
    for (auto [begin, end] : SplitStatements(text)) parts.push_back(text.substr(begin, end - begin));
    return parts;
  };
  using Parts = std::vector<std::string>;
  EXPECT_EQ(split("a -> c, axis=0b -> d"), (Parts{"a -> c, axis=0", "b -> d"}));
  EXPECT_EQ(split("a, b -> c, axis=1 d^T -> e, permute='[0,1]'f[0:2] -> g, fused_ffn"),
            (Parts{"a, b -> c, axis=1", "d^T -> e, permute='[0,1]'", "f[0:2] -> g, fused_ffn"}));
  EXPECT_EQ(split("a -> b"), Parts{"a -> b"});
  EXPECT_EQ(split("a -> bc -> d"), Parts{"a -> bc -> d"});  // the engine refuses it
  EXPECT_EQ(split("a -> b # c -> d"), Parts{"a -> b # c -> d"});
}

TEST(Yaml, ReadsWhatALiteralSaysToo) {
  SourceFile source("a.yaml", "x: {aoa_statements: ['a -> b', c -> d], aoa_config_reverse: true, n: ~, q: 'true'}\n");
  diag::Diagnostics diagnostics;
  auto value = ReadYaml(source, diagnostics);
  ASSERT_TRUE(value);
  auto config = ReadAoaConfig(*value, diagnostics);
  ASSERT_TRUE(config);
  ASSERT_EQ(config->statements.size(), 2u);
  EXPECT_EQ(config->statements[1].text, "c -> d");
  EXPECT_EQ(config->statements[1].where.text(), "c -> d");
  EXPECT_TRUE(config->reverse);
  EXPECT_EQ(value->Find("x")->Find("q")->kind, Value::Kind::kText);
  EXPECT_EQ(value->Find("x")->Find("n")->kind, Value::Kind::kNull);
}

}  // namespace
}  // namespace aoa::draft
