#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "compiler/core/check.h"
#include "compiler/core/convert.h"
#include "compiler/diag/suggest.h"
#include "compiler/index/index_program.h"

namespace aoa::index {
namespace {

using bind::End;
using bind::Family;
using bind::Instance;
using bind::kNoFamily;
using bind::kNoTensor;
using bind::kResult;
using bind::Program;
using bind::Rule;
using bind::Tensor;
using bind::TensorId;
using diag::Code;
using prove::MatchedPiece;
using prove::MatchedVariable;

constexpr size_t kMostPieces = 1 << 22;  // of one relation

// A tensor of any end in terms of source tensors.
struct Definition {
  uint32_t relation = 0;
  std::vector<TensorId> slots;  // of the source end
  bool fill_last = false;
  Constant fill;
  std::optional<uint32_t> norms;
};

std::vector<size_t> Firsts(const std::vector<bind::OperandView>& operands) {
  std::vector<size_t> out = {0};
  for (const bind::OperandView& operand : operands) {
    size_t count = operand.blank ? 0 : 1;
    for (const PieceVariable& v : operand.stacked) count *= static_cast<size_t>(std::max<int64_t>(0, v.extent));
    out.push_back(out.back() + count);
  }
  return out;
}

class Lowering {
 public:
  Lowering(Program& program, const prove::Mapping& mapping, const bind::Request& request, diag::Diagnostics& diagnostics)
      : program_(program), mapping_(mapping), request_(request), diagnostics_(diagnostics) {
    out_.chains.emplace_back();
  }

  std::optional<IndexProgram> Run() {
    definitions_.resize(program_.ends.size());
    for (size_t e = 0; e < program_.ends.size(); ++e) definitions_[e].resize(program_.ends[e].tensors.size());
    DefineSource();
    for (size_t leg = 0; leg < program_.legs.size(); ++leg) {
      const bind::Leg& l = program_.legs[leg];
      for (size_t i = 0; i < l.instances.size(); ++i) {
        if (mapping_.needed[leg][i] && !l.instances[i].incomplete && l.rules[l.instances[i].rule].kind != Rule::Kind::kDrop) Define(leg, l.instances[i]);
        if (diagnostics_.errors() > 20) return std::nullopt;
      }
    }
    DefineCopies();
    if (diagnostics_.HasErrors()) return std::nullopt;
    for (TensorId id : mapping_.targets) AddTarget(id);
    if (diagnostics_.HasErrors()) return std::nullopt;
    AddBlocks();
    if (request_.states) AddStates();
    if (diagnostics_.HasErrors()) return std::nullopt;
    return std::move(out_);
  }

 private:
  // ------------------------------------------------------------ interning

  uint32_t Intern(Relation relation) {
    Canonicalize(relation);
    std::string key;
    for (const Piece& p : relation) {
      auto put = [&](int64_t value) { key.append(reinterpret_cast<const char*>(&value), sizeof value); };
      put(p.source);
      put(p.chain);
      put(p.out_base);
      put(p.in_base);
      put(p.table_base);
      for (const Digit& d : p.digits) {
        put(d.extent);
        put(d.out);
        put(d.in);
        put(d.table);
      }
      put(-1);
    }
    auto [it, added] = relation_ids_.try_emplace(std::move(key), static_cast<uint32_t>(out_.relations.size()));
    if (added) out_.relations.push_back(std::move(relation));
    return it->second;
  }

  uint32_t Intern(const ValueChain& chain) {
    for (uint32_t i = 0; i < out_.chains.size(); ++i) {
      if (out_.chains[i] == chain) return i;
    }
    out_.chains.push_back(chain);
    return static_cast<uint32_t>(out_.chains.size()) - 1;
  }

  uint32_t Intern(const Constant& constant) {
    for (uint32_t i = 0; i < out_.constants.size(); ++i) {
      if (out_.constants[i] == constant) return i;
    }
    out_.constants.push_back(constant);
    return static_cast<uint32_t>(out_.constants.size()) - 1;
  }

  uint32_t JoinChains(uint32_t first, uint32_t second) {
    if (first == 0) return second;
    if (second == 0) return first;
    auto [it, added] = joined_.try_emplace({first, second}, 0);
    if (added) {
      ValueChain chain = out_.chains[first];
      chain.insert(chain.end(), out_.chains[second].begin(), out_.chains[second].end());
      it->second = Intern(chain);
    }
    return it->second;
  }

  // ------------------------------------------------------------ the source

  uint32_t Identity(int64_t elements) {
    Relation relation(1);
    relation[0].digits = {{elements, 1, 1, 0}};
    return Intern(std::move(relation));
  }

  void DefineSource() {
    const End& source = program_.ends[0];
    for (TensorId id = 0; id < source.tensors.size(); ++id) {
      const Tensor& tensor = source.tensors[id];
      if (!tensor.present || tensor.role >= 0 || tensor.type == bind::kNoType) continue;
      Definition d;
      int64_t elements = ElementCount(source.types[tensor.type]);
      d.relation = Identity(elements);
      d.slots = {id};
      if (tensor.family != kNoFamily && source.families[tensor.family].mean) {  // averaged as it is read
        Relation relation = out_.relations[d.relation];
        for (Piece& piece : relation) piece.chain = Intern({{ValueStep::Kind::kMean}, {ValueStep::Kind::kCast, tensor.dtype}});
        d.relation = Intern(std::move(relation));
      }
      definitions_[0][id] = std::move(d);
    }
    for (const bind::Tie& tie : source.ties) {
      Relation relation = FromPieces(mapping_.source_ties[tie.view]);
      const Tensor& original = source.tensors[tie.original];
      if (original.holders > 0) {
        out_.agreements.push_back({Intern(relation), tie.copy, tie.original});
      } else {  // only the copy is there
        definitions_[0][tie.original]->relation = Intern(Invert(relation));
        definitions_[0][tie.original]->slots = {tie.copy};
      }
    }
  }

  // The relation of a view with one tensor on either side.
  static Relation FromPieces(const prove::MatchedView& pieces) {
    Relation relation;
    for (const MatchedPiece& p : pieces) {
      Piece piece;
      piece.in_base = p.in_base;
      piece.out_base = p.out_base;
      for (const MatchedVariable& v : p.variables) piece.digits.push_back({v.extent, v.out, v.in, 0});
      relation.push_back(std::move(piece));
    }
    Canonicalize(relation);
    return relation;
  }

  // ------------------------------------------------------------ statements

  const Tensor& At(size_t leg, TensorId ref) const { return ref & kResult ? program_.ends[leg + 1].tensors[ref & ~kResult] : program_.ends[leg].tensors[ref]; }
  const std::optional<Definition>& DefinitionAt(size_t leg, TensorId ref) const { return ref & kResult ? definitions_[leg + 1][ref & ~kResult] : definitions_[leg][ref]; }

  void Define(size_t leg, const Instance& instance) {
    const Rule& rule = program_.legs[leg].rules[instance.rule];
    const bind::RuleView& view = rule.views[instance.view];
    std::vector<size_t> first = Firsts(view.out);
    for (uint32_t o = 0; o < view.out.size(); ++o) {
      for (size_t k = first[o]; k < first[o + 1]; ++k) DefineOne(leg, instance, o, k - first[o], instance.out[k]);
    }
  }

  void DefineOne(size_t leg, const Instance& instance, uint32_t operand, size_t member, TensorId out) {
    const Rule& rule = program_.legs[leg].rules[instance.rule];
    DType to = program_.ends[leg + 1].tensors[out].dtype;
    // The statement's own relation; its sources number the instance's tensors.
    std::string key = fmt::format("{} {} {} {} {} {}", leg, instance.rule, instance.view, operand, member, static_cast<int>(to));
    for (TensorId in : instance.in) {
      if (At(leg, in).dtype != At(leg, instance.in[0]).dtype) key += fmt::format(" {}", static_cast<int>(At(leg, in).dtype));
    }
    if (!instance.in.empty()) key += fmt::format("/{}", static_cast<int>(At(leg, instance.in[0]).dtype));
    auto it = steps_.find(key);
    if (it == steps_.end()) it = steps_.emplace(key, Step(leg, instance, operand, member, to)).first;
    const Own& own = it->second;

    Definition d;
    d.fill_last = rule.fill_last;
    d.fill = own.fill;
    bool direct = leg == 0;
    for (uint32_t use : own.uses) direct = direct && !(instance.in[use] & kResult) && IsPlainSource(instance.in[use]);
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

  bool IsPlainSource(TensorId id) const {
    const std::optional<Definition>& d = definitions_[0][id];
    return d && d->slots.size() == 1 && d->slots[0] == id && out_.relations[d->relation].size() <= 1 && (out_.relations[d->relation].empty() || out_.relations[d->relation][0].chain == 0);
  }

  // A statement's relation for one target, before it is composed with what its sources are.
  struct Own {
    uint32_t relation = 0;
    std::vector<uint32_t> uses;  // the instance's tensors that the relation's sources are
    Constant fill;
    bool normalized = false;
  };

  Own Step(size_t leg, const Instance& instance, uint32_t operand, size_t member, DType to) {
    const Rule& rule = program_.legs[leg].rules[instance.rule];
    const bind::RuleView& view = rule.views[instance.view];
    const prove::MatchedView& pieces = mapping_.views[leg][instance.rule][instance.view];
    Own own;
    own.normalized = !rule.normalize.empty();
    own.fill = FillOf(rule, to);
    std::vector<size_t> first_in = Firsts(view.in);
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

  // A variable that chooses the tensor of an in operand's stack.
  struct Choice {
    const MatchedVariable* variable;
    int64_t table_stride;
  };

  // The boxes that a matched piece gives to one member of a stack: stacked variables choose tensors and are not digits.
  // `norms` counts the norms of the pieces before it: each has its own.
  void AddPieces(size_t leg, const Instance& instance, const MatchedPiece& p, size_t member, const bind::RuleView& view, const std::vector<size_t>& first_in, const Own& own, DType to,
                 std::map<uint32_t, uint32_t>& numbers, std::vector<uint32_t>& uses, Relation& relation, int64_t& norms) {
    const Rule& rule = program_.legs[leg].rules[instance.rule];
    Piece base;
    if (own.normalized) base.table_base = norms;
    base.out_base = p.out_base;
    base.in_base = p.in_base;
    int64_t chosen = 0;                           // tensor of the in operand's stack
    std::vector<Choice> choices;                  // stacked on the in side only
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
        if (v.stacked_in) chosen += value * v.in;
        else base.in_base += value * v.in;
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
    Choose(leg, instance, rule, first_in[p.in] + static_cast<size_t>(chosen), choices, 0, base, to, numbers, uses, relation);
  }

  void Choose(size_t leg, const Instance& instance, const Rule& rule, size_t tensor, const std::vector<Choice>& choices, size_t i, const Piece& base, DType to,
              std::map<uint32_t, uint32_t>& numbers, std::vector<uint32_t>& uses, Relation& relation) {
    if (i < choices.size()) {
      for (int64_t value = 0; value < choices[i].variable->extent; ++value) {
        Piece next = base;
        next.out_base += value * choices[i].variable->out;
        next.table_base += value * choices[i].table_stride;
        Choose(leg, instance, rule, tensor + static_cast<size_t>(value * choices[i].variable->in), choices, i + 1, next, to, numbers, uses, relation);
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
  static ValueChain ChainOf(const Rule& rule, DType from, DType to) {
    ValueChain chain;
    if (rule.scale || rule.offset) {
      // What is not given changes nothing: -0 + -0 is -0, and so is -0 - 0.
      double no_offset = rule.inverse ? 0.0 : -0.0;
      ValueStep step{ValueStep::Kind::kAffine, DType::kF32, rule.overflow, rule.inverse, static_cast<float>(rule.scale.value_or(1)), static_cast<float>(rule.offset.value_or(no_offset))};
      chain.push_back(step);
    }
    if (!rule.normalize.empty()) chain.push_back({ValueStep::Kind::kNormalize});
    if (!chain.empty() || from != to) chain.push_back({ValueStep::Kind::kCast, to, rule.overflow});
    return chain;
  }

  Constant FillOf(const Rule& rule, DType to) {
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
      double low = is_signed ? -std::ldexp(1.0, bits - 1) : 0, high = to == DType::kBool ? 1 : std::ldexp(1.0, is_signed ? bits - 1 : bits) - 1;
      fits = rule.fill == std::floor(rule.fill) && rule.fill >= low && rule.fill <= high && to != DType::kC64;
      if (fits) constant.bits = static_cast<uint64_t>(static_cast<int64_t>(rule.fill)) & (bits == 64 ? ~0ull : (1ull << bits) - 1);
    }
    if (!fits) diagnostics_.Error(Code::kValue, rule.where, fmt::format("the fill {} is no {}", rule.fill, Name(to)));
    return constant;
  }

  // ------------------------------------------------------------ composition

  // Replaces the sources of a statement's relation by what these are.
  void ComposeWith(size_t leg, const Instance& instance, const Own& own, Definition& d) {
    std::string key = fmt::format("{}", own.relation);
    std::map<TensorId, uint32_t> numbers;
    std::vector<std::vector<uint32_t>> renumbered;
    std::vector<uint32_t> tables;       // the norms of the sources, which become one table
    std::vector<int64_t> table_base;    // where those of each source begin in it
    for (uint32_t use : own.uses) {
      const std::optional<Definition>& source = DefinitionAt(leg, instance.in[use]);
      AOA_CHECK(source.has_value(), "a statement reads what nothing defines");
      key += fmt::format(" {}:", source->relation);
      auto& list = renumbered.emplace_back();
      for (TensorId slot : source->slots) {
        auto [it, added] = numbers.try_emplace(slot, static_cast<uint32_t>(d.slots.size()));
        if (added) d.slots.push_back(slot);
        list.push_back(it->second);
        key += fmt::format("{},", it->second);
      }
      table_base.push_back(source->norms ? AddTable(*source->norms, tables) : 0);
      key += fmt::format("@{}", table_base.back());
    }
    if (!tables.empty()) d.norms = JoinedNorms(tables);
    if (d.norms && own.normalized) {
      diagnostics_.Error(Code::kTooDeep, program_.legs[leg].rules[instance.rule].where, "what an earlier statement has normalized is normalized again")
          .Note("the second lengths are those of values that no file holds")
          .Help("convert in two steps");
    }
    if (auto it = composed_.find(key); it != composed_.end()) {
      d.relation = it->second;
      return;
    }
    Relation result;
    for (const Piece& piece : out_.relations[own.relation]) {
      if (piece.source == Piece::kConstant) result.push_back(piece);
    }
    for (uint32_t s = 0; s < own.uses.size(); ++s) {
      Relation source = out_.relations[DefinitionAt(leg, instance.in[own.uses[s]])->relation];
      for (Piece& piece : source) {
        if (piece.source == Piece::kConstant) continue;
        piece.source = renumbered[s][piece.source];
        piece.table_base += table_base[s];
      }
      Relation second = out_.relations[own.relation];
      bool ok = Compose(source, second, s, [this](uint32_t a, uint32_t b) { return JoinChains(a, b); }, result, kMostPieces);
      if (!ok) {
        diagnostics_.Error(Code::kTooDeep, program_.legs[leg].rules[instance.rule].where, "the layouts of this statement and of an earlier one are too unlike to be composed")
            .Note("their factorisations have no common refinement, and meeting by intervals takes millions of pieces")
            .Help("convert in two steps");
        break;
      }
    }
    d.relation = Intern(std::move(result));
    composed_[key] = d.relation;
  }

  // Where the numbers of a table begin if it is put behind others, or is one of them.
  int64_t AddTable(uint32_t table, std::vector<uint32_t>& tables) const {
    int64_t base = 0;
    for (uint32_t other : tables) {
      if (other == table) return base;
      base += out_.norms[other].size;
    }
    tables.push_back(table);
    return base;
  }

  // Several tables as one.
  uint32_t JoinedNorms(const std::vector<uint32_t>& tables) {
    if (tables.size() == 1) return tables[0];
    auto [it, added] = joined_norms_.try_emplace(tables, static_cast<uint32_t>(out_.norms.size()));
    if (!added) return it->second;
    NormTable joined;
    joined.dtype = out_.norms[tables[0]].dtype;
    joined.first_slot = static_cast<uint32_t>(out_.slots.size());
    Relation relation;
    int64_t elements = 0;
    for (uint32_t number : tables) {
      const NormTable table = out_.norms[number];
      AOA_CHECK(table.dtype == joined.dtype, "norms of different types");
      int64_t next = elements;
      for (Piece piece : out_.relations[table.relation]) {
        if (ElementCount(piece) > 0) next = std::max(next, elements + OutSpan(piece).last + 1);
        piece.out_base += elements;
        piece.table_base += joined.size;
        if (piece.source != Piece::kConstant) piece.source += joined.slot_count;
        relation.push_back(std::move(piece));
      }
      elements = next;
      joined.size += table.size;
      joined.slot_count += table.slot_count;
      for (uint32_t s = 0; s < table.slot_count; ++s) out_.slots.push_back(out_.slots[table.first_slot + s]);
    }
    joined.relation = Intern(std::move(relation));
    out_.norms.push_back(joined);
    return it->second;
  }

  // The table of norms of a statement's source: one number per index of all variables but the normalised one.
  uint32_t Norms(size_t leg, const Instance& instance, const Own& own) {
    AOA_CHECK(own.uses.size() >= 1, "a norm of nothing");
    NormTable table;
    Definition source;
    // The source in element order, with the table's number of every element: the statement's own relation says both.
    Relation order;
    for (const Piece& piece : out_.relations[own.relation]) {
      if (piece.source == Piece::kConstant) continue;
      Piece plain = piece;
      plain.chain = 0;
      order.push_back(std::move(plain));
    }
    Own plain = own;
    plain.relation = Intern(std::move(order));
    if (leg == 0 && std::all_of(own.uses.begin(), own.uses.end(), [&](uint32_t u) { return IsPlainSource(instance.in[u]); })) {
      source.relation = plain.relation;
      for (uint32_t use : own.uses) source.slots.push_back(instance.in[use]);
    } else {
      ComposeWith(leg, instance, plain, source);
    }
    table.relation = source.relation;
    table.dtype = At(leg, instance.in[own.uses[0]]).dtype;
    for (const Piece& piece : out_.relations[table.relation]) {
      int64_t last = piece.table_base;
      for (const Digit& digit : piece.digits) last += (digit.extent - 1) * digit.table;
      table.size = std::max(table.size, last + 1);
    }
    table.first_slot = static_cast<uint32_t>(out_.slots.size());
    table.slot_count = static_cast<uint32_t>(source.slots.size());
    out_.slots.insert(out_.slots.end(), source.slots.begin(), source.slots.end());
    out_.norms.push_back(table);
    return static_cast<uint32_t>(out_.norms.size()) - 1;
  }

  // ------------------------------------------------------------ targets

  void DefineCopies() {
    End& target = program_.ends.back();
    std::vector<std::optional<Definition>>& definitions = definitions_.back();
    definitions.resize(target.tensors.size());
    for (const bind::Tie& tie : target.ties) {
      const std::optional<Definition>& original = definitions[tie.original];
      if (!original) continue;
      Relation relation = FromPieces(mapping_.target_ties[tie.view]);
      DType from = target.tensors[tie.original].dtype, to = target.tensors[tie.copy].dtype;
      uint32_t chain = from == to ? 0 : Intern({{ValueStep::Kind::kCast, to}});
      for (Piece& piece : relation) piece.chain = chain;
      Definition d = *original;
      Relation result;
      bool ok = Compose(out_.relations[original->relation], relation, 0, [this](uint32_t a, uint32_t b) { return JoinChains(a, b); }, result, kMostPieces);
      AOA_CHECK(ok, "a tied copy of too many pieces");
      d.relation = Intern(std::move(result));
      definitions[tie.copy] = std::move(d);
    }
  }

  void AddTarget(TensorId id) {
    const std::optional<Definition>& d = definitions_.back()[id];
    if (!d) return;
    Target target;
    target.tensor = id;
    target.relation = d->relation;
    target.first_slot = static_cast<uint32_t>(out_.slots.size());
    target.slot_count = static_cast<uint32_t>(d->slots.size());
    target.fill_last = d->fill_last;
    target.fill = d->fill;
    target.fill.dtype = program_.ends.back().tensors[id].dtype;
    target.norms = d->norms;
    out_.slots.insert(out_.slots.end(), d->slots.begin(), d->slots.end());
    weight_targets_[id] = out_.targets.size();
    out_.targets.push_back(std::move(target));
  }

  // ------------------------------------------------------------ states

  static const bind::Role* FindRole(const End& end, const std::string& name, int& index) {
    for (size_t i = 0; i < end.roles.size(); ++i) {
      if (end.roles[i].name == name) return index = static_cast<int>(i), &end.roles[i];
    }
    return nullptr;
  }

  void AddStates() {
    End& to = program_.ends.back();
    size_t weights = out_.targets.size();
    for (size_t r = 0; r < to.roles.size(); ++r) {
      int from_role = 0;
      const bind::Role* from = FindRole(program_.ends[0], to.roles[r].name, from_role);
      for (size_t t = 0; t < weights; ++t) {
        if (to.roles[r].scalar) AddScalar(t, static_cast<int>(r), from, from_role);
        else if (from && !from->scalar) AddState(t, static_cast<int>(r), *from, from_role);
        if (diagnostics_.errors() > 20) return;
      }
    }
  }

  // The state of a source weight; reported if it is not there. A tied copy stands for its original.
  TensorId StateOf(TensorId weight, const bind::Role& role, int index) {
    const End& source = program_.ends[0];
    TensorId state = source.FindState(weight, index);
    if (state != kNoTensor && source.tensors[state].present) return state;
    SourceRange where = role.node->where;
    diagnostics_.Error(Code::kMissing, where, fmt::format("`{}` is missing: the {} of `{}`", diag::Printable(role.prefix + source.NameOf(weight) + role.suffix), role.name, diag::Printable(source.NameOf(weight))));
    return kNoTensor;
  }

  TensorId AddStateTensor(size_t weight_target, int role, DType dtype) {
    End& to = program_.ends.back();
    TensorId weight = out_.targets[weight_target].tensor;
    Tensor state;
    state.family = to.tensors[weight].family;
    state.type = to.tensors[weight].type;
    state.role = static_cast<int16_t>(role);
    state.weight = weight;
    state.dtype = dtype;
    state.present = true;
    return to.AddState(to.roles[static_cast<size_t>(role)].prefix + to.NameOf(weight) + to.roles[static_cast<size_t>(role)].suffix, state);
  }

  void AddState(size_t weight_target, int role, const bind::Role& from, int from_role) {
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
        diagnostics_.Error(Code::kCast, to_role.node->where, fmt::format("states `{}` of one tensor are {} and {}", from.name, Name(*arriving), Name(dtype))).Help("a type after the template casts them: `: f32`");
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
        piece.chain = StateChain(out_.chains[piece.chain], program_.ends[0].tensors[out_.slots[target.first_slot + piece.source]].dtype, dtype, from.name == "master");
      }
    }
    target.relation = Intern(std::move(relation));
    target.fill = {dtype, 0};
    target.tensor = AddStateTensor(weight_target, role, dtype);
    out_.targets.push_back(std::move(target));
  }

  // A state follows its weight without its casts; scale and offset concern the role master only.
  uint32_t StateChain(const ValueChain& weight, DType from, DType to, bool master) {
    ValueChain chain;
    for (const ValueStep& step : weight) {
      if (master && step.kind == ValueStep::Kind::kAffine) {
        chain.push_back(step);
        chain.push_back({ValueStep::Kind::kCast, to, step.overflow});  // in the type of the role
      }
    }
    if (chain.empty() && from != to) {
      if (!IsFloat(from) || !IsFloat(to)) diagnostics_.Error(Code::kCast, {}, fmt::format("a state is {} and would become {}: no cast leads there", Name(from), Name(to)));
      chain.push_back({ValueStep::Kind::kCast, to});
    }
    return Intern(chain);
  }

  void AddScalar(size_t weight_target, int role, const bind::Role* from, int from_role) {
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
        diagnostics_.Error(Code::kScalar, to_role.node->where, fmt::format("scalar `{}` is {} in the source", to_role.name, Name(dtype))).Note("a scalar that is carried keeps its type");
        return;
      }
    } else if (to_role.node->computed) {
      scalar.computed = to_role.node->computed.get();
      std::vector<std::string> names;
      NamesIn(*scalar.computed, names);
      for (const std::string& name : names) {
        int index = 0;
        const bind::Role* input = FindRole(program_.ends[0], name, index);
        if (!input || !input->scalar) {
          diagnostics_.Error(Code::kScalar, scalar.computed->where, fmt::format("side `{}` has no scalar `{}` to compute `{}` from", program_.ends[0].side->name, name, to_role.name));
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

  static void NamesIn(const ast::Expr& e, std::vector<std::string>& names) {
    if (e.kind == ast::Expr::Kind::kName && std::find(names.begin(), names.end(), e.text) == names.end()) names.push_back(e.text);
    for (const ast::ExprPtr& arg : e.args) NamesIn(*arg, names);
  }

  // ------------------------------------------------------------ block scales

  void AddBlocks() {
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
            diagnostics_.Error(Code::kBlocks, family.where, fmt::format("`{}` has no block scales in the source", diag::Printable(source.NameOf(out_.slots[out_.targets[t].first_slot + s]))))
                .Note(fmt::format("`{}` needs them", diag::Printable(family.pattern.Spell(*values))));
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

  static TensorId ScaleOf(const End& source, TensorId weight) {
    uint32_t family = source.tensors[weight].family;
    for (const Family& candidate : source.families) {
      if (!candidate.blocks_of || *candidate.blocks_of != family) continue;
      auto values = source.families[family].pattern.Match(source.NameOf(weight));
      TensorId scale = values ? source.Find(candidate.pattern.Spell(*values)) : kNoTensor;
      if (scale != kNoTensor && source.tensors[scale].present) return scale;
    }
    return kNoTensor;
  }

  Program& program_;
  const prove::Mapping& mapping_;
  const bind::Request& request_;
  diag::Diagnostics& diagnostics_;
  IndexProgram out_;
  std::vector<std::vector<std::optional<Definition>>> definitions_;  // by end and tensor
  std::map<std::string, uint32_t> relation_ids_;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> joined_;
  std::map<std::string, Own> steps_;
  std::map<std::vector<uint32_t>, uint32_t> joined_norms_;
  std::map<std::string, uint32_t> composed_;
  std::map<TensorId, size_t> weight_targets_;
};

}  // namespace

std::optional<IndexProgram> Lower(Program& program, const prove::Mapping& mapping, const bind::Request& request, diag::Diagnostics& diagnostics) {
  return Lowering(program, mapping, request, diagnostics).Run();
}

}  // namespace aoa::index
