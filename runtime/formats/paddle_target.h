// What Paddle's writers ask of a content: the places of ranks, and what each has of the optimizer's states.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/paddle_partition.h"

namespace aoa::formats {

// The sizes of the mesh's axes; ranks are numbered in this order, the last one fastest.
struct PaddleMesh {
  int64_t dp = 1, pp = 1, sharding = 1, tp = 1;
};

// A rank's place on the same axes.
struct PaddlePlace {
  int64_t dp = 0, pp = 0, sharding = 0, tp = 0;
};

class PaddleTarget {
 public:
  // Fails where a state is not called after a weight of its rank, an element type is not Paddle's, or the mesh is one
  // that runs of this dealing cannot have.
  static Result<PaddleTarget> Make(const TargetContent& content, PaddleDealing dealing, int64_t segment);

  const TargetContent& content() const { return *content_; }
  const PaddleMesh& mesh() const { return mesh_; }
  PaddleDealing dealing() const { return dealing_; }
  PaddlePlace PlaceOf(int64_t rank) const;

  // What a sharding rank has of a tensor of a table. Weights are whole on every rank, scalars whole where they are
  // held.
  PaddleShare ShareOf(uint32_t table, uint32_t tensor, int64_t sharding) const;
  // Whether a flex checkpoint has what a sharding rank has of a tensor. Of states in buffers it has no window that is
  // all padding, and no scalar beside such a one.
  bool IsInFlex(uint32_t table, uint32_t tensor, int64_t sharding) const;
  // Whether a sharding rank has a weight's states in a window.
  bool IsCut(uint32_t table, uint32_t weight, int64_t sharding) const { return Own(table, weight, sharding).flat; }
  // What stands behind the weight's name in that of a state: "moment1_0". Empty for a weight.
  std::string_view StateOf(uint32_t table, uint32_t tensor) const { return tables_[table].states[tensor]; }
  // Whether a weight has a master in its table.
  bool HasMaster(uint32_t table, uint32_t weight) const { return tables_[table].has_master[weight]; }

 private:
  struct Table {
    std::vector<std::string_view> states;
    std::vector<bool> has_master;
    std::vector<size_t> numbers;                   // of weights among the weights
    std::vector<std::vector<PaddleShare>> shares;  // of their states: by sharding rank, then by weight
  };

  Status AddTable(const std::vector<TargetTensor>& table, int64_t segment);
  const PaddleShare& Own(uint32_t table, uint32_t weight, int64_t sharding) const {
    return tables_[table].shares[static_cast<size_t>(sharding)][tables_[table].numbers[weight]];
  }

  const TargetContent* content_ = nullptr;
  PaddleMesh mesh_;
  PaddleDealing dealing_ = PaddleDealing::kWholeBySize;
  std::vector<Table> tables_;
};

// What the framework might have called a weight's parameter. Its own counters run over layers that only a program
// knows; the table in the file of weights says which is which.
std::string PaddleParameterName(uint32_t weight);

}  // namespace aoa::formats
