#include "tests/unit/kernel_case.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <random>

#include "compiler/core/convert.h"

namespace aoa::codegen {

ValueStep CastTo(DType to, Overflow overflow) {
  return {.kind = ValueStep::Kind::kCast, .to = to, .overflow = overflow};
}
ValueStep Affine(float scale, float offset, bool inverse, Overflow overflow) {
  return {.kind = ValueStep::Kind::kAffine, .overflow = overflow, .inverse = inverse, .scale = scale, .offset = offset};
}
ValueStep Normalize() { return {.kind = ValueStep::Kind::kNormalize}; }

uint64_t LoadElement(const char* from, int width) {
  uint64_t bits = 0;
  std::memcpy(&bits, from, width);
  return bits;
}

namespace {

// Bytes that end where memory ends: a read beyond them is a fault.
class AtTheEdge {
 public:
  explicit AtTheEdge(size_t size) : size_(size) {
    size_t page = sysconf(_SC_PAGESIZE);
    mapped_ = (size + 2 * page - 1) / page * page;
    base_ = static_cast<char*>(mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_ + mapped_ - page, page, PROT_NONE);
    data_ = base_ + mapped_ - page - size;
  }
  ~AtTheEdge() { munmap(base_, mapped_); }
  AtTheEdge(const AtTheEdge&) = delete;
  AtTheEdge& operator=(const AtTheEdge&) = delete;
  char* data() { return data_; }
  size_t size() const { return size_; }

 private:
  size_t size_, mapped_;
  char* base_;
  char* data_;
};

std::vector<int64_t> RunTimeExtents(const Case& c) {
  std::vector<int64_t> extents;
  for (size_t i = 0; i < c.key.dims.size(); ++i) {
    if (c.key.dims[i].extent == 0) extents.push_back(c.extents[i]);
  }
  return extents;
}

bool Normalizes(const KernelKey& key) {
  return std::ranges::any_of(key.chain, [](const ValueStep& s) { return s.kind == ValueStep::Kind::kNormalize; });
}

// Elements from the first to the last of one side; 0 for an empty box.
int64_t Reach(const Case& c, int64_t KernelDim::*stride) {
  int64_t reach = 1;
  for (size_t i = 0; i < c.extents.size(); ++i) {
    if (c.extents[i] == 0) return 0;
    reach += (c.extents[i] - 1) * c.key.dims[i].*stride;
  }
  return reach;
}

// What the kernel should do.
uint32_t Naive(const Case& c, const char* in, char* out, const double* table) {
  uint32_t flags = 0;
  std::vector<int64_t> index(c.extents.size(), 0);
  if (std::ranges::count(c.extents, 0)) return 0;
  while (true) {
    int64_t from = 0, to = 0, divisor = 0;
    for (size_t i = 0; i < index.size(); ++i) {
      from += index[i] * c.key.dims[i].in;
      to += index[i] * c.key.dims[i].out;
      divisor += index[i] * c.key.dims[i].table;
    }
    uint64_t bits = LoadElement(in + from * Width(c.key.in), Width(c.key.in));
    bits = Apply(c.key.chain, c.key.in, bits, table ? table[divisor] : 0, flags);
    std::memcpy(out + to * Width(c.key.out), &bits, Width(c.key.out));
    size_t i = index.size();
    while (i > 0 && ++index[i - 1] == c.extents[i - 1]) index[--i] = 0;
    if (i == 0) return flags;
  }
}

}  // namespace

void Check(KernelFunction kernel, const Case& c, const Filler& fill) {
  constexpr size_t kGuard = 80;
  size_t skew = c.extents.size() * 2 + 1;  // the output's address is odd; the input's follows from its size
  AtTheEdge in(Reach(c, &KernelDim::in) * Width(c.key.in));
  fill(in.data(), in.size());
  std::string out(2 * kGuard + skew + Reach(c, &KernelDim::out) * Width(c.key.out), '\xa5'), expected = out;
  AtTheEdge table(Normalizes(c.key) ? std::max<int64_t>(Reach(c, &KernelDim::table), 1) * sizeof(double) : 0);
  double* norms = table.size() ? reinterpret_cast<double*>(table.data()) : nullptr;
  constexpr double kNorms[] = {2, 3, 0, 0.1, -7, 1e300, 5e-324, std::numeric_limits<double>::infinity(), 1};
  for (size_t i = 0; i < table.size() / sizeof(double); ++i) norms[i] = kNorms[i % std::size(kNorms)];

  uint32_t expected_flags = Naive(c, in.data(), expected.data() + kGuard + skew, norms);
  std::vector<int64_t> extents = RunTimeExtents(c);
  uint32_t flags = kernel(in.data(), out.data() + kGuard + skew, extents.data(), norms);
  ASSERT_EQ(flags, expected_flags) << ToString(c.key);
  if (flags == 0 && out != expected) {
    size_t at = std::ranges::mismatch(out, expected).in1 - out.begin();
    std::string text;
    for (int64_t extent : c.extents) text += " " + std::to_string(extent);
    FAIL() << ToString(c.key) << ", extents" << text << ": differs at byte " << int64_t(at - kGuard - skew);
  }
}

void FillWithNoise(char* data, size_t bytes) {
  static std::mt19937_64 random(1);
  for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<char>(random() >> 56);
}

void FillWithTameFloats(char* data, size_t bytes) {
  static std::mt19937 random(1);
  for (size_t i = 0; i + 4 <= bytes; i += 4) {
    float value = std::bit_cast<float>(static_cast<uint32_t>(0x3f000000 | (random() & 0x80ffffff)));
    std::memcpy(data + i, &value, 4);
  }
}

std::vector<std::string> Processors() {
  std::vector<std::string> processors = {""};
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) processors.push_back("x86-64-v3");
  processors.push_back("x86-64");
#endif
  return processors;
}

void CheckAll(const std::vector<Case>& cases, const Filler& fill, const std::string& cpu) {
  std::vector<KernelKey> keys;
  for (const Case& c : cases) keys.push_back(c.key);
  std::ranges::sort(keys);
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
  auto table = KernelTable::Start(keys, {.threads = 2, .cpu = cpu});
  for (const Case& c : cases) {
    auto kernel = table->Get(std::ranges::lower_bound(keys, c.key) - keys.begin());
    ASSERT_TRUE(kernel.ok()) << kernel.status().message();
    Check(*kernel, c, fill);
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_EQ(table->statistics().compiled, static_cast<int>(keys.size()));
}

}  // namespace aoa::codegen
