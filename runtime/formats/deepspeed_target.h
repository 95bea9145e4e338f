// What a DeepSpeed checkpoint that is written is made of: the weights of a rank with their states, and files of
// torch.save in which they get their places.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/status.h"
#include "runtime/formats/pickle.h"
#include "runtime/formats/torch_writer.h"

namespace aoa::formats {

// A weight with its states, as numbers in the table of its rank.
struct DeepSpeedWeight {
  uint32_t weight = 0;
  std::optional<uint32_t> master;                         // the weight itself, if it is f32
  std::vector<std::pair<std::string, uint32_t>> moments;  // by key: "exp_avg"
  std::optional<uint32_t> step;
};

// The weights of a rank by parameter group, in the order of the table. Every weight of a rank has the same states.
struct DeepSpeedRank {
  std::vector<std::vector<DeepSpeedWeight>> groups;
  DType dtype = DType::kF32;  // of the weights: f32 only if all are
  bool states = false;        // there are states beside the weights
};

// States are called WEIGHT.fp32, WEIGHT.KEY and WEIGHT.step.
Result<DeepSpeedRank> SortTable(const std::vector<TargetTensor>& table);

// The sizes of the mesh's axes.
struct DeepSpeedMesh {
  int64_t pp = 1, dp = 1, tp = 1;
  struct Place {
    int64_t p = 0, d = 0, t = 0;
  };
  Place PlaceOf(const Mesh& mesh, int64_t rank) const;
  int64_t ModelRank(const Place& place) const { return place.p * tp + place.t; }
};
Result<DeepSpeedMesh> MeshOf(const Mesh& mesh);

// A file that is being made: an object, and tensors of a table in storages.
class DeepSpeedFile {
 public:
  explicit DeepSpeedFile(const std::vector<TargetTensor>& table)
      : table_(table), storages_(TorchFile::Container::kZip, tree_) {}

  pickle::Tree& tree() { return tree_; }
  TorchStorages& storages() { return storages_; }

  // A tensor of the table, whole.
  const pickle::Value* Whole(uint32_t member);
  // One without elements, which stands for a tensor that is elsewhere.
  const pickle::Value* Placeholder(DType dtype) { return storages_.Tensor(dtype, {0}); }
  // A flat tensor of `length` elements, zeros where no window is; `trained`: one that asks for gradients.
  struct Window {
    uint32_t member = 0;
    int64_t first = 0, count = 0, at = 0;
  };
  const pickle::Value* Flat(DType dtype, int64_t length, const std::vector<Window>& windows, bool trained = false);
  // A scalar of the table as a tensor of no axis.
  const pickle::Value* Scalar(uint32_t member);

  // The file, which holds `object`.
  Result<TargetFile> End(const std::string& path, const pickle::Value& object, int64_t rank, uint32_t table);

 private:
  struct Piece {
    uint32_t storage = 0;
    Window window;
    bool whole = false;
  };

  const std::vector<TargetTensor>& table_;
  pickle::Tree tree_;
  TorchStorages storages_;
  std::vector<Piece> pieces_;
};

}  // namespace aoa::formats
