// Planning reads and writes headers only; a large model has 100,000 tensors, and each header 13 MB of them.
//
//   safetensors_bench [--benchmark_filter=...]    writes 64 sparse files (840 MB of headers) to a folder of its own

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>

#include "runtime/formats/format.h"
#include "runtime/formats/safetensors_header.h"
#include "tests/unit/safetensors_files.h"

namespace aoa::formats {
namespace {

constexpr int64_t kTensors = 100'000;
constexpr int64_t kRanks = 64;

// How the ranks of a checkpoint differ.
enum class Ranks { kEqual, kOtherShapes, kOtherNames };

TargetContent Content(Ranks ranks) {
  TargetContent content;
  content.has_mesh = true;
  content.mesh = fmt::format("tp={}", kRanks);
  for (int64_t rank = 0; rank < (ranks == Ranks::kEqual ? 1 : kRanks); ++rank) {
    auto& table = content.tables.emplace_back();
    for (int64_t i = 0; i < kTensors; ++i) {
      int64_t layer = i / 300 + (ranks == Ranks::kOtherNames ? rank * 400 : 0);
      table.push_back(testing::Tensor(fmt::format("model.layers.{}.mlp.experts.{}.down_proj.weight", layer, i % 300),
                                      DType::kBF16, {4096 + i % 3 + rank, 1024}));
    }
  }
  for (int64_t rank = 0; rank < kRanks; ++rank) content.ranks.emplace_back(rank, ranks == Ranks::kEqual ? 0 : rank);
  return content;
}

TargetLayout LayOut(const TargetContent& content) { return *FindFormat("safetensors")->LayOut(content, {}); }

// The headers of a checkpoint in files of full size, without data.
std::unique_ptr<testing::Scratch> WriteHeaders(Ranks ranks) {
  auto scratch = std::make_unique<testing::Scratch>();
  for (const TargetFile& file : LayOut(Content(ranks)).files) {
    std::filesystem::resize_file(scratch->Write(file.path, testing::HeadOf(file)), file.size);
  }
  return scratch;
}

void BM_ParseHeader(benchmark::State& state) {
  const std::string head = testing::HeadOf(LayOut(Content(Ranks::kEqual)).files[0]);
  const HeaderText text(std::string_view(head).substr(kHeaderLengthBytes));
  HeaderParser parser;
  for (auto _ : state) benchmark::DoNotOptimize(parser.Parse(text));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(head.size()));
}
BENCHMARK(BM_ParseHeader)->Unit(benchmark::kMillisecond);

void BM_ReadCheckpoint(benchmark::State& state) {
  auto scratch = WriteHeaders(static_cast<Ranks>(state.range(0)));
  for (auto _ : state)
    benchmark::DoNotOptimize(FindFormat("safetensors")->Read(scratch->root(), {static_cast<int>(state.range(1))}));
}
BENCHMARK(BM_ReadCheckpoint)
    ->ArgsProduct({{0, 1, 2}, {1, 2}})
    ->ArgNames({"ranks", "threads"})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(2);

void BM_LayOut(benchmark::State& state) {
  const TargetContent content = Content(Ranks::kEqual);
  for (auto _ : state) benchmark::DoNotOptimize(LayOut(content));
}
BENCHMARK(BM_LayOut)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace aoa::formats

BENCHMARK_MAIN();
