// Files by number, of which only so many are open at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "compiler/core/status.h"
#include "runtime/io/file.h"

namespace aoa::exec {

class FilePool {
 public:
  using Open = std::function<Result<io::File>(uint32_t file)>;

  // The one that was not used for longest makes room. Files in use stay, so there may be one more per thread.
  FilePool(size_t files, size_t most_open, Open open)
      : open_(std::move(open)), most_open_(most_open), entries_(files) {}

  // A file that stays open as long as this lives.
  class Use {
   public:
    Use(FilePool& pool, uint32_t file) : pool_(&pool), file_(file) {}
    Use(Use&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), file_(other.file_) {}
    Use& operator=(Use&&) = delete;
    ~Use();
    const io::File* operator->() const { return &*pool_->entries_[file_].file; }

   private:
    FilePool* pool_;
    uint32_t file_;
  };

  // Any thread may ask. A file that could not be closed, and so may have lost what was written, fails the next call.
  Result<Use> Get(uint32_t file);
  // No file may be in use.
  Status CloseAll();

 private:
  struct Entry {
    std::optional<io::File> file;
    uint64_t used = 0;  // when last
    int users = 0;
  };

  void MakeRoom();
  void Close(Entry& entry);

  Open open_;
  size_t most_open_;
  std::mutex mutex_;
  std::vector<Entry> entries_;
  size_t count_ = 0;
  uint64_t clock_ = 0;
  Status failure_;
};

}  // namespace aoa::exec
