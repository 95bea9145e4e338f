// Checkpoints that are dictionaries of tensors in files of torch.save: reading several into a schema, laying out one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/layout.h"
#include "compiler/core/schema.h"
#include "runtime/formats/format.h"
#include "runtime/formats/torch_file.h"

namespace aoa::formats {

// Reads the tensors of files, side by side, under their dotted paths. Files are of rank 0, in the order given.
// `container` becomes that of the first. What stands around the tensors is preserved as TorchSurroundings. A file
// without a tensor is refused if it holds objects that might have been meant as ones.
Status ReadTorchFiles(const std::vector<std::string>& paths, int threads, Schema& schema,
                      TorchFile::Container& container);

// A file that holds an ordered dictionary of these tensors of a table; or the object of `like`, with these tensors in
// the place of its own, if they all have one there.
Result<TargetFile> LayOutTorchFile(const std::string& path, const std::vector<TargetTensor>& table,
                                   const std::vector<uint32_t>& members, TorchFile::Container container,
                                   const TorchFile* like = nullptr);

// Whether the first bytes of a file are those of torch.save.
bool LooksLikeTorch(const std::string& path);

}  // namespace aoa::formats
