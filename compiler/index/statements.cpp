// A statement as relations between its targets and the tensors that it reads.
#include "compiler/index/lowering.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/core/check.h"
#include "compiler/core/convert.h"
#include "compiler/diag/suggest.h"

namespace aoa::index {

// ---------------------------------------------------------------- statements

const Tensor& Lowering::At(size_t leg, TensorId ref) const {
  return ref & kResult ? program_.ends[leg + 1].tensors[ref & ~kResult] : program_.ends[leg].tensors[ref];
}

const std::optional<Definition>& Lowering::DefinitionAt(size_t leg, TensorId ref) const {
  return ref & kResult ? definitions_[leg + 1][ref & ~kResult] : definitions_[leg][ref];
}

void Lowering::Define(size_t leg, const Instance& instance) {
  const Rule& rule = program_.legs[leg].rules[instance.rule];
  const bind::RuleView& view = rule.views[instance.view];
  std::vector<size_t> first = bind::FirstTensors(view.out);
  for (uint32_t o = 0; o < view.out.size(); ++o) {
    for (size_t k = first[o]; k < first[o + 1]; ++k) DefineOne(leg, instance, o, k - first[o], instance.out[k]);
  }
}

void Lowering::DefineOne(size_t leg, const Instance& instance, uint32_t operand, size_t member, TensorId out) {
  const Rule& rule = program_.legs[leg].rules[instance.rule];
  DType to = program_.ends[leg + 1].tensors[out].dtype;
  // The statement's own relation; its sources number the instance's tensors.
  std::string key =
      fmt::format("{} {} {} {} {} {}", leg, instance.rule, instance.view, operand, member, static_cast<int>(to));
  for (TensorId in : instance.in) {
    if (At(leg, in).dtype != At(leg, instance.in[0]).dtype)
      key += fmt::format(" {}", static_cast<int>(At(leg, in).dtype));
  }
  if (!instance.in.empty()) key += fmt::format("/{}", static_cast<int>(At(leg, instance.in[0]).dtype));
  auto it = steps_.find(key);
  if (it == steps_.end()) it = steps_.emplace(key, Step(leg, instance, operand, member, to)).first;
  const Own& own = it->second;

  Definition d;
  d.fill_last = rule.fill_last;
  d.fill = own.fill;
  bool direct = leg == 0;
  for (uint32_t use : own.uses) direct = direct && IsPlainSource(instance.in[use]);
  if (direct) {
    d.relation = own.relation;
    for (uint32_t use : own.uses) d.slots.push_back(instance.in[use]);
  } else {
    ComposeWith(leg, instance, own, d);
  }
  if (own.normalized) d.norms = Norms(leg, instance, own);
  definitions_[leg + 1].resize(program_.ends[leg + 1].tensors.size());
  definitions_[leg + 1][out] = std::move(d);
}

bool Lowering::IsPlainSource(TensorId id) const {
  if (id & kResult) return false;
  const std::optional<Definition>& d = definitions_[0][id];
  return d && d->slots.size() == 1 && d->slots[0] == id && out_.relations[d->relation].size() <= 1 &&
         (out_.relations[d->relation].empty() || out_.relations[d->relation][0].chain == 0);
}

Lowering::Own Lowering::Step(size_t leg, const Instance& instance, uint32_t operand, size_t member, DType to) {
  const Rule& rule = program_.legs[leg].rules[instance.rule];
  const bind::RuleView& view = rule.views[instance.view];
  const prove::MatchedView& pieces = mapping_.views[leg][instance.rule][instance.view];
  Own own;
  own.normalized = !rule.normalize.empty();
  own.fill = FillOf(rule, to);
  std::vector<size_t> first_in = bind::FirstTensors(view.in);
  std::map<uint32_t, uint32_t> numbers;  // instance's tensor -> source
  Relation relation;
  int64_t norms = 0;
  for (const MatchedPiece& p : pieces) {
    if (p.out != operand) continue;
    AddPieces(leg, instance, p, member, view, first_in, own, to, numbers, own.uses, relation, norms);
  }
  own.relation = Intern(std::move(relation));
  return own;
}

// The boxes that a matched piece gives to one member of a stack: stacked variables choose tensors and are not digits.
// `norms` counts the norms of the pieces before it: each has its own.
void Lowering::AddPieces(size_t leg, const Instance& instance, const MatchedPiece& p, size_t member,
                         const bind::RuleView& view, const std::vector<size_t>& first_in, const Own& own, DType to,
                         std::map<uint32_t, uint32_t>& numbers, std::vector<uint32_t>& uses, Relation& relation,
                         int64_t& norms) {
  const Rule& rule = program_.legs[leg].rules[instance.rule];
  Piece base;
  if (own.normalized) base.table_base = norms;
  base.out_base = p.out_base;
  base.in_base = p.in_base;
  int64_t chosen = 0;           // tensor of the in operand's stack
  std::vector<Choice> choices;  // stacked on the in side only
  std::map<std::string, int64_t> fixed;
  auto rest = static_cast<int64_t>(member);
  for (size_t i = view.out[p.out].stacked.size(); i-- > 0;) {
    const PieceVariable& v = view.out[p.out].stacked[i];
    fixed[v.name] = rest % v.extent;
    rest /= v.extent;
  }
  int64_t table = 1;
  for (size_t i = p.variables.size(); i-- > 0;) {  // innermost first, for the strides of the table
    const MatchedVariable& v = p.variables[i];
    int64_t table_stride = 0;
    if (own.normalized && v.name != rule.normalize) {
      table_stride = table;
      table *= v.extent;
    }
    if (v.stacked_out) {
      int64_t value = fixed.at(v.name);
      if (v.stacked_in)
        chosen += value * v.in;
      else
        base.in_base += value * v.in;
      base.table_base += value * table_stride;
    } else if (v.stacked_in) {
      choices.push_back({&v, table_stride});
    } else {
      base.digits.insert(base.digits.begin(), {v.extent, v.out, p.in == MatchedPiece::kBlank ? 0 : v.in, table_stride});
    }
  }
  norms += table;
  if (p.in == MatchedPiece::kBlank) {
    base.source = Piece::kConstant;
    base.in_base = Intern(own.fill);
    relation.push_back(std::move(base));
    return;
  }
  Choose(leg, instance, rule, first_in[p.in] + static_cast<size_t>(chosen), choices, 0, base, to, numbers, uses,
         relation);
}

void Lowering::Choose(size_t leg, const Instance& instance, const Rule& rule, size_t tensor,
                      const std::vector<Choice>& choices, size_t i, const Piece& base, DType to,
                      std::map<uint32_t, uint32_t>& numbers, std::vector<uint32_t>& uses, Relation& relation) {
  if (i < choices.size()) {
    for (int64_t value = 0; value < choices[i].variable->extent; ++value) {
      Piece next = base;
      next.out_base += value * choices[i].variable->out;
      next.table_base += value * choices[i].table_stride;
      Choose(leg, instance, rule, tensor + static_cast<size_t>(value * choices[i].variable->in), choices, i + 1, next,
             to, numbers, uses, relation);
    }
    return;
  }
  auto index = static_cast<uint32_t>(tensor);
  auto [it, added] = numbers.try_emplace(index, static_cast<uint32_t>(uses.size()));
  if (added) uses.push_back(index);
  Piece piece = base;
  piece.source = it->second;
  piece.chain = Intern(ChainOf(rule, At(leg, instance.in.at(tensor)).dtype, to));
  relation.push_back(std::move(piece));
}

// What a statement does to a value of type `from` on its way to type `to`.
ValueChain Lowering::ChainOf(const Rule& rule, DType from, DType to) {
  ValueChain chain;
  if (rule.scale || rule.offset) {
    // What is not given changes nothing: -0 + -0 is -0, and so is -0 - 0.
    double no_offset = rule.inverse ? 0.0 : -0.0;
    ValueStep step{ValueStep::Kind::kAffine,
                   DType::kF32,
                   rule.overflow,
                   rule.inverse,
                   static_cast<float>(rule.scale.value_or(1)),
                   static_cast<float>(rule.offset.value_or(no_offset))};
    chain.push_back(step);
  }
  if (!rule.normalize.empty()) chain.push_back({ValueStep::Kind::kNormalize});
  if (!chain.empty() || from != to) chain.push_back({ValueStep::Kind::kCast, to, rule.overflow});
  return chain;
}

Constant Lowering::FillOf(const Rule& rule, DType to) {
  Constant constant{to, 0};
  if (rule.fill_last || rule.fill == 0) return constant;
  uint32_t flags = 0;
  bool fits = true;
  if (IsFloat(to)) {
    constant.bits = Encode(to, rule.fill, Overflow::kError, flags);
    fits = flags == 0;
  } else {
    int bits = Width(to) * 8;
    bool is_signed = to == DType::kI64 || to == DType::kI32 || to == DType::kI16 || to == DType::kI8;
    double low = is_signed ? -std::ldexp(1.0, bits - 1) : 0,
           high = to == DType::kBool ? 1 : std::ldexp(1.0, is_signed ? bits - 1 : bits) - 1;
    fits = rule.fill == std::floor(rule.fill) && rule.fill >= low && rule.fill <= high && to != DType::kC64;
    if (fits)
      constant.bits =
          static_cast<uint64_t>(static_cast<int64_t>(rule.fill)) & (bits == 64 ? ~0ull : (1ull << bits) - 1);
  }
  if (!fits) diagnostics_.Error(Code::kValue, rule.where, fmt::format("the fill {} is no {}", rule.fill, Name(to)));
  return constant;
}

}  // namespace aoa::index
