// Block programs: the moves that fill a block of a target tensor from blocks of source tensors.
//
// A definition says which whole source elements a whole target tensor has. Composed with the target's view of a block on one
// side and the source's blocks on the other, it becomes strided boxes between stored blocks. Each box is a move; how it is
// carried out (read in place, through a kernel, in tiles) follows from its runs and from the memory that a job may use.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/index/index_program.h"
#include "compiler/plan/layouts.h"

namespace aoa::plan {

struct Budget {
  uint64_t job_bytes = 64 << 20;   // output buffer and staging of one job, at most
  uint64_t chunk_bytes = 8 << 20;  // output of a job, if nothing asks for more or less
  bool in_order = false;           // no tiles: every job is one range of its file (the output is not a file, but a stream)
};

// What one slot of a target is read from.
struct SlotLayout {
  const Layout* layout = nullptr;
  DType dtype = DType::kU8;
};

class Programs {
 public:
  Programs(const index::IndexProgram& index, Plan& plan, const Budget& budget) : index_(index), plan_(plan), budget_(budget) {}

  // What targets with equal definitions and layouts share. `fill_last` repeats the last real slice in paddings, else they are
  // `fill`.
  uint32_t Template(uint32_t relation, const std::vector<SlotLayout>& slots, const Layout& target, DType out, bool fill_last, uint64_t fill);
  // The program of a block of such a target, made when it is first asked for.
  uint32_t Of(uint32_t id, uint32_t block);

  // The boxes behind a program before they become moves: out: the block's elements; source: slot * 2^20 + source block.
  Relation Boxes(uint32_t relation, const std::vector<SlotLayout>& slots, const Layout& target, uint32_t block, bool fill_last);

  // A program for boxes that are known already (block scales, norms, agreements). Their sources are coded as in Boxes.
  // `scalar`: they are walked element by element, never compiled.
  uint32_t FromBoxes(const Relation& boxes, const std::vector<SlotLayout>& slots, int64_t elements, DType out, uint64_t fill, bool scalar = false);

  static constexpr uint32_t kBlockBits = 20;
  // In a piece's source: a constant is the target's filler.
  static constexpr int64_t kFiller = -1;

 private:
  void AddMove(const Piece& piece, const std::vector<SlotLayout>& slots, DType out, uint64_t fill);
  void Choose(Plan::BlockProgram& program);
  int64_t UnitOf(const Plan::BlockProgram& program) const;
  void Stage(Plan::BlockProgram& program, Plan::Move& move);
  void Tile(Plan::BlockProgram& program, Plan::Move& move);
  uint64_t StagingOf(const Plan::Move& move) const;
  void MakeKernel(const Plan::BlockProgram& program, Plan::Move& move);
  uint32_t InternKernel(KernelKey key);
  uint32_t InternChain(uint32_t chain);

  const index::IndexProgram& index_;
  Plan& plan_;
  Budget budget_;
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
  std::vector<TargetTemplate> templates_;
};

}  // namespace aoa::plan
