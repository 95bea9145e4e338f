#include "runtime/formats/dcp_target.h"

#include <algorithm>
#include <memory>

#include "runtime/formats/pickle.h"

namespace aoa::formats {
DcpItem DcpTargetFile::Grow(uint64_t bytes) {
  DcpItem item{path_.substr(path_.rfind('/') + 1), size_, bytes};
  size_ += bytes;
  return item;
}

DcpItem DcpTargetFile::Append(TorchLayout layout) {
  for (Insert& insert : layout.inserts) {
    insert.offset += size_;
    inserts_.push_back(std::move(insert));
  }
  for (Checksum& checksum : layout.checksums) {
    checksum.begin += size_;
    for (uint64_t& place : checksum.places) place += size_;
    checksums_.push_back(std::move(checksum));
  }
  return Grow(layout.size);
}

Result<DcpItem> DcpTargetFile::AddChunk(DType dtype, const Shape& shape, std::span<const DcpRun> runs) {
  pickle::Tree tree;
  TorchStorages storages(TorchFile::Container::kZip, tree);
  const pickle::Value* value = storages.Tensor(dtype, shape);
  AOA_ASSIGN_OR_RETURN(TorchLayout layout, LayOutTorch("archive", *value, storages));
  const uint64_t begin = layout.storages[0];
  const auto width = static_cast<uint64_t>(Width(dtype));
  std::vector<Insert> gaps;
  int64_t end = 0;
  auto fill = [&](int64_t to) {
    if (to > end)
      gaps.push_back({begin + static_cast<uint64_t>(end) * width, nullptr, static_cast<uint64_t>(to - end) * width});
  };
  for (const DcpRun& run : runs) {
    fill(run.at);
    placed_.push_back({run.tensor, size_ + begin + static_cast<uint64_t>(run.at) * width, run.first, run.count});
    end = run.at + run.count;
  }
  fill(ElementCount(shape));
  auto behind = std::find_if(layout.inserts.begin(), layout.inserts.end(),
                             [&](const Insert& insert) { return insert.offset >= begin; });
  layout.inserts.insert(behind, gaps.begin(), gaps.end());
  return Append(std::move(layout));
}

Result<DcpItem> DcpTargetFile::AddScalar(DType dtype, const Shape& shape, uint32_t tensor) {
  pickle::Tree tree;
  TorchStorages storages(TorchFile::Container::kZip, tree);
  const pickle::Value* value = storages.Tensor(dtype, shape);
  return AddObject(*value, storages, {{0, tensor}});
}

Result<DcpItem> DcpTargetFile::AddObject(const pickle::Value& value, const TorchStorages& storages,
                                         const DcpScalars& scalars, const std::string& name) {
  AOA_ASSIGN_OR_RETURN(TorchLayout layout, LayOutTorch(name, value, storages));
  for (auto [storage, tensor] : scalars) placed_.push_back({tensor, size_ + layout.storages[storage]});
  return Append(std::move(layout));
}

DcpItem DcpTargetFile::AddBytes(std::string bytes) {
  const uint64_t size = bytes.size();
  inserts_.push_back({size_, std::make_shared<const std::string>(std::move(bytes)), size});
  return Grow(size);
}

TargetFile DcpTargetFile::Finish(uint32_t table) && {
  TargetFile file;
  file.path = path_;
  file.rank = rank_;
  file.table = table;
  file.size = size_;
  file.tensors = std::make_shared<const std::vector<PlacedTensor>>(std::move(placed_));
  file.inserts = std::make_shared<const std::vector<Insert>>(std::move(inserts_));
  file.checksums = std::make_shared<const std::vector<Checksum>>(std::move(checksums_));
  return file;
}

}  // namespace aoa::formats
