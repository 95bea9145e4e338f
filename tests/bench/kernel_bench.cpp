// How fast kernels run, beside memcpy, and how long they take to make.
//
//   build/release/bin/kernel_bench [--benchmark_filter=Transpose]
//
// A rate is that of bytes read plus bytes written, halved, so that all compare with memcpy. One core; figures move with
// what else the machine does.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"

namespace aoa::codegen {
namespace {

constexpr int64_t kRows = 11008, kColumns = 4096;  // a feed-forward matrix of a 7B model

ValueChain Cast(DType in, DType out) {
  if (in == out) return {};
  return {{.kind = ValueStep::Kind::kCast, .to = out}};
}

KernelKey Straight(DType in, DType out) { return {in, out, Cast(in, out), {{kRows * kColumns, 1, 1}}}; }

KernelKey Transposed(DType in, DType out, int64_t rows = kRows, int64_t columns = kColumns) {
  return {in, out, Cast(in, out), {{columns, 1, rows}, {rows, columns, 1}}};
}

struct Buffers {
  Buffers(int64_t in_bytes, int64_t out_bytes) : in(new char[in_bytes]), out(new char[out_bytes]) {
    std::memset(in.get(), 1, in_bytes);
    std::memset(out.get(), 2, out_bytes);
  }
  std::unique_ptr<char[]> in, out;
};

void Memcpy(benchmark::State& state) {
  int64_t bytes = kRows * kColumns * 2;
  Buffers buffers(bytes, bytes);
  for (auto _ : state) {
    std::memcpy(buffers.out.get(), buffers.in.get(), bytes);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * bytes);
}
BENCHMARK(Memcpy)->Unit(benchmark::kMillisecond);

void Kernel(benchmark::State& state, const KernelKey& key) {
  int64_t count = 1;
  for (const KernelDim& dim : key.dims) count *= dim.extent;
  int64_t in = count * Width(key.in), out = count * Width(key.out);
  Buffers buffers(in, out);
  auto table = KernelTable::Start({key}, {});
  KernelFunction kernel = *table->Get(0);
  for (auto _ : state) {
    if (kernel(buffers.in.get(), buffers.out.get(), nullptr, nullptr) != 0) state.SkipWithError("a flag");
  }
  state.SetBytesProcessed(state.iterations() * (in + out) / 2);
}

#define AOA_KERNEL(name, key) BENCHMARK_CAPTURE(Kernel, name, key)->Unit(benchmark::kMillisecond)
AOA_KERNEL(Copy, Straight(DType::kU16, DType::kU16));
AOA_KERNEL(Transpose8, Transposed(DType::kU8, DType::kU8));
AOA_KERNEL(Transpose16, Transposed(DType::kU16, DType::kU16));
AOA_KERNEL(Transpose16OfWide, Transposed(DType::kU16, DType::kU16, kColumns, kRows));
AOA_KERNEL(Transpose16Odd, Transposed(DType::kU16, DType::kU16, kRows - 5, kColumns - 3));
AOA_KERNEL(Transpose32, Transposed(DType::kU32, DType::kU32));
AOA_KERNEL(Transpose64, Transposed(DType::kU64, DType::kU64));
AOA_KERNEL(CastF32ToBF16, Straight(DType::kF32, DType::kBF16));
AOA_KERNEL(CastBF16ToF32, Straight(DType::kBF16, DType::kF32));
AOA_KERNEL(CastBF16ToF16, Straight(DType::kBF16, DType::kF16));
AOA_KERNEL(CastF32ToF8E4M3, Straight(DType::kF32, DType::kF8E4M3));
AOA_KERNEL(CastF64ToF16, Straight(DType::kF64, DType::kF16));
AOA_KERNEL(TransposeF32ToBF16, Transposed(DType::kF32, DType::kBF16));
AOA_KERNEL(TransposeBF16ToF32, Transposed(DType::kBF16, DType::kF32));
// [hidden, heads, q k v, head] to [q k v, heads, head, hidden], and rotary pairs to halves within each head.
AOA_KERNEL(SplitQkv, (KernelKey{DType::kU16,
                                DType::kU16,
                                {},
                                {{3, 128, 4096 * 4096}, {32, 384, 128 * 4096}, {128, 1, 4096}, {4096, 12288, 1}}}));
AOA_KERNEL(RotaryHalves, (KernelKey{DType::kU16, DType::kU16, {}, {{4096 * 32, 128, 128}, {2, 1, 64}, {64, 2, 1}}}));

// What a plan for a large model typically has.
std::vector<KernelKey> TypicalKeys() {
  DType bf16 = DType::kBF16, f32 = DType::kF32, u16 = DType::kU16, u32 = DType::kU32;
  return {
      {u16, u16, {}, {{0, 1, 1}}},
      Transposed(u16, u16, 4096, 4096),
      Transposed(u16, u16, 4096, 11008),
      {u16, u16, {}, {{0, 1, 11008}, {11008, 4096, 1}}},
      {u16, u16, {}, {{0, 128 * 4096, 3 * 128 * 4096}, {128 * 4096, 1, 1}}},
      {u16, u16, {}, {{32, 128 * 4096, 128 * 4096}, {2, 4096, 64 * 4096}, {64, 2 * 4096, 4096}, {4096, 1, 1}}},
      {u16, u16, {}, {{4096, 12288, 4096}, {32, 384, 128}, {128, 1, 1}}},
      {u16, u16, {}, {{32, 384, 128 * 4096}, {128, 1, 4096}, {4096, 12288, 1}}},
      {f32, bf16, Cast(f32, bf16), {{0, 1, 1}}},
      Transposed(f32, bf16, 4096, 4096),
      {bf16, f32, Cast(bf16, f32), {{0, 1, 1}}},
      {u32, u32, {}, {{0, 8192, 4096}, {4096, 1, 1}}},
  };
}

void UseAll(const std::vector<KernelKey>& keys, const Options& options) {
  auto table = KernelTable::Start(keys, options);
  for (size_t i = 0; i < keys.size(); ++i) benchmark::DoNotOptimize(*table->Get(i));
}

void CompileTypicalKeys(benchmark::State& state) {
  for (auto _ : state) UseAll(TypicalKeys(), {.threads = 2});
}
BENCHMARK(CompileTypicalKeys)->Unit(benchmark::kMillisecond)->UseRealTime();

void LoadTypicalKeys(benchmark::State& state) {
  std::string folder = std::filesystem::temp_directory_path() / "aoac-bench-XXXXXX";
  if (!mkdtemp(folder.data())) return state.SkipWithError("no temporary folder");
  UseAll(TypicalKeys(), {.cache_folder = folder});
  for (auto _ : state) UseAll(TypicalKeys(), {.cache_folder = folder, .threads = 2});
  std::filesystem::remove_all(folder);
}
BENCHMARK(LoadTypicalKeys)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace aoa::codegen
