// The state that the steps of Bind share. One class over four files: families.cpp (which tensors may be), solve.cpp
// (which extents they have), source.cpp (which are there), legs.cpp (what becomes of them, with leg_binder.h).
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/bind/bind.h"
#include "compiler/bind/ends.h"

namespace aoa::bind {

// A statement of a leg, in run order.
struct Line {
  const Statement* statement;
  size_t leg;
  bool backwards;  // the run goes from the map's right to its left
  std::optional<bool> active;
  const std::vector<Operand>& in() const { return backwards ? statement->right : statement->left; }
  const std::vector<Operand>& out() const { return backwards ? statement->left : statement->right; }
};

class Binder {
 public:
  Binder(const Unit& unit, const Schema& schema, const Request& request, diag::Diagnostics& diagnostics)
      : unit_(unit), schema_(schema), request_(request), diagnostics_(diagnostics) {}

  std::optional<Program> Run();

 private:
  // A declaration or an operand whose condition or range is not decided yet.
  struct PendingDeclaration {
    size_t end;
    const Declaration* declaration;
  };

  // ---- families.cpp
  void AddEnds(const Path& path);
  void AddLines();
  // Decides what can be decided now. True if something was.
  bool AddFamilies();
  bool Awaits(const Line& line) const;
  bool AddTyped(const Line& line);
  void AddImplicit(const Line& line);
  void AddImplicit(size_t end, const Operand& operand, const Statement& statement, const Operand* partner,
                   size_t partner_end);
  void LinkFamilies();
  std::optional<int64_t> FamilyNamed(size_t end, const std::string& text) const;
  void CheckPartnerType(const Family& family, SourceRange where);
  std::optional<Pattern> Resolved(size_t end, const Pattern& pattern) const;
  void ReportUndecided();

  // ---- solve.cpp
  // One extent that the files show, at coordinates of the mesh axes (and stages) that the axis depends on.
  struct Observation {
    std::vector<int64_t> coordinates;  // of the whole mesh
    std::vector<int64_t> stages;       // of each placement
    int64_t extent;
    std::string text;  // "`w` [3, 4] in src/model.safetensors"
  };
  // An axis of a family's type with all that was seen of it.
  struct Fact {
    const ast::Axis* axis;
    size_t axis_number;
    uint32_t family;
    std::vector<Observation> observations;
    bool whole = false;  // chunks were seen: what they say is of the uncut axis
    bool done = false;
  };
  void CollectFacts();
  Shape SeenShape(const FileGroup& group, const StoredTensor& stored) const;
  bool SolveFacts();
  bool Solve(Fact& fact);
  void Verify(Fact& fact);
  Axis LowerFact(const Fact& fact, const Dimensions::Trial* trial);
  std::optional<int64_t> Predict(const Fact& fact, const Observation& seen, const Dimensions::Trial* trial);
  std::vector<int64_t> Candidates(const Fact& fact, SymbolId unknown);
  std::vector<int64_t> AllCandidates(const Fact& fact) const;
  std::set<std::string> NameVariables() const;
  bool IsEmptyOption(const std::string& variable) const;
  bool EmptyOptions();
  bool NamesToExtents();
  std::optional<std::set<int64_t>> NumbersOf(const std::string& variable, bool& required, const Family*& example);

  // ---- source.cpp
  // What a table's entry is: a weight of a family under an assignment of the family's variables (as the file numbers
  // them), a state of one, or nothing that the rules know.
  struct Match {
    int32_t family = -1;
    int16_t role = -1;
    std::vector<int64_t> values;
  };
  void GroupFiles();
  bool MatchNames();
  Match MatchName(std::string_view name, const std::vector<int64_t>& stages);
  bool MatchWeight(std::string_view name, const std::vector<int64_t>& stages, Match& match);
  std::optional<int64_t> GlobalNumber(const std::string& variable, int64_t number, const std::vector<int64_t>& stages);
  bool DealPlacements(size_t end);
  void ListSource();
  std::optional<std::string> GlobalName(const FileGroup& group, const StoredTensor& stored, const Match& match);
  std::optional<std::vector<int64_t>> GlobalValues(const Family& family, const Match& match,
                                                   const std::vector<int64_t>& stages);
  const Shape& WholeStored(const StoredTensor& stored) const;
  void CheckWhole(const Tensor& tensor, const TensorType& type, const Shape& shape, const SchemaFile& file);
  TensorId AddSourceTensor(const FileGroup& group, const StoredTensor& stored, const Match& match);
  uint32_t TypeOf(size_t end, uint32_t family, const Shape* any_from);
  void CheckSource();
  void CheckShapes();
  bool CheckShape(const Tensor& tensor, const TensorType& type, const Shape& shape, const SchemaFile& file,
                  const std::vector<int64_t>& stages, bool scalar, bool flat);
  std::optional<Shape> BlockShape(const Tensor& tensor, const TensorType& type, const SchemaFile& file,
                                  const std::vector<int64_t>& stages, SourceRange where);
  bool IsCarried(const Role& role) const;
  void CheckTensor(TensorId id);

  // ---- legs.cpp
  void BindLegs();
  void TieSource();
  void TieTarget();
  static std::string OriginalName(const End& end, const Family& copy, const std::string& name);
  void CopyNames(size_t end, const Family& copy, Assignment& values, std::vector<std::string>& names);
  uint32_t TieView(size_t end, uint32_t original_type, uint32_t copy_type, const Family& original, const Family& copy);

  const Unit& unit_;
  const Schema& schema_;
  const Request& request_;
  diag::Diagnostics& diagnostics_;

  Program program_;
  Path path_;
  std::vector<Line> lines_;
  std::vector<PendingDeclaration> pending_;
  std::vector<bool> lines_added_;

  std::vector<std::vector<Match>> matches_;  // by group of files and entry
  size_t families_matched_ = 0;              // of the source, when matches_ was made
  std::vector<Fact> facts_;
  std::set<std::pair<uint32_t, size_t>> facts_done_;             // (family, axis): those that are settled
  std::map<std::pair<size_t, std::string>, uint32_t> type_ids_;  // (end, key)
  std::set<std::pair<std::vector<uint32_t>, std::tuple<Stages, std::vector<OnEnds>>>> present_as_expected_;
  std::map<std::tuple<size_t, uint32_t, uint32_t>, uint32_t> tie_views_;
};

}  // namespace aoa::bind
