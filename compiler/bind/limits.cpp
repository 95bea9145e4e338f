#include "compiler/bind/limits.h"

#include <fmt/format.h>

#include <algorithm>

namespace aoa::bind {
namespace {

using diag::Code;

constexpr uint64_t kMostPieces = 100'000;     // of one type
constexpr uint64_t kMostFactors = 1'000'000;  // of all pieces of one type together
constexpr uint64_t kBeyond = uint64_t{1} << 40;

// What distributing the products of an axis over its sums gives: the number of pieces, and of the factors in all of
// them.
struct Size {
  uint64_t pieces = 1, factors = 0;
};

Size Clamped(uint64_t pieces, uint64_t factors) { return {std::min(pieces, kBeyond), std::min(factors, kBeyond)}; }

uint64_t Times(uint64_t a, uint64_t b) { return b != 0 && a > kBeyond / b ? kBeyond : a * b; }

// Side by side: every piece of one with every piece of the other.
Size Product(Size a, Size b) {
  return Clamped(Times(a.pieces, b.pieces), Times(a.factors, b.pieces) + Times(b.factors, a.pieces));
}

Size Sum(Size a, Size b) { return Clamped(a.pieces + b.pieces, a.factors + b.factors); }

// Counts the types of one side, whose own dimensions hide those of the file.
class Counter {
 public:
  Counter(const Unit& unit, const Side& side, diag::Diagnostics& diagnostics)
      : unit_(unit), side_(side), diagnostics_(diagnostics) {}

  bool Check(const ast::Type& type) {
    for (const std::vector<ast::Axis>* axes : {&type.axes, type.stored ? &*type.stored : nullptr}) {
      if (!axes) continue;
      Size size;
      for (const ast::Axis& axis : *axes) size = Product(size, SizeOf(axis));
      if (cycle_) return false;
      if (size.pieces <= kMostPieces && size.factors <= kMostFactors) continue;
      diagnostics_
          .Error(Code::kTooDeep, type.where,
                 fmt::format("a type of more than {}", size.pieces > kMostPieces
                                                           ? fmt::format("{} pieces", kMostPieces)
                                                           : fmt::format("{} factors", kMostFactors)))
          .Note(
              "every sum multiplies the pieces of a type by its summands, and every alias counts as what it stands "
              "for");
      return false;
    }
    return true;
  }

 private:
  Size SizeOf(const ast::Axis& axis) {
    switch (axis.kind) {
      case ast::Axis::Kind::kVar:
        return SizeOfName(axis);
      case ast::Axis::Kind::kOne:
        return {1, 0};
      case ast::Axis::Kind::kAny:
      case ast::Axis::Kind::kLiteral:
        return {1, 1};
      case ast::Axis::Kind::kPad:
        return SizeOf(axis.parts.at(0));
      case ast::Axis::Kind::kSum: {
        Size size{0, 0};
        for (const ast::Axis& part : axis.parts) size = Sum(size, SizeOf(part));
        return size;
      }
      case ast::Axis::Kind::kProduct: {
        Size size;
        for (const ast::Axis& part : axis.parts) size = Product(size, SizeOf(part));
        return size;
      }
    }
    return {};
  }

  Size SizeOfName(const ast::Axis& axis) {
    const std::string& name = axis.name.text;
    const auto& dims = side_.dims.contains(name) ? side_.dims : unit_.dims;
    auto equation = dims.find(name);
    if (equation == dims.end() || !equation->second->axis) return {1, 1};
    auto known = aliases_.find(name);
    if (known != aliases_.end() && known->second) return *known->second;
    if (known != aliases_.end()) {
      diagnostics_.Error(Code::kCycle, equation->second->where, fmt::format("the axis `{}` stands for itself", name))
          .Also(axis.where, "by way of this");
      cycle_ = true;
      return {};
    }
    aliases_[name] = std::nullopt;
    Size size = SizeOf(*equation->second->axis);
    aliases_[name] = size;
    return size;
  }

  const Unit& unit_;
  const Side& side_;
  diag::Diagnostics& diagnostics_;
  std::map<std::string, std::optional<Size>> aliases_;  // nothing: being counted
  bool cycle_ = false;
};

}  // namespace

bool CheckLimits(const Unit& unit, diag::Diagnostics& diagnostics) {
  bool ok = true;
  for (const auto& [name, side] : unit.sides) {
    Counter counter(unit, side, diagnostics);
    for (const Declaration& declaration : side.declarations)
      ok &= !declaration.node->type || counter.Check(*declaration.node->type);
    for (const Map& map : unit.maps) {
      for (const Statement& statement : map.statements) {
        for (auto [operands, at] : {std::pair(&statement.left, &map.left), std::pair(&statement.right, &map.right)}) {
          if (*at != name) continue;
          for (const Operand& operand : *operands) ok &= !operand.node->type || counter.Check(*operand.node->type);
        }
      }
    }
  }
  return ok;
}

}  // namespace aoa::bind
