// Folders: what is in them, and how they reach the device.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "compiler/core/status.h"

namespace aoa::io {

// The names in a folder, sorted by bytes.
Result<std::vector<std::string>> ListFolder(const std::string& path);

enum class SyncWhat { kNames, kNamesAndContents };

// Puts a folder on the device, innermost first: what is named is there before its name is. Symlinks are not followed.
Status SyncFolder(const std::filesystem::path& path, SyncWhat what);
// The names in it alone. `path` is for messages.
Status SyncOpenFolder(int fd, const std::filesystem::path& path);

// Removes a file, a symlink, or a folder with all that is in it. Nothing there is a success.
Status RemoveAll(const std::filesystem::path& path);

}  // namespace aoa::io
