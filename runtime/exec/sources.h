// The files that a run reads. Where a file is put together from stretches of others, its bytes come from these.
#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/exec/file_pool.h"

namespace aoa::exec {

class Sources {
 public:
  // Opens at most about `most_open` files at a time.
  Sources(const Plan& plan, size_t most_open);

  // Any thread may read. A file that has another size than its headers said is kInvalid.
  Status Read(uint32_t file, uint64_t offset, std::span<std::byte> out);
  Status ReadScattered(uint32_t file, uint64_t offset, std::span<const std::span<std::byte>> parts);
  // Tells the system that these bytes will be read soon. Failures show when they are.
  void Prefetch(uint32_t file, uint64_t offset, uint64_t length);

  const std::string& path(uint32_t file) const { return files_[file].path; }
  uint64_t size(uint32_t file) const { return files_[file].size; }
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  // The pool holds the files, then the stores.
  uint32_t InPool(uint32_t store) const { return static_cast<uint32_t>(files_.size()) + store; }
  Result<io::File> Open(uint32_t number) const;
  template <class Visit>
  Status EachStretch(uint32_t file, uint64_t offset, uint64_t length, Visit visit) const;
  Status ReadStretches(uint32_t file, uint64_t offset, std::span<std::byte> out);

  const std::vector<Plan::InFile>& files_;
  const std::vector<Store>& stores_;
  FilePool pool_;
  std::atomic<uint64_t> bytes_read_ = 0;
};

}  // namespace aoa::exec
