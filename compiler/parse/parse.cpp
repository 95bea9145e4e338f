#include "compiler/parse/parse.h"

#include "compiler/parse/builder.h"
#include "compiler/parse/error_strategy.h"
#include "compiler/parse/lexer.h"
#include "compiler/parse/source_text.h"
#include "compiler/parse/token_stream.h"

namespace aoa::parse {
namespace {

// A generated parser over tokens. The grammar needs one token of look-ahead, so the cheaper prediction will do.
class Tree {
 public:
  Tree(Tokens& tokens, Reporter& reporter) : stream_(tokens.all), parser_(&stream_) {
    parser_.removeErrorListeners();
    parser_.setBuildParseTree(false);  // labels are all that the builder asks for
    parser_.getInterpreter<antlr4::atn::ParserATNSimulator>()->setPredictionMode(antlr4::atn::PredictionMode::SLL);
    parser_.setErrorHandler(std::make_shared<ErrorStrategy>(tokens, reporter));
  }
  AoaParser& parser() { return parser_; }

 private:
  TokenStream stream_;
  AoaParser parser_;
};

}  // namespace

ast::File Parse(const SourceFile& source, diag::Diagnostics& diagnostics) {
  ast::File file;
  file.source = &source;
  Reporter reporter(source, diagnostics);
  if (source.text().size() > kLongestFile) {
    reporter.Error(diag::Code::kTooDeep, reporter.Range(0, 0), "a rule file of more than 16 MiB");
    return file;
  }
  Tokens tokens = Lexer(reporter, BeginOfText(source), source.text().size()).ReadFile();
  Tree tree(tokens, reporter);
  return Builder(reporter).Build(tree.parser().file());
}

ast::ExprPtr ParseExpression(SourceRange where, diag::Diagnostics& diagnostics) {
  Reporter reporter(*where.file, diagnostics);
  int before = diagnostics.errors();
  Tokens tokens = Lexer(reporter, where.begin, where.end).ReadExpression();
  Tree tree(tokens, reporter);
  ast::ExprPtr out = Builder(reporter).Build(tree.parser().loneExpression());
  return diagnostics.errors() == before ? out : nullptr;
}

}  // namespace aoa::parse
