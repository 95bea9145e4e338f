#include "compiler/plan/jobs.h"

#include <algorithm>

namespace aoa::plan {
namespace {

// Files that are written side by side, so that threads do not wait for one file's lock, and ranks that read the same
// source tensors read them together. No matter how many threads there are: all parts of a run must cut alike.
constexpr size_t kTogether = 8;

// The jobs of one file, in the order of its bytes.
class FileJobs {
 public:
  FileJobs(const Plan& plan, uint32_t file, uint64_t chunk_bytes) : plan_(plan), chunk_bytes_(chunk_bytes) {
    next_.file = file;
  }

  std::vector<Plan::Job> Make() {
    const Plan::OutFile& file = plan_.out_files[next_.file];
    for (uint64_t s = file.first_shard; s < file.first_shard + file.shards; ++s) AddShard(s);
    Flush();
    return std::move(jobs_);
  }

 private:
  void AddShard(uint64_t s) {
    const Plan::OutShard& shard = plan_.out_shards[s];
    const Plan::BlockProgram& program = plan_.programs[shard.program];
    auto width = static_cast<uint64_t>(program.width);
    uint64_t bytes = static_cast<uint64_t>(program.elements) * width;
    if (program.tiled) {
      Flush();
      AddTiles(s, program);
      return;
    }
    uint64_t chunk = static_cast<uint64_t>(program.chunk) * width;
    if (bytes > chunk) {
      Flush();
      for (uint64_t at = 0; at < bytes; at += chunk) {
        Extend(s, shard.offset + at, shard.offset + std::min(bytes, at + chunk));
        Flush();
      }
      return;
    }
    if (next_.shards > 0 && (next_.hi - next_.lo + bytes > chunk_bytes_ || next_.hi != shard.offset)) Flush();
    Extend(s, shard.offset, shard.offset + bytes);
  }

  void AddTiles(uint64_t s, const Plan::BlockProgram& program) {
    for (uint32_t m = 0; m < program.moves; ++m) {
      int64_t tiles = TileCount(plan_, plan_.moves[program.first_move + m]);
      for (int64_t t = 0; t < tiles; ++t) {
        Plan::Job job;
        job.file = next_.file;
        job.tile = true;
        job.move = program.first_move + m;
        job.first_shard = s;
        job.shards = 1;
        job.lo = static_cast<uint64_t>(t);
        job.hi = job.lo + 1;
        jobs_.push_back(job);
      }
    }
  }

  void Extend(uint64_t shard, uint64_t lo, uint64_t hi) {
    if (next_.shards == 0) {
      next_.first_shard = shard;
      next_.lo = lo;
    }
    next_.shards = shard - next_.first_shard + 1;
    next_.hi = hi;
  }

  void Flush() {
    if (next_.shards > 0) jobs_.push_back(next_);
    next_.shards = 0;
  }

  const Plan& plan_;
  uint64_t chunk_bytes_;
  Plan::Job next_;
  std::vector<Plan::Job> jobs_;
};

uint64_t BytesOf(const Plan& plan, const Plan::Job& job) {
  if (!job.tile) return job.hi - job.lo;
  const Plan::BlockProgram& program = plan.programs[plan.out_shards[job.first_shard].program];
  return static_cast<uint64_t>(program.elements) * static_cast<uint64_t>(program.width) /
         static_cast<uint64_t>(std::max<int64_t>(1, TileCount(plan, plan.moves[job.move])));
}

}  // namespace

int64_t TileCount(const Plan& plan, const Plan::Move& move) {
  int64_t count = 1;
  for (uint32_t d = 0; d < move.digits; ++d) {
    const Plan::Digit& digit = plan.digits[move.first_digit + d];
    count *= (digit.extent + digit.tile - 1) / digit.tile;
  }
  return count;
}

void MakeJobs(Plan& plan, uint64_t chunk_bytes, int64_t part, int64_t parts) {
  std::vector<Plan::Job> all;
  for (size_t first = 0; first < plan.out_files.size(); first += kTogether) {
    std::vector<std::vector<Plan::Job>> files;
    for (size_t f = first; f < std::min(first + kTogether, plan.out_files.size()); ++f)
      files.push_back(FileJobs(plan, static_cast<uint32_t>(f), chunk_bytes).Make());
    for (size_t i = 0, more = 1; more; ++i) {
      more = 0;
      for (const std::vector<Plan::Job>& jobs : files) {
        if (i >= jobs.size()) continue;
        all.push_back(jobs[i]);
        more = 1;
      }
    }
  }
  plan.jobs = std::move(all);
  plan.first_job = 0;
  plan.end_job = plan.jobs.size();
  if (parts <= 1) return;
  uint64_t total = 0, done = 0;
  for (const Plan::Job& job : plan.jobs) total += BytesOf(plan, job);
  // A job belongs to the part that its middle byte falls into, so a part is a range.
  plan.end_job = 0;
  for (const Plan::Job& job : plan.jobs) {
    uint64_t bytes = BytesOf(plan, job), middle = done + bytes / 2;
    done += bytes;
    auto share = total == 0
                     ? 0
                     : static_cast<int64_t>(static_cast<__int128>(middle) * parts / (static_cast<__int128>(total) + 1));
    if (share + 1 < part) ++plan.first_job;
    if (share + 1 <= part) ++plan.end_job;
  }
}

}  // namespace aoa::plan
