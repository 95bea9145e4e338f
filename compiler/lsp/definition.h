// Where a name is declared.
#pragma once

#include <vector>

#include "compiler/lsp/analysis.h"
#include "compiler/lsp/mentions.h"

namespace aoa::lsp {

// The places that a mention means: the declarations of a tensor, the equation of a dimension, the heads of a side, the
// line of a mesh, the start of an imported file.
std::vector<SourceRange> DefinitionOf(const Analysis& analysis, const Mention& mention);
std::vector<SourceRange> DefinitionAt(const Analysis& analysis, uint32_t offset);

// The declarations of a side that a name as written may mean: of the same spelling, else those that may spell a tensor
// that it spells.
std::vector<const bind::Declaration*> DeclarationsOf(const Analysis& analysis, const std::string& side,
                                                     const ast::Name& name);

// The equation of a dimension: of one of the sides, else of the file. Null if it has none.
const ast::Equation* EquationOf(const Analysis& analysis, const Mention& dimension);

}  // namespace aoa::lsp
