#include "compiler/plan/layouts.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/bind/ends.h"
#include "compiler/core/check.h"
#include "compiler/diag/suggest.h"

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

// Calls visit(run) for parts of a piece with consecutive out numbers: pieces of one digit.
template <class Visit>
void EachRun(const Piece& piece, Visit visit) {
  if (ElementCount(piece) == 0) return;
  Piece rest = piece, run = piece;
  Canonicalize(rest);
  run.digits = {{1, 1, 0, 0}};
  if (!rest.digits.empty() && rest.digits.back().out == 1) {
    run.digits = {rest.digits.back()};
    rest.digits.pop_back();
  }
  std::vector<int64_t> index(rest.digits.size(), 0);
  for (;;) {
    visit(run);
    size_t i = index.size();
    while (i-- > 0) {
      const Digit& digit = rest.digits[i];
      bool more = ++index[i] < digit.extent;
      int64_t steps = more ? 1 : 1 - digit.extent;
      run.out_base += steps * digit.out;
      run.in_base += steps * digit.in;
      if (more) break;
      index[i] = 0;
    }
    if (i == SIZE_MAX) return;
  }
}

// Takes from the blocks' pieces what blocks before them have, run by run. Blocks overlap other than as a whole where a
// cut sum has a dealt part: its length, and with it the places of the cuts, differ from stage to stage.
void MakeDisjoint(std::vector<Relation>& primary) {
  std::map<int64_t, int64_t> seen;  // runs of element numbers: first -> last
  for (Relation& relation : primary) {
    Relation left;
    for (const Piece& piece : relation) {
      EachRun(piece, [&](Piece run) {
        int64_t at = run.out_base, end = at + ElementCount(run), step = run.digits[0].in;
        auto next = seen.upper_bound(at);
        if (next != seen.begin() && std::prev(next)->second >= at) at = std::prev(next)->second + 1;
        while (at < end) {
          int64_t until = next == seen.end() ? end : std::min(end, next->first);
          if (until > at) {
            Piece part = run;
            part.out_base = at;
            part.in_base += (at - run.out_base) * step;
            part.digits[0].extent = until - at;
            left.push_back(std::move(part));
            seen[at] = until - 1;
          }
          if (next == seen.end()) break;
          at = std::max(until, next->second + 1);
          ++next;
        }
      });
    }
    relation = std::move(left);
    Canonicalize(relation);
  }
}

int64_t RealElements(const TensorType& type) {
  int64_t count = 0;
  for (const TypePiece& piece : Pieces(type)) {
    int64_t product = 1;
    for (const PieceVariable& v : piece.variables) product *= v.extent;
    count += product;
  }
  return count;
}

// The distinct blocks of a layout, rank by rank. A key holds what decides a rank's block.
class BlockCollector {
 public:
  // Whether ranks with this key have come before; then this one has their block.
  bool Repeat(const std::vector<int64_t>& key) {
    auto known = by_key_.find(key);
    if (known == by_key_.end()) return false;
    layout_.of_rank.push_back(known->second);
    return true;
  }

  // The block of the next rank.
  void Add(const std::vector<int64_t>& key, View view) {
    Prepare(key, std::move(view));
    Repeat(key);
  }

  // A block that ranks to come will have.
  void Prepare(const std::vector<int64_t>& key, View view) {
    std::vector<std::vector<int64_t>> content;
    for (const Piece& piece : view.real) {
      content.push_back(WholeBox(piece));
      content.back().push_back(piece.out_base);
    }
    auto [known, fresh] = by_content_.try_emplace({content, view.shape}, static_cast<uint32_t>(layout_.blocks.size()));
    if (fresh) layout_.blocks.push_back(std::move(view));
    by_key_[key] = known->second;
  }

  // `elements`: of the whole tensor, without padding.
  Layout Finish(int64_t elements) && {
    std::set<std::vector<int64_t>> seen;
    for (const View& block : layout_.blocks) {  // in the order of their lowest ranks
      Relation primary;
      for (const Piece& piece : block.real) {
        if (seen.insert(WholeBox(piece)).second) primary.push_back(Invert(piece));
      }
      Canonicalize(primary);
      layout_.primary.push_back(std::move(primary));
    }
    int64_t held = 0;
    for (const Relation& relation : layout_.primary) held += ElementCount(relation);
    if (held > elements) MakeDisjoint(layout_.primary);
    for (View& block : layout_.blocks) {
      Canonicalize(block.real);
      Canonicalize(block.filler);
    }
    return std::move(layout_);
  }

 private:
  Layout layout_;
  std::map<std::vector<int64_t>, uint32_t> by_key_;
  std::map<std::pair<std::vector<std::vector<int64_t>>, Shape>, uint32_t> by_content_;
};

}  // namespace

std::optional<Layout> Layouts::Make(const TensorType& type, const Mesh& mesh, bool flat, CutProblem* problem) const {
  BlockCollector collector;
  std::vector<size_t> cutting = CuttingAxes(type);
  bool zero = flat && end_.zero_axis.has_value();
  if (zero) cutting.push_back(*end_.zero_axis);
  for (int64_t rank = 0; rank < mesh.ranks(); ++rank) {
    std::vector<int64_t> coordinates = mesh.Coordinates(rank), key;
    for (size_t axis : cutting) key.push_back(coordinates[axis]);
    std::vector<DealtVariable> dealt;
    for (const bind::Placement& p : end_.placements) {
      if (!p.by_axis || p.deal.stages.empty()) continue;
      int64_t stage = p.axis ? coordinates[*p.axis] : 0;
      key.push_back(stage);
      if (static_cast<size_t>(stage) < p.deal.stages.size())
        dealt.push_back({p.variable, &p.deal.stages[static_cast<size_t>(stage)]});
    }
    if (collector.Repeat(key)) continue;
    auto view = ViewOf(type, mesh, coordinates, dealt, problem);
    if (!view) return std::nullopt;
    if (flat) Flatten(*view, zero ? mesh.axis(*end_.zero_axis).size : 1, zero ? coordinates[*end_.zero_axis] : 0);
    collector.Add(key, *std::move(view));
  }
  return std::move(collector).Finish(RealElements(type));
}

// The layout of a tensor that is cut as the files say. Ranks that do not hold it count as the first that does.
std::optional<Layout> Layouts::MakeSharded(const TensorType& type, uint32_t cuts, const std::string& name,
                                           SourceRange where) {
  BlockCollector collector;
  std::vector<int64_t> first;
  const int64_t ranks = end_.shardings->stages * end_.shardings->ranks;
  for (int64_t pass = 0; pass < 2; ++pass) {  // the first finds a rank that holds it
    for (int64_t rank = 0; rank < ranks; ++rank) {
      const Sharding* sharding = end_.shardings->At(cuts, rank);
      if (!sharding && pass == 1) collector.Repeat(first);
      if (!sharding) continue;
      std::vector<int64_t> coordinates;
      auto sharded = bind::ShardedAt(end_, cuts, type, rank, coordinates, name, where, diagnostics_);
      if (!sharded) return std::nullopt;
      std::vector<int64_t> key = {end_.shardings->StageOf(rank)};
      for (size_t axis : CuttingAxes(sharded->type)) key.push_back(coordinates[axis]);
      if (pass == 0) {
        first = key;
        collector.Prepare(key, *ViewOf(sharded->type, sharded->mesh, coordinates, {}, nullptr));
        break;
      }
      if (!collector.Repeat(key)) collector.Add(key, *ViewOf(sharded->type, sharded->mesh, coordinates, {}, nullptr));
    }
  }
  return std::move(collector).Finish(RealElements(type));
}

std::optional<Layout> Layouts::Try(const bind::End& end, const Mesh& mesh, const TensorType& type) {
  diag::Diagnostics ignored;
  return Layouts(end, ignored).Make(type, mesh, false, nullptr);
}

// That the shape in the files, where `stored` gives another than the type's, has as many elements as the type.
bool Layouts::HoldsAll(const Layout& layout, const std::string& name, SourceRange where) const {
  for (const View& block : layout.blocks) {
    int64_t count = ElementCount(block.shape);
    if (count == block.elements) continue;
    diagnostics_
        .Error(diag::Code::kNoFit, where,
               "the stored shape of `" + name + "` has " + std::to_string(count) + " elements, its type " +
                   std::to_string(block.elements))
        .Found(aoa::ToString(block.shape))
        .Note("`stored` gives the same elements another shape");
    return false;
  }
  return true;
}

const Layout* Layouts::Of(bind::TensorId id) {
  const bind::Tensor& tensor = end_.tensors[id];
  const bool state = tensor.role >= 0, flat = state && end_.zero && end_.zero->by.text == "flat";
  const uint32_t type = state ? end_.tensors[tensor.weight].type : tensor.type;
  const uint32_t cuts = end_.shardings ? end_.shardings->Find(end_.NameOf(id)) : Shardings::kNone;
  auto it = layouts_.find({type, flat, cuts});
  if (it == layouts_.end()) {
    const std::string name = diag::Printable(end_.NameOf(id));
    SourceRange where = tensor.family == bind::kNoFamily ? SourceRange{} : end_.families[tensor.family].where;
    CutProblem problem;
    auto layout = cuts == Shardings::kNone ? Make(end_.types[type], end_.mesh, flat, &problem)
                                           : MakeSharded(end_.types[type], cuts, name, where);
    if (!layout && cuts == Shardings::kNone) {
      bind::ReportCut(problem, end_.types[type], end_.mesh, name, where, diagnostics_);
      refused_.push_back({problem.mesh_axis, problem.extent});
    }
    if (layout) Check(layout, end_.types[type], name, where);
    it = layouts_.emplace(std::tuple(type, flat, cuts), std::move(layout)).first;
  }
  return it->second ? &*it->second : nullptr;
}

// What may be wrong with a layout, once its blocks are known.
void Layouts::Check(std::optional<Layout>& layout, const TensorType& type, const std::string& name, SourceRange where) {
  int64_t elements = ElementCount(WithoutCutsAndPadding(type)), held = 0;
  for (const Relation& primary : layout->primary) held += ElementCount(primary);
  if (held != elements) {
    ReportLost(elements, held, name, where);
    layout.reset();
    return;
  }
  if (const Axis* node = RepeatedSum(type, end_.mesh)) {
    diagnostics_
        .Warning(diag::Code::kRepeatedSum, node->where ? node->where : where,
                 "`" + aoa::ToString(*node, &end_.mesh) + "` of `" + name +
                     "` is repeated on neighbouring ranks, with every summand beside it")
        .Note("a cut of the whole parenthesis, `(...)@tp`, repeats nothing");
  }
  if (!HoldsAll(*layout, name, where)) layout.reset();
}

Layout Layouts::OfChunks(uint32_t type, const std::vector<std::pair<Shape, Shape>>& chunks) const {
  TensorType whole = end_.types[type];
  for (Axis& axis : whole.axes) axis = WithoutCuts(axis);
  if (whole.stored) {
    for (Axis& axis : *whole.stored) axis = WithoutCuts(axis);
  }
  auto view = ViewOf(whole, Mesh{}, {}, {}, nullptr);
  AOA_CHECK(view, "an uncut tensor that does not divide");
  Relation stored = Invert(view->real);  // out: the whole tensor's numbers; in: those of the stored one
  Layout layout;
  for (const auto& [at, shape] : chunks) {
    auto [it, added] = layout.of_chunk.try_emplace({at, shape}, static_cast<uint32_t>(layout.blocks.size()));
    if (!added) continue;
    Piece box;  // out: the stored tensor's numbers; in: the chunk's
    int64_t out = 1, in = 1;
    for (size_t i = shape.size(); i-- > 0;) {
      box.digits.push_back({shape[i], out, in, 0});
      box.out_base += at[i] * out;
      out *= view->shape[i];
      in *= shape[i];
    }
    Canonicalize(box);
    Relation primary;
    View block;
    block.shape = shape;
    block.elements = in;
    auto take = [](uint32_t first, uint32_t) { return first; };
    auto compose = [&](const Relation& first, const Relation& second, Relation& result) {
      AOA_CHECK(Compose(first, second, 0, take, result, SIZE_MAX), "a chunk of too many boxes");
    };
    if (in > 0) {
      compose({box}, stored, primary);
      Relation chunk = {Invert(box)};
      compose(view->real, chunk, block.real);
      compose(view->filler, chunk, block.filler);
    }
    Canonicalize(primary);
    layout.blocks.push_back(std::move(block));
    layout.primary.push_back(std::move(primary));
  }
  return layout;
}

bool Layouts::CheckHeld(const Layout& layout, const std::vector<bool>& held, const std::string& name,
                        SourceRange where) {
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
      .Note(
          "an axis that cuts a tensor, or shares out its states, must not deal it as well, nor hold it on its ends "
          "alone; nor must an axis that shares ranks with it, as an overlay's and those that it covers do");
}

}  // namespace aoa::plan
