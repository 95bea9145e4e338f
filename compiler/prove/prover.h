// How prove::Prove works, for the files of this folder: views are matched piece by piece, the tensors that are wanted
// are chosen, both ends are covered, and element types follow the statements.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/prove/prove.h"

namespace aoa::prove {

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

class Prover {
 public:
  Prover(Program& program, const bind::Request& request, diag::Diagnostics& diagnostics)
      : program_(program), request_(request), diagnostics_(diagnostics) {}
  std::optional<Mapping> Run();

 private:
  // typing
  void MatchViews();
  MatchedView MatchView(const Rule& rule, const bind::RuleView& view, bool backwards);
  static MatchedView Created(const bind::RuleView& view);

  // what is wanted
  void ChooseTargets();

  // presence
  void CheckSources();
  // Absent tensors of one declaration (or, undeclared, of one statement), in the order in which they are read.
  struct Missing {
    const Family* family = nullptr;  // null if undeclared
    SourceRange read;
    std::vector<TensorId> tensors;
  };
  void CollectMissing(size_t leg, const Instance& instance, std::set<TensorId>& seen, std::vector<Missing>& missing);
  void ReportMissing(size_t leg, const Missing& missing);
  void SuggestNear(const std::string& name, const End& end, const Family* family, diag::Diagnostic& d);
  void ReportNothing(size_t leg, const Rule& rule);

  // coverage
  void CheckCoverage();
  void CheckDropped(size_t leg);
  void CheckConsumed(size_t leg);
  bool SayLeftOut(size_t leg, const std::vector<TensorId>& left, diag::Diagnostic& d) const;
  bool ConsumedWeight(const End& end, TensorId id, const std::vector<bool>& consumed) const;
  void ReportShared(const End& end, const Family& family);
  bool ReportAgainst(size_t leg, const std::string& name, bool in);
  void CheckProduced(size_t leg);
  using Bounds = std::vector<std::pair<std::string, bind::Range>>;
  std::optional<Bounds> BoundsOf(size_t e, const Family& family);
  void ReportNotProduced(size_t leg, const Family& family, const Bounds& bounds);

  // element types
  std::optional<DType> DeclaredType(size_t leg, TensorId out, const bind::Operand* operand) const;
  static const bind::Operand* OperandAt(const Rule& rule, const Leg& leg, bool in, const bind::OperandView& view);
  void FollowTypes(size_t leg);
  const Tensor& At(size_t leg, TensorId ref) const;
  void FollowInstance(size_t leg, const Instance& instance, const Rule& rule);
  DType OutType(size_t leg, TensorId out, const bind::Operand* operand, const Rule& rule, std::optional<DType> arriving,
                bool mixed);
  void ReportMixed(size_t leg, const Rule& rule, TensorId a, TensorId b, TensorId out);
  void CheckPromise(size_t leg, TensorId ref, const bind::Operand* operand, const Rule& rule);
  void WarnOfRounding(const Rule& rule, DType stored, SourceRange where);
  void CheckCast(size_t leg, const Rule& rule, TensorId in, TensorId out);
  SourceRange WhereDeclared(size_t leg, TensorId out) const;
  void CheckMeans();

  // roles
  void CompareRoles();

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

}  // namespace aoa::prove
