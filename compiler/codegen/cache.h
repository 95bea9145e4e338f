// Compiled objects on disk. What is executed from here was written by this program for exactly this key: a file counts
// only if it belongs to the user, nobody else may write it, its checksum holds and it repeats the whole identity that
// it is asked for, the name being only a hash of that. Anything else is a miss, and is replaced. Files appear by
// rename, so many processes may share a folder. Failures to write are ignored: a cache may be lost at any time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace llvm {
class MemoryBuffer;
}

namespace aoa::codegen {

class ObjectCache {
 public:
  // Created when the first object is stored; empty: nothing is ever found.
  explicit ObjectCache(std::string folder) : folder_(std::move(folder)) {}

  // The object that was stored under `identity`, or null.
  std::unique_ptr<llvm::MemoryBuffer> Load(std::string_view identity) const;
  void Store(std::string_view identity, std::string_view object) const;

 private:
  std::string PathOf(std::string_view identity) const;

  std::string folder_;
};

}  // namespace aoa::codegen
