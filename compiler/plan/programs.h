// Block programs: the moves that fill a block of a target tensor from blocks of source tensors.
//
// A definition says which whole source elements a whole target tensor has. Composed with the target's view of a block
// on one side and the source's blocks on the other, it becomes strided boxes between stored blocks. Each box is a move.
// How it is carried out in the memory that a job may use is decided later, when all programs are known (schedule.h).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/index/index_program.h"
#include "compiler/plan/layouts.h"

namespace aoa::plan {

// What one slot of a target is read from.
struct SlotLayout {
  const Layout* layout = nullptr;
  DType dtype = DType::kU8;
  std::optional<DType> held = {};  // StoredTensor::held
  bool operator==(const SlotLayout&) const = default;
};

class Programs {
 public:
  enum class Purpose {
    kFile,      // fills a file, in any order
    kStream,    // fills a stream that is compared or digested: in order, never in tiles
    kElements,  // is walked element by element, never compiled
  };

  // `purpose`: of the programs of targets.
  Programs(const index::IndexProgram& index, Plan& plan, Purpose purpose)
      : index_(index), plan_(plan), purpose_(purpose) {}

  // What targets with equal definitions and layouts share. `fill_last` repeats the last real slice in paddings, else
  // they are `fill`.
  uint32_t Template(uint32_t relation, const std::vector<SlotLayout>& slots, const Layout& target, DType out,
                    bool fill_last, uint64_t fill);
  // The program of a block of such a target, made when it is first asked for.
  uint32_t Of(uint32_t id, uint32_t block);
  // The same for a part of the block's row-major elements.
  uint32_t Part(uint32_t id, uint32_t block, int64_t first, int64_t count);

  // The boxes behind a program before they become moves: out: the block's elements; source: slot * 2^20 + source block.
  Relation Boxes(uint32_t relation, const std::vector<SlotLayout>& slots, const Layout& target, uint32_t block,
                 bool fill_last) {
    return Boxes(index_.relations[relation], slots, target, block, fill_last);
  }
  Relation Boxes(const Relation& definition, const std::vector<SlotLayout>& slots, const Layout& target, uint32_t block,
                 bool fill_last);

  // The program that gives the elements of a stored block in their order, from slot 0.
  uint32_t Stream(const Shape& shape, const Shape* strides, DType dtype, std::optional<DType> held);

  // A program for boxes that are known already (block scales, norms, agreements). Their sources are coded as in Boxes.
  uint32_t FromBoxes(const Relation& boxes, const std::vector<SlotLayout>& slots, int64_t elements, DType out,
                     uint64_t fill, Purpose purpose);

  static constexpr uint32_t kBlockBits = 20;
  // In a piece's source: a constant is the target's filler.
  static constexpr int64_t kFiller = -1;

 private:
  void AddMove(const Piece& piece, const std::vector<SlotLayout>& slots, DType out, uint64_t fill);
  uint32_t InternChain(const ValueChain& chain);

  const index::IndexProgram& index_;
  Plan& plan_;
  Purpose purpose_;
  struct TargetTemplate {
    uint32_t relation;
    std::vector<SlotLayout> slots;
    const Layout* target;
    DType out;
    bool fill_last;
    uint64_t fill;
    std::vector<uint32_t> programs;  // by block
  };
  std::map<std::string, uint32_t> template_ids_;
  std::map<std::tuple<uint32_t, uint32_t, int64_t, int64_t>, uint32_t> parts_;
  std::vector<TargetTemplate> templates_;
};

}  // namespace aoa::plan
