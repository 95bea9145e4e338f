// The laws of a plan, and that Verify knows when one is broken.
#include <gtest/gtest.h>

#include <functional>

#include "compiler/plan/build_plan.h"
#include "compiler/plan/jobs.h"
#include "compiler/plan/schedule.h"

namespace aoa::plan {
namespace {

// A file of 64 bytes of head and two tensors of 24 x 40 elements of two bytes: one as it lies in the source, one
// transposed.
Plan TwoTensors(const Budget& budget) {
  Plan plan;
  plan.chains.emplace_back();
  plan.in_files.push_back({"source", 64 + 2 * 1920});
  plan.in_shards = {{0, 64}, {0, 64 + 1920}};
  plan.slots = {0, 1};
  plan.digits = {{960, 1, 1}, {40, 1, 24}, {24, 40, 1}};
  Plan::Move moved, turned;
  moved.how = Plan::How::kRead;
  moved.digits = 1;
  turned.how = Plan::How::kKernel;
  turned.first_digit = 1;
  turned.digits = 2;
  moved.in = moved.out = turned.in = turned.out = DType::kBF16;
  plan.moves = {moved, turned};
  Plan::BlockProgram program;
  program.moves = 1;
  program.elements = 960;
  program.width = 2;
  plan.programs.push_back(program);
  program.first_move = 1;
  plan.programs.push_back(program);
  plan.out_shards.resize(2);
  plan.out_shards[0].offset = 64;
  plan.out_shards[1].offset = 64 + 1920;
  plan.out_shards[1].program = 1;
  plan.out_shards[1].first_slot = 1;
  Plan::OutFile file;
  file.path = "target";
  file.head = {std::make_shared<const std::string>(64, 'x')};
  file.data_start = 64;
  file.size = 64 + 2 * 1920;
  file.shards = 2;
  plan.out_files.push_back(file);
  Schedule(plan, budget);
  MakeJobs(plan, budget.chunk_bytes, 1, 1);
  plan.job_memory = budget.job_bytes;
  return plan;
}

const Budget kAmple{.job_bytes = 1 << 20, .chunk_bytes = 1 << 16}, kTight{.job_bytes = 512, .chunk_bytes = 128},
    kMiddle{.job_bytes = 8192, .chunk_bytes = 400};

TEST(PlanTest, ObeysItsLaws) {
  for (const Budget& budget : {kAmple, kTight, kMiddle}) EXPECT_EQ(Verify(TwoTensors(budget)), "");
  EXPECT_EQ(TwoTensors(kAmple).jobs.size(), 1u);
  EXPECT_TRUE(TwoTensors(kTight).programs[1].tiled);
  EXPECT_FALSE(TwoTensors(kTight).programs[0].tiled);
}

TEST(PlanTest, VerifyNoticesEveryBreach) {
  using Breach = std::function<void(Plan&)>;
  const Breach breaches[] = {
      [](Plan& p) { p.digits[1].out = 25; },                       // beyond the block, and with gaps
      [](Plan& p) { p.digits[1].extent = 39; },                       // not all of it
      [](Plan& p) { p.digits[2].out = 0; },                       // the same element again
      [](Plan& p) { p.moves[1].out_base = 1; },     [](Plan& p) { p.moves[1].in_base = 1; },  // reads beyond the file
      [](Plan& p) { p.in_files[0].size -= 1; },     [](Plan& p) { p.in_shards[1].file = Plan::kNoFile; },
      [](Plan& p) { p.out_shards[1].offset += 2; },  // a hole
      [](Plan& p) { p.out_shards[1].offset -= 2; },  // an overlap
      [](Plan& p) { p.out_files[0].size += 8; },    [](Plan& p) { p.out_files[0].data_start = 60; },
      [](Plan& p) { p.jobs.pop_back(); },           [](Plan& p) { p.jobs.push_back(p.jobs.back()); },
      [](Plan& p) { p.job_memory = 100; },          [](Plan& p) { p.end_job = p.jobs.size() + 1; },
      [](Plan& p) { p.moves[1].kernel = 7; },       [](Plan& p) { p.slots.pop_back(); },
  };
  for (const Budget& budget : {kAmple, kTight, kMiddle}) {
    for (size_t i = 0; i < std::size(breaches); ++i) {
      Plan plan = TwoTensors(budget);
      breaches[i](plan);
      EXPECT_NE(Verify(plan), "") << "breach " << i;
    }
  }
}

TEST(PlanTest, PartsShareAllJobs) {
  Plan plan = TwoTensors(kTight);
  uint64_t next = 0;
  for (int64_t part = 1; part <= 5; ++part) {
    MakeJobs(plan, kTight.chunk_bytes, part, 5);
    EXPECT_EQ(plan.first_job, next);
    EXPECT_GT(plan.end_job, plan.first_job);
    next = plan.end_job;
    EXPECT_EQ(Verify(plan), "");
  }
  EXPECT_EQ(next, plan.jobs.size());
}

TEST(PlanTest, MayBeScheduledAgain) {
  Plan again = TwoTensors(kTight);
  Schedule(again, kAmple);
  MakeJobs(again, kAmple.chunk_bytes, 1, 1);
  again.job_memory = kAmple.job_bytes;
  EXPECT_EQ(Verify(again), "");
  EXPECT_EQ(Dump(again), Dump(TwoTensors(kAmple)));
}

}  // namespace
}  // namespace aoa::plan
