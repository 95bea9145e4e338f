// Which jobs of a run are done: what --resume reads.
//
// A job is a number below a bound that the plan fixes; with it goes a number that its caller wants to know later (a
// digest of what it wrote). The file is a header and records of 24 bytes, each complete in itself:
//
//    0   8  "aoacjrn1"            64  8  job
//    8   8  number of jobs        72  8  value
//   16  16  digest of the key     80  8  checksum of 64..79, seeded with the header's checksum
//   32   8  checksum of 0..31     88  8  job ...
//   40  24  zeros
//
// in the byte order of the machine, on which alone it is read. A record that does not match its checksum (torn, never
// written, or of another run) is passed over: its job is done again, which is always right. So records may be appended
// from several threads in any order, without locks.
//
// A record says that the bytes of its job have been given to the system. That outlives the process, but not the
// machine: a run that is to be resumed after a power loss syncs its files, appends, and syncs the journal, in this
// order; a run that does not sync puts the boot's id (/proc/sys/kernel/random/boot_id) into the key, so that nobody
// trusts its journal after one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/status.h"
#include "runtime/io/file.h"

namespace aoa::io {

class Journal {
 public:
  // Opens the journal that `file` holds. If that is of another key or number of jobs, or none, it starts empty.
  static Result<Journal> Open(File file, std::string_view key, uint64_t jobs);

  // The jobs that were done when it was opened.
  const std::vector<bool>& done() const { return done_; }

  // The values of these jobs.
  const std::vector<uint64_t>& values() const { return values_; }

  // `job` is done. May be called from several threads.
  Status Append(uint64_t job, uint64_t value);
  // Puts the records so far on the device.
  Status Sync() const { return file_.Sync(); }

 private:
  explicit Journal(File file) : file_(std::move(file)) {}
  Status Load(uint64_t records);

  File file_;
  uint64_t seed_ = 0;
  std::vector<bool> done_;
  std::vector<uint64_t> values_;
  std::unique_ptr<std::atomic<uint64_t>> next_record_;  // on the heap so that a journal can be moved
};

}  // namespace aoa::io
