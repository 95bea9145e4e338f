#include "runtime/io/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <numeric>

#include "tests/unit/faults.h"
#include "tests/unit/scratch.h"

namespace aoa::io {
namespace {

using testing::FailAll;
using testing::FailFirst;
using testing::Fault;
using testing::ScopedFaults;
using testing::Scratch;

std::span<std::byte> Writable(std::string& text) { return std::as_writable_bytes(std::span(text)); }
std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

File OpenForWriting(const std::string& path) {
  return File(Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)), path);
}

File MustOpen(const std::string& path) {
  auto file = File::OpenForReading(path);
  EXPECT_TRUE(file.ok()) << file.status().message();
  return *std::move(file);
}

// Every transfer moves at most `bytes`.
testing::FaultPlan ShortTransfers(size_t bytes) {
  return [fault = Fault{0, bytes}](std::string_view call, std::string_view) {
    return call == "pwrite" || call == "preadv" ? &fault : nullptr;
  };
}

TEST(File, ReadsAtPositions) {
  Scratch scratch;
  File file = MustOpen(scratch.Write("f", "0123456789"));
  std::string out(4, ' ');
  ASSERT_TRUE(file.ReadAt(3, Writable(out)).ok());
  EXPECT_EQ(out, "3456");
  EXPECT_EQ(*file.Size(), 10u);
}

TEST(File, ShortTransfersAreContinued) {
  Scratch scratch;
  ScopedFaults faults(ShortTransfers(3));
  File file = OpenForWriting(scratch.At("f"));
  ASSERT_TRUE(file.WriteAt(2, Bytes("abcdefgh")).ok());
  std::string out(8, ' ');
  ASSERT_TRUE(file.ReadAt(2, Writable(out)).ok());
  EXPECT_EQ(out, "abcdefgh");
}

TEST(File, SignalsDoNotInterrupt) {
  Scratch scratch;
  File file = OpenForWriting(scratch.At("f"));
  {
    ScopedFaults faults(FailFirst("pwrite", 3, EINTR));
    ASSERT_TRUE(file.WriteAt(0, Bytes("abc")).ok());
  }
  ScopedFaults faults(FailFirst("preadv", 3, EINTR));
  std::string out(3, ' ');
  ASSERT_TRUE(file.ReadAt(0, Writable(out)).ok());
  EXPECT_EQ(out, "abc");
}

// More parts than one call takes, some of them empty.
TEST(File, ScattersOverManyParts) {
  Scratch scratch;
  std::string content(5000, '\0');
  std::iota(content.begin(), content.end(), '\0');
  File file = MustOpen(scratch.Write("f", content));
  std::string out(4000, '\0');
  std::vector<std::span<std::byte>> parts;
  for (size_t i = 0; i < out.size(); ++i) {
    parts.push_back(Writable(out).subspan(i, 1));
    if (i % 7 == 0) parts.push_back({});
  }
  parts.push_back({});
  ASSERT_TRUE(file.ReadScattered(500, parts).ok());
  EXPECT_EQ(out, content.substr(500, 4000));
  ScopedFaults faults(ShortTransfers(1));
  out.assign(out.size(), '\0');
  ASSERT_TRUE(file.ReadScattered(500, parts).ok());
  EXPECT_EQ(out, content.substr(500, 4000));
}

TEST(File, EndOfFileSaysWhatWasThere) {
  Scratch scratch;
  const std::string path = scratch.Write("f", "0123456789");
  std::string out(20, ' ');
  Status status = MustOpen(path).ReadAt(4, Writable(out));
  EXPECT_EQ(status.code(), StatusCode::kInvalid);
  EXPECT_EQ(status.message(), "reading " + path + " at byte 4: the file ends at byte 10, 20 bytes were expected");
  EXPECT_EQ(MustOpen(path).ReadAt(400, Writable(out)).message(),
            "reading " + path + " at byte 400: the file ends at byte 10, 20 bytes were expected");
}

TEST(File, OffsetsBeyondTheSystemAreRefused) {
  Scratch scratch;
  File file = MustOpen(scratch.Write("f", "0123456789"));
  std::string out(4, ' ');
  EXPECT_EQ(file.ReadAt(UINT64_MAX - 1, Writable(out)).code(), StatusCode::kInvalid);
  EXPECT_EQ(file.WriteAt(uint64_t{1} << 63, Bytes("x")).code(), StatusCode::kInvalid);
}

TEST(File, WhatIsAbsentOrNoFileIsTheCheckpointsFault) {
  Scratch scratch;
  auto absent = File::OpenForReading(scratch.At("no\x1b[31m"));
  EXPECT_EQ(absent.status().code(), StatusCode::kInvalid);
  EXPECT_EQ(absent.status().message(), "opening " + scratch.At("no\\x1b[31m") + ": no such file or directory");
  EXPECT_EQ(File::OpenForReading(scratch.root()).status().code(), StatusCode::kInvalid);
  ASSERT_EQ(mkfifo(scratch.At("pipe").c_str(), 0600), 0);
  EXPECT_EQ(File::OpenForReading(scratch.At("pipe")).status().message(),
            "opening " + scratch.At("pipe") + ": it is no regular file");
}

TEST(File, BrokenDisksAreTheMachinesFault) {
  Scratch scratch;
  const std::string path = scratch.Write("f", "0123456789");
  File file = OpenForWriting(path);
  std::string out(4, ' ');
  {
    ScopedFaults faults(FailAll("preadv", EIO));
    Status status = file.ReadAt(2, Writable(out));
    EXPECT_EQ(status.code(), StatusCode::kSystem);
    EXPECT_EQ(status.message(), "reading " + path + " at byte 2: input/output error");
  }
  ScopedFaults faults(FailAll("fdatasync", EIO));
  EXPECT_EQ(file.Sync().message(), "putting " + path + " on the device: input/output error");
}

TEST(File, AFullDiskSaysWhere) {
  File full(Descriptor(::open("/dev/full", O_WRONLY | O_CLOEXEC)), "out/model.safetensors");
  Status status = full.WriteAt(4096, Bytes("x"));
  EXPECT_EQ(status.code(), StatusCode::kSystem);
  EXPECT_EQ(status.message(), "writing out/model.safetensors at byte 4096: no space left on device");
  Scratch scratch;
  ScopedFaults faults(FailAll("fallocate", ENOSPC));
  EXPECT_EQ(OpenForWriting(scratch.At("f")).Preallocate(100).message(),
            "taking 100 bytes for " + scratch.At("f") + ": no space left on device");
}

TEST(File, WhereSpaceCannotBeTakenTheSizeIsSet) {
  Scratch scratch;
  ScopedFaults faults(FailAll("fallocate", EOPNOTSUPP));
  File file = OpenForWriting(scratch.At("f"));
  ASSERT_TRUE(file.Preallocate(100).ok());
  EXPECT_EQ(*file.Size(), 100u);
}

// The limit is the process's, so a child has it.
TEST(File, ALimitOnFileSizesIsAFailureLikeAnyOther) {
  Scratch scratch;
  const std::string path = scratch.At("f");
  pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit = {1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    File file = OpenForWriting(path);
    Status status = file.WriteAt(0, Bytes(std::string(1500, 'x')));
    bool right =
        status.code() == StatusCode::kSystem && status.message() == "writing " + path + " at byte 1000: file too large";
    _exit(right && !file.Truncate(2000).ok() ? 0 : 1);
  }
  int result = 0;
  ASSERT_EQ(waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
}

TEST(File, SmallFilesHaveALimit) {
  Scratch scratch;
  const std::string path = scratch.Write("f", "0123456789");
  EXPECT_EQ(*ReadSmallFile(path, 10), "0123456789");
  EXPECT_EQ(ReadSmallFile(path, 9).status().message(), path + " has 10 bytes, 9 are allowed");
  EXPECT_EQ(*ReadSmallFile(scratch.Write("empty", ""), 9), "");
}

}  // namespace
}  // namespace aoa::io
