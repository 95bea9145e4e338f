#include "runtime/exec/checksums.h"

#include <algorithm>
#include <string>

#include "compiler/core/check.h"
#include "runtime/io/crc32.h"

namespace aoa::exec {

const Checksum* Checksums::Of(uint32_t file, uint64_t offset) const {
  const auto& list = plan_.out_files[file].checksums;
  if (!list) return nullptr;
  auto after = std::upper_bound(list->begin(), list->end(), offset,
                                [](uint64_t at, const Checksum& checksum) { return at < checksum.begin; });
  if (after == list->begin()) return nullptr;
  const Checksum& found = *std::prev(after);
  return offset - found.begin < found.bytes ? &found : nullptr;
}

const Checksum* Checksums::Of(const Plan::Job& job) const {
  const Checksum* found = Of(job.file, job.tile ? plan_.out_shards[job.first_shard].offset : job.lo);
  AOA_CHECK(!found || job.tile || job.hi <= found->begin + found->bytes, "a job beyond its checksum");
  return found;
}

uint32_t Checksums::Share(const Checksum& checksum, uint64_t offset, std::span<const std::byte> bytes) {
  return io::Crc32Share(bytes, checksum.begin + checksum.bytes - offset - bytes.size());
}

size_t Checksums::IndexOf(uint32_t file, const Checksum* checksum) const {
  return static_cast<size_t>(checksum - plan_.out_files[file].checksums->data());
}

Status Checksums::Finish(Targets& targets, const ShareOfJob& share, const BitsOfScalar& scalar) const {
  std::vector<std::vector<uint32_t>> sums(plan_.out_files.size());
  for (uint32_t f = 0; f < plan_.out_files.size(); ++f) {
    const Plan::OutFile& file = plan_.out_files[f];
    if (!file.checksums) continue;
    for (const Checksum& checksum : *file.checksums) sums[f].push_back(io::Crc32OfZeros(checksum.bytes));
    if (!file.inserts) continue;
    for (const Insert& insert : *file.inserts) {
      const Checksum* in = insert.content ? Of(f, insert.offset) : nullptr;
      if (in) sums[f][IndexOf(f, in)] ^= Share(*in, insert.offset, std::as_bytes(std::span(*insert.content)));
    }
  }
  for (uint64_t j = 0; j < plan_.jobs.size(); ++j) {
    const Plan::Job& job = plan_.jobs[j];
    const Checksum* in = Of(job);
    if (!in) continue;
    AOA_ASSIGN_OR_RETURN(uint32_t added, share(j));
    sums[job.file][IndexOf(job.file, in)] ^= added;
  }
  for (size_t s = 0; s < plan_.scalar_shards.size(); ++s) {
    const Plan::ScalarShard& shard = plan_.scalar_shards[s];
    const Checksum* in = Of(shard.file, shard.offset);
    if (!in) continue;
    uint64_t bits = scalar(s);
    auto width = static_cast<size_t>(Width(plan_.scalars[shard.scalar].dtype));
    sums[shard.file][IndexOf(shard.file, in)] ^=
        Share(*in, shard.offset, std::as_bytes(std::span(&bits, 1)).first(width));
  }
  for (uint32_t f = 0; f < plan_.out_files.size(); ++f) {
    for (size_t c = 0; c < sums[f].size(); ++c) {
      for (uint64_t place : (*plan_.out_files[f].checksums)[c].places)
        AOA_RETURN_IF_ERROR(targets.Write(f, place, std::as_bytes(std::span(&sums[f][c], 1))));
    }
  }
  return Status();
}

}  // namespace aoa::exec
