// What a run compares before it writes: tied copies with their originals, and, where asked, replicas with each other.
#pragma once

#include <map>

#include "compiler/index/index_program.h"
#include "compiler/plan/programs.h"
#include "compiler/plan/source_blocks.h"

namespace aoa::plan {

class Agreements {
 public:
  Agreements(const index::IndexProgram& index, Plan& plan, SourceBlocks& sources, Programs& programs,
             diag::Diagnostics& diagnostics)
      : index_(index), plan_(plan), sources_(sources), programs_(programs), diagnostics_(diagnostics) {}

  // Every block of a tied copy, made from the original, against the block in the files.
  void AddTied();
  // Every further copy of a block against the one that is read.
  void AddReplicas();

 private:
  void AddTied(const index::Agreement& agreement);
  void AddReplicas(bind::TensorId id);
  // The first copy of a block that was seen.
  struct First {
    int64_t rank = 0;
    Plan::InShard shard;
    const StoredTensor* stored = nullptr;
  };
  void AddShared(bind::TensorId id, const Layout& layout, const std::map<uint32_t, First>& first);
  void SetStored(Plan::Agreement& agreement, const StoredTensor& stored, DType dtype);
  uint32_t StreamOf(const StoredTensor& stored, DType dtype);
  uint32_t SlotFor(const Plan::InShard& shard);
  uint32_t NameNumber(bind::TensorId id);

  const index::IndexProgram& index_;
  Plan& plan_;
  SourceBlocks& sources_;
  Programs& programs_;
  diag::Diagnostics& diagnostics_;
  std::map<bind::TensorId, uint32_t> name_numbers_;
};

}  // namespace aoa::plan
