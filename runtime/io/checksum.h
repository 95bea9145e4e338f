// Ordinary digests of files, which other programs compute as well.
#pragma once

#include <string>

#include "compiler/core/status.h"

namespace aoa::io {

enum class Checksum { kMd5, kSha256 };

// Of the bytes of a file, in hexadecimal digits: what md5sum and sha256sum print.
Result<std::string> ChecksumOf(const std::string& path, Checksum kind);

}  // namespace aoa::io
