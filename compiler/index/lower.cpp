#include "compiler/index/lowering.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/core/check.h"
#include "compiler/diag/suggest.h"

namespace aoa::index {
namespace {

constexpr size_t kMostPieces = 1 << 22;  // of one relation

}  // namespace

std::optional<IndexProgram> Lowering::Run() {
  definitions_.resize(program_.ends.size());
  for (size_t e = 0; e < program_.ends.size(); ++e) definitions_[e].resize(program_.ends[e].tensors.size());
  DefineSource();
  for (size_t leg = 0; leg < program_.legs.size(); ++leg) {
    const bind::Leg& l = program_.legs[leg];
    for (size_t i = 0; i < l.instances.size(); ++i) {
      if (mapping_.needed[leg][i] && !l.instances[i].incomplete &&
          l.rules[l.instances[i].rule].kind != Rule::Kind::kDrop)
        Define(leg, l.instances[i]);
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

// ---------------------------------------------------------------- interning

uint32_t Lowering::Intern(Relation relation) {
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

uint32_t Lowering::Intern(const ValueChain& chain) {
  for (uint32_t i = 0; i < out_.chains.size(); ++i) {
    if (out_.chains[i] == chain) return i;
  }
  out_.chains.push_back(chain);
  return static_cast<uint32_t>(out_.chains.size()) - 1;
}

uint32_t Lowering::Intern(const Constant& constant) {
  for (uint32_t i = 0; i < out_.constants.size(); ++i) {
    if (out_.constants[i] == constant) return i;
  }
  out_.constants.push_back(constant);
  return static_cast<uint32_t>(out_.constants.size()) - 1;
}

uint32_t Lowering::JoinChains(uint32_t first, uint32_t second) {
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

// ---------------------------------------------------------------- the source

uint32_t Lowering::Identity(int64_t elements) {
  Relation relation(1);
  relation[0].digits = {{elements, 1, 1, 0}};
  return Intern(std::move(relation));
}

void Lowering::DefineSource() {
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
      for (Piece& piece : relation)
        piece.chain = Intern({{ValueStep::Kind::kMean}, {ValueStep::Kind::kCast, tensor.dtype}});
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
Relation Lowering::FromPieces(const prove::MatchedView& pieces) {
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

// ---------------------------------------------------------------- composition

// Replaces the sources of a statement's relation by what these are.
void Lowering::ComposeWith(size_t leg, const Instance& instance, const Own& own, Definition& d) {
  std::string key = fmt::format("{}", own.relation);
  std::map<TensorId, uint32_t> numbers;
  std::vector<std::vector<uint32_t>> renumbered;
  std::vector<uint32_t> tables;     // the norms of the sources, which become one table
  std::vector<int64_t> table_base;  // where those of each source begin in it
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
    diagnostics_
        .Error(Code::kTooDeep, program_.legs[leg].rules[instance.rule].where,
               "what an earlier statement has normalized is normalized again")
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
    bool ok = Compose(
        source, second, s, [this](uint32_t a, uint32_t b) { return JoinChains(a, b); }, result, kMostPieces);
    if (!ok) {
      diagnostics_
          .Error(Code::kTooDeep, program_.legs[leg].rules[instance.rule].where,
                 "the layouts of this statement and of an earlier one are too unlike to be composed")
          .Note("their factorisations have no common refinement, and meeting by intervals takes millions of pieces")
          .Help("convert in two steps");
      break;
    }
  }
  d.relation = Intern(std::move(result));
  composed_[key] = d.relation;
}

// Where the numbers of a table begin if it is put behind others, or is one of them.
int64_t Lowering::AddTable(uint32_t table, std::vector<uint32_t>& tables) const {
  int64_t base = 0;
  for (uint32_t other : tables) {
    if (other == table) return base;
    base += out_.norms[other].size;
  }
  tables.push_back(table);
  return base;
}

// Several tables as one.
uint32_t Lowering::JoinedNorms(const std::vector<uint32_t>& tables) {
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
uint32_t Lowering::Norms(size_t leg, const Instance& instance, const Own& own) {
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
  if (leg == 0 &&
      std::all_of(own.uses.begin(), own.uses.end(), [&](uint32_t u) { return IsPlainSource(instance.in[u]); })) {
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

// ---------------------------------------------------------------- targets

void Lowering::DefineCopies() {
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
    bool ok = Compose(
        out_.relations[original->relation], relation, 0, [this](uint32_t a, uint32_t b) { return JoinChains(a, b); },
        result, kMostPieces);
    AOA_CHECK(ok, "a tied copy of too many pieces");
    d.relation = Intern(std::move(result));
    definitions[tie.copy] = std::move(d);
  }
}

void Lowering::AddTarget(TensorId id) {
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

std::optional<IndexProgram> Lower(Program& program, const prove::Mapping& mapping, const bind::Request& request,
                                  diag::Diagnostics& diagnostics) {
  return Lowering(program, mapping, request, diagnostics).Run();
}

}  // namespace aoa::index
