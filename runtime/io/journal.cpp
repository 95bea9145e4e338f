#include "runtime/io/journal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "compiler/core/check.h"

namespace aoa::io {
namespace {

struct Header {
  std::array<char, 8> magic{};
  uint64_t jobs = 0;
  XXH128_hash_t key{};
  uint64_t checksum = 0;  // of all before it
  std::array<uint64_t, 3> zeros{};
};
static_assert(sizeof(Header) == 64);

struct Record {
  uint64_t job = 0;
  uint64_t value = 0;
  uint64_t checksum = 0;  // of all before it
};
static_assert(sizeof(Record) == 24);

Header MakeHeader(std::string_view key, uint64_t jobs) {
  Header header;
  std::memcpy(header.magic.data(), "aoacjrn1", header.magic.size());
  header.jobs = jobs;
  header.key = XXH3_128bits(key.data(), key.size());
  header.checksum = XXH3_64bits(&header, offsetof(Header, checksum));
  return header;
}

uint64_t ChecksumOf(const Record& record, uint64_t seed) {
  return XXH3_64bits_withSeed(&record, offsetof(Record, checksum), seed);
}

uint64_t OffsetOf(uint64_t record) { return sizeof(Header) + record * sizeof(Record); }

}  // namespace

Result<Journal> Journal::Open(File file, std::string_view key, uint64_t jobs) {
  const Header wanted = MakeHeader(key, jobs);
  AOA_ASSIGN_OR_RETURN(uint64_t size, file.Size());
  Header found;
  if (size >= sizeof(Header)) AOA_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(&found, 1))));
  const bool ours = std::memcmp(&found, &wanted, sizeof(Header)) == 0;
  if (!ours) {
    if (size > 0) AOA_RETURN_IF_ERROR(file.Truncate(0));
    AOA_RETURN_IF_ERROR(file.WriteAt(0, std::as_bytes(std::span(&wanted, 1))));
  }
  Journal journal(std::move(file));
  journal.seed_ = wanted.checksum;
  journal.done_.resize(jobs);
  journal.values_.resize(jobs);
  // A record that is there in part counts as one: the next one goes behind it.
  uint64_t records = ours ? (size - sizeof(Header) + sizeof(Record) - 1) / sizeof(Record) : 0;
  journal.next_record_ = std::make_unique<std::atomic<uint64_t>>(records);
  if (ours) AOA_RETURN_IF_ERROR(journal.Load((size - sizeof(Header)) / sizeof(Record)));
  return journal;
}

Status Journal::Load(uint64_t records) {
  std::vector<Record> batch(std::min<uint64_t>(records, 65536));
  for (uint64_t first = 0; first < records; first += batch.size()) {
    batch.resize(std::min<uint64_t>(batch.size(), records - first));
    AOA_RETURN_IF_ERROR(file_.ReadAt(OffsetOf(first), std::as_writable_bytes(std::span(batch))));
    for (const Record& record : batch) {
      if (record.job >= done_.size() || record.checksum != ChecksumOf(record, seed_)) continue;
      done_[record.job] = true;
      values_[record.job] = record.value;
    }
  }
  return {};
}

Status Journal::Append(uint64_t job, uint64_t value) {
  AOA_CHECK(job < done_.size(), std::to_string(job));
  Record record = {job, value, 0};
  record.checksum = ChecksumOf(record, seed_);
  return file_.WriteAt(OffsetOf(next_record_->fetch_add(1)), std::as_bytes(std::span(&record, 1)));
}

}  // namespace aoa::io
