#include "compiler/plan/layouts.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/bind/ends.h"

namespace aoa::plan {
namespace {

// A state that is flattened: the block's elements in order, padded with zeros, cut evenly in `parts`.
void Flatten(View& view, int64_t parts, int64_t part) {
  int64_t window = (view.elements + parts - 1) / parts, lo = window * part;
  auto restrict = [&](const Relation& relation) {
    Relation out;
    for (const Piece& piece : relation) {
      for (Piece& box : RestrictOut(piece, lo, lo + window)) {
        box.out_base -= lo;
        Canonicalize(box);
        out.push_back(std::move(box));
      }
    }
    return out;
  };
  Relation real = restrict(view.real), filler = restrict(view.filler);
  int64_t held = std::clamp<int64_t>(view.elements - lo, 0, window);
  if (held < window) {
    Piece tail;
    tail.out_base = held;
    tail.digits = {{window - held, 1, 0, 0}};
    filler.push_back(std::move(tail));
  }
  view.real = std::move(real);
  view.filler = std::move(filler);
  view.shape = {window};
  view.elements = window;
}

// The element numbers of the whole tensor that a piece has, as a key: equal boxes have equal keys.
std::vector<int64_t> WholeBox(const Piece& piece) {
  Piece inverse = Invert(piece);
  for (Digit& digit : inverse.digits) digit.in = 0;
  Canonicalize(inverse);
  std::vector<int64_t> key = {inverse.out_base};
  for (const Digit& digit : inverse.digits) {
    key.push_back(digit.extent);
    key.push_back(digit.out);
  }
  return key;
}

}  // namespace

std::optional<Layout> Layouts::Make(const TensorType& type, const Mesh& mesh, bool flat, CutProblem* problem) const {
  Layout layout;
  std::vector<size_t> cutting = CuttingAxes(type);
  bool zero = flat && end_.zero_axis.has_value();
  if (zero) cutting.push_back(*end_.zero_axis);
  std::map<std::vector<int64_t>, uint32_t> by_coordinates;  // those that matter
  std::map<std::pair<std::vector<std::vector<int64_t>>, Shape>, uint32_t> by_content;
  for (int64_t rank = 0; rank < mesh.ranks(); ++rank) {
    std::vector<int64_t> coordinates = mesh.Coordinates(rank), key;
    for (size_t axis : cutting) key.push_back(coordinates[axis]);
    std::vector<DealtVariable> dealt;
    for (const bind::Placement& p : end_.placements) {
      if (!p.by_axis || p.deal.stages.empty()) continue;
      int64_t stage = p.axis ? coordinates[*p.axis] : 0;
      key.push_back(stage);
      if (static_cast<size_t>(stage) < p.deal.stages.size()) dealt.push_back({p.variable, &p.deal.stages[static_cast<size_t>(stage)]});
    }
    auto [it, added] = by_coordinates.try_emplace(key, 0);
    if (added) {
      auto view = ViewOf(type, mesh, coordinates, dealt, problem);
      if (!view) return std::nullopt;
      if (flat) Flatten(*view, zero ? mesh.axis(*end_.zero_axis).size : 1, zero ? coordinates[*end_.zero_axis] : 0);
      std::vector<std::vector<int64_t>> content;
      for (const Piece& piece : view->real) {
        content.push_back(WholeBox(piece));
        content.back().push_back(piece.out_base);
      }
      auto [known, fresh] = by_content.try_emplace({content, view->shape}, static_cast<uint32_t>(layout.blocks.size()));
      if (fresh) layout.blocks.push_back(std::move(*view));
      it->second = known->second;
    }
    layout.of_rank.push_back(it->second);
  }
  std::set<std::vector<int64_t>> seen;
  for (const View& block : layout.blocks) {  // in the order of their lowest ranks
    Relation primary;
    for (const Piece& piece : block.real) {
      if (seen.insert(WholeBox(piece)).second) primary.push_back(Invert(piece));
    }
    Canonicalize(primary);
    layout.primary.push_back(std::move(primary));
  }
  for (View& block : layout.blocks) {
    Canonicalize(block.real);
    Canonicalize(block.filler);
  }
  return layout;
}

std::optional<Layout> Layouts::Try(const bind::End& end, const Mesh& mesh, const TensorType& type) {
  diag::Diagnostics ignored;
  return Layouts(end, ignored).Make(type, mesh, false, nullptr);
}

const Layout* Layouts::Of(uint32_t type, bool flat, const std::string& name, SourceRange where) {
  auto it = layouts_.find({type, flat});
  if (it == layouts_.end()) {
    CutProblem problem;
    auto layout = Make(end_.types[type], end_.mesh, flat, &problem);
    if (!layout) bind::ReportCut(problem, end_.mesh, name, where, diagnostics_);
    if (layout) {
      int64_t elements = ElementCount(WithoutCutsAndPadding(end_.types[type])), held = 0;
      for (const Relation& primary : layout->primary) held += ElementCount(primary);
      if (held != elements) {
        ReportLost(elements, held, name, where);
        layout.reset();
      }
    }
    if (const Axis* node = layout ? RepeatedSum(end_.types[type], end_.mesh) : nullptr) {
      diagnostics_.Warning(diag::Code::kRepeatedSum, node->where ? node->where : where, "`" + aoa::ToString(*node, &end_.mesh) + "` of `" + name + "` is repeated on neighbouring ranks, with every summand beside it")
          .Note("a cut of the whole parenthesis, `(...)@tp`, repeats nothing");
    }
    it = layouts_.emplace(std::pair(type, flat), std::move(layout)).first;
  }
  return it->second ? &*it->second : nullptr;
}

bool Layouts::CheckHeld(const Layout& layout, const std::vector<bool>& held, const std::string& name, SourceRange where) {
  int64_t elements = 0, found = 0;
  for (size_t b = 0; b < layout.blocks.size(); ++b) {
    elements += ElementCount(layout.primary[b]);
    if (held[b]) found += ElementCount(layout.primary[b]);
  }
  if (found < elements) ReportLost(elements, found, name, where);
  return found == elements;
}

void Layouts::ReportLost(int64_t elements, int64_t held, const std::string& name, SourceRange where) {
  diagnostics_.Error(diag::Code::kCutTwice, where, "the ranks do not hold all of `" + name + "`")
      .Expected(fmt::format("{} elements, shared among {} ranks", elements, end_.mesh.ranks()))
      .Found(fmt::format("{} elements", held))
      .Note("mesh axes that share ranks, such as an overlay's and those that it covers, cut and deal this tensor at once");
}

}  // namespace aoa::plan
