// The files that a run writes, in a staging folder.
#pragma once

#include <span>
#include <vector>

#include "compiler/core/plan.h"
#include "compiler/core/status.h"
#include "runtime/exec/file_pool.h"
#include "runtime/io/staging.h"

namespace aoa::exec {

class Targets {
 public:
  Targets(const Plan& plan, const io::StagingFolder& folder, size_t most_open)
      : plan_(plan), pool_(plan.out_files.size(), most_open, [this, &folder](uint32_t file) {
          return folder.OpenFile(plan_.out_files[file].path);
        }) {}

  // Makes every file at its full size, with its head. What a file holds already behind its head stays. On several
  // threads: some file systems take as long to find the space as to fill it.
  Status Create(int threads);

  // Any thread may write, read and sync.
  Status Write(uint32_t file, uint64_t offset, std::span<const std::byte> bytes);
  Status Read(uint32_t file, uint64_t offset, std::span<std::byte> out);
  Status Sync(uint32_t file);
  // Puts a file on the device and out of memory, so that it is read from there.
  Status Settle(uint32_t file);
  // To be called at the end: a file that cannot be closed may have lost what was written.
  Status Close() { return pool_.CloseAll(); }

 private:
  Status CreateFile(uint32_t number);

  const Plan& plan_;
  FilePool pool_;
};

}  // namespace aoa::exec
