#include "runtime/exec/executor.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>

#include "compiler/core/check.h"
#include "compiler/core/text.h"
#include "runtime/exec/agreements.h"
#include "runtime/exec/targets.h"
#include "runtime/exec/workers.h"
#include "runtime/io/journal.h"
#include "runtime/io/staging.h"

namespace aoa::exec {
namespace {

using Mode = io::StagingFolder::Mode;

// Between two checkpoints of a run that survives a loss of power.
constexpr uint64_t kCheckpointBytes = 1ull << 30;

// Records of a run that did not put its files on the device count until the machine starts anew.
Result<std::string> BootId() {
  AOA_ASSIGN_OR_RETURN(std::string id, io::ReadSmallFile("/proc/sys/kernel/random/boot_id", 4096));
  return id;
}

class Execution {
 public:
  Execution(const Work& work, const RunOptions& options, Progress& progress)
      : work_(work),
        plan_(work.plan),
        options_(options),
        progress_(progress),
        sources_(plan_.in_files, options.most_open),
        context_{plan_, sources_, work.kernels, work.target_name, {}} {}

  Result<RunReport> Run() {
    AOA_RETURN_IF_ERROR(ReadFirst());
    Mode mode = options_.parts > 1 ? Mode::kPart : options_.resume ? Mode::kResume : Mode::kFresh;
    AOA_ASSIGN_OR_RETURN(io::StagingFolder folder, io::StagingFolder::Create(options_.target, options_.key, mode));
    folder_ = &folder;
    Status status;
    try {
      status = folder.CheckTarget(options_.force);
      if (status.ok()) status = Write();
    } catch (...) {
      (void)folder.Discard();
      throw;
    }
    if (!status.ok()) {
      Status removed = folder.Discard();
      if (!removed.ok()) return Status::System(status.message() + "; then " + removed.message());
      return status;
    }
    report_.bytes_read = sources_.bytes_read();
    report_.bytes_written += written_;
    return report_;
  }

 private:
  // ------------------------------------------------------------ before anything is written

  Status ReadFirst() {
    AOA_ASSIGN_OR_RETURN(scalars_, ReadScalars(plan_, sources_, work_.compute));
    AOA_ASSIGN_OR_RETURN(context_.norms, ReadNorms(plan_, sources_));
    return CheckAgreements(context_, options_.threads, progress_.stop);
  }

  // ------------------------------------------------------------ the target

  Status Write() {
    targets_.emplace(plan_, *folder_, options_.most_open);
    AOA_RETURN_IF_ERROR(targets_->Create(options_.threads));
    for (const Plan::OutFile& file : plan_.out_files) report_.bytes_written += file.data_start;
    AOA_RETURN_IF_ERROR(WriteScalars());
    for (const ExtraFile& extra : work_.extras) AOA_RETURN_IF_ERROR(WriteExtra(extra));
    for (const CarriedFile& carried : work_.carried) AOA_RETURN_IF_ERROR(Carry(carried));
    AOA_RETURN_IF_ERROR(OpenJournal());
    if (options_.sync) AOA_RETURN_IF_ERROR(folder_->SyncNames());
    AOA_RETURN_IF_ERROR(RunJobs());
    if (progress_.stop) {
      report_.interrupted = true;
      if (options_.sync) AOA_RETURN_IF_ERROR(Checkpoint());
      return targets_->Close();
    }
    if (options_.verify) AOA_RETURN_IF_ERROR(Verify());
    if (options_.parts > 1) {
      AOA_ASSIGN_OR_RETURN(bool last, RecordPart());
      AOA_RETURN_IF_ERROR(targets_->Close());
      if (!last) return Status();
    } else {
      AOA_RETURN_IF_ERROR(targets_->Close());
    }
    AOA_RETURN_IF_ERROR(folder_->Publish(options_.force, options_.sync));
    report_.published = true;
    return Status();
  }

  Status WriteScalars() {
    for (const Plan::ScalarShard& shard : plan_.scalar_shards) {
      const uint64_t& bits = scalars_[shard.scalar];
      auto width = static_cast<size_t>(Width(plan_.scalars[shard.scalar].dtype));
      AOA_RETURN_IF_ERROR(targets_->Write(shard.file, shard.offset, std::as_bytes(std::span(&bits, 1)).first(width)));
      report_.bytes_written += width;
    }
    return Status();
  }

  Status WriteExtra(const ExtraFile& extra) {
    AOA_ASSIGN_OR_RETURN(io::File file, folder_->OpenFile(extra.path));
    AOA_RETURN_IF_ERROR(file.Truncate(extra.content.size()));
    AOA_RETURN_IF_ERROR(file.WriteAt(0, std::as_bytes(std::span(extra.content))));
    report_.bytes_written += extra.content.size();
    return file.Close();
  }

  Status Carry(const CarriedFile& carried) {
    AOA_ASSIGN_OR_RETURN(io::File from, io::File::OpenForReading(carried.from));
    AOA_ASSIGN_OR_RETURN(uint64_t size, from.Size());
    AOA_ASSIGN_OR_RETURN(io::File to, folder_->OpenFile(carried.path));
    AOA_RETURN_IF_ERROR(to.Truncate(size));
    Buffer buffer(std::min<uint64_t>(size, 1 << 20));
    for (uint64_t at = 0; at < size; at += buffer.size()) {
      auto part = buffer.First(static_cast<size_t>(std::min<uint64_t>(buffer.size(), size - at)));
      AOA_RETURN_IF_ERROR(from.ReadAt(at, part));
      AOA_RETURN_IF_ERROR(to.WriteAt(at, part));
    }
    report_.bytes_written += size;
    return to.Close();
  }

  // ------------------------------------------------------------ jobs

  Status OpenJournal() {
    std::string key = options_.key + (options_.verify ? " verified" : "");
    if (!options_.sync) {
      AOA_ASSIGN_OR_RETURN(std::string boot, BootId());
      key += " " + boot;
    }
    AOA_ASSIGN_OR_RETURN(io::File file,
                         folder_->OpenState(fmt::format("journal-{}-of-{}", options_.part, options_.parts)));
    if (!options_.resume) AOA_RETURN_IF_ERROR(file.Truncate(0));
    AOA_ASSIGN_OR_RETURN(io::Journal journal, io::Journal::Open(std::move(file), key, plan_.jobs.size()));
    journal_.emplace(std::move(journal));
    values_ = journal_->values();
    return Status();
  }

  uint64_t BytesOf(const Plan::Job& job) const {
    if (!job.tile) return job.hi - job.lo;
    const Plan::Move& move = plan_.moves[job.move];
    uint64_t bytes = static_cast<uint64_t>(plan_.programs[plan_.out_shards[job.first_shard].program].width);
    for (uint32_t d = 0; d < move.digits; ++d) bytes *= static_cast<uint64_t>(plan_.digits[move.first_digit + d].tile);
    return bytes;  // at most
  }

  Status RunJobs() {
    size_t largest = 0;
    uint64_t total = 0;
    for (uint64_t j = plan_.first_job; j < plan_.end_job; ++j) {
      largest = std::max<size_t>(largest, BytesOf(plan_.jobs[j]));
      total += BytesOf(plan_.jobs[j]);
    }
    progress_.total = total;
    std::atomic<uint64_t> next = plan_.first_job;
    return RunWorkers(options_.threads, [&](const std::atomic<bool>& stop) -> Status {
      Filler filler(context_);
      Buffer out(largest);
      for (uint64_t j; !stop && !progress_.stop && (j = next++) < plan_.end_job;) {
        uint64_t ahead = j + static_cast<uint64_t>(options_.threads);
        if (ahead < plan_.end_job && !journal_->done()[ahead]) filler.Prefetch(plan_.jobs[ahead]);
        if (!journal_->done()[j]) {
          AOA_RETURN_IF_ERROR(RunJob(j, filler, out));
          AOA_RETURN_IF_ERROR(Finish(j));
        }
        progress_.done += BytesOf(plan_.jobs[j]);
      }
      return Status();
    });
  }

  Status RunJob(uint64_t number, Filler& filler, Buffer& out) {
    const Plan::Job& job = plan_.jobs[number];
    std::span<std::byte> bytes = out.First(static_cast<size_t>(BytesOf(job)));
    if (!job.tile) {
      AOA_RETURN_IF_ERROR(filler.Range(job, bytes));
      if (options_.verify) values_[number] = XXH3_64bits(bytes.data(), bytes.size());
      written_ += bytes.size();
      return targets_->Write(job.file, job.lo, bytes);
    }
    AOA_RETURN_IF_ERROR(filler.Tile(job, bytes));
    uint64_t digest = 0;
    AOA_RETURN_IF_ERROR(filler.EachRun(job, [&](uint64_t offset, size_t at, size_t size) {
      if (options_.verify) digest = XXH3_64bits_withSeed(bytes.data() + at, size, digest);
      written_ += size;
      return targets_->Write(job.file, offset, bytes.subspan(at, size));
    }));
    values_[number] = digest;
    return Status();
  }

  // Records a job; with `sync`, when its bytes are on the device.
  Status Finish(uint64_t number) {
    if (!options_.sync) return journal_->Append(number, values_[number]);
    std::unique_lock lock(pending_mutex_);
    pending_.push_back(number);
    pending_bytes_ += BytesOf(plan_.jobs[number]);
    if (pending_bytes_ < kCheckpointBytes) return Status();
    lock.unlock();
    return Checkpoint();
  }

  Status Checkpoint() {
    std::vector<uint64_t> jobs;
    {
      std::lock_guard lock(pending_mutex_);
      jobs.swap(pending_);
      pending_bytes_ = 0;
    }
    std::set<uint32_t> files;
    for (uint64_t j : jobs) files.insert(plan_.jobs[j].file);
    for (uint32_t f : files) AOA_RETURN_IF_ERROR(targets_->Sync(f));
    for (uint64_t j : jobs) AOA_RETURN_IF_ERROR(journal_->Append(j, values_[j]));
    return jobs.empty() ? Status() : journal_->Sync();
  }

  // ------------------------------------------------------------ afterwards

  // What the files say now against what was written, also by the run that this one resumes.
  Status Verify() {
    for (uint32_t f = 0; f < plan_.out_files.size(); ++f) {
      AOA_RETURN_IF_ERROR(targets_->Settle(f));
      AOA_RETURN_IF_ERROR(VerifyHead(f));
    }
    std::atomic<uint64_t> next = plan_.first_job;
    return RunWorkers(options_.threads, [&](const std::atomic<bool>& stop) -> Status {
      Filler filler(context_);
      Buffer buffer;
      for (uint64_t j; !stop && (j = next++) < plan_.end_job;) AOA_RETURN_IF_ERROR(VerifyJob(j, filler, buffer));
      return Status();
    });
  }

  Status VerifyHead(uint32_t f) {
    uint64_t at = 0;
    for (const auto& part : plan_.out_files[f].head) {
      std::string text(part->size(), '\0');
      AOA_RETURN_IF_ERROR(targets_->Read(f, at, std::as_writable_bytes(std::span(text))));
      if (text != *part) return Unlike(f, at, at + text.size());
      at += part->size();
    }
    return Status();
  }

  Status VerifyJob(uint64_t number, const Filler& filler, Buffer& buffer) {
    const Plan::Job& job = plan_.jobs[number];
    buffer.Reserve(static_cast<size_t>(BytesOf(job)));
    uint64_t digest = 0, lo = job.lo, hi = job.hi;
    if (job.tile) {
      lo = UINT64_MAX;
      Status status = filler.EachRun(job, [&](uint64_t offset, size_t at, size_t size) -> Status {
        std::span<std::byte> run(buffer.data() + at, size);
        AOA_RETURN_IF_ERROR(targets_->Read(job.file, offset, run));
        digest = XXH3_64bits_withSeed(run.data(), size, digest);
        lo = std::min(lo, offset);
        hi = offset + size;
        return Status();
      });
      if (!status.ok()) return status;
    } else {
      std::span<std::byte> bytes = buffer.First(static_cast<size_t>(hi - lo));
      AOA_RETURN_IF_ERROR(targets_->Read(job.file, lo, bytes));
      digest = XXH3_64bits(bytes.data(), bytes.size());
    }
    return digest == values_[number] ? Status() : Unlike(job.file, lo, hi);
  }

  Status Unlike(uint32_t file, uint64_t lo, uint64_t hi) const {
    return Status::System(fmt::format("--verify: {} does not read as it was written, between bytes {} and {}",
                                      Printable(plan_.out_files[file].path), lo, hi));
  }

  // Leaves the record of this part; whether it was the last one.
  Result<bool> RecordPart() {
    std::set<uint32_t> files;
    for (uint64_t j = plan_.first_job; j < plan_.end_job; ++j) files.insert(plan_.jobs[j].file);
    for (uint32_t f : files) AOA_RETURN_IF_ERROR(targets_->Sync(f));
    const std::string text = "done " + options_.key + "\n";
    AOA_RETURN_IF_ERROR(WritePartRecord(options_.part, text));
    for (int64_t part = 1; part <= options_.parts; ++part) {
      AOA_ASSIGN_OR_RETURN(io::File file, folder_->OpenState(fmt::format("part-{}-of-{}", part, options_.parts)));
      AOA_ASSIGN_OR_RETURN(uint64_t size, file.Size());
      std::string found(static_cast<size_t>(std::min<uint64_t>(size, text.size() + 1)), '\0');
      AOA_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(found))));
      if (found != text) return false;
    }
    return true;
  }

  Status WritePartRecord(int64_t part, const std::string& text) {
    AOA_ASSIGN_OR_RETURN(io::File file, folder_->OpenState(fmt::format("part-{}-of-{}", part, options_.parts)));
    AOA_RETURN_IF_ERROR(file.WriteAt(0, std::as_bytes(std::span(text))));
    AOA_RETURN_IF_ERROR(file.Sync());
    return file.Close();
  }

  const Work& work_;
  const Plan& plan_;
  const RunOptions& options_;
  Progress& progress_;
  Sources sources_;
  FillContext context_;
  RunReport report_;
  std::vector<uint64_t> scalars_;
  io::StagingFolder* folder_ = nullptr;
  std::optional<Targets> targets_;
  std::optional<io::Journal> journal_;
  std::vector<uint64_t> values_;  // digests of jobs, with `verify`
  std::atomic<uint64_t> written_ = 0;
  std::mutex pending_mutex_;
  std::vector<uint64_t> pending_;  // jobs whose bytes may not be on the device yet
  uint64_t pending_bytes_ = 0;
};

}  // namespace

Result<RunReport> Execute(const Work& work, const RunOptions& options, Progress& progress) {
  return Execution(work, options, progress).Run();
}

}  // namespace aoa::exec
