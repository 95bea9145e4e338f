// Runs a fuzz harness without libFuzzer: over seed files and what deterministic mutations make of them.
//
//   parse_fuzz ROUNDS SEED FILE...
//
// A round takes a file, changes it in a few places (bytes, pieces of other files, words of a small list) and runs it.
// SEED chooses the changes, so a failure is found again.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// Text that mutations of bytes seldom hit upon.
const char* const kWords[] = {
    "{",       "}",        "[",         "]",    "(",     ")",    " -> ",  " <-> ",   "<-",           ",",  "\n", "\"",
    "'",       "#",        "side ",     "map ", "dims ", "if ",  "else ", "else if", "for l in 0..", "${", "$l", "^T",
    "@tp",     " : f32",   "axis ",     "pad(", "not ",  "copy", "{a,b}", "\r\n",    "\xEF\xBB\xBF", "*",  "_",  "\\u0",
    "config.", " stored ", " optional", "..",   "==",    "?=",   "1.5e3", "\xC3\xA9"};

class Mutator {
 public:
  Mutator(uint64_t seed, std::vector<std::string> seeds) : random_(seed), seeds_(std::move(seeds)) {}

  std::string Next() {
    std::string text = seeds_[Below(seeds_.size())];
    for (size_t changes = 1 + Below(5); changes > 0; --changes) Change(text);
    return text;
  }

 private:
  size_t Below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  void Change(std::string& text) {
    size_t at = Below(text.size() + 1);
    size_t length = Below(std::min<size_t>(text.size() - at, 24) + 1);
    const std::string& other = seeds_[Below(seeds_.size())];
    switch (Below(6)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, kWords[Below(std::size(kWords))]);
        break;
      case 2:
        text.replace(at, length, kWords[Below(std::size(kWords))]);
        break;
      case 3:
        text.insert(at, other.substr(Below(other.size()), Below(80)));
        break;
      case 4:
        text.insert(at, text.substr(Below(text.size() + 1), Below(80)));
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(Below(256));
    }
  }

  std::mt19937_64 random_;
  std::vector<std::string> seeds_;
};

void Run(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: ROUNDS SEED FILE...\n", stderr);
    return 2;
  }
  std::vector<std::string> seeds;
  for (int i = 3; i < argc; ++i) {
    std::ifstream in(argv[i], std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    Run(seeds.back());
  }
  Mutator mutator(std::strtoull(argv[2], nullptr, 10), seeds);
  long rounds = std::strtol(argv[1], nullptr, 10);
  for (long i = 0; i < rounds; ++i) Run(mutator.Next());
  std::printf("%zu files, %ld mutations\n", seeds.size(), rounds);
  return 0;
}
