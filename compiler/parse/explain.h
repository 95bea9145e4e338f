// The words for what the parser could not read.
#pragma once

#include "compiler/parse/antlr.h"
#include "compiler/parse/reporter.h"

namespace aoa::parse {

// Reports the current token of the parser, which fits nowhere in the rule that it is in.
void Explain(antlr4::Parser& parser, Reporter& reporter);

}  // namespace aoa::parse
