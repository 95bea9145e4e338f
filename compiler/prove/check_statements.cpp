// A statement by itself: its form, and its types as symbols.
#include "compiler/prove/map_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/bind/check_sides.h"
#include "compiler/bind/leg_binder.h"
#include "compiler/diag/suggest.h"

namespace aoa::prove {
namespace {

constexpr size_t kMostConditions = 8;  // of one statement; every combination of their outcomes is looked at

bool ActiveUnder(const bind::Context& context, const Outcomes& outcomes) {
  return std::all_of(context.guards.begin(), context.guards.end(), [&](const bind::Guard& guard) {
    return outcomes.at(bind::ToString(*guard.condition)) != guard.negated;
  });
}

void NoteConditions(const bind::Context& context, std::set<std::string>& out) {
  for (const bind::Guard& guard : context.guards) out.insert(bind::ToString(*guard.condition));
}

}  // namespace

// ---------------------------------------------------------------- form

// What is wrong with a statement whatever its types are. False if looking at types makes no sense any more.
bool MapChecker::CheckForm(const Statement& s) {
  if (s.left.empty() || s.right.empty()) return false;  // its names were reported
  bool left_blank = bind::AllBlank(s.left), right_blank = bind::AllBlank(s.right);
  bool both = s.node->arrow == ast::Arrow::kBoth;
  if (left_blank && right_blank) return Error(Code::kSyntax, s.node->where, "a statement without a tensor"), false;
  if (left_blank || right_blank) {
    if (both) {
      Error(Code::kTwoWay, s.node->where, "a two-way statement that drops or creates a tensor")
          .Help(
              "`a -> _` drops in one direction, `_ -> a` creates; in a two-way map each direction says what it "
              "leaves out");
      return false;
    }
    return !bind::AllBlank(Tail(s)) || CheckCreate(s);
  }
  CheckTransposes(s);
  CheckPlaceholders(s);
  if (both) CheckTwoWay(s);
  return CheckList(s);
}

// The operands that the arrow comes from, and those that it points at. For a two-way statement: as written.
const std::vector<Operand>& MapChecker::Tail(const Statement& s) {
  return (s.node->arrow == ast::Arrow::kLeft) != s.flipped ? s.right : s.left;
}

const std::vector<Operand>& MapChecker::Head(const Statement& s) {
  return (s.node->arrow == ast::Arrow::kLeft) != s.flipped ? s.left : s.right;
}

const Side& MapChecker::SideOf(const Statement& s, const std::vector<Operand>& operands) const {
  return &operands == &s.left ? left_ : right_;
}

bool MapChecker::CheckCreate(const Statement& s) {
  bool ok = true;
  for (const Operand& o : Head(s)) {
    std::vector<const Declaration*> declared = DeclarationsOf(SideOf(s, Head(s)), o);
    bool type = o.node->type.has_value(), dtype = o.node->dtype.has_value();
    for (const Declaration* d : declared) {
      type |= d->node->type.has_value();
      dtype |= d->node->dtype.has_value();
    }
    if (type && dtype) continue;
    if (declared.empty() && MayBeDeclared(SideOf(s, Head(s)), o)) continue;
    Error(Code::kUntypedList, o.node->where,
          fmt::format("`{}` is created without {}", o.pattern.text(), type ? "an element type" : "a type"))
        .Expected("a type and an element type, here or where the side declares it: `bias [h] : f32`");
    ok = false;
  }
  return ok;
}

void MapChecker::CheckTransposes(const Statement& s) {
  for (const Operand& o : Head(s)) {
    if (!o.node->transposed) continue;
    Error(Code::kAttributeUse, o.node->transposed_where,
          fmt::format("`^T` stands on `{}`, which the statement makes", o.pattern.text()))
        .Expected("`^T` on a source")
        .Help("what is made is transposed by a statement of its own: `b^T -> b`");
  }
}

void MapChecker::CheckPlaceholders(const Statement& s) {
  std::set<std::string> all;
  for (const auto* operands : {&s.left, &s.right}) {
    for (const Operand& o : *operands) {
      for (const std::string& v : o.pattern.Variables()) {
        if (!o.node->blank && bind::TakesNumbers(v)) all.insert(v);
      }
    }
  }
  for (const auto* operands : {&s.left, &s.right}) {
    for (const Operand& o : *operands) {
      if (o.node->blank) continue;
      std::vector<std::string> own = o.pattern.Variables();
      for (const std::string& v : all) {
        if (std::find(own.begin(), own.end(), v) != own.end()) continue;
        Error(Code::kNamePattern, o.node->where,
              fmt::format("`{}` lacks `${}`, which other names of the statement have", o.pattern.text(), v))
            .Note("every layer would become the same tensor")
            .Help("a variable with an axis of its own stacks: `m.$l.w [h] -> n.w [l h]`");
      }
    }
  }
}

// A cast, a copy, an average: what cannot be undone.
void MapChecker::CheckTwoWay(const Statement& s) {
  SourceRange where = s.node->where;
  if (attributes_.copy)
    Error(Code::kTwoWay, where, "`copy` in a two-way statement")
        .Help("`->` copies; the way back is `tied`, where the side declares the second tensor");
  if (!attributes_.normalize.empty())
    Error(Code::kTwoWay, where, "`normalize` in a two-way statement").Note("lengths are gone afterwards");
  if (attributes_.dtype)
    Error(Code::kTwoWay, where, "a cast in a two-way statement")
        .Help("a pair of `->` and `<-` gives each direction its own cast");
  for (const auto* operands : {&s.left, &s.right}) {
    for (const Operand& o : *operands) {
      for (const Declaration* d : DeclarationsOf(SideOf(s, *operands), o)) {
        if (!d->node->replicas_mean) continue;
        Error(Code::kTwoWay, where,
              fmt::format("`{}` is a mean of its replicas, in a two-way statement", o.pattern.text()))
            .Also(*d->node->replicas_mean, "declared here")
            .Note("an average cannot be undone");
      }
    }
  }
  for (const Operand& l : s.left) {
    for (const Operand& r : s.right) {
      auto a = TypeOf(left_, l), b = TypeOf(right_, r);
      if (!a || !b || *a == *b) continue;
      Error(Code::kTwoWay, where, fmt::format("a two-way statement casts between {} and {}", Name(*a), Name(*b)))
          .Found(fmt::format("`{}` of side `{}` is {}", l.pattern.text(), map_.left, Name(*a)))
          .Found(fmt::format("`{}` of side `{}` is {}", r.pattern.text(), map_.right, Name(*b)))
          .Note("one of the two directions narrows")
          .Help("a pair of `->` and `<-` gives each direction its own cast");
      return;
    }
  }
}

std::optional<DType> MapChecker::TypeOf(const Side& side, const Operand& o) const {
  if (o.node->dtype) return o.node->dtype;
  for (const Declaration* d : DeclarationsOf(side, o)) {
    if (d->node->dtype && d->context.guards.empty()) return d->node->dtype;
  }
  return std::nullopt;
}

// Lists need types, an axis, or copy.
bool MapChecker::CheckList(const Statement& s) {
  if (attributes_.copy && Tail(s).size() != 1) {
    Error(Code::kAttributeUse, s.node->where, fmt::format("`copy` of {} tensors", Tail(s).size()))
        .Expected("one source, each target of which gets the whole of it");
    return false;
  }
  if (s.left.size() == 1 && s.right.size() == 1) return true;
  if (attributes_.copy || attributes_.axis || attributes_.fused != Fused::kNone) return true;
  for (const auto* operands : {&s.left, &s.right}) {
    const Side& side = SideOf(s, *operands);
    for (const Operand& o : *operands) {
      if (o.node->blank || o.node->type || !DeclarationsOf(side, o).empty() || MayBeDeclared(side, o)) continue;
      auto& d = Error(Code::kUntypedList, s.node->where,
                      fmt::format("`{}` has no type, among several tensors", o.pattern.text()));
      d.Expected("types on both sides, `axis=` (join or split along an axis), or `copy` (each target gets the whole)");
      for (const auto* list : {&s.left, &s.right}) {
        for (const Operand& flag : *list) {
          if (flag.node->blank) continue;
          if (auto near =
                  diag::Nearest(flag.pattern.text(), {"fused_qkv", "fused_qkv_old", "fused_ffn", "copy", "optional"})) {
            d.Help(fmt::format("`{}` reads as one more tensor; there is a flag `{}`", flag.pattern.text(), *near));
          }
        }
      }
      return false;
    }
  }
  return true;
}

// ---------------------------------------------------------------- types

void MapChecker::CheckTypes(const Statement& s) {
  if (bind::AllBlank(s.left) || bind::AllBlank(s.right) || attributes_.Positional()) return;
  std::set<std::string> conditions;
  NoteConditions(s.context, conditions);
  for (const auto* operands : {&s.left, &s.right}) {
    for (const Operand& o : *operands) {
      for (const Declaration* d : DeclarationsOf(SideOf(s, *operands), o)) NoteConditions(d->context, conditions);
    }
  }
  if (conditions.size() > kMostConditions) return;
  // Wrong is what is wrong under every combination of outcomes under which the statement counts.
  std::optional<diag::Diagnostics> first;
  for (size_t bits = 0; bits < size_t{1} << conditions.size(); ++bits) {
    Outcomes outcomes;
    size_t i = 0;
    for (const std::string& condition : conditions) outcomes[condition] = bits >> i++ & 1;
    if (!ActiveUnder(s.context, outcomes)) continue;
    diag::Diagnostics found;
    if (TypesMatch(s, outcomes, found)) return;
    if (!first) first = std::move(found);
  }
  if (!first) return;
  for (const diag::Diagnostic& d : first->all()) {
    diag::Diagnostic& copy = diagnostics_.Error(d.code, d.where, d.message);
    copy.label = d.label;
    copy.others = d.others;
    copy.expected = d.expected;
    copy.found = d.found;
    copy.notes = d.notes;
    copy.helps = d.helps;
  }
}

// The view of the statement as far as types are known; nothing if one is not.
std::optional<bind::RuleView> MapChecker::ViewOf(const Statement& s, const Outcomes& outcomes) {
  bind::RuleView view;
  std::vector<std::string> loops;
  bool first = true;
  for (const auto* operands : {&s.left, &s.right}) {
    for (const Operand& o : *operands) {
      if (o.node->blank) continue;
      if (o.pattern.HasStar()) return std::nullopt;
      std::vector<std::string> variables = o.pattern.Variables();
      if (first)
        loops = variables;
      else
        std::erase_if(loops, [&](const std::string& v) {
          return std::find(variables.begin(), variables.end(), v) == variables.end();
        });
      first = false;
    }
  }
  for (bool is_left : {true, false}) {
    int any = 0;
    for (const Operand& o : is_left ? s.left : s.right) {
      if (attributes_.copy && &s.right == &Head(s) && !is_left) any = 0;
      bind::OperandView operand;
      operand.blank = o.node->blank;
      operand.where = o.node->where;
      operand.text = o.node->blank ? "_" : o.pattern.text();
      if (!operand.blank) {
        const ast::Type* type = TypeUnder(is_left ? left_ : right_, o, outcomes);
        if (!type) return std::nullopt;
        size_t end = is_left ? 0 : 1;
        operand.type = dimensions_.Lower(*type, end, any);
        if (!o.node->type) operand.declared = type->where;
        for (const std::string& v : o.pattern.Variables()) {
          if (std::find(loops.begin(), loops.end(), v) == loops.end())
            operand.stacked.push_back({v, StackedExtent(s, end, v), 0});
        }
      }
      (is_left ? view.in : view.out).push_back(std::move(operand));
    }
  }
  return view;
}

int64_t MapChecker::StackedExtent(const Statement& s, size_t end, const std::string& variable) {
  for (const bind::VariableRange& range : s.context.ranges) {
    if (range.variable.text == variable) return Axis::kUnknown;
  }
  return dimensions_.ValueOf(dimensions_.At(end, variable)).value_or(Axis::kUnknown);
}

const ast::Type* MapChecker::TypeUnder(const Side& side, const Operand& o, const Outcomes& outcomes) const {
  if (o.node->type) return &*o.node->type;
  const Declaration* found = nullptr;
  for (const Declaration* d : DeclarationsOf(side, o)) {
    if (!ActiveUnder(d->context, outcomes)) continue;
    if (found) return nullptr;  // of several ranges: the numbers decide
    found = d;
  }
  if (!found) found = Renamed(side, o);
  return found && found->node->type ? &*found->node->type : nullptr;
}

// Names that have a type by a declaration with other variables.
void MapChecker::NoteRenamed(const Statement& s, diag::Diagnostics& found) const {
  diag::Diagnostic* d = found.FirstError({Code::kPieceMismatch, Code::kPieceCount});
  if (!d) return;
  for (const auto* operands : {&s.left, &s.right}) {
    const Side& side = SideOf(s, *operands);
    for (const Operand& o : *operands) {
      if (const Declaration* renamed = Renamed(side, o))
        d->Note(fmt::format("side `{}` declares `{}` as `{}`", side.name, o.pattern.text(), renamed->pattern.text()));
    }
  }
}

bool MapChecker::TypesMatch(const Statement& s, const Outcomes& outcomes, diag::Diagnostics& found) {
  auto view = ViewOf(s, outcomes);
  if (!view || !CountAny(s, *view, found)) return !view;
  if (attributes_.copy) {
    bool ok = true;
    bool tail_left = &Tail(s) == &s.left;
    for (const bind::OperandView& target : tail_left ? view->out : view->in) {
      bind::RuleView one{{(tail_left ? view->in : view->out)[0]}, {target}};
      ok &= Match(one, s.node->where, "source", "target", found).has_value();
    }
    return ok;
  }
  bool ok = Match(*view, s.node->where, s.flipped ? "right" : "left", s.flipped ? "left" : "right", found).has_value();
  if (!ok) NoteRenamed(s, found);
  return ok && CheckNormalize(s, *view, found);
}

// The i-th `_` of one side is the i-th of the other: there are equally many.
bool MapChecker::CountAny(const Statement& s, const bind::RuleView& view, diag::Diagnostics& found) {
  if (attributes_.copy) return true;
  int counts[2] = {0, 0};
  for (int side : {0, 1}) {
    for (const bind::OperandView& operand : side == 0 ? view.in : view.out) {
      for (const Axis& axis : operand.type.axes) counts[side] += axis.variable.starts_with("_:");
    }
  }
  if (counts[0] == counts[1]) return true;
  found
      .Error(Code::kPieceMismatch, s.node->where,
             fmt::format("{} axes `_` on the left, {} on the right", counts[s.flipped], counts[!s.flipped]))
      .Expected("equally many: the i-th `_` of one side is the i-th of the other");
  return false;
}

bool MapChecker::CheckNormalize(const Statement& s, const bind::RuleView& view, diag::Diagnostics& found) {
  if (attributes_.normalize.empty()) return true;
  const std::vector<bind::OperandView>& tail = &Tail(s) == &s.left ? view.in : view.out;
  for (const bind::OperandView& operand : tail) {
    for (const TypePiece& piece : Pieces(operand.type)) {
      if (std::any_of(piece.variables.begin(), piece.variables.end(),
                      [&](const PieceVariable& v) { return v.name == attributes_.normalize; }))
        continue;
      found
          .Error(Code::kAxis, attributes_.Where("normalize"),
                 fmt::format("`{}` has no axis `{}` to normalize along", operand.text, attributes_.normalize))
          .Found(aoa::ToString(operand.type));
      return false;
    }
  }
  return true;
}

}  // namespace aoa::prove
