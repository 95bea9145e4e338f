// The laws of a lowered program, checked from the types alone.
#include <fmt/format.h>

#include "compiler/core/coverage.h"
#include "compiler/index/index_program.h"

namespace aoa::index {
namespace {

using bind::End;
using bind::Tensor;
using bind::TensorId;

class Verifier {
 public:
  Verifier(const bind::Program& program, const IndexProgram& index) : program_(program), index_(index) {}

  std::string Run() const {
    for (const Target& target : index_.targets) {
      std::string broken = Check(target);
      if (!broken.empty()) return program_.ends.back().NameOf(target.tensor) + ": " + broken;
    }
    return "";
  }

 private:
  std::string Check(const Target& target) const {
    if (target.relation >= index_.relations.size()) return "it has no relation";
    if (target.first_slot + target.slot_count > index_.slots.size()) return "slots are missing";
    const Relation& relation = index_.relations[target.relation];
    Coverage have;
    for (const Piece& piece : relation) {
      std::vector<FormDigit> digits;
      for (const Digit& digit : piece.digits) digits.push_back({digit.extent, digit.out});
      have.Add(piece.out_base, std::move(digits));
    }
    if (std::string broken = have.CheckSame(RealElements(target.tensor)); !broken.empty()) return broken;
    for (const Piece& piece : relation) {
      if (std::string broken = CheckSource(target, piece); !broken.empty()) return broken;
    }
    return "";
  }

  // The element numbers of a target that are no padding.
  Coverage RealElements(TensorId id) const {
    const End& end = program_.ends.back();
    Coverage real;
    for (const TypePiece& piece : Pieces(end.types[end.tensors[id].type])) {
      std::vector<FormDigit> digits;
      for (const PieceVariable& v : piece.variables) digits.push_back({v.extent, v.stride});
      real.Add(piece.base, std::move(digits));
    }
    return real;
  }

  std::string CheckSource(const Target& target, const Piece& piece) const {
    if (ElementCount(piece) == 0) return "";
    if (piece.chain >= index_.chains.size()) return fmt::format("there is no chain {}", piece.chain);
    if (piece.source == Piece::kConstant) {
      bool known = piece.in_base >= 0 && static_cast<size_t>(piece.in_base) < index_.constants.size();
      return known ? "" : fmt::format("there is no constant {}", piece.in_base);
    }
    if (piece.source >= target.slot_count) return fmt::format("there is no slot {}", piece.source);
    const End& from = program_.ends.front();
    const Tensor& source = from.tensors[index_.slots[target.first_slot + piece.source]];
    const Tensor& typed = source.role < 0 ? source : from.tensors[source.weight];
    int64_t count = ElementCount(from.types[typed.type]);
    Span span = InSpan(piece);
    if (span.first >= 0 && span.last < count) return "";
    return fmt::format("elements {} to {} of a source of {}", span.first, span.last, count);
  }

  const bind::Program& program_;
  const IndexProgram& index_;
};

}  // namespace

std::string Verify(const bind::Program& program, const IndexProgram& index) { return Verifier(program, index).Run(); }

}  // namespace aoa::index
