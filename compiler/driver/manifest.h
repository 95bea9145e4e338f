// aoac digest --md5 PATH, --sha256 PATH: a line for each file, as md5sum and sha256sum print and check them.
#pragma once

#include <string>

#include "compiler/core/status.h"
#include "runtime/io/checksum.h"

namespace aoa::driver {

Status PrintManifest(const std::string& path, io::Checksum kind, int threads, bool json);

}  // namespace aoa::driver
