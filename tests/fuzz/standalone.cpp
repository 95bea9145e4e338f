// Runs a libFuzzer target without libFuzzer: every seed as it stands, then mutations of the seeds. The same arguments
// give the same inputs on every machine.
//
//   target SEEDS... [--runs N] [--seed N]    SEEDS are files and folders

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/harness.h"

namespace {

// The input in progress, for the handler of a crash.
std::string g_input;

void SaveInput(int signal) {
  constexpr const char* kPath = "crash-input";
  std::ofstream(kPath, std::ios::binary) << g_input;
  std::fprintf(stderr, "signal %d; the input is in %s\n", signal, kPath);
  _exit(1);
}

class Mutator {
 public:
  Mutator(std::vector<std::string> seeds, uint64_t seed) : seeds_(std::move(seeds)), random_(seed) {}

  std::string Next() {
    std::string input = Pick(seeds_);
    for (size_t i = 0, steps = 1 + Below(6); i < steps; ++i) Step(input);
    return input;
  }

 private:
  size_t Below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }
  const std::string& Pick(const std::vector<std::string>& items) { return items[Below(items.size())]; }

  void Step(std::string& input) {
    const size_t at = Below(input.size() + 1);
    const size_t length = Below(std::min<size_t>(input.size() - at, 32) + 1);
    switch (Below(7)) {
      case 0:
        input.insert(at, Pick(aoa::fuzz::Words()));
        break;
      case 1:
        input.erase(at, length);
        break;
      case 2:
        input.insert(Below(input.size() + 1), input.substr(at, length));
        break;
      case 3:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << Below(8)));
        break;
      case 4:
        if (at < input.size()) input[at] = Pick(aoa::fuzz::Words())[0];
        break;
      case 5:
        input.replace(at, length, Pick(aoa::fuzz::Words()));
        break;
      case 6:
        Splice(input, at);
        break;
    }
  }

  void Splice(std::string& input, size_t at) {
    const std::string& other = Pick(seeds_);
    input = input.substr(0, at) + other.substr(Below(other.size() + 1));
  }

  std::vector<std::string> seeds_;
  std::mt19937_64 random_;
};

// Whether it took longer than any input of such a size may.
bool RunOne(const std::string& input) {
  g_input = input;
  auto start = std::chrono::steady_clock::now();
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  return std::chrono::steady_clock::now() - start > std::chrono::seconds(10);
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> ReadSeeds(const std::vector<std::string>& paths) {
  std::vector<std::filesystem::path> files;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& file : files) seeds.push_back(ReadFile(file));
  return seeds;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> paths;
  uint64_t runs = 10000, seed = 1;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    uint64_t* number = argument == "--runs" ? &runs : argument == "--seed" ? &seed : nullptr;
    if (number != nullptr && i + 1 < argc) {
      *number = std::strtoull(argv[++i], nullptr, 10);
    } else {
      paths.emplace_back(argument);
    }
  }
  const std::vector<std::string> seeds = ReadSeeds(paths);
  if (seeds.empty()) {
    std::fprintf(stderr, "no seeds\n");
    return 2;
  }
  for (int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, SaveInput);
  bool slow = std::any_of(seeds.begin(), seeds.end(), RunOne);
  Mutator mutator(seeds, seed);
  for (uint64_t i = 0; i < runs && !slow; ++i) slow = RunOne(mutator.Next());
  if (slow) std::abort();
  std::printf("%zu seeds, %llu mutations\n", seeds.size(), static_cast<unsigned long long>(runs));
}
