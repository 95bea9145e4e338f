// What follows a weight: optimizer states, scalars and block scales.
#include "compiler/index/lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/core/check.h"
#include "compiler/diag/suggest.h"

namespace aoa::index {

// ---------------------------------------------------------------- states

const bind::Role* Lowering::FindRole(const End& end, const std::string& name, int& index) {
  for (size_t i = 0; i < end.roles.size(); ++i) {
    if (end.roles[i].name == name) return index = static_cast<int>(i), &end.roles[i];
  }
  return nullptr;
}

namespace {

bool HasAny(const End& end, int role) {
  return std::any_of(end.tensors.begin(), end.tensors.end(),
                     [&](const Tensor& tensor) { return tensor.role == role && tensor.present; });
}

}  // namespace

void Lowering::AddStates() {
  End& to = program_.ends.back();
  size_t weights = out_.targets.size();
  for (size_t r = 0; r < to.roles.size(); ++r) {
    int from_role = 0;
    const bind::Role* from = FindRole(program_.ends[0], to.roles[r].name, from_role);
    if (from && !HasAny(program_.ends[0], from_role)) from = nullptr;  // declared, and in no file
    for (size_t t = 0; t < weights; ++t) {
      if (to.roles[r].scalar)
        AddScalar(t, static_cast<int>(r), from, from_role);
      else if (from && !from->scalar)
        AddState(t, static_cast<int>(r), *from, from_role);
      if (diagnostics_.errors() > 20) return;
    }
  }
}

// The state of a source weight; reported if it is not there. A tied copy stands for its original.
TensorId Lowering::StateOf(TensorId weight, const bind::Role& role, int index) {
  const End& source = program_.ends[0];
  TensorId state = source.FindState(weight, index);
  if (state != kNoTensor && source.tensors[state].present) return state;
  SourceRange where = role.node->where;
  diagnostics_.Error(
      Code::kMissing, where,
      fmt::format("`{}` is missing: the {} of `{}`", diag::Printable(role.NameFor(source.NameOf(weight))), role.name,
                  diag::Printable(source.NameOf(weight))));
  return kNoTensor;
}

TensorId Lowering::AddStateTensor(size_t weight_target, int role, DType dtype) {
  End& to = program_.ends.back();
  TensorId weight = out_.targets[weight_target].tensor;
  Tensor state;
  state.family = to.tensors[weight].family;
  state.type = to.tensors[weight].type;
  state.role = static_cast<int16_t>(role);
  state.weight = weight;
  state.dtype = dtype;
  state.present = true;
  return to.AddState(to.roles[static_cast<size_t>(role)].NameFor(to.NameOf(weight)), state);
}

void Lowering::AddState(size_t weight_target, int role, const bind::Role& from, int from_role) {
  const Target weight = out_.targets[weight_target];
  const bind::Role& to_role = program_.ends.back().roles[static_cast<size_t>(role)];
  Target target;
  target.first_slot = static_cast<uint32_t>(out_.slots.size());
  target.slot_count = weight.slot_count;
  std::optional<DType> arriving;
  for (uint32_t s = 0; s < weight.slot_count; ++s) {
    TensorId state = StateOf(out_.slots[weight.first_slot + s], from, from_role);
    if (state == kNoTensor) return;
    DType dtype = program_.ends[0].tensors[state].dtype;
    if (arriving && *arriving != dtype && !to_role.dtype) {
      diagnostics_
          .Error(Code::kCast, to_role.node->where,
                 fmt::format("states `{}` of one tensor are {} and {}", from.name, Name(*arriving), Name(dtype)))
          .Help("a type after the template casts them: `: f32`");
      return;
    }
    if (!arriving) arriving = dtype;
    out_.slots.push_back(state);
  }
  DType dtype = to_role.dtype.value_or(arriving.value_or(from.dtype.value_or(DType::kF32)));
  Relation relation = out_.relations[weight.relation];
  for (Piece& piece : relation) {
    piece.table_base = 0;
    for (Digit& digit : piece.digits) digit.table = 0;
    if (piece.source == Piece::kConstant) {
      piece.chain = 0;
      piece.in_base = Intern(Constant{dtype, 0});
    } else {
      piece.chain = StateChain(out_.chains[piece.chain],
                               program_.ends[0].tensors[out_.slots[target.first_slot + piece.source]].dtype, dtype,
                               from.name == "master");
    }
  }
  target.relation = Intern(std::move(relation));
  target.fill = {dtype, 0};
  target.tensor = AddStateTensor(weight_target, role, dtype);
  out_.targets.push_back(std::move(target));
}

// A state follows its weight without its casts; scale and offset concern the role master only.
uint32_t Lowering::StateChain(const ValueChain& weight, DType from, DType to, bool master) {
  ValueChain chain;
  for (const ValueStep& step : weight) {
    if (master && step.kind == ValueStep::Kind::kAffine) {
      chain.push_back(step);
      chain.push_back({ValueStep::Kind::kCast, to, step.overflow});  // in the type of the role
    }
  }
  if (chain.empty() && from != to) {
    if (!IsFloat(from) || !IsFloat(to))
      diagnostics_.Error(Code::kCast, {},
                         fmt::format("a state is {} and would become {}: no cast leads there", Name(from), Name(to)));
    chain.push_back({ValueStep::Kind::kCast, to});
  }
  return Intern(chain);
}

void Lowering::AddScalar(size_t weight_target, int role, const bind::Role* from, int from_role) {
  const Target weight = out_.targets[weight_target];
  const bind::Role& to_role = program_.ends.back().roles[static_cast<size_t>(role)];
  ScalarTarget scalar;
  DType dtype = DType::kF32;
  auto gather = [&](const bind::Role& source_role, int index, std::vector<TensorId>& list) {
    for (uint32_t s = 0; s < weight.slot_count; ++s) {
      TensorId state = StateOf(out_.slots[weight.first_slot + s], source_role, index);
      if (state == kNoTensor) return false;
      if (std::find(list.begin(), list.end(), state) == list.end()) list.push_back(state);
    }
    return true;
  };
  if (from && from->scalar) {
    if (!gather(*from, from_role, scalar.sources) || scalar.sources.empty()) return;
    dtype = program_.ends[0].tensors[scalar.sources[0]].dtype;
    if (to_role.dtype && *to_role.dtype != dtype) {
      diagnostics_
          .Error(Code::kScalar, to_role.node->where,
                 fmt::format("scalar `{}` is {} in the source", to_role.name, Name(dtype)))
          .Note("a scalar that is carried keeps its type");
      return;
    }
  } else if (to_role.node->computed) {
    scalar.computed = to_role.node->computed.get();
    std::set<std::string> names;
    bind::NamesIn(*scalar.computed, names);
    for (const std::string& name : names) {
      int index = 0;
      const bind::Role* input = FindRole(program_.ends[0], name, index);
      if (!input || !input->scalar) {
        diagnostics_.Error(Code::kScalar, scalar.computed->where,
                           fmt::format("side `{}` has no scalar `{}` to compute `{}` from", program_.ends[0].side->name,
                                       name, to_role.name));
        return;
      }
      scalar.inputs.emplace_back(name, std::vector<TensorId>{});
      if (!gather(*input, index, scalar.inputs.back().second)) return;
    }
  } else {
    return;
  }
  scalar.tensor = AddStateTensor(weight_target, role, dtype);
  out_.scalars.push_back(std::move(scalar));
}

// ---------------------------------------------------------------- block scales

void Lowering::AddBlocks() {
  End& to = program_.ends.back();
  const End& source = program_.ends[0];
  for (uint32_t f = 0; f < to.families.size(); ++f) {
    const Family& family = to.families[f];
    if (!family.blocks_of) continue;
    for (size_t t = 0, count = out_.targets.size(); t < count; ++t) {
      TensorId weight = out_.targets[t].tensor;
      if (to.tensors[weight].family != *family.blocks_of || to.tensors[weight].role >= 0) continue;
      auto values = to.families[*family.blocks_of].pattern.Match(to.NameOf(weight));
      BlockTarget block;
      block.weight = t;
      for (uint32_t s = 0; s < out_.targets[t].slot_count; ++s) {
        TensorId scale = ScaleOf(source, out_.slots[out_.targets[t].first_slot + s]);
        if (scale == kNoTensor) {
          diagnostics_
              .Error(Code::kBlocks, family.where,
                     fmt::format("`{}` has no block scales in the source",
                                 diag::Printable(source.NameOf(out_.slots[out_.targets[t].first_slot + s]))))
              .Note(fmt::format("`{}` needs them", diag::Printable(family.pattern.Spell(*values))));
          return;
        }
        const Tensor& coded = source.tensors[out_.slots[out_.targets[t].first_slot + s]];
        if (request_.dtype && to.tensors[weight].dtype != coded.dtype) {
          diagnostics_
              .Error(Code::kBlocks, family.where,
                     fmt::format("`{}` has block scales, which --dtype {} does not apply",
                                 diag::Printable(to.NameOf(weight)), Name(*request_.dtype)))
              .Found(fmt::format("{} in the source", Name(coded.dtype)))
              .Help(fmt::format("a type in the rules keeps what is stored: `: {}`", Name(coded.dtype)));
          return;
        }
        const TensorId first = block.sources.empty() ? scale : block.sources[0];
        if (source.tensors[scale].dtype != source.tensors[first].dtype) {
          diagnostics_
              .Error(Code::kBlocks, family.where,
                     fmt::format("the scales of `{}` are of several types: `{}` is {}, `{}` is {}",
                                 diag::Printable(to.NameOf(weight)), diag::Printable(source.NameOf(first)),
                                 Name(source.tensors[first].dtype), diag::Printable(source.NameOf(scale)),
                                 Name(source.tensors[scale].dtype)))
              .Expected("scales of one type, which are copied as they are");
          return;
        }
        block.sources.push_back(scale);
      }
      Tensor tensor;
      tensor.family = f;
      tensor.present = true;
      tensor.where = family.where;
      if (!block.sources.empty()) tensor.dtype = source.tensors[block.sources[0]].dtype;
      block.tensor = to.Add(family.pattern.Spell(*values), tensor);
      out_.blocks.push_back(std::move(block));
    }
  }
}

TensorId Lowering::ScaleOf(const End& source, TensorId weight) {
  uint32_t family = source.tensors[weight].family;
  for (const Family& candidate : source.families) {
    if (!candidate.blocks_of || *candidate.blocks_of != family) continue;
    auto values = source.families[family].pattern.Match(source.NameOf(weight));
    TensorId scale = values ? source.Find(candidate.pattern.Spell(*values)) : kNoTensor;
    if (scale != kNoTensor && source.tensors[scale].present) return scale;
  }
  return kNoTensor;
}

}  // namespace aoa::index
