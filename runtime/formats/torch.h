// `format torch`: a dictionary of tensors in files of torch.save. Nested dictionaries, lists and namespaces give dotted
// names. Without a mesh one file; with one, consolidated.00.pth and so on, one for each rank, as Meta publishes models.
//
// Variants: zip, and legacy, the form before torch 1.6.
#pragma once

#include "runtime/formats/format.h"

namespace aoa::formats {

class TorchFormat : public Format {
 public:
  std::string_view name() const override { return "torch"; }
  std::vector<std::string_view> variants() const override { return {"zip", "legacy"}; }
  bool Recognizes(const std::string& path) const override;
  Result<Schema> Read(const std::string& path, const ReadOptions& options) const override;
  Result<TargetLayout> LayOut(const TargetContent& content, const WriteOptions& options) const override;
  std::vector<std::string> Companions(const std::string& path) const override;
};

}  // namespace aoa::formats
