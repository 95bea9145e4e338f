// Compiled kernels against a naive loop over `Apply`, bit by bit: every shape of small boxes, random larger ones, every
// pair of types over all inputs of 8 and 16 bits. Inputs end at a page that cannot be read, outputs lie between guard
// bytes, both at odd addresses.
#include "compiler/codegen/codegen.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <thread>

#include "compiler/core/check.h"
#include "compiler/core/convert.h"

namespace aoa::codegen {
namespace {

namespace fs = std::filesystem;

constexpr DType kFloats[] = {DType::kF64, DType::kF32, DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kF8E5M2};
constexpr Overflow kPolicies[] = {Overflow::kError, Overflow::kSaturate, Overflow::kInfinity};
constexpr DType kMoved[] = {DType::kU8, DType::kU16, DType::kU32, DType::kU64};

ValueStep CastTo(DType to, Overflow overflow = Overflow::kError) {
  return {.kind = ValueStep::Kind::kCast, .to = to, .overflow = overflow};
}
ValueStep Affine(float scale, float offset, bool inverse, Overflow overflow = Overflow::kError) {
  return {.kind = ValueStep::Kind::kAffine, .overflow = overflow, .inverse = inverse, .scale = scale, .offset = offset};
}
ValueStep Normalize() { return {.kind = ValueStep::Kind::kNormalize}; }

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

// A kernel and the extents of one call, in the order of the key's dimensions.
struct Case {
  KernelKey key;
  std::vector<int64_t> extents;
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

uint64_t LoadElement(const char* from, int width) {
  uint64_t bits = 0;
  std::memcpy(&bits, from, width);
  return bits;
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

using Filler = std::function<void(char* data, size_t bytes)>;

// Runs a call and compares its flags and all of the output buffer, gaps and guards included.
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

// Finite f32 near 1, so that narrow types hold them.
void FillWithTameFloats(char* data, size_t bytes) {
  static std::mt19937 random(1);
  for (size_t i = 0; i + 4 <= bytes; i += 4) {
    float value = std::bit_cast<float>(static_cast<uint32_t>(0x3f000000 | (random() & 0x80ffffff)));
    std::memcpy(data + i, &value, 4);
  }
}

// The processors that this machine can stand for.
std::vector<std::string> Processors() {
  std::vector<std::string> processors = {""};
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) processors.push_back("x86-64-v3");
  processors.push_back("x86-64");
#endif
  return processors;
}

// All cases, each distinct key compiled once.
void CheckAll(const std::vector<Case>& cases, const Filler& fill, const std::string& cpu = "") {
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

// A box whose input runs through the dimensions in the order `order` (outermost first), with `gap` elements between the
// rows of either side and one dimension that the input repeats.
struct Shape {
  std::vector<int64_t> extents;  // the greatest, for run-time ones
  std::vector<int> order;
  size_t run_time = 0;  // so many of the outermost
  int64_t in_gap = 0, out_gap = 0;
  int repeated = -1;
};

std::vector<KernelDim> DimsOf(const Shape& shape) {
  std::vector<KernelDim> dims(shape.extents.size());
  int64_t in = 1, out = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    int of_in = shape.order[i];
    dims[of_in].in = of_in == shape.repeated ? 0 : in;
    if (of_in != shape.repeated) in = in * shape.extents[of_in] + shape.in_gap;
    dims[i].out = out;
    out = out * shape.extents[i] + shape.out_gap;
    dims[i].extent = i < shape.run_time ? 0 : shape.extents[i];
  }
  return dims;
}

// All assignments of `values` to the run-time dimensions.
std::vector<Case> Calls(const KernelKey& key, const Shape& shape, const std::vector<int64_t>& values) {
  std::vector<Case> cases = {{key, shape.extents}};
  for (size_t i = 0; i < shape.run_time; ++i) {
    std::vector<Case> more;
    for (const Case& c : cases) {
      for (int64_t value : values) {
        more.push_back(c);
        more.back().extents[i] = value;
      }
    }
    cases = std::move(more);
  }
  return cases;
}

// Every order of every rank to 4, with any number of run-time dimensions, and without gaps, with either, with a repeat.
std::vector<Case> SmallBoxes(const std::function<KernelKey(int, std::vector<KernelDim>)>& key_of) {
  std::vector<Case> cases;
  int count = 0;
  for (size_t rank = 0; rank <= 4; ++rank) {
    std::vector<int64_t> values = rank < 4 ? std::vector<int64_t>{0, 1, 2, 3, 4, 5} : std::vector<int64_t>{0, 1, 3, 5};
    Shape shape;
    shape.order.resize(rank);
    std::iota(shape.order.begin(), shape.order.end(), 0);
    do {
      for (shape.run_time = 0; shape.run_time <= rank; ++shape.run_time) {
        for (int variant = 0; variant < 4; ++variant) {
          ++count;
          shape.extents.clear();
          for (size_t i = 0; i < rank; ++i) shape.extents.push_back(i < shape.run_time ? 5 : 2 + (count + i) % 4);
          shape.in_gap = variant == 1 ? 3 : 0;
          shape.out_gap = variant == 2 ? 1 : 0;
          shape.repeated = variant == 3 && rank ? count % rank : -1;
          KernelKey key = key_of(count, DimsOf(shape));
          std::ranges::copy(Calls(key, shape, values), std::back_inserter(cases));
        }
      }
    } while (std::ranges::next_permutation(shape.order).found);
  }
  return cases;
}

TEST(CodegenTest, MovesEverySmallBox) {
  CheckAll(SmallBoxes([](int count, std::vector<KernelDim> dims) {
             DType type = kMoved[count % 4];
             return KernelKey{type, type, {}, std::move(dims)};
           }),
           FillWithNoise);
}

TEST(CodegenTest, ConvertsEverySmallBox) {
  CheckAll(SmallBoxes([](int count, std::vector<KernelDim> dims) {
             constexpr DType kOut[] = {DType::kBF16, DType::kF16, DType::kF64};
             DType out = kOut[count % 3];
             return KernelKey{DType::kF32, out, {CastTo(out)}, std::move(dims)};
           }),
           FillWithTameFloats);
}

// Boxes of a size that all vector code runs, with extents that no vector divides, and some that one does.
TEST(CodegenTest, RandomBoxes) {
  for (const std::string& cpu : Processors()) {
    std::mt19937 random(7);
    std::vector<Case> moves, conversions;
    for (int i = 0; i < 80; ++i) {
      Shape shape;
      size_t rank = 2 + random() % 3;
      int64_t budget = 60000;
      for (size_t d = 0; d < rank; ++d) {
        constexpr int64_t kNice[] = {2, 4, 8, 16, 32, 64, 128};
        int64_t most = std::max<int64_t>(2, std::pow(budget, 1.0 / double(rank - d)) * 3);
        int64_t extent = random() % 2 ? kNice[random() % 7] : 2 + random() % 200;
        shape.extents.push_back(std::clamp<int64_t>(extent, 2, std::min(budget, most)));
        budget = std::max<int64_t>(budget / shape.extents.back(), 2);
        shape.order.push_back(d);
      }
      std::ranges::shuffle(shape.order, random);
      shape.run_time = random() % 3 ? 0 : random() % (rank + 1);
      shape.in_gap = random() % 4 ? 0 : random() % 5;
      shape.out_gap = random() % 4 ? 0 : random() % 5;
      shape.repeated = random() % 5 ? -1 : random() % rank;
      DType type = kMoved[random() % 4], out = kFloats[random() % 6];
      KernelKey move{type, type, {}, DimsOf(shape)}, conversion{DType::kF32, out, {CastTo(out)}, DimsOf(shape)};
      if (out == DType::kF32) conversion.chain = {Affine(3, -1, i % 2), CastTo(out)};
      if (i % 5 == 0) {
        conversion.chain.insert(conversion.chain.begin(), Normalize());
        for (auto& step : conversion.chain) step.overflow = Overflow::kSaturate;
        for (KernelDim& dim : conversion.dims) dim.table = random() % 3;
      }
      moves.push_back({move, shape.extents});
      conversions.push_back({conversion, shape.extents});
      if (shape.run_time) {  // shorter than any tile, shorter than any vector
        for (int64_t extent : {7, 1}) {
          moves.push_back(moves.back());
          moves.back().extents[0] = std::min(extent, shape.extents[0]);
        }
      }
    }
    CheckAll(moves, FillWithNoise, cpu);
    CheckAll(conversions, FillWithTameFloats, cpu);
  }
}

// Transposes as checkpoints have them, and the smallest that still are tiles.
TEST(CodegenTest, Transposes) {
  for (const std::string& cpu : Processors()) {
    std::vector<Case> moves;
    for (DType type : kMoved) {
      for (auto [rows, columns] :
           {std::pair<int64_t, int64_t>{256, 256}, {300, 131}, {64, 4}, {4, 64}, {3, 100}, {65, 63}}) {
        std::vector<KernelDim> dims = {{columns, 1, rows}, {rows, columns, 1}};
        moves.push_back({{type, type, {}, dims}, {columns, rows}});
        dims[0].extent = dims[1].extent = 0;
        for (int64_t less : {0, 1, 2}) moves.push_back({{type, type, {}, dims}, {columns - less, rows - less}});
        // Two heads apart on both sides, and pairs that stay together.
        dims = {{2, columns, rows * 2}, {columns, 1, rows * 4}, {rows, columns * 2, 1}};
        moves.push_back({{type, type, {}, dims}, {2, columns, rows}});
        dims = {{columns, 2, rows * 2}, {rows, columns * 2, 2}, {2, 1, 1}};
        moves.push_back({{type, type, {}, dims}, {columns, rows, 2}});
        dims = {{columns, 3, rows * 3}, {rows, columns * 3, 3}, {3, 1, 1}};
        moves.push_back({{type, type, {}, dims}, {columns, rows, 3}});
      }
    }
    CheckAll(moves, FillWithNoise, cpu);
  }
}

// Inputs of one type: all of them up to 16 bits; above, every edge of every narrower type, and noise.
std::vector<uint64_t> Inputs(DType type) {
  std::vector<uint64_t> inputs;
  if (Width(type) <= 2) {
    inputs.resize(1ull << (8 * Width(type)));
    std::iota(inputs.begin(), inputs.end(), 0);
    return inputs;
  }
  std::mt19937_64 random(3);
  uint32_t ignored = 0;
  auto add = [&](double value) { inputs.push_back(Encode(type, value, Overflow::kInfinity, ignored)); };
  for (DType narrow : {DType::kF32, DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kF8E5M2}) {
    int bits = 8 * Width(narrow);
    for (int i = 0; i < 1500; ++i) {
      uint64_t code = bits == 8 ? i % 256 : random() & ((1ull << bits) - 1);
      double low = Decode(narrow, code), high = Decode(narrow, code + 1), middle = (low + high) / 2;
      for (double value : {low, middle, std::nextafter(middle, low), std::nextafter(middle, high)}) add(value);
      if (type == DType::kF32) {
        for (uint64_t step : {1, -1}) inputs.push_back((inputs.back() + step) & 0xffffffff);
      }
    }
  }
  uint64_t mask = type == DType::kF64 ? ~0ull : 0xffffffff;
  for (int i = 0; i < 5000; ++i) inputs.push_back(random() & mask);
  for (double value : {0.0, 1.0, 448.0, 464.0, 480.0, 57344.0, 61440.0, 65504.0, 65519.0, 65520.0, 3.4e38, 1e300,
                       5e-324, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    add(value);
    add(-value);
  }
  inputs.push_back(type == DType::kF64 ? 0xfff0000000000001 : 0xff800001);  // a signalling NaN
  return inputs;
}

// Runs a kernel over one run-time dimension, on all inputs that raise no flag, then on some that do, one in a vector.
void CheckValues(KernelFunction kernel, const KernelKey& key, const std::vector<uint64_t>& inputs, double norm) {
  std::vector<uint64_t> good, bad;
  for (uint64_t bits : inputs) {
    uint32_t flags = 0;
    Apply(key.chain, key.in, bits, norm, flags);
    (flags ? bad : good).push_back(bits);
  }
  size_t width = Width(key.in), out_width = Width(key.out);
  std::string in(inputs.size() * width, '\0'), out(inputs.size() * out_width, '\0');
  auto run = [&](const std::vector<uint64_t>& values) {
    for (size_t i = 0; i < values.size(); ++i) std::memcpy(in.data() + i * width, &values[i], width);
    int64_t extent = values.size();
    return kernel(in.data(), out.data(), &extent, &norm);
  };
  ASSERT_EQ(run(good), 0u) << ToString(key);
  for (size_t i = 0; i < good.size(); ++i) {
    uint32_t flags = 0;
    uint64_t expected = Apply(key.chain, key.in, good[i], norm, flags);
    ASSERT_EQ(LoadElement(out.data() + i * out_width, out_width), expected)
        << ToString(key) << ": " << std::hex << good[i] << " = " << std::hexfloat << Decode(key.in, good[i]);
  }
  for (size_t i = 0; i < bad.size(); i += 1 + bad.size() / 200) {
    uint32_t flags = 0;
    Apply(key.chain, key.in, bad[i], norm, flags);
    std::vector<uint64_t> among(70, good.front());
    among[i % among.size()] = bad[i];
    ASSERT_EQ(run(among), flags) << ToString(key) << ": " << std::hex << bad[i];
    ASSERT_EQ(run({bad[i]}), flags) << ToString(key) << ": " << std::hex << bad[i];
  }
}

void CheckChains(const std::vector<KernelKey>& keys, const std::string& cpu, double norm = 0) {
  auto table = KernelTable::Start(keys, {.threads = 2, .cpu = cpu});
  std::map<DType, std::vector<uint64_t>> inputs;
  for (DType type : kFloats) inputs[type] = Inputs(type);
  for (size_t i = 0; i < keys.size(); ++i) {
    auto kernel = table->Get(i);
    ASSERT_TRUE(kernel.ok()) << kernel.status().message();
    CheckValues(*kernel, keys[i], inputs[keys[i].in], norm);
    if (testing::Test::HasFatalFailure()) return;
  }
}

KernelKey OverRun(DType in, ValueChain chain) {
  DType out = chain.back().to;
  return {in, out, std::move(chain), {{0, 1, 1}}};
}

TEST(CodegenTest, CastsBetweenAllTypes) {
  for (const std::string& cpu : Processors()) {
    std::vector<KernelKey> keys;
    for (DType in : kFloats) {
      for (DType out : kFloats) {
        if (in == out) continue;
        for (Overflow overflow : kPolicies) keys.push_back(OverRun(in, {CastTo(out, overflow)}));
      }
    }
    CheckChains(keys, cpu);
  }
}

TEST(CodegenTest, Affine) {
  constexpr float kScales[] = {0.1f, -1.0f, 1.0f, 3e38f, 1e-40f, 0.0f, 448.0f};
  constexpr float kOffsets[] = {0.0f, -0.0f, 1.0f, -3e38f, 0.3f};
  std::vector<KernelKey> keys;
  for (DType in : kFloats) {
    for (DType out : kFloats) {
      for (bool inverse : {false, true}) {
        size_t i = keys.size();
        Overflow overflow = kPolicies[i % 3];
        keys.push_back(
            OverRun(in, {Affine(kScales[i % 7], kOffsets[i % 5], inverse, overflow), CastTo(out, overflow)}));
      }
    }
  }
  for (float scale : kScales) keys.push_back(OverRun(DType::kF32, {Affine(scale, 1, false), CastTo(DType::kF32)}));
  CheckChains(keys, "");
}

TEST(CodegenTest, LongerChains) {
  std::vector<KernelKey> keys = {
      OverRun(DType::kF64, {CastTo(DType::kF32, Overflow::kInfinity), CastTo(DType::kF16, Overflow::kSaturate)}),
      OverRun(DType::kF32, {CastTo(DType::kF8E4M3, Overflow::kSaturate), Affine(2, 0, false), CastTo(DType::kBF16)}),
      OverRun(DType::kBF16, {CastTo(DType::kF64), Affine(0.5, 0.25, true), CastTo(DType::kF16, Overflow::kInfinity)}),
  };
  CheckChains(keys, "");
}

TEST(CodegenTest, NormalizesByEveryKindOfDivisor) {
  std::vector<KernelKey> keys;
  for (DType in : kFloats) {
    for (DType out : kFloats) keys.push_back(OverRun(in, {Normalize(), CastTo(out, Overflow::kSaturate)}));
  }
  for (double norm : {0.0, 3.0, -1e-300, 5e-324, HUGE_VAL, -std::numeric_limits<double>::quiet_NaN()}) {
    CheckChains(keys, "", norm);
  }
}

TEST(CodegenTest, TablesAlongAnyDimension) {
  ValueChain chain = {Normalize(), CastTo(DType::kBF16, Overflow::kSaturate)};
  std::vector<Case> cases;
  for (int64_t outer : {0, 1, 2}) {
    for (int64_t inner : {0, 1, 3}) {
      KernelKey rows{DType::kF32, DType::kBF16, chain, {{0, 100, 100, outer}, {100, 1, 1, inner}}};
      cases.push_back({rows, {7, 100}});
      KernelKey transposed{DType::kF32, DType::kBF16, chain, {{0, 1, 70, outer}, {70, 100, 1, inner}}};
      cases.push_back({transposed, {100, 70}});
      cases.push_back({transposed, {3, 70}});
      // Pairs in the input, which count as one row where the table goes on, too.
      KernelKey pairs{
          DType::kF32, DType::kBF16, chain, {{2, 1, 32 * 70, inner}, {32, 2, 70, outer}, {70, 64, 1, outer}}};
      cases.push_back({pairs, {2, 32, 70}});
    }
  }
  CheckAll(cases, FillWithTameFloats);
}

// A folder that is removed in the end.
class CodegenCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "aoac-cache-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    folder_ = root_ / "a" / "b";
  }
  void TearDown() override { fs::remove_all(root_); }

  // Uses all kernels once, and says how many came from where.
  KernelTable::Statistics Use(const std::vector<KernelKey>& keys, int threads = 1) {
    auto table = KernelTable::Start(keys, {.cache_folder = folder_, .threads = threads});
    for (size_t i = 0; i < keys.size(); ++i) {
      Case c{keys[i], {}};
      for (const KernelDim& dim : keys[i].dims) c.extents.push_back(dim.extent);
      auto kernel = table->Get(i);
      EXPECT_TRUE(kernel.ok());
      Check(*kernel, c, FillWithTameFloats);
    }
    return table->statistics();
  }

  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_)) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
  }

  void ExpectRecompiles() {
    auto statistics = Use({key_});
    EXPECT_EQ(statistics.compiled, 1);
    EXPECT_EQ(statistics.loaded, 0);
    EXPECT_EQ(Use({key_}).loaded, 1);  // and repaired
  }

  fs::path root_, folder_;
  KernelKey key_{DType::kF32, DType::kBF16, {CastTo(DType::kBF16)}, {{70, 1, 90}, {90, 70, 1}}};
  KernelKey other_{DType::kU16, DType::kU16, {}, {{70, 1, 90}, {90, 70, 1}}};
};

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void WriteFile(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

TEST_F(CodegenCacheTest, CompilesOnce) {
  auto first = Use({key_, other_}, 2), second = Use({key_, other_}, 2);
  EXPECT_EQ(first.compiled, 2);
  EXPECT_EQ(first.loaded, 0);
  EXPECT_EQ(second.compiled, 0);
  EXPECT_EQ(second.loaded, 2);
  ASSERT_EQ(Files().size(), 2u);
  for (const fs::path& file : Files()) EXPECT_EQ(fs::status(file).permissions(), fs::perms(0600));
  EXPECT_EQ(fs::status(folder_).permissions(), fs::perms(0700));
}

TEST_F(CodegenCacheTest, NoticesEveryDamage) {
  Use({key_});
  fs::path file = Files().at(0);
  std::string content = ReadFile(file);
  for (size_t size : {size_t{0}, size_t{7}, size_t{40}, content.size() / 2, content.size() - 1}) {
    WriteFile(file, content.substr(0, size));
    ExpectRecompiles();
  }
  for (size_t at : {size_t{0}, size_t{8}, size_t{16}, size_t{24}, size_t{50}, content.size() / 2, content.size() - 1}) {
    std::string damaged = content;
    damaged[at] ^= 0x10;
    WriteFile(file, damaged);
    ExpectRecompiles();
  }
  WriteFile(file, content + "x");
  ExpectRecompiles();
}

TEST_F(CodegenCacheTest, DoesNotTrustAName) {
  Use({key_});
  fs::path file = Files().at(0);
  KernelKey like = key_;  // its text has the same length
  like.dims[0].out = 91;
  Use({like});
  std::vector<fs::path> files = Files();
  ASSERT_EQ(files.size(), 2u);
  fs::path its = files[0] == file ? files[1] : files[0];
  fs::copy_file(its, file, fs::copy_options::overwrite_existing);
  ExpectRecompiles();
}

TEST_F(CodegenCacheTest, DoesNotTrustWhatOthersMayWrite) {
  Use({key_});
  fs::path file = Files().at(0);
  fs::permissions(file, fs::perms(0620));
  ExpectRecompiles();
  if (geteuid() == 0) {  // only root may give files away
    ASSERT_EQ(chown(file.c_str(), 65534, -1), 0);
    ExpectRecompiles();
  }
  fs::path elsewhere = root_ / "elsewhere";
  fs::rename(file, elsewhere);
  fs::create_symlink(elsewhere, file);
  ExpectRecompiles();
}

TEST_F(CodegenCacheTest, WorksWithoutAFolder) {
  WriteFile(root_ / "file", "");
  folder_ = root_ / "file" / "below";
  EXPECT_EQ(Use({key_}).compiled, 1);
  folder_ = "/proc/aoac";
  EXPECT_EQ(Use({key_}).compiled, 1);
  folder_ = "";
  EXPECT_EQ(Use({key_}).compiled, 1);
}

TEST(KernelTableTest, ServesManyThreads) {
  std::vector<KernelKey> keys;
  for (int64_t i = 0; i < 24; ++i) keys.push_back({DType::kU16, DType::kU16, {}, {{2, 1, 100 + i}, {3, 50, 1}}});
  auto table = KernelTable::Start(keys, {.threads = 3});
  std::vector<std::thread> threads;
  std::vector<std::vector<KernelFunction>> got(6);
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < keys.size(); ++i) {
        auto kernel = table->Get((i * 7 + t) % keys.size());
        if (kernel.ok()) got[t].push_back(*kernel);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 6; ++t) {
    ASSERT_EQ(got[t].size(), keys.size());
    for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(got[t][i], *table->Get((i * 7 + t) % keys.size()));
  }
  EXPECT_EQ(table->statistics().compiled, 24);
}

TEST(KernelTableTest, MayEndBeforeItsWork) {
  std::vector<KernelKey> keys(50, {DType::kU16, DType::kU16, {}, {{200, 1, 300}, {300, 200, 1}}});
  for (size_t i = 0; i < keys.size(); ++i) keys[i].dims[0].out += i;
  KernelTable::Start(keys, {.threads = 2});
  KernelTable::Start({}, {});
}

TEST(KernelTableTest, SaysWhatTheProcessorIsNot) {
  auto table = KernelTable::Start({{DType::kU8, DType::kU8, {}, {{0, 1, 1}}}}, {.cpu = "abacus"});
  auto kernel = table->Get(0);
  ASSERT_FALSE(kernel.ok());
  EXPECT_EQ(kernel.status().code(), StatusCode::kUsage);
  EXPECT_EQ(kernel.status().message(), "LLVM knows no processor `abacus`");
}

TEST(KernelTableTest, HandsOutFailedChecks) {
  ValueChain chain = {{.kind = ValueStep::Kind::kMean}, CastTo(DType::kBF16)};
  auto table = KernelTable::Start({OverRun(DType::kBF16, chain)}, {});
  EXPECT_THROW((void)table->Get(0), InternalError);
  EXPECT_THROW((void)table->Get(1), InternalError);
}

TEST(EmitTest, ShowsWhatRuns) {
  std::vector<KernelKey> keys = {{DType::kU16, DType::kU16, {}, {{70, 1, 90}, {90, 70, 1}}},
                                 OverRun(DType::kF32, {CastTo(DType::kBF16)})};
  auto llvm = EmitLlvm(keys), assembly = EmitAssembly(keys);
  ASSERT_TRUE(llvm.ok() && assembly.ok());
  for (const KernelKey& key : keys) {
    EXPECT_NE(llvm->find(": " + ToString(key) + "\n"), std::string::npos) << *llvm;
    EXPECT_NE(assembly->find(": " + ToString(key) + "\n"), std::string::npos);
  }
  EXPECT_NE(llvm->find("define i32 @kernel_"), std::string::npos) << *llvm;
  EXPECT_NE(assembly->find("\nkernel_"), std::string::npos);
  EXPECT_EQ(*llvm, *EmitLlvm(keys));
  EXPECT_EQ(*assembly, *EmitAssembly(keys));
  EXPECT_EQ(LlvmVersion().substr(0, 5), "19.1.");
}

}  // namespace
}  // namespace aoa::codegen
