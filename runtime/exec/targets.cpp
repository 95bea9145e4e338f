#include "runtime/exec/targets.h"

#include "runtime/exec/workers.h"

namespace aoa::exec {

Status Targets::Create(int threads) {
  std::atomic<uint32_t> next = 0;
  return RunWorkers(threads, [&](const std::atomic<bool>& stop) -> Status {
    for (uint32_t f; !stop && (f = next++) < plan_.out_files.size();) AOA_RETURN_IF_ERROR(CreateFile(f));
    return Status();
  });
}

Status Targets::CreateFile(uint32_t number) {
  const Plan::OutFile& out = plan_.out_files[number];
  AOA_ASSIGN_OR_RETURN(auto file, pool_.Get(number));
  AOA_RETURN_IF_ERROR(file->Preallocate(out.size));
  uint64_t at = 0;
  for (const auto& part : out.head) {
    AOA_RETURN_IF_ERROR(file->WriteAt(at, std::as_bytes(std::span(*part))));
    at += part->size();
  }
  if (!out.inserts) return Status();
  for (const Insert& insert : *out.inserts) {  // zeros are there
    if (insert.content) AOA_RETURN_IF_ERROR(file->WriteAt(insert.offset, std::as_bytes(std::span(*insert.content))));
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
