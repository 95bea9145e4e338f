// Where the blocks of source tensors lie: the entries of Plan::in_shards, made when a tensor is first asked for.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/plan/layouts.h"
#include "compiler/plan/programs.h"

namespace aoa::plan {

class SourceBlocks {
 public:
  SourceBlocks(const bind::End& end, const Schema& schema, Plan& plan, diag::Diagnostics& diagnostics)
      : end_(end), schema_(schema), plan_(plan), diagnostics_(diagnostics), layouts_(end, diagnostics) {}

  const bind::End& end() const { return end_; }
  const bind::Tensor& tensor(bind::TensorId id) const { return end_.tensors[id]; }
  int64_t RankOf(uint32_t file) const { return schema_.files[file].rank; }
  // The block of a layout that a file's entry is.
  uint32_t BlockOf(const Layout& layout, uint32_t file, const StoredTensor& stored) const {
    if (stored.whole == StoredTensor::kNoChunk) return layout.of_rank[static_cast<size_t>(RankOf(file))];
    return layout.of_chunk.at({schema_.shapes[stored.at], schema_.shapes[stored.shape]});
  }

  // The layout of a tensor; null (and a diagnostic) if a cut does not divide.
  const Layout* LayoutOf(bind::TensorId id) { return FormOf(id).layout; }
  SlotLayout SlotOf(bind::TensorId id) { return {FormOf(id).layout, tensor(id).dtype, FormOf(id).held}; }

  // The first in_shard of a tensor, whose layout must be known to be good; its blocks follow. Of several copies of a
  // block the lowest rank's counts.
  uint32_t ShardsOf(bind::TensorId id);
  // The same for block scales, which lie like the blocks of their weight.
  uint32_t ScaleShardsOf(bind::TensorId id, const Layout& weight);
  // Notes all copies of a tensor that is averaged in Plan::replicas.
  void NoteMeans(bind::TensorId id);
  // Every place of a scalar: one number per weight, which must be the same everywhere.
  Plan::Places PlacesOf(bind::TensorId id) const;

  // How a stored block lies, where it is not simply row-major in its own type.
  bool IsPlain(const StoredTensor& stored) const { return stored.strides == StoredTensor::kRowMajor && !stored.held; }
  const Shape* StridesOf(const StoredTensor& stored) const {
    return stored.strides == StoredTensor::kRowMajor ? nullptr : &schema_.shapes[stored.strides];
  }
  const Shape& ShapeOf(const StoredTensor& stored) const { return schema_.shapes[stored.shape]; }

  // Calls visit(file, offset in it, stored) for every copy of every block of a tensor.
  template <class Visit>
  void EachHolder(bind::TensorId id, Visit visit) const {
    for (uint32_t h = 0; h < tensor(id).holders; ++h) {
      const bind::Holder& holder = end_.holders[tensor(id).first_holder + h];
      const bind::FileGroup& group = end_.groups[holder.group];
      const StoredTensor& stored = schema_.tables[group.table][holder.entry];
      for (uint32_t file : group.files) visit(file, schema_.files[file].data_start + stored.begin, stored);
    }
  }

 private:
  // How a tensor is stored; made when it is first asked for.
  struct Form {
    bool known = false;
    const Layout* layout = nullptr;
    std::optional<DType> held;
  };
  // Whether some of a tensor's entries are chunks, and whether some lie other than row-major in their own type.
  struct Irregular {
    bool chunks = false, strides = false;
    std::optional<DType> held;
  };

  const Form& FormOf(bind::TensorId id);
  Irregular LookAt(bind::TensorId id) const;
  SourceRange WhereOf(bind::TensorId id) const;
  const Layout* WithStrides(bind::TensorId id, const Layout* layout);
  const Layout* OfChunks(bind::TensorId id);
  std::optional<uint32_t> ScaleBlock(bind::TensorId id, const Layout& weight, uint32_t file,
                                     const StoredTensor& stored) const;
  void ReportScale(bind::TensorId id, const StoredTensor& stored, uint32_t file, const std::string& expected);
  void KeepLowest(Plan::InShard& shard, uint32_t file, uint64_t offset) const;

  const bind::End& end_;
  const Schema& schema_;
  Plan& plan_;
  diag::Diagnostics& diagnostics_;
  Layouts layouts_;
  // Layouts whose blocks lie strided in their files: by the layout, and strides by block.
  std::map<std::pair<const Layout*, std::vector<Shape>>, std::unique_ptr<Layout>> strided_;
  // Layouts of tensors in chunks: by type, and place and shape of each.
  std::map<std::pair<uint32_t, std::vector<std::pair<Shape, Shape>>>, std::unique_ptr<Layout>> chunked_;
  std::vector<Form> forms_;  // by tensor
  std::map<bind::TensorId, uint32_t> shards_;
  std::set<bind::TensorId> means_;
};

}  // namespace aoa::plan
