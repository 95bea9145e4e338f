// What bind produces for a run: every dimension has a value, every name pattern has become tensors, every statement has
// become instances over these tensors. What is left to do is to prove that the instances are right (prove) and to
// follow the elements through them (index).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/bind/dimensions.h"
#include "compiler/bind/ranges.h"
#include "compiler/bind/unit.h"
#include "compiler/core/axis_type.h"
#include "compiler/core/kernel.h"
#include "compiler/core/mesh.h"
#include "compiler/core/schema.h"
#include "compiler/core/sharding.h"

namespace aoa::bind {

// ---------------------------------------------------------------- what is asked

// Sizes of mesh axes as the command line gives them: `tp=2`, `pp=[9,8,8,7]` (counts of a placement: pp = 4).
struct MeshSizes {
  struct Entry {
    std::string axis;
    int64_t size = 1;
    std::vector<int64_t> counts;
  };
  std::vector<Entry> entries;
};

struct Request {
  std::string from, to;  // sides
  std::vector<Definition> definitions;
  const nlohmann::json* config = nullptr;  // may be null
  MeshSizes mesh_from, mesh_to;
  bool states = false;
  bool strict_states = false;
  std::optional<DType> dtype;                  // --dtype
  std::string only;                            // --only, or empty
  bool whole = false;                          // the target without its mesh: to be looked at, not written
  std::shared_ptr<const Shardings> layout_to;  // that win over the cuts of the target's types, or null
};

// ---------------------------------------------------------------- ends

// `place l on pp`: how a variable is dealt at an end.
struct Placement {
  const ast::Place* node = nullptr;
  std::string variable;
  std::optional<size_t> axis;  // of the end's mesh; none: an axis of a mesh that does not hold, one stage
  int64_t stages = 1;
  std::vector<int64_t> counts;  // asked for, or of the files, or `by`; empty: even, interleaved or with surplus
  enum class CountsOf { kRules, kFiles, kCommandLine } counts_of = CountsOf::kRules;
  bool by_axis = false;  // no tensor of the side has the variable in its name: its axes are dealt
  Deal deal;             // once the extent is known
};

struct Role {
  const ast::Role* node = nullptr;
  std::string name;
  std::string prefix, suffix;  // around the weight's name
  std::string left_out;        // of the weight's name, at its beginning
  bool scalar = false;
  std::optional<DType> dtype;

  // The name of the state of a weight. A weight whose name begins otherwise has none that could be read again.
  std::string NameFor(std::string_view weight) const;
  // The name of the weight whose state has this name.
  std::optional<std::string> WeightOf(std::string_view state) const;
};

// `on first, last of tp`: the coordinates of an axis where a tensor is.
struct OnEnds {
  size_t axis = 0;  // of the end's mesh
  bool first = false, last = false;
  auto operator<=>(const OnEnds&) const = default;
};

// Tensors that one pattern of an end spells: a declaration of the side, or a name that only statements mention.
struct Family {
  Pattern pattern;
  const Declaration* declaration = nullptr;  // null: of statements only
  const ast::Type* type = nullptr;           // declared, or inline in a statement, or a partner's; null: untyped
  size_t type_end = 0;                       // the end in whose scope the type's names are
  bool partner_type = false;                 // without cuts and padding
  std::optional<DType> dtype;
  SourceRange where;
  bool optional = false;
  std::optional<size_t> tied;       // family of the original
  std::optional<size_t> blocks_of;  // family of the weight
  std::vector<int64_t> blocks;
  std::vector<OnEnds> on;  // a rank holds the tensor where all agree
  bool mean = false;
  std::string group;  // of parameters, or empty
  Ranges ranges;      // of `for`; one that ends before 0 of statements that differ
};

using TensorId = uint32_t;
inline constexpr TensorId kNoTensor = 0xFFFFFFFF;
inline constexpr TensorId kResult =
    0x80000000;  // flag: a tensor of the leg's target end, which an earlier statement made
inline constexpr uint32_t kNoType = 0xFFFFFFFF;
inline constexpr uint32_t kNoFamily = 0xFFFFFFFF;

// One tensor of an end, whole: a weight under its name over the whole model, or a state of one.
struct Tensor {
  uint32_t name = 0;                       // in End::names
  uint32_t family = 0;                     // of the weight
  uint32_t type = kNoType;                 // in End::types; a state has the type of its weight
  DType dtype = DType::kF32;               // source: stored; later ends: prove decides
  int16_t role = -1;                       // in End::roles; -1: the weight itself
  TensorId weight = kNoTensor;             // of a state
  bool present = false;                    // source: in the files; later ends: produced
  bool temporary = false;                  // a result that only later statements read
  uint32_t first_holder = 0, holders = 0;  // source: in End::holders
  SourceRange where;                       // later ends: the statement that produces it
};

// An operand of a rule as one view sees it: a type, and the variables of its name that the statement stacks. The
// operand stands for one tensor per combination of their values, the last fastest.
struct OperandView {
  bool blank = false;                  // _
  TensorType type;                     // empty for a blank
  std::vector<PieceVariable> stacked;  // strides are not used
  SourceRange where;
  std::string text;           // for messages: the name
  SourceRange declared = {};  // where a side gives the type; null if the statement does
};

// A statement's operands with everything that matters for matching elements; instances with equal views share it.
struct RuleView {
  std::vector<OperandView> in, out;
};

// A second copy of a tensor of an end (`tied`), and how its elements are those of the original.
struct Tie {
  TensorId original = kNoTensor, copy = kNoTensor;
  uint32_t view = 0;  // in Program's tie_views of the end: in = original, out = copy
};

// Files of a source that say the same of all but their cuts: one table, one stage.
struct FileGroup {
  uint32_t table = 0;
  std::vector<int64_t> stages;  // the coordinate of each placement
  std::vector<uint32_t> files;  // in Schema::files, ascending ranks
};
// A place where a tensor is stored: an entry of a group's table, in every file of the group.
struct Holder {
  uint32_t group = 0, entry = 0;
};

struct End {
  const Side* side = nullptr;
  std::string format, variant;
  bool has_mesh = false;
  Mesh mesh;
  // How each tensor is cut, where files say so: types are then without cuts, and nothing is placed by the side.
  std::shared_ptr<const Shardings> shardings;
  std::vector<Placement> placements;
  std::vector<Role> roles;
  const ast::Zero* zero = nullptr;
  std::optional<size_t> zero_axis;

  std::vector<Family> families;
  Names names;
  std::vector<TensorType> types;
  std::vector<Tensor> tensors;
  std::vector<TensorId> weights;                  // by name id; kNoTensor where no weight has the name
  std::unordered_map<uint64_t, TensorId> states;  // StateKey(weight, role)
  std::vector<FileGroup> groups;                  // source only
  std::set<size_t> roles_left;                    // of states that the source holds and the run does not ask for
  std::vector<Holder> holders;
  std::vector<Tie> ties;  // first and last end
  std::vector<RuleView> tie_views;

  TensorId Find(std::string_view name) const;
  TensorId FindState(TensorId weight, int role) const;
  TensorId Add(std::string_view name, Tensor tensor);  // a weight: replaces what had the name
  TensorId AddState(std::string_view name, Tensor tensor);
  const std::string& NameOf(TensorId id) const { return names[tensors[id].name]; }
};

// The stage of each placement of an end that a tensor lies on; nothing where the placement does not concern it.
using Stages = std::vector<std::optional<int64_t>>;
// Of the tensor `name` (over the whole model) of a family; placements must be dealt.
Stages StagesOf(const End& end, const Family& family, const std::string& name);
// Whether the rank with these coordinates holds such a tensor.
bool IsOn(const End& end, const Family& family, const Stages& stages, const std::vector<int64_t>& coordinates);
// Whether a rank holds a tensor of a family.
bool IsOnRank(const End& end, const Family& family, const Stages& stages, const std::string& name, int64_t rank);
// The name of the tensor inside the files of its stage, where numbers may be local.
std::string LocalName(const End& end, const Family& family, const Stages& stages, const std::string& name);

// ---------------------------------------------------------------- statements

// A statement, turned into the direction of the run.
struct Rule {
  enum class Kind {
    kMap,   // in -> out
    kCopy,  // in[0] -> each of out
    kDrop,
    kCreate,
  };
  Kind kind = Kind::kMap;
  const Statement* statement = nullptr;  // null: identity of a side with itself
  bool two_way = false;                  // <->
  bool inverse = false;                  // a two-way statement run from its right to its left
  bool matches_nothing = false;  // no tensor of the source has a name of the statement, though nothing is optional
  bool positional =
      false;  // views were made from shapes (Paddle's statements, untyped names): pieces match by construction
  std::optional<double> scale, offset;
  std::string normalize;  // variable, or empty
  Overflow overflow = Overflow::kError;
  bool fill_last = false;
  double fill = 0;
  std::optional<DType> cast;       // dtype= of Paddle's statements
  std::optional<DType> cast_from;  // src_dtype=: a promise
  SourceRange where;
  std::vector<RuleView> views;
};

// One instance: tensors for every operand of the rule, in the order of the view, stacks expanded; blanks have none.
// `in` are tensors of the leg's source end, or (with kResult) of its target end.
struct Instance {
  uint32_t rule = 0;
  uint32_t view = 0;
  bool incomplete = false;  // some of `in` are missing; it has no view
  std::vector<TensorId> in, out;
};

// A step of the path: from ends[i] to ends[i + 1].
struct Leg {
  const Map* map = nullptr;  // null: a side to itself
  bool backwards = false;    // the map's right is the run's source
  std::vector<Rule> rules;
  std::vector<Instance> instances;        // in an order in which results exist before they are read
  std::vector<const Statement*> against;  // one-way statements of the other direction
};

// Where the tensors of each operand of a view begin among an instance's, and how many there are in all.
std::vector<size_t> FirstTensors(const std::vector<OperandView>& operands);

// What a rank has of a tensor by the end's shardings: the cut type, and the rank's place in its mesh. Nothing, and a
// diagnostic, if the cuts do not fit; `number` is that of the cuts, and the rank must hold the tensor.
std::optional<ShardedType> ShardedAt(const End& end, uint32_t number, const TensorType& type, int64_t rank,
                                     std::vector<int64_t>& coordinates, const std::string& name, SourceRange where,
                                     diag::Diagnostics& diagnostics);

struct Program {
  std::vector<End> ends;
  std::vector<Leg> legs;
  std::unique_ptr<Dimensions> dimensions;
};

}  // namespace aoa::bind
