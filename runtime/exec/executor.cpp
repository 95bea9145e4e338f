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
#include "runtime/exec/checksums.h"
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
        sources_(plan_, options.most_open),
        checksums_(plan_),
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
      if (!last) return targets_->Close();
      AOA_RETURN_IF_ERROR(ReadOtherParts());
    }
    AOA_RETURN_IF_ERROR(WriteChecksums());
    AOA_RETURN_IF_ERROR(targets_->Close());
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

  std::string JournalName(int64_t part) const { return fmt::format("journal-{}-of-{}", part, options_.parts); }

  Result<std::string> JournalKey() const {
    std::string key = options_.key + (options_.verify ? " verified" : "");
    if (options_.sync) return key;
    AOA_ASSIGN_OR_RETURN(std::string boot, BootId());
    return key + " " + boot;
  }

  Status OpenJournal() {
    AOA_ASSIGN_OR_RETURN(std::string key, JournalKey());
    AOA_ASSIGN_OR_RETURN(io::File file, folder_->OpenState(JournalName(options_.part)));
    if (!options_.resume) AOA_RETURN_IF_ERROR(file.Truncate(0));
    AOA_ASSIGN_OR_RETURN(io::Journal journal, io::Journal::Open(std::move(file), key, plan_.jobs.size()));
    journal_.emplace(std::move(journal));
    values_ = journal_->values();
    known_.assign(plan_.jobs.size(), false);
    std::fill(known_.begin() + static_cast<ptrdiff_t>(plan_.first_job),
              known_.begin() + static_cast<ptrdiff_t>(plan_.end_job), true);
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
    const Checksum* checksum = checksums_.Of(job);
    if (!job.tile) {
      AOA_RETURN_IF_ERROR(filler.Range(job, bytes));
      uint64_t digest = options_.verify ? XXH3_64bits(bytes.data(), bytes.size()) : 0;
      values_[number] = ValueOf(digest, checksum ? Checksums::Share(*checksum, job.lo, bytes) : 0, checksum);
      written_ += bytes.size();
      return targets_->Write(job.file, job.lo, bytes);
    }
    AOA_RETURN_IF_ERROR(filler.Tile(job, bytes));
    uint64_t digest = 0;
    uint32_t share = 0;
    AOA_RETURN_IF_ERROR(filler.EachRun(job, [&](uint64_t offset, size_t at, size_t size) {
      std::span<std::byte> run = bytes.subspan(at, size);
      if (options_.verify) digest = XXH3_64bits_withSeed(run.data(), size, digest);
      if (checksum) share ^= Checksums::Share(*checksum, offset, run);
      written_ += size;
      return targets_->Write(job.file, offset, run);
    }));
    values_[number] = ValueOf(digest, share, checksum);
    return Status();
  }

  // What the journal keeps of a job: the digest of what it wrote; where a checksum is wanted, half of that, and what
  // the job adds to the checksum.
  static uint64_t ValueOf(uint64_t digest, uint32_t share, bool checksummed) {
    return checksummed ? uint64_t{share} << 32 | (digest & 0xFFFFFFFF) : digest;
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

  // ------------------------------------------------------------ checksums

  Status WriteChecksums() {
    return checksums_.Finish(
        *targets_, [this](uint64_t job) { return ShareOf(job); },
        [this](size_t shard) { return scalars_[plan_.scalar_shards[shard].scalar]; });
  }

  Result<uint32_t> ShareOf(uint64_t number) {
    if (known_[number]) return static_cast<uint32_t>(values_[number] >> 32);
    const Plan::Job& job = plan_.jobs[number];
    const Checksum& checksum = *checksums_.Of(job);
    Filler filler(context_);
    Buffer buffer(static_cast<size_t>(BytesOf(job)));
    uint32_t share = 0;
    AOA_RETURN_IF_ERROR(EachWritten(job, filler, buffer, [&](uint64_t offset, std::span<std::byte> run) {
      share ^= Checksums::Share(checksum, offset, run);
    }));
    return share;
  }

  // What the journals of the other parts say. Of what they do not say the files are read again.
  Status ReadOtherParts() {
    bool wanted = std::any_of(plan_.out_files.begin(), plan_.out_files.end(),
                              [](const Plan::OutFile& file) { return file.checksums != nullptr; });
    for (int64_t part = 1; wanted && part <= options_.parts; ++part) {
      if (part == options_.part) continue;
      AOA_ASSIGN_OR_RETURN(io::File file, folder_->OpenState(JournalName(part)));
      AOA_ASSIGN_OR_RETURN(std::string key, JournalKey());
      AOA_ASSIGN_OR_RETURN(io::Journal journal, io::Journal::Open(std::move(file), key, plan_.jobs.size()));
      for (uint64_t j = 0; j < plan_.jobs.size(); ++j) {
        if (!journal.done()[j]) continue;
        values_[j] = journal.values()[j];
        known_[j] = true;
      }
    }
    return Status();
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

  // Calls visit(offset in the file, bytes) for what a job has written, as the file has it now.
  template <class Visit>
  Status EachWritten(const Plan::Job& job, const Filler& filler, Buffer& buffer, Visit visit) {
    buffer.Reserve(static_cast<size_t>(BytesOf(job)));
    auto read = [&](uint64_t offset, std::span<std::byte> run) -> Status {
      AOA_RETURN_IF_ERROR(targets_->Read(job.file, offset, run));
      visit(offset, run);
      return Status();
    };
    if (!job.tile) return read(job.lo, buffer.First(static_cast<size_t>(job.hi - job.lo)));
    return filler.EachRun(job, [&](uint64_t offset, size_t at, size_t size) {
      return read(offset, std::span<std::byte>(buffer.data() + at, size));
    });
  }

  Status VerifyJob(uint64_t number, const Filler& filler, Buffer& buffer) {
    const Plan::Job& job = plan_.jobs[number];
    uint64_t digest = 0, lo = UINT64_MAX, hi = 0;
    AOA_RETURN_IF_ERROR(EachWritten(job, filler, buffer, [&](uint64_t offset, std::span<std::byte> run) {
      digest = job.tile ? XXH3_64bits_withSeed(run.data(), run.size(), digest) : XXH3_64bits(run.data(), run.size());
      lo = std::min(lo, offset);
      hi = offset + run.size();
    }));
    uint64_t mask = checksums_.Of(job) ? 0xFFFFFFFF : UINT64_MAX;
    return (digest & mask) == (values_[number] & mask) ? Status() : Unlike(job.file, lo, hi);
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
  Checksums checksums_;
  FillContext context_;
  RunReport report_;
  std::vector<uint64_t> scalars_;
  io::StagingFolder* folder_ = nullptr;
  std::optional<Targets> targets_;
  std::optional<io::Journal> journal_;
  std::vector<uint64_t> values_;  // of jobs: see ValueOf
  std::vector<bool> known_;       // which of them are, once the jobs are done
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
