// The matched pieces of every statement: `--emit=map`.
#include <fmt/format.h>

#include "compiler/prove/prove.h"

namespace aoa::prove {
namespace {

std::string Side(const MatchedPiece& piece, bool out) {
  uint32_t operand = out ? piece.out : piece.in;
  if (operand == MatchedPiece::kBlank) return "_";
  std::string text = fmt::format("{}[{}", operand + 1, out ? piece.out_base : piece.in_base);
  for (const MatchedVariable& v : piece.variables) {
    bool stacked = out ? v.stacked_out : v.stacked_in;
    text += stacked ? fmt::format(" #{}", v.name) : fmt::format(" + {}*{}", out ? v.out : v.in, v.name);
  }
  return text + "]";
}

}  // namespace

std::string Dump(const bind::Program& program, const Mapping& mapping) {
  std::string out;
  for (size_t leg = 0; leg < program.legs.size(); ++leg) {
    out += fmt::format("{} -> {}\n", program.ends[leg].side->name, program.ends[leg + 1].side->name);
    const std::vector<bind::Rule>& rules = program.legs[leg].rules;
    for (size_t r = 0; r < rules.size(); ++r) {
      if (r >= mapping.views[leg].size() || mapping.views[leg][r].empty()) continue;
      if (rules[r].where)
        out += fmt::format("  {}:{}\n", rules[r].where.file->path(),
                           rules[r].where.file->PositionOf(rules[r].where.begin).line);
      else
        out += "  identity\n";
      for (const MatchedView& view : mapping.views[leg][r]) {
        for (const MatchedPiece& piece : view) {
          std::string extents;
          for (const MatchedVariable& v : piece.variables)
            extents += fmt::format("{}{}={}", extents.empty() ? "" : " ", v.name, v.extent);
          out += fmt::format("    {} -> {}  ({})\n", Side(piece, false), Side(piece, true), extents);
        }
      }
    }
  }
  return out;
}

}  // namespace aoa::prove
