#include "runtime/io/checksum.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "compiler/core/text.h"
#include "runtime/io/file.h"

namespace aoa::io {
namespace {

constexpr size_t kChunk = 1 << 20;

}  // namespace

Result<std::string> ChecksumOf(const std::string& path, Checksum kind) {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const EVP_MD* algorithm = kind == Checksum::kMd5 ? EVP_md5() : EVP_sha256();
  if (!digest || EVP_DigestInit_ex(digest.get(), algorithm, nullptr) != 1)
    return Status::System(
        fmt::format("{}: the system has no {}", Printable(path), kind == Checksum::kMd5 ? "MD5" : "SHA-256"));
  AOA_ASSIGN_OR_RETURN(File file, File::OpenForReading(path));
  AOA_ASSIGN_OR_RETURN(uint64_t size, file.Size());
  std::vector<std::byte> buffer(std::min<uint64_t>(size, kChunk));
  for (uint64_t at = 0; at < size;) {
    auto part = std::span(buffer).first(std::min<uint64_t>(buffer.size(), size - at));
    AOA_RETURN_IF_ERROR(file.ReadAt(at, part));
    EVP_DigestUpdate(digest.get(), part.data(), part.size());
    at += part.size();
  }
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_DigestFinal_ex(digest.get(), bytes, &length);
  std::string text;
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

}  // namespace aoa::io
