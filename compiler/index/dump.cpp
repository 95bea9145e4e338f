// Where every element of the target comes from: `--emit=index`.
#include <fmt/format.h>

#include "compiler/core/text.h"
#include "compiler/index/index_program.h"

namespace aoa::index {
namespace {

std::string ToString(const ValueStep& step) {
  switch (step.kind) {
    case ValueStep::Kind::kCast:
      return fmt::format("cast {}{}", Name(step.to),
                         step.overflow == Overflow::kError      ? ""
                         : step.overflow == Overflow::kSaturate ? " saturate"
                                                                : " inf");
    case ValueStep::Kind::kAffine:
      return fmt::format("{}{} {}", step.inverse ? "inverse of " : "", step.scale, step.offset);
    case ValueStep::Kind::kNormalize:
      return "normalize";
    case ValueStep::Kind::kMean:
      return "mean";
  }
  return "";
}

}  // namespace

std::string Dump(const bind::Program& program, const IndexProgram& index) {
  const bind::End &from = program.ends.front(), &to = program.ends.back();
  std::string out;
  for (size_t c = 1; c < index.chains.size(); ++c) {
    out += fmt::format("chain {}:", c);
    for (const ValueStep& step : index.chains[c]) out += " " + ToString(step) + ";";
    out.back() = '\n';
  }
  for (size_t r = 0; r < index.relations.size(); ++r) {
    out += fmt::format("relation {}\n", r);
    for (const Piece& piece : index.relations[r]) out += "  " + aoa::ToString(piece) + "\n";
  }
  for (const Target& target : index.targets) {
    std::string slots;
    for (uint32_t s = 0; s < target.slot_count; ++s)
      slots += fmt::format(" {}", Printable(from.NameOf(index.slots[target.first_slot + s])));
    out += fmt::format("{} : {} = relation {} of{}{}\n", Printable(to.NameOf(target.tensor)),
                       Name(to.tensors[target.tensor].dtype), target.relation, slots.empty() ? " nothing" : slots,
                       target.fill_last ? ", padded with the last" : "");
  }
  for (const ScalarTarget& scalar : index.scalars) {
    out += fmt::format("{} = {}\n", Printable(to.NameOf(scalar.tensor)),
                       scalar.computed ? bind::ToString(*scalar.computed) : Printable(from.NameOf(scalar.sources[0])));
  }
  for (const BlockTarget& block : index.blocks)
    out += fmt::format("{} follows {}\n", Printable(to.NameOf(block.tensor)),
                       Printable(to.NameOf(index.targets[block.weight].tensor)));
  for (const Agreement& a : index.agreements)
    out += fmt::format("{} agrees with {} by relation {}\n", Printable(from.NameOf(a.copy)),
                       Printable(from.NameOf(a.original)), a.relation);
  return out;
}

}  // namespace aoa::index
