// Element types, followed from the source through every statement; and the roles of both ends.
#include "compiler/prove/prover.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diag/suggest.h"

namespace aoa::prove {
namespace {

std::string Shown(const std::string& name) { return "`" + diag::Printable(name) + "`"; }

}  // namespace

// ---------------------------------------------------------------- element types

std::optional<DType> Prover::DeclaredType(size_t leg, TensorId out, const bind::Operand* operand) const {
  if (operand && operand->node->dtype) return operand->node->dtype;
  const Tensor& tensor = program_.ends[leg + 1].tensors[out];
  if (tensor.family == kNoFamily) return std::nullopt;
  const Family& family = program_.ends[leg + 1].families[tensor.family];
  return family.declaration ? family.dtype : std::nullopt;
}

// The operand of a rule's statement that the i-th operand of a view came from.
const bind::Operand* Prover::OperandAt(const Rule& rule, const Leg& leg, bool in, const bind::OperandView& view) {
  if (!rule.statement) return nullptr;
  for (const bind::Operand& o : in == leg.backwards ? rule.statement->right : rule.statement->left) {
    if (o.node->where == view.where) return &o;
  }
  return nullptr;
}

void Prover::FollowTypes(size_t leg) {
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

const Tensor& Prover::At(size_t leg, TensorId ref) const {
  return ref & kResult ? program_.ends[leg + 1].tensors[ref & ~kResult] : program_.ends[leg].tensors[ref];
}

void Prover::FollowInstance(size_t leg, const Instance& instance, const Rule& rule) {
  const Leg& l = program_.legs[leg];
  const bind::RuleView& view = rule.views[instance.view];
  const MatchedView& matched = mapping_.views[leg][instance.rule][instance.view];
  End& to = program_.ends[leg + 1];
  std::vector<size_t> first_in = bind::FirstTensors(view.in), first_out = bind::FirstTensors(view.out);
  for (uint32_t i = 0; i < view.in.size(); ++i) {
    const bind::Operand* operand = OperandAt(rule, l, true, view.in[i]);
    for (size_t k = first_in[i]; k < first_in[i + 1] && k < instance.in.size(); ++k)
      CheckPromise(leg, instance.in[k], operand, rule);
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
        if (!source)
          source = instance.in[k];
        else if (At(leg, *source).dtype != At(leg, instance.in[k]).dtype && !mixed) {
          mixed = true;
          other = instance.in[k];
        }
      }
    }
    for (size_t k = first_out[o]; k < first_out[o + 1]; ++k) {
      Tensor& tensor = to.tensors[instance.out[k]];
      tensor.dtype = OutType(leg, instance.out[k], operand, rule,
                             source ? std::optional(At(leg, *source).dtype) : std::nullopt, mixed);
      if (mixed && !declared_) ReportMixed(leg, rule, *source, other, instance.out[k]);
      if (!source) continue;
      for (const MatchedPiece& piece : matched) {
        if (piece.out != o || piece.in == MatchedPiece::kBlank) continue;
        for (size_t s = first_in[piece.in]; s < first_in[piece.in + 1]; ++s)
          CheckCast(leg, rule, instance.in[s], instance.out[k]);
      }
    }
  }
}

// Where each operand's tensors start in an instance's list.
// The element type of a target: declared, asked for by the statement or the command line, or what arrives.
DType Prover::OutType(size_t leg, TensorId out, const bind::Operand* operand, const Rule& rule,
                      std::optional<DType> arriving, bool mixed) {
  std::optional<DType> declared = DeclaredType(leg, out, operand);
  declared_ = declared.has_value() || rule.cast;
  if (declared && rule.cast && *declared != *rule.cast) {
    diagnostics_.Error(Code::kCast, rule.where,
                       fmt::format("the statement casts to {}, {} is declared {}", Name(*rule.cast),
                                   Shown(program_.ends[leg + 1].NameOf(out)), Name(*declared)));
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

void Prover::ReportMixed(size_t leg, const Rule& rule, TensorId a, TensorId b, TensorId out) {
  if (!mixed_reported_.emplace(&rule).second) return;
  auto name = [&](TensorId ref) { return Shown(program_.ends[ref & kResult ? leg + 1 : leg].NameOf(ref & ~kResult)); };
  diagnostics_
      .Error(Code::kCast, rule.where,
             fmt::format("{} is {} and {} is {}, in one tensor", name(a), Name(At(leg, a).dtype), name(b),
                         Name(At(leg, b).dtype)))
      .Expected("one element type, unless the target declares its own")
      .Help(fmt::format("a type for {}: `: {}`", Shown(program_.ends[leg + 1].NameOf(out)), Name(DType::kF32)));
}

// An element type on the source side of a statement is a promise.
void Prover::CheckPromise(size_t leg, TensorId ref, const bind::Operand* operand, const Rule& rule) {
  std::optional<DType> promised = operand && operand->node->dtype ? operand->node->dtype : rule.cast_from;
  if (!promised || At(leg, ref).dtype == *promised || !promise_reported_.emplace(&rule).second) return;
  diagnostics_
      .Error(Code::kCast, rule.where,
             fmt::format("{} is {}, the statement says {}",
                         Shown(program_.ends[ref & kResult ? leg + 1 : leg].NameOf(ref & ~kResult)),
                         Name(At(leg, ref).dtype), Name(*promised)))
      .Note("an element type on the source side is a promise that the files must keep");
}

// x * scale + offset rounds to the stored type, unless it only changes the exponent.
void Prover::WarnOfRounding(const Rule& rule, DType stored, SourceRange where) {
  int exponent = 0;
  double fraction = std::frexp(rule.scale.value_or(1), &exponent);
  bool exact = std::abs(fraction) == 0.5 && rule.offset.value_or(0) == 0;
  if (exact || !inexact_reported_.emplace(&rule).second) return;
  diagnostics_
      .Warning(Code::kInexactInverse, where,
               fmt::format("the way back of this statement is not exact in {}", Name(stored)))
      .Note(
          "what is multiplied or added to is rounded when it is stored, so there and back may differ in the last bits");
}

void Prover::CheckCast(size_t leg, const Rule& rule, TensorId in, TensorId out) {
  DType from = At(leg, in).dtype, to = program_.ends[leg + 1].tensors[out].dtype;
  bool arithmetic = rule.scale || rule.offset || !rule.normalize.empty();
  if (from == to && !arithmetic) return;
  std::string name = Shown(program_.ends[in & kResult ? leg + 1 : leg].NameOf(in & ~kResult));
  SourceRange where = rule.where ? rule.where : WhereDeclared(leg, out);
  if (!IsFloat(from) || !IsFloat(to)) {
    if (!cast_reported_.emplace(&rule).second) return;
    if (from == to)
      diagnostics_.Error(Code::kAttributeUse, where,
                         fmt::format("{} is {}, which is not computed with", name, Name(from)));
    else
      diagnostics_.Error(Code::kCast, where, fmt::format("no cast leads from {} to {}", Name(from), Name(to)))
          .Found(fmt::format("{} of side `{}` is {}", name, program_.ends[in & kResult ? leg + 1 : leg].side->name,
                             Name(from)))
          .Found(fmt::format("{} of side `{}` is {}", Shown(program_.ends[leg + 1].NameOf(out)),
                             program_.ends[leg + 1].side->name, Name(to)))
          .Note("casts are between floating-point types");
    return;
  }
  if (rule.two_way && (rule.scale || rule.offset)) WarnOfRounding(rule, to, where);
  if (from != to && rule.two_way && !asked_ && cast_reported_.emplace(&rule).second) {
    diagnostics_
        .Error(Code::kTwoWay, where,
               fmt::format("a two-way statement casts {} from {} to {}", name, Name(from), Name(to)))
        .Note("one of the two directions narrows")
        .Help("a pair of `->` and `<-` gives each direction its own cast; `--dtype` casts what the rules leave open");
  }
}

SourceRange Prover::WhereDeclared(size_t leg, TensorId out) const {
  const Tensor& tensor = program_.ends[leg + 1].tensors[out];
  return tensor.family == kNoFamily ? SourceRange{} : program_.ends[leg + 1].families[tensor.family].where;
}

void Prover::CheckMeans() {
  const End& end = program_.ends[0];
  for (TensorId id = 0; id < end.tensors.size(); ++id) {
    const Tensor& tensor = end.tensors[id];
    if (!tensor.present || tensor.role >= 0 || tensor.family == kNoFamily || !end.families[tensor.family].mean ||
        IsFloat(tensor.dtype))
      continue;
    diagnostics_.Error(Code::kCast, end.families[tensor.family].where,
                       fmt::format("{} is {}, which has no mean", Shown(end.NameOf(id)), Name(tensor.dtype)));
  }
}

// ---------------------------------------------------------------- roles

// A role that one end has and the other lacks is reported, unless it is computed, or computes another.
void Prover::CompareRoles() {
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
    if (role.node->computed && !find(from, role.name)) bind::NamesIn(*role.node->computed, computing);
  }
  auto report = [&](const bind::Role& role, std::string message) {
    if (request_.strict_states)
      diagnostics_.Error(Code::kStates, role.node->where, std::move(message))
          .Note("--strict-states makes this an error");
    else
      diagnostics_.Warning(Code::kStates, role.node->where, std::move(message));
  };
  for (const bind::Role& role : from.roles) {
    if (!find(to, role.name) && !computing.contains(role.name))
      report(role, fmt::format("role `{}` is left behind: side `{}` does not have it", role.name, to.side->name));
  }
  for (const bind::Role& role : to.roles) {
    if (!find(from, role.name) && !role.node->computed)
      report(role, fmt::format("role `{}` is missing: side `{}` does not have it", role.name, from.side->name));
  }
}

}  // namespace aoa::prove
