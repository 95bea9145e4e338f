#include "runtime/exec/targets.h"

namespace aoa::exec {

Status Targets::Create() {
  for (uint32_t f = 0; f < plan_.out_files.size(); ++f) {
    const Plan::OutFile& out = plan_.out_files[f];
    AOA_ASSIGN_OR_RETURN(auto file, pool_.Get(f));
    AOA_RETURN_IF_ERROR(file->Preallocate(out.size));
    uint64_t at = 0;
    for (const auto& part : out.head) {
      AOA_RETURN_IF_ERROR(file->WriteAt(at, std::as_bytes(std::span(*part))));
      at += part->size();
    }
  }
  return Status();
}

Status Targets::Write(uint32_t file, uint64_t offset, std::span<const std::byte> bytes) {
  AOA_ASSIGN_OR_RETURN(auto opened, pool_.Get(file));
  return opened->WriteAt(offset, bytes);
}

Status Targets::Read(uint32_t file, uint64_t offset, std::span<std::byte> out) {
  AOA_ASSIGN_OR_RETURN(auto opened, pool_.Get(file));
  return opened->ReadAt(offset, out);
}

Status Targets::Sync(uint32_t file) {
  AOA_ASSIGN_OR_RETURN(auto opened, pool_.Get(file));
  return opened->Sync();
}

Status Targets::Settle(uint32_t file) {
  AOA_ASSIGN_OR_RETURN(auto opened, pool_.Get(file));
  AOA_RETURN_IF_ERROR(opened->Sync());
  opened->DropCache();
  return Status();
}

}  // namespace aoa::exec
