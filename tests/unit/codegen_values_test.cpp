// Every pair of types over all inputs of 8 and 16 bits and the edges of wider ones; arithmetic; divisors.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "compiler/core/convert.h"
#include "tests/unit/kernel_case.h"

namespace aoa::codegen {
namespace {

constexpr Overflow kPolicies[] = {Overflow::kError, Overflow::kSaturate, Overflow::kInfinity};

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

}  // namespace
}  // namespace aoa::codegen
