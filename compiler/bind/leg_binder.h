// One step of the path: the statements of a map become instances over tensors.
//
// Statements are taken in run order. A name that is read is a tensor of the step's source end, or, in a chain, the
// result of an earlier statement; a name that is written becomes a tensor of the target end. Run backwards, a chain is
// taken from its end: what a statement's left side reads forwards is what it makes, and the links are the same.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/bind/attributes.h"
#include "compiler/bind/positional.h"
#include "compiler/bind/program.h"

namespace aoa::bind {

struct Line;

class LegBinder {
 public:
  // `type_of(end, family, shape)` gives the type of a family's tensors (Binder::TypeOf).
  using TypeOf = std::function<uint32_t(size_t end, uint32_t family, const Shape* any_from)>;
  LegBinder(Program& program, size_t leg, TypeOf type_of, diag::Diagnostics& diagnostics);

  void Bind(const Line& line);
  // A side to itself: every declared tensor (all, if the side declares none) becomes itself, but for optional ones that
  // all of the side's maps leave out.
  void BindIdentity(const std::vector<Map>& maps);
  // After the last line: results that were only read on the way become temporary.
  void Finish();

 private:
  // An operand while its statement is bound.
  struct Use {
    const Operand* operand = nullptr;
    Pattern pattern;                   // without extents
    std::string text;                  // of the pattern
    uint32_t family = kNoFamily;       // of every name of the pattern, if it is one for all
    std::vector<std::string> stacked;  // its variables that no loop runs over
  };
  struct Bound {
    std::vector<TensorId> tensors;  // of in operands: kNoTensor where one is missing
    std::vector<std::string> names;
    std::vector<PieceVariable> stacked;
    bool blank = false;
    const Use* use = nullptr;
  };

  static constexpr uint32_t kBroken = 0xFFFFFFFF;  // in place of a view that was reported

  bool Prepare(const Line& line);
  void NothingFound();
  void DropMatching();
  void DropAbsent();
  uint32_t CommonFamily(size_t end, const std::string& text) const;
  void BindLoops(size_t loop, Assignment& values);
  void BindInstance(const Assignment& values);
  bool Expand(const Use& use, const Assignment& values, bool in, std::vector<Bound>& out);
  std::optional<Range> ValuesOf(const std::string& variable, size_t end, SourceRange where);
  std::vector<std::vector<std::string>> StarsOf(const Pattern& pattern, bool in);
  std::vector<std::string> NamesOf(size_t end, const Family& family);
  bool NoStars(const Use& use);
  std::vector<Assignment> NumbersInNames(const std::vector<std::string>& variables);

  TensorId Lookup(const std::string& name);
  bool DeclaredAt(size_t end, const std::string& name);
  uint32_t FamilyFor(size_t end, const std::string& name, const Use* use);
  bool CheckPresence(std::vector<Bound>& in, Instance& instance);
  const Tensor& TensorAt(TensorId ref) const;
  const TensorType* TypeAt(TensorId ref) const;
  bool IsTyped(TensorId ref, const Operand& operand) const;
  bool IsTyped(const Bound& bound, bool in);

  std::optional<uint32_t> ViewFor(const std::vector<Bound>& in, const std::vector<Bound>& out,
                                  std::vector<uint32_t>& out_types);
  std::optional<RuleView> TypedView(const std::vector<Bound>& in, const std::vector<Bound>& out,
                                    std::vector<uint32_t>& out_types);
  std::optional<RuleView> ShapedView(const std::vector<Bound>& in, const std::vector<Bound>& out,
                                     std::vector<uint32_t>& out_types);
  TensorType OperandType(const Bound& bound, size_t end, bool in, int& any);
  uint32_t OutType(const Bound& bound, const TensorType& view_type);
  bool RequireType(const Bound& bound);
  static void ShareAnyExtents(RuleView& view);
  void ReportUntypedList(const std::vector<Bound>& in, const std::vector<Bound>& out);
  void Produce(const std::vector<Bound>& out, const std::vector<uint32_t>& out_types, Instance& instance);

  Program& program_;
  size_t leg_;
  TypeOf type_of_;
  diag::Diagnostics& diagnostics_;
  std::set<TensorId> read_;  // results that a later statement has read

  // Of the line that is being bound.
  const Line* line_ = nullptr;
  Attributes attributes_;
  std::vector<Use> in_, out_;
  Ranges ranges_;                              // of its `for` blocks
  std::vector<std::string> loops_, numbered_;  // numbered_: those that take the source's numbers
  uint32_t rule_ = 0;
  std::map<std::string, std::pair<uint32_t, std::vector<uint32_t>>> views_;  // key -> (view, types of the out operands)
  size_t instances_ = 0, found_ = 0;
};

// Whether a statement's arrow points along the run, against it, or both ways.
enum class Direction { kBoth, kAlong, kAgainst };
Direction DirectionOf(const Statement& statement, bool backwards);

}  // namespace aoa::bind
