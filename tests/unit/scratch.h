// A folder for one test, removed at its end. In memory where there is such a place: thousands of small files are made.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

namespace aoa::testing {

class Scratch {
 public:
  Scratch() {
    const char* memory = "/dev/shm/";
    std::string pattern = access(memory, W_OK) == 0 ? memory : ::testing::TempDir();
    pattern += "aoac-test-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder for the test: " + pattern);
    root_ = pattern;
  }
  Scratch(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(root_); }

  std::string At(std::string_view path) const { return (root_ / path).string(); }
  std::string root() const { return root_.string(); }

  // Writes a file, making its folders; answers its path.
  std::string Write(std::string_view path, std::string_view content) const {
    std::filesystem::path whole = root_ / path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole, std::ios::binary) << content;
    return whole.string();
  }

 private:
  std::filesystem::path root_;
};

inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// All regular files below a folder with their contents.
inline std::map<std::string, std::string> Contents(const std::filesystem::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) out[entry.path().lexically_relative(folder).string()] = ReadFile(entry.path());
  }
  return out;
}

}  // namespace aoa::testing
