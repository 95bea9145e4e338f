// The files that a run reads, opened when they are first needed.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/io/file.h"

namespace aoa::exec {

class Sources {
 public:
  // Opens at most `most_open` files at a time; one that was not used for longest makes room.
  Sources(const std::vector<Plan::InFile>& files, size_t most_open);

  // Any thread may read. A file that has another size than its headers said is kInvalid.
  Status Read(uint32_t file, uint64_t offset, std::span<std::byte> out);
  Status ReadScattered(uint32_t file, uint64_t offset, std::span<const std::span<std::byte>> parts);
  void Prefetch(uint32_t file, uint64_t offset, uint64_t length);

  const std::string& path(uint32_t file) const { return files_[file].path; }
  uint64_t size(uint32_t file) const { return files_[file].size; }

 private:
  Result<std::shared_ptr<const io::File>> Get(uint32_t file);

  const std::vector<Plan::InFile>& files_;
  size_t most_open_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<const io::File>> open_;
  std::vector<uint64_t> used_;  // when a file was last used
  uint64_t clock_ = 0;
  size_t count_ = 0;
};

}  // namespace aoa::exec
