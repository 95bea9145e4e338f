#include "runtime/formats/torch_target_object.h"

#include <utility>

namespace aoa::formats {

using pickle::Value;

const Value* TorchTargetObject::Whole(uint32_t member) {
  const TargetTensor& tensor = table_[member];
  pieces_.push_back({static_cast<uint32_t>(storages_.count()), {member, 0, ElementCount(tensor.shape), 0}, true});
  return storages_.Tensor(tensor.dtype, tensor.shape);
}

const Value* TorchTargetObject::Scalar(uint32_t member) {
  pieces_.push_back({static_cast<uint32_t>(storages_.count()), {member, 0, 1, 0}, true});
  return storages_.Tensor(table_[member].dtype, {});
}

const Value* TorchTargetObject::Flat(DType dtype, int64_t length, const std::vector<Window>& windows, bool trained) {
  const uint32_t storage = storages_.Add(dtype, length);
  for (const Window& window : windows) pieces_.push_back({storage, window, false});
  return storages_.Tensor(storage, {length}, 0, trained);
}

Result<TargetFile> TorchTargetObject::End(const std::string& path, const Value& object, int64_t rank, uint32_t table) {
  AOA_ASSIGN_OR_RETURN(TorchLayout layout, LayOutTorch(path, object, storages_));
  std::vector<PlacedTensor> placed;
  std::vector<Insert> zeros;
  std::vector<uint64_t> ends = layout.storages;  // where the windows of each storage end so far
  for (const Piece& piece : pieces_) {
    const auto width = static_cast<uint64_t>(Width(storages_.dtype(piece.storage)));
    PlacedTensor tensor{piece.window.member,
                        layout.storages[piece.storage] + static_cast<uint64_t>(piece.window.at) * width};
    if (!piece.whole) {
      tensor.first = piece.window.first;
      tensor.count = piece.window.count;
    }
    uint64_t& end = ends[piece.storage];
    if (tensor.offset > end) zeros.push_back({end, nullptr, tensor.offset - end});
    end = tensor.offset + static_cast<uint64_t>(piece.window.count) * width;
    placed.push_back(tensor);
  }
  for (uint32_t s = 0; s < storages_.count(); ++s) {
    if (storages_.content(s)) continue;
    const uint64_t end = layout.storages[s] + static_cast<uint64_t>(storages_.elements(s)) *
                                                  static_cast<uint64_t>(Width(storages_.dtype(s)));
    if (end > ends[s]) zeros.push_back({ends[s], nullptr, end - ends[s]});
  }
  TargetFile file = TorchTargetFile(path, std::move(layout), std::move(placed), std::move(zeros));
  file.rank = rank;
  file.table = table;
  return file;
}

}  // namespace aoa::formats
