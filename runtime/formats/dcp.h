// `format dcp`: torch.distributed.checkpoint. Tensors are whole in the rules, and lie in chunks in the files of
// whatever ranks saved them; read, any chunks will do, written, every rank of the mesh has its share of each tensor's
// rows.
//
// Variants:
//   distcp        .metadata, and files in which every chunk is an object of torch.save (dcp_metadata.h)
//   safetensors   the files of HuggingFaceStorageWriter before they are joined: shard-00001-model-00001-of-00002 and so
//                 on, whose metadata say where each tensor's part begins
#pragma once

#include "runtime/formats/dcp_metadata.h"
#include "runtime/formats/format.h"

namespace aoa::formats {

class DcpFormat : public Format {
 public:
  std::string_view name() const override { return "dcp"; }
  std::vector<std::string_view> variants() const override { return {"distcp", "safetensors"}; }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
