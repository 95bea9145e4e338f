// What divides, and what is said where something does not: the deal of a placement, and cuts.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>

#include "compiler/bind/ends.h"
#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

using diag::Code;

// The numbers n for which n * rounds divides `extent`, the first 16.
std::string SizesThatDivide(int64_t extent, int64_t rounds) {
  std::vector<std::string> sizes;
  for (int64_t n = 1; n * rounds <= extent && n <= 100'000 && sizes.size() < 16; ++n) {
    if (extent % (n * rounds) == 0) sizes.push_back(std::to_string(n));
  }
  return diag::Enumerate(sizes, 16, " or ");
}

// The cut axis without its cut, by its own name where it stands for others.
std::string Written(const Axis& node) {
  std::string_view words = node.where.text();
  words = words.substr(0, words.find('@'));
  auto in_name = [](char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)); };
  const bool name = !words.empty() && std::all_of(words.begin(), words.end(), in_name);
  return name ? std::string(words) : ToString(WithoutCuts(node));
}

// Every round deals as many; what is left of a round's even division goes to its first or last stages, one each.
Deal DealSurplus(int64_t extent, int64_t stages, int64_t rounds, bool first) {
  Deal deal;
  deal.rounds = rounds;
  deal.stages.resize(static_cast<size_t>(stages));
  const int64_t round = extent / rounds, left = round % stages;
  for (int64_t next = 0; next < extent;) {
    for (int64_t s = 0; s < stages; ++s) {
      const bool more = first ? s < left : s >= stages - left;
      for (int64_t i = 0; i < round / stages + more; ++i) deal.stages[static_cast<size_t>(s)].push_back(next++);
    }
  }
  return deal;
}

// Who gives the counts of a placement.
const char* WhoCounts(const Placement& p) {
  switch (p.counts_of) {
    case Placement::CountsOf::kFiles:
      return "the checkpoint";
    case Placement::CountsOf::kCommandLine:
      return "the command line";
    default:
      return "`by`";
  }
}

}  // namespace

void ReportCut(const CutProblem& problem, const TensorType& type, const Mesh& mesh, const std::string& tensor,
               SourceRange where, diag::Diagnostics& diagnostics) {
  const std::string& axis = mesh.axis(problem.mesh_axis).name;
  std::string node = Written(*problem.node);
  auto& d = diagnostics.Error(Code::kCut, problem.node->where ? problem.node->where : where,
                              fmt::format("`{}` of `{}` does not divide into {} blocks ({} = {})", node, tensor,
                                          problem.parts, axis, problem.parts));
  d.Found(fmt::format("{} = {} * {} + {}", problem.extent, problem.parts, problem.extent / problem.parts,
                      problem.extent % problem.parts));
  d.Help(fmt::format("{} = {} would do, or a multiple of {} (blocks are then repeated)", axis,
                     SizesThatDivide(problem.extent, 1), problem.extent));
  // Frameworks pad whole axes, as of vocabularies, never a factor of one.
  bool plain = problem.node->kind == Axis::Kind::kVariable && problem.node->cuts.size() == 1 &&
               std::any_of(type.axes.begin(), type.axes.end(), [&](const Axis& a) { return &a == problem.node; });
  d.Help(fmt::format("`{}@{}~ceil` and `{}@{}~front` cut unevenly{}", node, axis, node, axis,
                     plain ? fmt::format(", `pad({}, {})@{}` pads first", node, axis, axis) : ""));
}

std::optional<Deal> MakeDeal(const Placement& p, int64_t extent, size_t end, Dimensions& dimensions,
                             diag::Diagnostics& diagnostics) {
  const ast::Place& node = *p.node;
  std::string axis = fmt::format("{} = {}", node.axis.text, p.stages);
  int64_t rounds = 1;
  if (node.interleave) {
    Value value = Evaluate(*node.interleave, dimensions.ScopeAt(end), Arithmetic::kExact);
    if (!value.integer || *value.integer <= 0) {
      diagnostics
          .Error(Code::kPlacement, node.interleave->where,
                 fmt::format("`{}` is no number of rounds", ToString(*node.interleave)))
          .Found(value.Show());
      return std::nullopt;
    }
    rounds = *value.integer;
  }
  if (!p.counts.empty() && rounds > 1) {
    diagnostics
        .Error(Code::kPlacement, node.where,
               fmt::format("{} gives counts for the stages, which are dealt in {} rounds", WhoCounts(p), rounds))
        .Found(fmt::format("{} = {}, {} = [{}]", ToString(*node.interleave), rounds, node.axis.text,
                           fmt::join(p.counts, ",")))
        .Note("a stage of several rounds has layers of each; counts do not say of which");
    return std::nullopt;
  }
  if (!p.counts.empty()) {
    int64_t sum = std::accumulate(p.counts.begin(), p.counts.end(), int64_t{0});
    if (static_cast<int64_t>(p.counts.size()) != p.stages) {
      diagnostics
          .Error(Code::kPlacement, node.where,
                 fmt::format("{} gives {} counts for {} stages", WhoCounts(p), p.counts.size(), p.stages))
          .Found(axis)
          .Expected("one count per stage");
      return std::nullopt;
    }
    if (sum != extent) {
      diagnostics
          .Error(Code::kPlacement, node.where,
                 fmt::format("{} deals {} of `{}`, there are {}", WhoCounts(p), sum, p.variable, extent))
          .Expected(fmt::format("counts that add up to {}", extent));
      return std::nullopt;
    }
    return DealByCounts(p.counts);
  }
  if (node.surplus && extent % rounds == 0) return DealSurplus(extent, p.stages, rounds, node.surplus->text == "first");
  if (auto deal = DealEvenly(extent, p.stages, rounds)) return deal;
  std::string what = node.surplus  ? fmt::format("{} rounds", rounds)
                     : rounds == 1 ? fmt::format("{} stages ({})", p.stages, axis)
                                   : fmt::format("{} stages ({}) in {} rounds", p.stages, axis, rounds);
  auto& d = diagnostics.Error(Code::kPlacement, node.where,
                              fmt::format("{} of `{}` do not divide over {}", extent, p.variable, what));
  const int64_t parts = node.surplus ? rounds : p.stages * rounds;
  d.Found(fmt::format("{} = {} * {} + {}", extent, parts, extent / parts, extent % parts));
  if (node.surplus) return std::nullopt;
  if (std::string legal = SizesThatDivide(extent, rounds); !legal.empty())
    d.Help(fmt::format("{} would do for `{}`", legal, node.axis.text));
  if (!node.interleave) d.Help("`surplus first` or `surplus last` deals an uneven rest, `by [..]` says every count");
  return std::nullopt;
}

}  // namespace aoa::bind
