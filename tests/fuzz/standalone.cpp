// Runs a libFuzzer target without libFuzzer: every seed as it stands, then mutations of the seeds. The same arguments
// give the same inputs on every machine.
//
//   target SEEDS... [--runs N] [--seed N] [--most-ms N]    SEEDS are files and folders
//
// An input that takes more than so many milliseconds of this process's time is a failure like a crash.

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
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
    switch (Below(8)) {
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
      case 7:
        Scatter(input, at);
        break;
    }
  }

  void Splice(std::string& input, size_t at) {
    const std::string& other = Pick(seeds_);
    input = input.substr(0, at) + other.substr(Below(other.size() + 1));
  }

  // A few bytes from nowhere.
  void Scatter(std::string& input, size_t at) {
    std::string bytes(1 + Below(15), '\0');
    for (char& byte : bytes) byte = static_cast<char>(Below(256));
    input.insert(at, bytes);
  }

  std::vector<std::string> seeds_;
  std::mt19937_64 random_;
};

// Of this process, whatever else the machine does.
double Milliseconds() { return 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// How long it took.
double RunOne(const std::string& input) {
  g_input = input;
  const double start = Milliseconds();
  aoa::fuzz::Test(input);
  return Milliseconds() - start;
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
  uint64_t runs = 10000, seed = 1, most = 10000;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    uint64_t* number = argument == "--runs"      ? &runs
                       : argument == "--seed"    ? &seed
                       : argument == "--most-ms" ? &most
                                                 : nullptr;
    if (number != nullptr && i + 1 < argc) {
      *number = std::strtoull(argv[++i], nullptr, 10);
    } else {
      paths.emplace_back(argument);
    }
  }
  std::vector<std::string> seeds = ReadSeeds(paths);
  if (aoa::fuzz::MoreSeeds) {
    for (std::string& seed_text : aoa::fuzz::MoreSeeds()) seeds.push_back(std::move(seed_text));
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "no seeds\n");
    return 2;
  }
  for (int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, SaveInput);
  double slowest = 0;
  auto run = [&](const std::string& input) {
    const double took = RunOne(input);
    slowest = std::max(slowest, took);
    if (took <= static_cast<double>(most)) return;
    std::fprintf(stderr, "%.0f ms\n", took);
    std::abort();
  };
  for (const std::string& input : seeds) run(input);
  Mutator mutator(seeds, seed);
  for (uint64_t i = 0; i < runs; ++i) run(mutator.Next());
  std::printf("%zu seeds, %llu mutations, at most %.0f ms each\n", seeds.size(), static_cast<unsigned long long>(runs),
              slowest);
}
