// Which blocks the tensors of an end are stored in, and which rank stores which.
//
// Tensors of one type are cut alike, so a layout belongs to a type: its distinct blocks (what a rank holds, as a View)
// and the block of every rank. Where a tensor is at all (its stage) is a matter of the tensor, not of the layout.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "compiler/bind/program.h"
#include "compiler/core/axis_type.h"

namespace aoa::plan {

inline constexpr uint32_t kNoBlock = 0xFFFFFFFF;

struct Layout {
  std::vector<View> blocks;
  std::vector<uint32_t> of_rank;  // by rank
  // For reading. Of overlapping blocks (a part of a tensor that ranks repeat) each element is read from the lowest
  // rank's: out: the whole tensor's element numbers; in: the block's.
  std::vector<Relation> primary;
  std::map<std::pair<Shape, Shape>, uint32_t> of_chunk;  // of chunks: the block of each, by its place and shape
  const Layout* plain = nullptr;  // of one whose blocks lie strided in their files: the same by row-major numbers
};

class Layouts {
 public:
  Layouts(const bind::End& end, diag::Diagnostics& diagnostics) : end_(end), diagnostics_(diagnostics) {}

  // The layout of a tensor. States may be flattened, padded and cut along the end's zero axis. Nothing, and a
  // diagnostic, if a cut does not divide.
  const Layout* Of(bind::TensorId id);

  // The layout of a tensor that is stored in chunks (place and shape of each).
  Layout OfChunks(uint32_t type, const std::vector<std::pair<Shape, Shape>>& chunks) const;

  // Reports a tensor whose ranks do not hold all of it. False if `held`, by block, lacks one that has elements.
  bool CheckHeld(const Layout& layout, const std::vector<bool>& held, const std::string& name, SourceRange where);

  // The cuts that do not divide, of all layouts so far.
  struct Refused {
    size_t mesh_axis = 0;
    int64_t extent = 0;
  };
  const std::vector<Refused>& refused() const { return refused_; }

  // A layout of another mesh, for trying sizes: nothing if a cut does not divide.
  static std::optional<Layout> Try(const bind::End& end, const Mesh& mesh, const TensorType& type);

 private:
  bool HoldsAll(const Layout& layout, const std::string& name, SourceRange where) const;
  void ReportLost(int64_t elements, int64_t held, const std::string& name, SourceRange where);
  std::optional<Layout> Make(const TensorType& type, const Mesh& mesh, bool flat, CutProblem* problem) const;
  std::optional<Layout> MakeSharded(const TensorType& type, uint32_t cuts, const std::string& name, SourceRange where);
  void Check(std::optional<Layout>& layout, const TensorType& type, const std::string& name, SourceRange where);

  const bind::End& end_;
  diag::Diagnostics& diagnostics_;
  std::vector<Refused> refused_;
  // By type, whether it is flat, and the number of cuts that a layout gives.
  std::map<std::tuple<uint32_t, bool, uint32_t>, std::optional<Layout>> layouts_;
};

}  // namespace aoa::plan
