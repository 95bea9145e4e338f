// The checksums that a target's format wants in its files: summed from what the jobs have written, in whatever order,
// and put into their places last.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/exec/targets.h"

namespace aoa::exec {

class Checksums {
 public:
  explicit Checksums(const Plan& plan) : plan_(plan) {}

  // The checksum that these bytes of a file take part in, or null. It holds all of a job's bytes.
  const Checksum* Of(uint32_t file, uint64_t offset) const;
  // The same for whatever a job writes.
  const Checksum* Of(const Plan::Job& job) const;
  // What bytes at `offset` add to it.
  static uint32_t Share(const Checksum& checksum, uint64_t offset, std::span<const std::byte> bytes);

  // Writes all checksums. `share(job)` says what a job has added, `scalar(shard)` the bits of
  // plan.scalar_shards[shard].
  using ShareOfJob = std::function<Result<uint32_t>(uint64_t job)>;
  using BitsOfScalar = std::function<uint64_t(size_t shard)>;
  Status Finish(Targets& targets, const ShareOfJob& share, const BitsOfScalar& scalar) const;

 private:
  size_t IndexOf(uint32_t file, const Checksum* checksum) const;

  const Plan& plan_;
};

}  // namespace aoa::exec
