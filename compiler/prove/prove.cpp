#include "compiler/prove/prove.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "compiler/bind/leg_binder.h"
#include "compiler/diag/suggest.h"

namespace aoa::prove {
namespace {

using bind::End;
using bind::Family;
using bind::Instance;
using bind::kNoFamily;
using bind::kNoTensor;
using bind::kResult;
using bind::Leg;
using bind::Program;
using bind::Rule;
using bind::Tensor;
using bind::TensorId;
using diag::Code;

// `*` and `?` match any characters, dots too.
bool GlobMatches(std::string_view glob, std::string_view name) {
  size_t g = 0, n = 0, star = std::string_view::npos, retry = 0;
  while (n < name.size()) {
    if (g < glob.size() && (glob[g] == '?' || (glob[g] != '*' && glob[g] == name[n]))) {
      ++g;
      ++n;
    } else if (g < glob.size() && glob[g] == '*') {
      star = g++;
      retry = n;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      n = ++retry;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

std::string Shown(const std::string& name) { return "`" + diag::Printable(name) + "`"; }

class Prover {
 public:
  Prover(Program& program, const bind::Request& request, diag::Diagnostics& diagnostics) : program_(program), request_(request), diagnostics_(diagnostics) {}

  std::optional<Mapping> Run() {
    MatchViews();
    if (diagnostics_.HasErrors()) return std::nullopt;
    ChooseTargets();
    CheckSources();
    if (request_.only.empty()) CheckCoverage();
    if (diagnostics_.HasErrors()) return std::nullopt;
    for (size_t leg = 0; leg < program_.legs.size(); ++leg) FollowTypes(leg);
    CheckMeans();
    if (request_.states) CompareRoles();
    if (diagnostics_.HasErrors()) return std::nullopt;
    return std::move(mapping_);
  }

 private:
  // ------------------------------------------------------------ typing

  void MatchViews() {
    for (Leg& leg : program_.legs) {
      auto& by_rule = mapping_.views.emplace_back();
      for (Rule& rule : leg.rules) {
        auto& views = by_rule.emplace_back();
        for (const bind::RuleView& view : rule.views) views.push_back(MatchView(rule, view, leg.backwards));
      }
    }
    for (bool source : {true, false}) {
      const End& end = source ? program_.ends.front() : program_.ends.back();
      for (const bind::RuleView& view : end.tie_views) {
        auto matched = Match(view, view.out[0].where, "original", "copy", diagnostics_);
        (source ? mapping_.source_ties : mapping_.target_ties).push_back(matched.value_or(MatchedView{}));
      }
    }
  }

  MatchedView MatchView(const Rule& rule, const bind::RuleView& view, bool backwards) {
    if (rule.kind == Rule::Kind::kCreate) return Created(view);
    SourceRange where = rule.where ? rule.where : view.out.empty() ? SourceRange{} : view.out[0].where;
    const char* in_name = backwards ? "right" : "left";
    const char* out_name = backwards ? "left" : "right";
    if (rule.kind != Rule::Kind::kCopy) return Match(view, where, in_name, out_name, diagnostics_).value_or(MatchedView{});
    MatchedView all;
    for (uint32_t o = 0; o < view.out.size(); ++o) {
      auto matched = Match({{view.in[0]}, {view.out[o]}}, where, in_name, out_name, diagnostics_);
      if (!matched) return {};
      for (MatchedPiece& piece : *matched) {
        piece.out = o;
        all.push_back(std::move(piece));
      }
    }
    return all;
  }

  // A created tensor is filled piece by piece.
  static MatchedView Created(const bind::RuleView& view) {
    MatchedView out;
    for (uint32_t o = 0; o < view.out.size(); ++o) {
      for (const TypePiece& piece : Pieces(view.out[o].type)) {
        MatchedPiece filled;
        filled.out = o;
        filled.out_base = piece.base;
        for (const PieceVariable& v : piece.variables) filled.variables.push_back({v.name, v.extent, 0, v.stride, false, false});
        int64_t stride = 1;
        for (size_t i = view.out[o].stacked.size(); i-- > 0;) {
          filled.variables.insert(filled.variables.begin(), {view.out[o].stacked[i].name, view.out[o].stacked[i].extent, 0, stride, false, true});
          stride *= view.out[o].stacked[i].extent;
        }
        out.push_back(std::move(filled));
      }
    }
    return out;
  }

  // ------------------------------------------------------------ what is wanted

  // Marks the instances that the wanted targets depend on; all of them without --only.
  void ChooseTargets() {
    size_t last = program_.ends.size() - 1;
    const End& target = program_.ends[last];
    std::set<TensorId> wanted;  // at the end behind the current leg
    for (TensorId id = 0; id < target.tensors.size(); ++id) {
      const Tensor& tensor = target.tensors[id];
      if (tensor.role >= 0 || tensor.temporary) continue;
      bool placeholder = !tensor.present && !tensor.where && program_.legs.back().map;  // never to be made
      if (placeholder || (!request_.only.empty() && !GlobMatches(request_.only, target.NameOf(id)))) continue;
      wanted.insert(id);
    }
    if (!request_.only.empty() && wanted.empty()) {
      auto& d = diagnostics_.Error(Code::kCommandLine, {}, fmt::format("--only: `{}` matches no tensor of side `{}`", diag::Printable(request_.only), target.side->name));
      if (!target.tensors.empty()) d.Note(fmt::format("its tensors have names like `{}`", diag::Printable(target.NameOf(0))));
    }
    for (TensorId id : wanted) mapping_.targets.push_back(id);
    for (const bind::Tie& tie : target.ties) {
      if (wanted.contains(tie.copy)) wanted.insert(tie.original);
    }
    mapping_.needed.resize(program_.legs.size());
    for (size_t leg = program_.legs.size(); leg-- > 0;) {
      const std::vector<Instance>& instances = program_.legs[leg].instances;
      std::vector<bool>& needed = mapping_.needed[leg];
      needed.assign(instances.size(), request_.only.empty());
      std::set<TensorId> wanted_before;
      for (size_t i = instances.size(); i-- > 0;) {
        const Instance& instance = instances[i];
        for (TensorId out : instance.out) needed[i] = needed[i] || wanted.contains(out);
        if (!needed[i]) continue;
        for (TensorId in : instance.in) {
          if (in & kResult) wanted.insert(in & ~kResult);
          else wanted_before.insert(in);
        }
      }
      wanted = std::move(wanted_before);
    }
  }

  // ------------------------------------------------------------ presence

  void CheckSources() {
    for (size_t leg = 0; leg < program_.legs.size(); ++leg) {
      const Leg& l = program_.legs[leg];
      std::vector<Missing> missing;
      std::set<TensorId> seen;
      for (size_t i = 0; i < l.instances.size(); ++i) {
        const Instance& instance = l.instances[i];
        bool dropped = l.rules[instance.rule].kind == Rule::Kind::kDrop && request_.only.empty();
        if (!instance.incomplete || !(dropped || mapping_.needed[leg][i]) || l.rules[instance.rule].matches_nothing) continue;
        CollectMissing(leg, instance, seen, missing);
      }
      for (const Missing& m : missing) ReportMissing(leg, m);
      if (!request_.only.empty()) continue;
      for (const Rule& rule : l.rules) {
        if (rule.matches_nothing) ReportNothing(leg, rule);
      }
    }
  }

  // Absent tensors of one declaration (or, undeclared, of one statement), in the order in which they are read.
  struct Missing {
    const Family* family = nullptr;  // null if undeclared
    SourceRange read;
    std::vector<TensorId> tensors;
  };

  void CollectMissing(size_t leg, const Instance& instance, std::set<TensorId>& seen, std::vector<Missing>& missing) {
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

  void ReportMissing(size_t leg, const Missing& missing) {
    const End& end = program_.ends[leg];
    std::vector<std::string> names;
    for (TensorId id : missing.tensors) names.push_back(Shown(end.NameOf(id)));
    SourceRange where = missing.family ? missing.family->where : missing.read;
    auto& d = diagnostics_.Error(Code::kMissing, where,
                                 fmt::format("{} {} missing", diag::Enumerate(names, 8), names.size() == 1 ? "is" : "are"));
    if (missing.family) {
      d.Label("declared here");
      bool itself = missing.read.file == where.file && missing.read.begin == where.begin;  // a side to itself
      if (!itself) d.Also(missing.read, "read here");
    }
    SuggestNear(end.NameOf(missing.tensors.front()), end, d);
  }

  void SuggestNear(const std::string& name, const End& end, diag::Diagnostic& d) {
    if (++suggestions_ > 5) return;
    std::vector<std::string> known;
    for (TensorId id = 0; id < end.tensors.size() && known.size() < 20'000; ++id) {
      if (end.tensors[id].present && end.tensors[id].role < 0) known.push_back(end.NameOf(id));
    }
    if (auto near = diag::Nearest(name, known)) d.Help(fmt::format("there is {}", Shown(*near)));
  }

  void ReportNothing(size_t leg, const Rule& rule) {
    const End& end = program_.ends[leg];
    bool backwards = program_.legs[leg].backwards;
    for (const bind::Operand& o : backwards ? rule.statement->right : rule.statement->left) {
      if (o.node->blank) continue;
      std::string name = o.pattern.text();
      auto& d = diagnostics_.Error(Code::kMatchesNothing, rule.where, fmt::format("`{}` matches no tensor of {}", name, leg == 0 ? "the source" : fmt::format("side `{}`", end.side->name)));
      SuggestNear(name, end, d);
      d.Help("`optional` after the statement lets its tensors be absent");
      return;
    }
  }

  // ------------------------------------------------------------ coverage

  void CheckCoverage() {
    for (size_t leg = 0; leg < program_.legs.size(); ++leg) {
      CheckDropped(leg);
      CheckConsumed(leg);
      CheckProduced(leg);
    }
  }

  void CheckDropped(size_t leg) {
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
        diagnostics_.Error(Code::kDroppedAndRead, it->second, fmt::format("{} is dropped here", Shown(program_.ends[leg].NameOf(id))))
            .Also(l.rules[instance.rule].where, "and read here")
            .Note("the statement that reads it would have nothing to read");
        dropped.erase(it);
      }
    }
  }

  void CheckConsumed(size_t leg) {
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
      if (tensor.family != kNoFamily && end.families[tensor.family].blocks_of && ConsumedWeight(end, id, consumed)) continue;
      if (!ReportAgainst(leg, end.NameOf(id), true)) left.push_back(id);
    }
    if (left.empty()) return;
    std::vector<std::string> names;
    for (TensorId id : left) names.push_back(Shown(end.NameOf(id)));
    const Family* family = end.tensors[left[0]].family == kNoFamily ? nullptr : &end.families[end.tensors[left[0]].family];
    SourceRange where = family && family->declaration ? family->where : l.map && !l.map->where.empty() ? l.map->where.back() : SourceRange{};
    auto& d = diagnostics_.Error(Code::kNotConsumed, where, fmt::format("{} tensor{} of side `{}` {} read by no statement: {}", left.size(), left.size() == 1 ? "" : "s", end.side->name, left.size() == 1 ? "is" : "are", diag::Enumerate(names, 8)));
    d.Expected("every tensor of the source read or dropped");
    std::string name = diag::Printable(end.NameOf(left[0]));
    d.Help(fmt::format("`{}` drops it", l.backwards ? "_ <- " + name : name + " -> _"));
    std::vector<std::string> patterns;
    for (const Family& f : end.families) patterns.push_back(f.pattern.text());
    if (auto near = diag::Nearest(end.NameOf(left[0]), patterns)) d.Help(fmt::format("the rules have `{}`", *near));
  }

  // Block scales go where their weight goes, if the target has a place for them.
  bool ConsumedWeight(const End& end, TensorId id, const std::vector<bool>& consumed) const {
    const std::vector<Family>& target = program_.ends.back().families;
    if (std::none_of(target.begin(), target.end(), [](const Family& f) { return f.blocks_of.has_value(); })) return false;
    const Family& family = end.families[end.tensors[id].family];
    auto values = family.pattern.Match(end.NameOf(id));
    if (!values) return false;
    TensorId weight = end.Find(end.families[*family.blocks_of].pattern.Spell(*values));
    return weight != kNoTensor && consumed[weight];
  }

  // A one-way statement of the other direction that names the tensor is the reason: it is named.
  bool ReportAgainst(size_t leg, const std::string& name, bool in) {
    const Leg& l = program_.legs[leg];
    for (const bind::Statement* s : l.against) {
      const std::vector<bind::Operand>& operands = in == l.backwards ? s->right : s->left;
      for (const bind::Operand& o : operands) {
        if (o.node->blank || !(o.pattern.text() == name || o.pattern.Match(name))) continue;
        if (!against_reported_.insert(s).second) return true;
        diagnostics_.Error(Code::kOneWay, s->node->where, fmt::format("this statement goes the other way, and nothing else {} {}", in ? "reads" : "makes", Shown(name)))
            .Expected(fmt::format("a statement from `{}` to `{}`", program_.ends[leg].side->name, program_.ends[leg + 1].side->name))
            .Help("a pair of `->` and `<-` gives each direction its own statement");
        return true;
      }
    }
    return false;
  }

  void CheckProduced(size_t leg) {
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
      for (const auto& [variable, range] : *bounds) wanted *= std::max<int64_t>(0, range.second - range.first);
      if (made[f] >= wanted) continue;
      ReportNotProduced(leg, family, *bounds);
    }
  }

  using Bounds = std::vector<std::pair<std::string, std::pair<int64_t, int64_t>>>;

  std::optional<Bounds> BoundsOf(size_t e, const Family& family) {
    Bounds bounds;
    for (const std::string& v : family.pattern.Variables()) {
      if (auto range = family.ranges.find(v); range != family.ranges.end()) {
        bounds.emplace_back(v, range->second);
        continue;
      }
      bind::SymbolId symbol = program_.dimensions->At(e, v);
      if (!program_.dimensions->Require(symbol, family.where, diagnostics_)) return std::nullopt;
      bounds.emplace_back(v, std::pair<int64_t, int64_t>(0, *program_.dimensions->ValueOf(symbol)));
    }
    return bounds;
  }

  void ReportNotProduced(size_t leg, const Family& family, const Bounds& bounds) {
    const End& end = program_.ends[leg + 1];
    std::vector<std::string> names;
    bind::Assignment values;
    for (const auto& [variable, range] : bounds) values[variable] = range.first;
    for (bool more = true; more && names.size() < 9;) {
      std::string name = family.pattern.Spell(values);
      TensorId id = end.Find(name);
      if (id == kNoTensor || !(end.tensors[id].present || end.tensors[id].where)) {
        if (ReportAgainst(leg, name, false)) return;
        names.push_back(Shown(name));
      }
      more = false;
      for (size_t i = bounds.size(); i-- > 0;) {
        if (++values[bounds[i].first] < bounds[i].second.second) {
          more = true;
          break;
        }
        values[bounds[i].first] = bounds[i].second.first;
      }
    }
    auto& d = diagnostics_.Error(Code::kNotProduced, family.where, fmt::format("no statement makes {}", diag::Enumerate(names, 8)));
    d.Label("declared here");
    d.Expected(fmt::format("every tensor of side `{}` made once", end.side->name));
    d.Help("`optional` after a declaration lets it be absent, `_ -> NAME` creates it");
  }

  // ------------------------------------------------------------ element types

  std::optional<DType> DeclaredType(size_t leg, TensorId out, const bind::Operand* operand) const {
    if (operand && operand->node->dtype) return operand->node->dtype;
    const Tensor& tensor = program_.ends[leg + 1].tensors[out];
    if (tensor.family == kNoFamily) return std::nullopt;
    const Family& family = program_.ends[leg + 1].families[tensor.family];
    return family.declaration ? family.dtype : std::nullopt;
  }

  // The operand of a rule's statement that the i-th operand of a view came from.
  static const bind::Operand* OperandAt(const Rule& rule, const Leg& leg, bool in, const bind::OperandView& view) {
    if (!rule.statement) return nullptr;
    for (const bind::Operand& o : in == leg.backwards ? rule.statement->right : rule.statement->left) {
      if (o.node->where == view.where) return &o;
    }
    return nullptr;
  }

  void FollowTypes(size_t leg) {
    Leg& l = program_.legs[leg];
    for (size_t i = 0; i < l.instances.size(); ++i) {
      const Instance& instance = l.instances[i];
      const Rule& rule = l.rules[instance.rule];
      if (instance.incomplete || rule.kind == Rule::Kind::kDrop || !mapping_.needed[leg][i]) continue;
      FollowInstance(leg, instance, rule);
    }
    if (leg + 2 != program_.ends.size()) return;
    for (const bind::Tie& tie : program_.ends.back().ties) {
      Tensor& copy = program_.ends.back().tensors[tie.copy];
      const Family& family = program_.ends.back().families[copy.family];
      copy.dtype = family.dtype.value_or(program_.ends.back().tensors[tie.original].dtype);
    }
  }

  const Tensor& At(size_t leg, TensorId ref) const { return ref & kResult ? program_.ends[leg + 1].tensors[ref & ~kResult] : program_.ends[leg].tensors[ref]; }

  void FollowInstance(size_t leg, const Instance& instance, const Rule& rule) {
    const Leg& l = program_.legs[leg];
    const bind::RuleView& view = rule.views[instance.view];
    const MatchedView& matched = mapping_.views[leg][instance.rule][instance.view];
    End& to = program_.ends[leg + 1];
    std::vector<size_t> first_in = Firsts(view.in), first_out = Firsts(view.out);
    for (uint32_t i = 0; i < view.in.size(); ++i) {
      const bind::Operand* operand = OperandAt(rule, l, true, view.in[i]);
      for (size_t k = first_in[i]; k < first_in[i + 1] && k < instance.in.size(); ++k) CheckPromise(leg, instance.in[k], operand, rule);
    }
    for (uint32_t o = 0; o < view.out.size(); ++o) {
      if (view.out[o].blank) continue;
      const bind::Operand* operand = OperandAt(rule, l, false, view.out[o]);
      // The types that arrive: of every operand with a piece in this one.
      std::optional<TensorId> source;
      bool mixed = false;
      TensorId other = kNoTensor;
      for (const MatchedPiece& piece : matched) {
        if (piece.out != o || piece.in == MatchedPiece::kBlank) continue;
        for (size_t k = first_in[piece.in]; k < first_in[piece.in + 1]; ++k) {
          if (!source) source = instance.in[k];
          else if (At(leg, *source).dtype != At(leg, instance.in[k]).dtype && !mixed) {
            mixed = true;
            other = instance.in[k];
          }
        }
      }
      for (size_t k = first_out[o]; k < first_out[o + 1]; ++k) {
        Tensor& tensor = to.tensors[instance.out[k]];
        tensor.dtype = OutType(leg, instance.out[k], operand, rule, source ? std::optional(At(leg, *source).dtype) : std::nullopt, mixed);
        if (mixed && !declared_) ReportMixed(leg, rule, *source, other, instance.out[k]);
        if (!source) continue;
        for (const MatchedPiece& piece : matched) {
          if (piece.out != o || piece.in == MatchedPiece::kBlank) continue;
          for (size_t s = first_in[piece.in]; s < first_in[piece.in + 1]; ++s) CheckCast(leg, rule, instance.in[s], instance.out[k]);
        }
      }
    }
  }

  // Where each operand's tensors start in an instance's list.
  static std::vector<size_t> Firsts(const std::vector<bind::OperandView>& operands) {
    std::vector<size_t> out = {0};
    for (const bind::OperandView& operand : operands) {
      size_t count = operand.blank ? 0 : 1;
      for (const PieceVariable& v : operand.stacked) count *= static_cast<size_t>(std::max<int64_t>(0, v.extent));
      out.push_back(out.back() + count);
    }
    return out;
  }

  // The element type of a target: declared, asked for by the statement or the command line, or what arrives.
  DType OutType(size_t leg, TensorId out, const bind::Operand* operand, const Rule& rule, std::optional<DType> arriving, bool mixed) {
    std::optional<DType> declared = DeclaredType(leg, out, operand);
    declared_ = declared.has_value() || rule.cast;
    if (declared && rule.cast && *declared != *rule.cast) {
      diagnostics_.Error(Code::kCast, rule.where, fmt::format("the statement casts to {}, {} is declared {}", Name(*rule.cast), Shown(program_.ends[leg + 1].NameOf(out)), Name(*declared)));
    }
    if (declared) return *declared;
    if (rule.cast) return *rule.cast;
    bool last = leg + 2 == program_.ends.size();
    if (last && request_.dtype && arriving && IsFloat(*arriving)) {
      declared_ = !mixed || declared_;
      asked_ = true;
      return *request_.dtype;
    }
    asked_ = false;
    return arriving.value_or(DType::kF32);
  }

  void ReportMixed(size_t leg, const Rule& rule, TensorId a, TensorId b, TensorId out) {
    if (!mixed_reported_.emplace(&rule).second) return;
    auto name = [&](TensorId ref) { return Shown(program_.ends[ref & kResult ? leg + 1 : leg].NameOf(ref & ~kResult)); };
    diagnostics_.Error(Code::kCast, rule.where, fmt::format("{} is {} and {} is {}, in one tensor", name(a), Name(At(leg, a).dtype), name(b), Name(At(leg, b).dtype)))
        .Expected("one element type, unless the target declares its own")
        .Help(fmt::format("a type for {}: `: {}`", Shown(program_.ends[leg + 1].NameOf(out)), Name(DType::kF32)));
  }

  // An element type on the source side of a statement is a promise.
  void CheckPromise(size_t leg, TensorId ref, const bind::Operand* operand, const Rule& rule) {
    std::optional<DType> promised = operand && operand->node->dtype ? operand->node->dtype : rule.cast_from;
    if (!promised || At(leg, ref).dtype == *promised || !promise_reported_.emplace(&rule).second) return;
    diagnostics_.Error(Code::kCast, rule.where, fmt::format("{} is {}, the statement says {}", Shown(program_.ends[ref & kResult ? leg + 1 : leg].NameOf(ref & ~kResult)), Name(At(leg, ref).dtype), Name(*promised)))
        .Note("an element type on the source side is a promise that the files must keep");
  }

  // x * scale + offset rounds to the stored type, unless it only changes the exponent.
  void WarnOfRounding(const Rule& rule, DType stored, SourceRange where) {
    int exponent = 0;
    double fraction = std::frexp(rule.scale.value_or(1), &exponent);
    bool exact = std::abs(fraction) == 0.5 && rule.offset.value_or(0) == 0;
    if (exact || !inexact_reported_.emplace(&rule).second) return;
    diagnostics_.Warning(Code::kInexactInverse, where, fmt::format("the way back of this statement is not exact in {}", Name(stored)))
        .Note("what is multiplied or added to is rounded when it is stored, so there and back may differ in the last bits");
  }

  void CheckCast(size_t leg, const Rule& rule, TensorId in, TensorId out) {
    DType from = At(leg, in).dtype, to = program_.ends[leg + 1].tensors[out].dtype;
    bool arithmetic = rule.scale || rule.offset || !rule.normalize.empty();
    if (from == to && !arithmetic) return;
    std::string name = Shown(program_.ends[in & kResult ? leg + 1 : leg].NameOf(in & ~kResult));
    SourceRange where = rule.where ? rule.where : WhereDeclared(leg, out);
    if (!IsFloat(from) || !IsFloat(to)) {
      if (!cast_reported_.emplace(&rule).second) return;
      if (from == to) diagnostics_.Error(Code::kAttributeUse, where, fmt::format("{} is {}, which is not computed with", name, Name(from)));
      else diagnostics_.Error(Code::kCast, where, fmt::format("no cast leads from {} to {}", Name(from), Name(to)))
               .Found(fmt::format("{} of side `{}` is {}", name, program_.ends[in & kResult ? leg + 1 : leg].side->name, Name(from)))
               .Found(fmt::format("{} of side `{}` is {}", Shown(program_.ends[leg + 1].NameOf(out)), program_.ends[leg + 1].side->name, Name(to)))
               .Note("casts are between floating-point types");
      return;
    }
    if (rule.two_way && (rule.scale || rule.offset)) WarnOfRounding(rule, to, where);
    if (from != to && rule.two_way && !asked_ && cast_reported_.emplace(&rule).second) {
      diagnostics_.Error(Code::kTwoWay, where, fmt::format("a two-way statement casts {} from {} to {}", name, Name(from), Name(to)))
          .Note("one of the two directions narrows")
          .Help("a pair of `->` and `<-` gives each direction its own cast; `--dtype` casts what the rules leave open");
    }
  }

  SourceRange WhereDeclared(size_t leg, TensorId out) const {
    const Tensor& tensor = program_.ends[leg + 1].tensors[out];
    return tensor.family == kNoFamily ? SourceRange{} : program_.ends[leg + 1].families[tensor.family].where;
  }

  void CheckMeans() {
    const End& end = program_.ends[0];
    for (TensorId id = 0; id < end.tensors.size(); ++id) {
      const Tensor& tensor = end.tensors[id];
      if (!tensor.present || tensor.role >= 0 || tensor.family == kNoFamily || !end.families[tensor.family].mean || IsFloat(tensor.dtype)) continue;
      diagnostics_.Error(Code::kCast, end.families[tensor.family].where, fmt::format("{} is {}, which has no mean", Shown(end.NameOf(id)), Name(tensor.dtype)));
    }
  }

  // ------------------------------------------------------------ roles

  // A role that one end has and the other lacks is reported, unless it is computed, or computes another.
  void CompareRoles() {
    const End& from = program_.ends.front();
    const End& to = program_.ends.back();
    auto find = [](const End& end, const std::string& name) -> const bind::Role* {
      for (const bind::Role& role : end.roles) {
        if (role.name == name) return &role;
      }
      return nullptr;
    };
    std::set<std::string> computing;
    for (const bind::Role& role : to.roles) {
      if (role.node->computed && !find(from, role.name)) NamesIn(*role.node->computed, computing);
    }
    auto report = [&](const bind::Role& role, std::string message) {
      if (request_.strict_states) diagnostics_.Error(Code::kStates, role.node->where, std::move(message)).Note("--strict-states makes this an error");
      else diagnostics_.Warning(Code::kStates, role.node->where, std::move(message));
    };
    for (const bind::Role& role : from.roles) {
      if (!find(to, role.name) && !computing.contains(role.name)) report(role, fmt::format("role `{}` is left behind: side `{}` does not have it", role.name, to.side->name));
    }
    for (const bind::Role& role : to.roles) {
      if (!find(from, role.name) && !role.node->computed) report(role, fmt::format("role `{}` is missing: side `{}` does not have it", role.name, from.side->name));
    }
  }

  static void NamesIn(const ast::Expr& e, std::set<std::string>& names) {
    if (e.kind == ast::Expr::Kind::kName) names.insert(e.text);
    for (const ast::ExprPtr& arg : e.args) NamesIn(*arg, names);
  }

  Program& program_;
  const bind::Request& request_;
  diag::Diagnostics& diagnostics_;
  Mapping mapping_;
  int suggestions_ = 0;
  bool declared_ = false;  // of the last OutType: the type does not come from the source
  bool asked_ = false;     // it comes from --dtype
  std::set<const bind::Statement*> against_reported_;
  std::set<const Rule*> mixed_reported_, promise_reported_, cast_reported_, inexact_reported_;
};

}  // namespace

std::optional<Mapping> Prove(Program& program, const bind::Request& request, diag::Diagnostics& diagnostics) { return Prover(program, request, diagnostics).Run(); }

}  // namespace aoa::prove
