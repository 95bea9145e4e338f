#include "compiler/codegen/cache.h"

#include <fcntl.h>
#include <llvm/ADT/StringExtras.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/xxhash.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <optional>

namespace aoa::codegen {
namespace {

// A file is this header, the identity, the object.
struct Header {
  char magic[8] = {'A', 'O', 'A', 'K', 'E', 'R', 'N', '1'};
  uint64_t identity_size = 0;
  uint64_t object_size = 0;
  uint64_t checksum[2] = {};  // XXH3, 128 bits, of what follows
};

constexpr off_t kLargestFile = 16 << 20;  // far above any kernel

llvm::XXH128_hash_t Hash(std::string_view bytes) {
  return llvm::xxh3_128bits(llvm::ArrayRef(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

// Reads a file that only this user can have written.
std::optional<std::string> ReadPrivate(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::optional<std::string> content;
  struct stat info;
  bool ours = fstat(file, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
              (info.st_mode & (S_IWGRP | S_IWOTH)) == 0 && info.st_size <= kLargestFile;
  if (ours) {
    content.emplace(info.st_size, '\0');
    if (read(file, content->data(), content->size()) != info.st_size) content.reset();
  }
  close(file);
  return content;
}

bool WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = write(file, bytes.data(), bytes.size());
    if (written <= 0) return false;
    bytes.remove_prefix(written);
  }
  return true;
}

void CreateFolders(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1)) {
    mkdir(path.substr(0, slash).c_str(), 0700);
  }
  mkdir(path.c_str(), 0700);
}

}  // namespace

std::string ObjectCache::PathOf(std::string_view identity) const {
  llvm::XXH128_hash_t hash = Hash(identity);
  return folder_ + "/" + llvm::utohexstr(hash.high64, /*LowerCase=*/true, 16) +
         llvm::utohexstr(hash.low64, /*LowerCase=*/true, 16) + ".o";
}

std::unique_ptr<llvm::MemoryBuffer> ObjectCache::Load(std::string_view identity) const {
  if (folder_.empty()) return nullptr;
  std::optional<std::string> content = ReadPrivate(PathOf(identity));
  if (!content || content->size() < sizeof(Header)) return nullptr;
  Header header, expected;
  std::memcpy(&header, content->data(), sizeof header);
  std::string_view rest = std::string_view(*content).substr(sizeof header);
  if (std::memcmp(header.magic, expected.magic, sizeof header.magic) != 0) return nullptr;
  if (header.identity_size != identity.size() || !rest.starts_with(identity)) return nullptr;
  if (header.object_size != rest.size() - identity.size()) return nullptr;
  llvm::XXH128_hash_t hash = Hash(rest);
  if (hash.high64 != header.checksum[0] || hash.low64 != header.checksum[1]) return nullptr;
  return llvm::MemoryBuffer::getMemBufferCopy(rest.substr(identity.size()), "kernel");
}

void ObjectCache::Store(std::string_view identity, std::string_view object) const {
  if (folder_.empty()) return;
  std::string content = std::string(sizeof(Header), '\0').append(identity).append(object);
  Header header;
  header.identity_size = identity.size();
  header.object_size = object.size();
  llvm::XXH128_hash_t hash = Hash(std::string_view(content).substr(sizeof header));
  header.checksum[0] = hash.high64;
  header.checksum[1] = hash.low64;
  std::memcpy(content.data(), &header, sizeof header);

  static std::atomic<unsigned> count = 0;  // of temporary files of this process
  CreateFolders(folder_);
  std::string path = PathOf(identity);
  std::string temporary = path + "." + std::to_string(getpid()) + "." + std::to_string(count++);
  int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return;
  bool written = WriteAll(file, content);
  written = close(file) == 0 && written;
  if (!written || rename(temporary.c_str(), path.c_str()) != 0) unlink(temporary.c_str());
}

}  // namespace aoa::codegen
