// Coverage: every tensor of the source is read or dropped, every tensor of the target is made.
#include "compiler/prove/prover.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/bind/reach.h"
#include "compiler/diag/suggest.h"

namespace aoa::prove {
namespace {

constexpr size_t kMostExplained = 1000;  // tensors that are asked what leaves them out

std::string Shown(const std::string& name) { return "`" + diag::Printable(name) + "`"; }

}  // namespace

// ---------------------------------------------------------------- presence

void Prover::CheckSources() {
  for (size_t leg = 0; leg < program_.legs.size(); ++leg) {
    const Leg& l = program_.legs[leg];
    std::vector<Missing> missing;
    std::set<TensorId> seen;
    for (size_t i = 0; i < l.instances.size(); ++i) {
      const Instance& instance = l.instances[i];
      bool dropped = l.rules[instance.rule].kind == Rule::Kind::kDrop && request_.only.empty();
      if (!instance.incomplete || !(dropped || mapping_.needed[leg][i]) || l.rules[instance.rule].matches_nothing)
        continue;
      CollectMissing(leg, instance, seen, missing);
    }
    for (const Missing& m : missing) ReportMissing(leg, m);
    if (!request_.only.empty()) continue;
    for (const Rule& rule : l.rules) {
      if (rule.matches_nothing) ReportNothing(leg, rule);
    }
  }
}

void Prover::CollectMissing(size_t leg, const Instance& instance, std::set<TensorId>& seen,
                            std::vector<Missing>& missing) {
  const End& end = program_.ends[leg];
  SourceRange read = program_.legs[leg].rules[instance.rule].where;
  for (TensorId id : instance.in) {
    if (id == kNoTensor || id & kResult || end.tensors[id].present) continue;
    const Tensor& tensor = end.tensors[id];
    if (leg > 0 && tensor.where) continue;  // an earlier step lacks what makes it
    if (!seen.insert(id).second) continue;
    const Family* family = tensor.family == kNoFamily ? nullptr : &end.families[tensor.family];
    if (family && !family->declaration) family = nullptr;
    auto same = [&](const Missing& m) { return family ? m.family == family : !m.family && m.read == read; };
    auto it = std::find_if(missing.begin(), missing.end(), same);
    if (it == missing.end()) it = missing.insert(it, {family, read, {}});
    it->tensors.push_back(id);
  }
}

void Prover::ReportMissing(size_t leg, const Missing& missing) {
  const End& end = program_.ends[leg];
  std::vector<std::string> names;
  for (TensorId id : missing.tensors) names.push_back(Shown(end.NameOf(id)));
  SourceRange where = missing.family ? missing.family->where : missing.read;
  auto& d = diagnostics_.Error(
      Code::kMissing, where, fmt::format("{} {} missing", diag::Enumerate(names, 8), names.size() == 1 ? "is" : "are"));
  if (missing.family) {
    d.Label("declared here");
    bool itself = missing.read.file == where.file && missing.read.begin == where.begin;  // a side to itself
    if (!itself) d.Also(missing.read, "read here");
  }
  const std::string& name = end.NameOf(missing.tensors.front());
  const uint32_t index = end.tensors[missing.tensors.front()].family;
  const Family* family = index == kNoFamily ? nullptr : &end.families[index];
  if (family) bind::SayLast(program_, leg, *family, name, end.NameOf(missing.tensors.back()), d);
  if (family && leg == 0) bind::SayNumbersFromOne(end, *family, name, d);
  SuggestNear(name, end, family, d);
}

// The tensor whose name is nearest. Beside a declared family it is one that no other line has: their names are right.
void Prover::SuggestNear(const std::string& name, const End& end, const Family* family, diag::Diagnostic& d) {
  if (++suggestions_ > 5) return;
  std::vector<std::string> known;
  for (TensorId id = 0; id < end.tensors.size() && known.size() < 20'000; ++id) {
    if (!end.tensors[id].present || end.tensors[id].role >= 0) continue;
    auto spells = [&](const Family& f) { return f.pattern.Match(end.NameOf(id)).has_value(); };
    bool taken = family &&
                 (end.tensors[id].family != kNoFamily || std::any_of(end.families.begin(), end.families.end(), spells));
    if (!taken) known.push_back(end.NameOf(id));
  }
  if (auto near = diag::Nearest(name, known)) d.Help(fmt::format("there is {}", Shown(*near)));
}

void Prover::ReportNothing(size_t leg, const Rule& rule) {
  const End& end = program_.ends[leg];
  bool backwards = program_.legs[leg].backwards;
  for (const bind::Operand& o : backwards ? rule.statement->right : rule.statement->left) {
    if (o.node->blank) continue;
    std::string name = o.pattern.text();
    auto& d = diagnostics_.Error(Code::kMatchesNothing, rule.where,
                                 fmt::format("`{}` matches no tensor of {}", name,
                                             leg == 0 ? "the source" : fmt::format("side `{}`", end.side->name)));
    SuggestNear(name, end, nullptr, d);
    d.Help("`optional` after the statement lets its tensors be absent");
    return;
  }
}

// ---------------------------------------------------------------- coverage

void Prover::CheckCoverage() {
  for (size_t leg = 0; leg < program_.legs.size(); ++leg) {
    CheckDropped(leg);
    CheckConsumed(leg);
    CheckProduced(leg);
  }
}

void Prover::CheckDropped(size_t leg) {
  const Leg& l = program_.legs[leg];
  std::map<TensorId, SourceRange> dropped;
  for (const Instance& instance : l.instances) {
    if (l.rules[instance.rule].kind != Rule::Kind::kDrop) continue;
    for (TensorId id : instance.in) dropped.emplace(id, l.rules[instance.rule].where);
  }
  if (dropped.empty()) return;
  for (const Instance& instance : l.instances) {
    if (l.rules[instance.rule].kind == Rule::Kind::kDrop) continue;
    for (TensorId id : instance.in) {
      auto it = dropped.find(id);
      if (it == dropped.end()) continue;
      diagnostics_
          .Error(Code::kDroppedAndRead, it->second,
                 fmt::format("{} is dropped here", Shown(program_.ends[leg].NameOf(id))))
          .Also(l.rules[instance.rule].where, "and read here")
          .Note("the statement that reads it would have nothing to read");
      dropped.erase(it);
    }
  }
}

void Prover::CheckConsumed(size_t leg) {
  const Leg& l = program_.legs[leg];
  const End& end = program_.ends[leg];
  std::vector<bool> consumed(end.tensors.size(), false);
  for (const Instance& instance : l.instances) {
    for (TensorId id : instance.in) {
      if (!(id & kResult)) consumed[id] = true;
    }
  }
  for (const bind::Tie& tie : end.ties) {
    if (leg == 0) consumed[tie.copy] = true;
  }
  std::vector<TensorId> left;
  for (TensorId id = 0; id < end.tensors.size(); ++id) {
    const Tensor& tensor = end.tensors[id];
    if (!tensor.present || tensor.temporary || tensor.role >= 0 || consumed[id]) continue;
    if (tensor.family != kNoFamily && end.families[tensor.family].blocks_of && ConsumedWeight(end, id, consumed))
      continue;
    if (!ReportAgainst(leg, end.NameOf(id), true)) left.push_back(id);
  }
  if (left.empty()) return;
  std::vector<std::string> names;
  for (TensorId id : left) names.push_back(Shown(end.NameOf(id)));
  const Family* family =
      end.tensors[left[0]].family == kNoFamily ? nullptr : &end.families[end.tensors[left[0]].family];
  SourceRange where = family && family->declaration    ? family->where
                      : l.map && !l.map->where.empty() ? l.map->where.back()
                                                       : SourceRange{};
  auto& d = diagnostics_.Error(
      Code::kNotConsumed, where,
      fmt::format("{} tensor{} of side `{}` {} read by no statement: {}", left.size(), left.size() == 1 ? "" : "s",
                  end.side->name, left.size() == 1 ? "is" : "are", diag::Enumerate(names, 8)));
  d.Expected("every tensor of the source read or dropped");
  if (SayLeftOut(leg, left, d)) return;
  std::string name = diag::Printable(end.NameOf(left[0]));
  d.Help(fmt::format("`{}` drops it", l.backwards ? "_ <- " + name : name + " -> _"));
  std::vector<std::string> patterns;
  for (const Family& f : end.families) patterns.push_back(f.pattern.text());
  if (auto near = diag::Nearest(end.NameOf(left[0]), patterns)) d.Help(fmt::format("the rules have `{}`", *near));
}

// The loop, condition or extent that leaves a tensor out of the lines that would name it. False if it is of another one
// than the first.
bool Prover::SayLeftOut(size_t leg, const std::vector<TensorId>& left, diag::Diagnostic& d) const {
  const End& end = program_.ends[leg];
  for (size_t i = 0; i < left.size() && i < kMostExplained; ++i) {
    const std::string& name = end.NameOf(left[i]);
    bool said = bind::SayNotDeclared(program_, leg, name, d);
    said |= bind::SayNotStated(program_, leg, true, name, d);
    if (said) return i == 0;
  }
  return false;
}

// Block scales go where their weight goes, if the target has a place for them.
bool Prover::ConsumedWeight(const End& end, TensorId id, const std::vector<bool>& consumed) const {
  const std::vector<Family>& target = program_.ends.back().families;
  if (std::none_of(target.begin(), target.end(), [](const Family& f) { return f.blocks_of.has_value(); })) return false;
  const Family& family = end.families[end.tensors[id].family];
  auto values = family.pattern.Match(end.NameOf(id));
  if (!values) return false;
  TensorId weight = end.Find(end.families[*family.blocks_of].pattern.Spell(*values));
  return weight != kNoTensor && consumed[weight];
}

// A one-way statement of the other direction that names the tensor is the reason: it is named.
bool Prover::ReportAgainst(size_t leg, const std::string& name, bool in) {
  const Leg& l = program_.legs[leg];
  for (const bind::Statement* s : l.against) {
    const std::vector<bind::Operand>& operands = in == l.backwards ? s->right : s->left;
    for (const bind::Operand& o : operands) {
      if (o.node->blank || !(o.pattern.text() == name || o.pattern.Match(name))) continue;
      if (!against_reported_.insert(s).second) return true;
      diagnostics_
          .Error(Code::kOneWay, s->node->where,
                 fmt::format("this statement goes the other way, and nothing else {} {}", in ? "reads" : "makes",
                             Shown(name)))
          .Expected(fmt::format("a statement from `{}` to `{}`", program_.ends[leg].side->name,
                                program_.ends[leg + 1].side->name))
          .Help("a pair of `->` and `<-` gives each direction its own statement");
      return true;
    }
  }
  return false;
}

void Prover::CheckProduced(size_t leg) {
  const End& end = program_.ends[leg + 1];
  std::vector<int64_t> made(end.families.size(), 0);
  for (const Tensor& tensor : end.tensors) {
    if (tensor.role < 0 && tensor.family != kNoFamily && (tensor.present || tensor.where)) ++made[tensor.family];
  }
  for (size_t f = 0; f < end.families.size(); ++f) {
    const Family& family = end.families[f];
    if (!family.declaration || family.optional || family.tied || family.blocks_of) continue;
    auto bounds = BoundsOf(leg + 1, family);
    if (!bounds) continue;  // reported
    int64_t wanted = 1;
    for (const auto& [variable, range] : *bounds) wanted *= range.size();
    if (made[f] >= wanted) continue;
    ReportNotProduced(leg, family, *bounds);
  }
}

std::optional<Prover::Bounds> Prover::BoundsOf(size_t e, const Family& family) {
  Bounds bounds;
  for (const std::string& v : family.pattern.Variables()) {
    if (auto range = family.ranges.find(v); range != family.ranges.end()) {
      bounds.emplace_back(v, range->second);
      continue;
    }
    bind::SymbolId symbol = program_.dimensions->At(e, v);
    if (!program_.dimensions->Require(symbol, family.where, diagnostics_)) return std::nullopt;
    bounds.emplace_back(v, bind::Range{0, *program_.dimensions->ValueOf(symbol), {}});
  }
  return bounds;
}

// A family whose tensors are all made, some of them as those of another line.
void Prover::ReportShared(const End& end, const Family& family) {
  for (const Tensor& tensor : end.tensors) {
    const std::string& name = end.names[tensor.name];
    if (tensor.role >= 0 || tensor.family == kNoFamily || &end.families[tensor.family] == &family) continue;
    if (!family.pattern.Match(name)) continue;
    diagnostics_.Error(Code::kDeclaredTwice, family.where, fmt::format("{} is declared by two lines", Shown(name)))
        .Also(end.families[tensor.family].where, "the other one")
        .Help("a `for` or an `if` leaves it out of one of them");
    return;
  }
}

void Prover::ReportNotProduced(size_t leg, const Family& family, const Bounds& bounds) {
  const End& end = program_.ends[leg + 1];
  std::string first;
  std::vector<std::string> names;
  bind::Assignment values;
  std::vector<int64_t> at(bounds.size(), 0);
  for (const auto& [variable, range] : bounds) values[variable] = range.Nth(0);
  for (bool more = true; more && names.size() < 9;) {
    std::string name = family.pattern.Spell(values);
    TensorId id = end.Find(name);
    if (id == kNoTensor || !(end.tensors[id].present || end.tensors[id].where)) {
      if (ReportAgainst(leg, name, false)) return;
      if (names.empty()) first = name;
      names.push_back(Shown(name));
    }
    more = false;
    for (size_t i = bounds.size(); i-- > 0;) {
      const auto& [variable, range] = bounds[i];
      more = ++at[i] < range.size();
      if (!more) at[i] = 0;
      values[variable] = range.Nth(at[i]);
      if (more) break;
    }
  }
  if (names.empty()) return ReportShared(end, family);
  auto& d = diagnostics_.Error(Code::kNotProduced, family.where,
                               fmt::format("no statement makes {}", diag::Enumerate(names, 8)));
  d.Label("declared here");
  d.Expected(fmt::format("every tensor of side `{}` made once", end.side->name));
  if (bind::SayNotStated(program_, leg, false, first, d)) return;
  d.Help("`optional` after a declaration lets it be absent, `_ -> NAME` creates it");
}

}  // namespace aoa::prove
