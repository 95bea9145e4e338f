#include "compiler/driver/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "compiler/core/text.h"
#include "runtime/exec/workers.h"

namespace aoa::driver {
namespace {

namespace fs = std::filesystem;

struct Entry {
  std::string name;  // below the checkpoint
  std::string path;
  std::string digest;
};

// All files, by name. What is hidden is none of the checkpoint: the folders of unfinished runs.
Result<std::vector<Entry>> FilesOf(const std::string& path) {
  std::vector<Entry> files;
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::vector<Entry>{{path, path, ""}};
  auto options = fs::directory_options::none;
  for (auto it = fs::recursive_directory_iterator(path, options, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->path().filename().string().starts_with(".")) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file(error)) {
      files.push_back({it->path().lexically_relative(path).string(), it->path().string(), ""});
    }
  }
  if (error) return Status::System(fmt::format("reading {}: {}", Printable(path), error.message()));
  std::sort(files.begin(), files.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return files;
}

}  // namespace

Status PrintManifest(const std::string& path, io::Checksum kind, int threads, bool json) {
  AOA_ASSIGN_OR_RETURN(std::vector<Entry> files, FilesOf(path));
  std::atomic<size_t> next = 0;
  AOA_RETURN_IF_ERROR(exec::RunWorkers(threads, [&](const std::atomic<bool>& stop) -> Status {
    for (size_t i; !stop && (i = next++) < files.size();) {
      AOA_ASSIGN_OR_RETURN(files[i].digest, io::ChecksumOf(files[i].path, kind));
    }
    return Status();
  }));
  if (!json) {
    for (const Entry& file : files) fmt::print("{}  {}\n", file.digest, Printable(file.name));
    return Status();
  }
  nlohmann::ordered_json report = nlohmann::ordered_json::object();
  for (const Entry& file : files) report[file.name] = file.digest;
  fmt::print("{}\n", report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  return Status();
}

}  // namespace aoa::driver
