#include "compiler/plan/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/plan/jobs.h"
#include "compiler/plan/schedule.h"

namespace aoa::plan {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kLeastJob = 256 << 10, kLeastChunk = 64 << 10;
constexpr uint64_t kLargestJob = 64 * kMiB, kLargestStreamJob = 256 * kMiB;
constexpr uint64_t kLargestChunk =
    kMiB;                             // what is read is written out of the processor's cache: 8 MiB cost twice as much
constexpr uint64_t kJobsAtATime = 5;  // jobs that the memory is meant to hold
constexpr uint64_t kMostJobs = 1 << 19;  // so that the table of jobs stays small
constexpr uint64_t kPerJob = 20;         // what the journal and the executor keep of a job
constexpr uint64_t kPerTensor = 1024;    // names, types and instances of a tensor in what a plan is made from
constexpr uint64_t kReplicaBuffers = 2 * kMiB;

template <class T>
uint64_t BytesOf(const std::vector<T>& v) {
  return v.capacity() * sizeof(T);
}

uint64_t BytesOf(const std::vector<Plan::Places>& list) {
  uint64_t sum = list.capacity() * sizeof(Plan::Places);
  for (const Plan::Places& p : list) sum += p.name.capacity() + BytesOf(p.all);
  return sum;
}

uint64_t ScalarBytes(const Plan& plan) {
  uint64_t bytes = BytesOf(plan.scalars);
  for (const Plan::Scalar& scalar : plan.scalars) {
    bytes += scalar.name.capacity() + BytesOf(scalar.sources) + BytesOf(scalar.inputs);
    for (const Plan::Scalar::Input& input : scalar.inputs) bytes += BytesOf(input.sources);
  }
  return bytes;
}

uint64_t HeadBytes(const Plan& plan) {
  uint64_t bytes = 0;
  std::set<const std::string*> heads;
  for (const Plan::OutFile& file : plan.out_files) {
    for (const auto& part : file.head) {
      if (heads.insert(part.get()).second) bytes += part->capacity();
    }
  }
  return bytes;
}

uint64_t StretchBytes(const Plan& plan) {
  uint64_t bytes = BytesOf(plan.stores);
  for (const Plan::InFile& file : plan.in_files) {
    if (file.stretches) bytes += BytesOf(*file.stretches);
  }
  for (const Plan::OutFile& file : plan.out_files) {
    if (file.inserts) bytes += BytesOf(*file.inserts);
    if (file.checksums) bytes += BytesOf(*file.checksums);
  }
  return bytes;
}

// What a run makes before its jobs and keeps.
uint64_t RunBytes(const Plan& plan) {
  uint64_t bytes = plan.jobs.size() * kPerJob;
  for (const Plan::Norm& norm : plan.norms) bytes += static_cast<uint64_t>(norm.size) * sizeof(double);
  return bytes;
}

// The output buffer and the staging of the largest job, and the buffers of comparisons.
uint64_t LargestJob(const Plan& plan) {
  uint64_t worst = 0;
  for (const Plan::Job& job : plan.jobs) {
    uint64_t staging = 0, out = job.tile ? 0 : job.hi - job.lo;
    for (uint64_t s = job.first_shard; s < job.first_shard + job.shards; ++s) {
      staging = std::max(staging, plan.programs[plan.out_shards[s].program].staging);
    }
    worst = std::max(worst, out + staging);
  }
  for (const Plan::Agreement& agreement : plan.agreements) {
    if (agreement.program == Plan::kNoProgram) {
      worst = std::max(worst, std::min(kReplicaBuffers, 2 * agreement.bytes));
      continue;
    }
    const Plan::BlockProgram& program = plan.programs[agreement.program];
    int64_t chunk = std::min(program.chunk, program.elements) * program.width;
    const uint64_t staging = agreement.stored == Plan::kNoProgram
                                 ? program.staging
                                 : std::max(program.staging, plan.programs[agreement.stored].staging);
    worst = std::max(worst, 2 * static_cast<uint64_t>(chunk) + staging);
  }
  return worst;
}

Budget BudgetOf(const Plan& plan, uint64_t room) {
  uint64_t share = std::clamp(room / kJobsAtATime, kLeastJob, kLargestStreamJob);
  Budget budget;
  budget.chunk_bytes = std::max(std::clamp(share / 4, kLeastChunk, kLargestChunk), plan.bytes_written / kMostJobs);
  budget.stream_bytes = std::max(share, 4 * budget.chunk_bytes);
  budget.job_bytes = std::min(budget.stream_bytes, std::max(kLargestJob, 4 * budget.chunk_bytes));
  return budget;
}

// Elements of a program's moves that are read.
uint64_t ReadBytes(const Plan& plan, const Plan::BlockProgram& program) {
  uint64_t bytes = 0;
  for (uint32_t m = 0; m < program.moves; ++m) {
    const Plan::Move& move = plan.moves[program.first_move + m];
    if (move.how == Plan::How::kFill) continue;
    auto elements = static_cast<uint64_t>(Width(move.in));
    for (uint32_t d = 0; d < move.digits; ++d) {
      elements *= static_cast<uint64_t>(plan.digits[move.first_digit + d].extent);
    }
    bytes += elements;
  }
  return bytes;
}

class Fitting {
 public:
  Fitting(Plan& plan, const Resources& resources, uint64_t tensors)
      : plan_(plan), resources_(resources), estimate_(2 * MemoryOf(plan) + tensors * kPerTensor) {}

  bool Fit(diag::Diagnostics& diagnostics) {
    Cut(resources_.memory);
    held_ = resources_.held ? resources_.held() : MemoryOf(plan_);
    made_with_ = BytesOf(plan_.jobs);
    plan_.job_memory = LargestJob(plan_);
    plan_.plan_memory = Fixed();
    if (plan_.plan_memory + plan_.job_memory > resources_.memory) {
      Refuse(diagnostics);
      return false;
    }
    uint64_t fitting = (resources_.memory - plan_.plan_memory) / std::max<uint64_t>(plan_.job_memory, 1);
    plan_.threads = static_cast<int>(std::min<uint64_t>(fitting, static_cast<uint64_t>(resources_.threads)));
    plan_.peak_memory = plan_.plan_memory + plan_.job_memory * static_cast<uint64_t>(plan_.threads);
    Predict();
    return true;
  }

 private:
  void Cut(uint64_t memory) {
    Budget budget = BudgetOf(plan_, memory > estimate_ ? memory - estimate_ : 0);
    Schedule(plan_, budget);
    MakeJobs(plan_, budget.chunk_bytes, resources_.part, resources_.parts);
  }

  // What is held while jobs run, apart from their buffers. `held_` was taken with another table of jobs.
  uint64_t Fixed() const { return held_ - std::min(held_, made_with_) + BytesOf(plan_.jobs) + RunBytes(plan_); }

  bool FitsInto(uint64_t memory) {
    Cut(memory);
    return Fixed() + LargestJob(plan_) <= memory;
  }

  void Refuse(diag::Diagnostics& diagnostics) {
    uint64_t fixed = plan_.plan_memory, job = plan_.job_memory;
    uint64_t refused = resources_.memory / kMiB, enough = refused + 1;
    for (uint64_t step = 1; !FitsInto(enough * kMiB); step *= 2) {
      refused = enough;
      enough += step;
    }
    while (enough - refused > 1) {
      uint64_t middle = refused + (enough - refused) / 2;
      (FitsInto(middle * kMiB) ? enough : refused) = middle;
    }
    enough += enough / 32;  // what the process holds is not quite the same every time
    diagnostics
        .Error(diag::Code::kMemory, {},
               fmt::format("--memory: the run needs {} bytes, {} are allowed", fixed + job, resources_.memory))
        .Found(fmt::format("{} for the plan and what it is made from, {} for a thread", fixed, job))
        .Help(fmt::format("`--memory {}M` would do", enough));
  }

  // Rates of an ordinary machine with cached files: reads and writes of one thread each.
  void Predict() {
    std::vector<uint64_t> reads;
    for (const Plan::BlockProgram& program : plan_.programs) reads.push_back(ReadBytes(plan_, program));
    for (const Plan::OutShard& shard : plan_.out_shards) plan_.bytes_read += reads[shard.program];
    double workers = std::min(2, plan_.threads);
    plan_.seconds = 0.02 + static_cast<double>(plan_.bytes_read) / (5e9 * workers) +
                    static_cast<double>(plan_.bytes_written) / (2.5e9 * workers);
  }

  Plan& plan_;
  const Resources& resources_;
  const uint64_t estimate_;  // of the plan and what it is made from
  uint64_t held_ = 0;        // measured
  uint64_t made_with_ = 0;   // bytes of the table of jobs when it was
};

}  // namespace

uint64_t MemoryOf(const Plan& plan) {
  uint64_t bytes = BytesOf(plan.in_files) + BytesOf(plan.in_shards) + BytesOf(plan.slots) + BytesOf(plan.digits) +
                   BytesOf(plan.moves) + BytesOf(plan.programs) + BytesOf(plan.out_files) + BytesOf(plan.out_shards) +
                   BytesOf(plan.jobs) + BytesOf(plan.scalar_shards) + BytesOf(plan.agreements) + BytesOf(plan.names);
  for (const Plan::Replicas& replicas : plan.replicas) bytes += sizeof(replicas) + BytesOf(replicas.all);
  for (const std::string& name : plan.names) bytes += name.capacity();
  return bytes + ScalarBytes(plan) + HeadBytes(plan) + StretchBytes(plan);
}

bool Fit(Plan& plan, const Resources& resources, uint64_t tensors, diag::Diagnostics& diagnostics) {
  return Fitting(plan, resources, tensors).Fit(diagnostics);
}

}  // namespace aoa::plan
