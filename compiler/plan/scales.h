// Shards of block scales: which scale of the source each block of a target block takes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/index/index_program.h"
#include "compiler/plan/blocks.h"
#include "compiler/plan/programs.h"
#include "compiler/plan/source_blocks.h"

namespace aoa::plan {

class Scales {
 public:
  Scales(const index::IndexProgram& index, const bind::End& to, Plan& plan, SourceBlocks& sources, Layouts& layouts,
         Programs& programs, diag::Diagnostics& diagnostics)
      : index_(index),
        to_(to),
        plan_(plan),
        sources_(sources),
        layouts_(layouts),
        programs_(programs),
        diagnostics_(diagnostics) {}

  // Gives a shard of index.blocks[number] on this rank its program and slots. `slots` are those of the weight. False if
  // a diagnostic was reported: a target block takes its elements from several blocks of the source.
  bool Fill(uint32_t number, int64_t rank, std::vector<SlotLayout> slots, Plan::OutShard& shard);

 private:
  ScaleRequest RequestOf(const index::BlockTarget& blocks, const std::vector<SlotLayout>& slots, const Layout& layout,
                         uint32_t block);
  void Report(const index::BlockTarget& blocks, const std::vector<SlotLayout>& slots);
  std::vector<std::string> LegalSizes(const index::BlockTarget& blocks, const std::vector<SlotLayout>& slots,
                                      size_t axis);

  const index::IndexProgram& index_;
  const bind::End& to_;
  Plan& plan_;
  SourceBlocks& sources_;
  Layouts& layouts_;
  Programs& programs_;
  diag::Diagnostics& diagnostics_;
  std::map<std::string, uint32_t> known_;  // programs
};

}  // namespace aoa::plan
