#include "runtime/io/journal.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "tests/unit/faults.h"
#include "tests/unit/scratch.h"

namespace aoa::io {
namespace {

using testing::ReadFile;
using testing::Scratch;

constexpr uint64_t kJobs = 100;
constexpr size_t kHeaderBytes = 64;
constexpr size_t kRecordBytes = 24;

class JournalTest : public ::testing::Test {
 protected:
  Journal Open(std::string_view key = "key", uint64_t jobs = kJobs) {
    auto journal =
        Journal::Open(File(Descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)), path_), key, jobs);
    EXPECT_TRUE(journal.ok()) << journal.status().message();
    return *std::move(journal);
  }

  static std::vector<uint64_t> Done(const Journal& journal) {
    std::vector<uint64_t> out;
    for (uint64_t job = 0; job < journal.done().size(); ++job) {
      if (journal.done()[job]) out.push_back(job);
    }
    return out;
  }

  void Append(std::initializer_list<uint64_t> jobs) {
    Journal journal = Open();
    for (uint64_t job : jobs) ASSERT_TRUE(journal.Append(job, job * 7).ok());
    ASSERT_TRUE(journal.Sync().ok());
  }

  Scratch scratch_;
  std::string path_ = scratch_.At("journal");
};

using Numbers = std::vector<uint64_t>;

TEST_F(JournalTest, RemembersWhatWasDone) {
  EXPECT_EQ(Done(Open()), Numbers());
  Append({7, 3, 99, 0});
  EXPECT_EQ(Done(Open()), Numbers({0, 3, 7, 99}));
  Append({4});
  EXPECT_EQ(Done(Open()), Numbers({0, 3, 4, 7, 99}));
  EXPECT_EQ(Open().values()[99], 99u * 7);
}

// A record torn at any byte costs that job only, and what is appended later counts.
TEST_F(JournalTest, TornTails) {
  Append({1, 2, 3});
  const std::string whole = ReadFile(path_);
  ASSERT_EQ(whole.size(), kHeaderBytes + 3 * kRecordBytes);
  for (size_t size = kHeaderBytes + 2 * kRecordBytes; size < whole.size(); ++size) {
    scratch_.Write("journal", whole.substr(0, size));
    EXPECT_EQ(Done(Open()), Numbers({1, 2})) << size;
    Append({5});
    EXPECT_EQ(Done(Open()), Numbers({1, 2, 5})) << size;
  }
}

// What the device never got reads as zeros, also between records that it got.
TEST_F(JournalTest, CorruptedRecordsArePassedOver) {
  Append({1, 2, 3});
  const std::string whole = ReadFile(path_);
  for (size_t byte = kHeaderBytes + kRecordBytes; byte < kHeaderBytes + 2 * kRecordBytes; ++byte) {
    std::string damaged = whole;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 0x40);
    scratch_.Write("journal", damaged);
    EXPECT_EQ(Done(Open()), Numbers({1, 3})) << byte;
  }
  std::string hole = whole;
  hole.replace(kHeaderBytes, 2 * kRecordBytes, 2 * kRecordBytes, '\0');
  scratch_.Write("journal", hole);
  EXPECT_EQ(Done(Open()), Numbers({3}));
}

TEST_F(JournalTest, ATornOrDamagedHeaderIsNoJournal) {
  Append({1, 2, 3});
  const std::string whole = ReadFile(path_);
  for (size_t size = 0; size < kHeaderBytes; size += 7) {
    scratch_.Write("journal", whole.substr(0, size));
    EXPECT_EQ(Done(Open()), Numbers()) << size;
    EXPECT_EQ(ReadFile(path_), whole.substr(0, kHeaderBytes)) << size;
  }
}

TEST_F(JournalTest, OtherRunsDoNotCount) {
  Append({1, 2, 3});
  const std::string records = ReadFile(path_).substr(kHeaderBytes);
  EXPECT_EQ(Done(Open("other key")), Numbers());
  EXPECT_EQ(Done(Open("other key")), Numbers());
  std::ofstream(path_, std::ios::app) << records;  // as if the file had not been shortened
  EXPECT_EQ(Done(Open("other key")), Numbers());
  Append({1});
  EXPECT_EQ(Done(Open("key", kJobs + 1)), Numbers());
}

TEST_F(JournalTest, ThreadsAppendSideBySide) {
  constexpr uint64_t kMany = 20000;
  constexpr uint64_t kThreads = 4;
  {
    Journal journal = Open("key", kMany);
    std::vector<std::jthread> threads;
    for (uint64_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (uint64_t job = t; job < kMany; job += kThreads) EXPECT_TRUE(journal.Append(job, job * 7).ok());
      });
    }
  }
  EXPECT_EQ(Done(Open("key", kMany)).size(), kMany);
}

TEST_F(JournalTest, AFullDiskIsAFailure) {
  Journal journal = Open();
  testing::ScopedFaults faults(testing::FailAll("pwrite", ENOSPC));
  EXPECT_EQ(journal.Append(1, 0).code(), StatusCode::kSystem);
}

}  // namespace
}  // namespace aoa::io
