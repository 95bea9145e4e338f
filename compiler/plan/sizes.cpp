#include "compiler/plan/sizes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "compiler/diag/suggest.h"

namespace aoa::plan {
namespace {

constexpr int64_t kLargestSize = 512;  // that is tried
constexpr size_t kMostSizes = 16;      // that are shown

// The declared types of the tensors that the target has.
std::vector<const bind::Family*> CutFamilies(const bind::End& end) {
  std::set<uint32_t> numbers;
  for (const bind::Tensor& tensor : end.tensors) {
    if (tensor.present && !tensor.temporary && tensor.role < 0 && tensor.family != bind::kNoFamily)
      numbers.insert(tensor.family);
  }
  std::vector<const bind::Family*> families;
  for (uint32_t number : numbers) {
    const bind::Family& family = end.families[number];
    if (family.type && !family.partner_type && !family.blocks_of) families.push_back(&family);
  }
  return families;
}

// Whether another size may put other lines in the place of those that hold.
bool IsAskedAbout(const bind::Side& side, const std::string& axis) {
  return std::any_of(side.declarations.begin(), side.declarations.end(), [&](const bind::Declaration& d) {
    return std::any_of(d.context.guards.begin(), d.context.guards.end(), [&](const bind::Guard& guard) {
      std::set<std::string> names;
      bind::NamesIn(*guard.condition, names);
      return names.contains(axis);
    });
  });
}

bool CutsAll(const bind::Program& program, const std::vector<const bind::Family*>& families, size_t axis,
             int64_t size) {
  Mesh mesh = program.ends.back().mesh;
  mesh.axes[axis].size = size;
  const std::vector<int64_t> first(mesh.axis_count(), 0);
  return std::all_of(families.begin(), families.end(), [&](const bind::Family* family) {
    int any = 0;
    TensorType type = program.dimensions->LowerAtSize(*family->type, family->type_end, any, mesh.axes[axis].name, size);
    return LocalShape(type, mesh, first, {}, nullptr).has_value();
  });
}

// What the message about one cut says.
std::vector<int64_t> Divisors(int64_t extent) {
  std::vector<int64_t> sizes;
  for (int64_t n = 1; n <= extent && n <= kLargestSize; ++n) {
    if (extent % n == 0) sizes.push_back(n);
  }
  return sizes;
}

}  // namespace

void HelpWithSizes(const bind::Program& program, const std::vector<Layouts::Refused>& refused,
                   diag::Diagnostics& diagnostics) {
  if (refused.empty()) return;
  const bind::End& end = program.ends.back();
  diag::Diagnostic* last = diagnostics.LastError(diag::Code::kCut);
  if (!last || end.shardings || !end.mesh.overlays.empty()) return;
  std::map<size_t, std::set<int64_t>> extents;  // by axis
  for (const Layouts::Refused& cut : refused) extents[cut.mesh_axis].insert(cut.extent);
  for (const auto& [axis, cut] : extents) {
    const std::string& name = end.mesh.axes[axis].name;
    if (IsAskedAbout(*end.side, name)) continue;
    std::vector<const bind::Family*> families = CutFamilies(end);
    std::vector<int64_t> sizes;
    for (int64_t size = 1; size <= std::min(*cut.rbegin(), kLargestSize); ++size) {
      if (CutsAll(program, families, axis, size)) sizes.push_back(size);
    }
    if (sizes.empty() || (cut.size() == 1 && sizes == Divisors(*cut.begin()))) continue;
    std::vector<std::string> shown;
    for (int64_t size : sizes) shown.push_back(std::to_string(size));
    last->Help(fmt::format("for all tensors of side `{}` {} = {} would do", end.side->name, name,
                           diag::Enumerate(shown, kMostSizes, " or ")));
  }
}

}  // namespace aoa::plan
