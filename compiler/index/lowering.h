// How index::Lower works, for the files of this folder: statements become relations, relations are composed from the
// source on, and what follows a weight (states, scalars, block scales) is derived from its relation.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/index/index_program.h"

namespace aoa::index {

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

// A tensor of any end in terms of source tensors.
struct Definition {
  uint32_t relation = 0;
  std::vector<TensorId> slots;  // of the source end
  bool fill_last = false;
  Constant fill;
  std::optional<uint32_t> norms;
};

class Lowering {
 public:
  Lowering(Program& program, const prove::Mapping& mapping, const bind::Request& request,
           diag::Diagnostics& diagnostics)
      : program_(program), mapping_(mapping), request_(request), diagnostics_(diagnostics) {
    out_.chains.emplace_back();
  }

  std::optional<IndexProgram> Run();

 private:
  // interning
  uint32_t Intern(Relation relation);
  uint32_t Intern(const ValueChain& chain);
  uint32_t Intern(const Constant& constant);
  uint32_t JoinChains(uint32_t first, uint32_t second);

  // the source
  uint32_t Identity(int64_t elements);
  void DefineSource();
  static Relation FromPieces(const prove::MatchedView& pieces);

  // statements
  const Tensor& At(size_t leg, TensorId ref) const;
  const std::optional<Definition>& DefinitionAt(size_t leg, TensorId ref) const;
  void Define(size_t leg, const Instance& instance);
  void DefineOne(size_t leg, const Instance& instance, uint32_t operand, size_t member, TensorId out);
  bool IsPlainSource(TensorId id) const;
  // A statement's relation for one target, before it is composed with what its sources are.
  struct Own {
    uint32_t relation = 0;
    std::vector<uint32_t> uses;  // the instance's tensors that the relation's sources are
    Constant fill;
    bool normalized = false;
  };
  Own Step(size_t leg, const Instance& instance, uint32_t operand, size_t member, DType to);
  // A variable that chooses the tensor of an in operand's stack.
  struct Choice {
    const MatchedVariable* variable;
    int64_t table_stride;
  };
  void AddPieces(size_t leg, const Instance& instance, const MatchedPiece& p, size_t member, const bind::RuleView& view,
                 const std::vector<size_t>& first_in, const Own& own, DType to, std::map<uint32_t, uint32_t>& numbers,
                 std::vector<uint32_t>& uses, Relation& relation, int64_t& norms);
  void Choose(size_t leg, const Instance& instance, const Rule& rule, size_t tensor, const std::vector<Choice>& choices,
              size_t i, const Piece& base, DType to, std::map<uint32_t, uint32_t>& numbers, std::vector<uint32_t>& uses,
              Relation& relation);
  static ValueChain ChainOf(const Rule& rule, DType from, DType to);
  Constant FillOf(const Rule& rule, DType to);

  // composition
  void ComposeWith(size_t leg, const Instance& instance, const Own& own, Definition& d);
  int64_t AddTable(uint32_t table, std::vector<uint32_t>& tables) const;
  uint32_t JoinedNorms(const std::vector<uint32_t>& tables);
  uint32_t Norms(size_t leg, const Instance& instance, const Own& own);

  // targets
  void DefineCopies();
  void AddTarget(TensorId id);

  // states
  static const bind::Role* FindRole(const End& end, const std::string& name, int& index);
  void AddStates();
  TensorId StateOf(TensorId weight, const bind::Role& role, int index);
  TensorId AddStateTensor(size_t weight_target, int role, DType dtype);
  void AddState(size_t weight_target, int role, const bind::Role& from, int from_role);
  uint32_t StateChain(const ValueChain& weight, DType from, DType to, bool master);
  void AddScalar(size_t weight_target, int role, const bind::Role* from, int from_role);

  // block scales
  void AddBlocks();
  static TensorId ScaleOf(const End& source, TensorId weight);

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

}  // namespace aoa::index
