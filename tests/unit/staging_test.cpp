#include "runtime/io/staging.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "runtime/io/folder.h"
#include "runtime/io/journal.h"
#include "tests/unit/faults.h"
#include "tests/unit/scratch.h"

namespace aoa::io {
namespace {

namespace fs = std::filesystem;
using Mode = StagingFolder::Mode;
using testing::Contents;
using testing::FailAll;
using testing::RunUntilCall;
using testing::ScopedFaults;
using testing::Scratch;

using Files = std::map<std::string, std::string>;
const Files kNewFiles = {{"a", "new a"}, {"sub/b", "new b"}};
const Files kOldFiles = {{"a", "old a"}, {"rank_00007", "old"}};

StagingFolder MustCreate(const std::string& target, Mode mode = Mode::kFresh, const std::string& key = "k") {
  auto staging = StagingFolder::Create(target, key, mode);
  EXPECT_TRUE(staging.ok()) << staging.status().message();
  return *std::move(staging);
}

Status WriteFiles(const StagingFolder& staging, const Files& files) {
  for (const auto& [path, content] : files) {
    AOA_ASSIGN_OR_RETURN(File file, staging.OpenFile(path));
    AOA_RETURN_IF_ERROR(file.WriteAt(0, std::as_bytes(std::span(content))));
    AOA_RETURN_IF_ERROR(file.Close());
  }
  return {};
}

// A whole run of one job: files, a record in the journal, publication. What the journal says is done is not done again.
Status Convert(const std::string& target, Mode mode, bool force, bool sync) {
  AOA_ASSIGN_OR_RETURN(StagingFolder staging, StagingFolder::Create(target, "k", mode));
  AOA_ASSIGN_OR_RETURN(File state, staging.OpenState("journal"));
  AOA_ASSIGN_OR_RETURN(Journal journal, Journal::Open(std::move(state), "k", 1));
  if (!journal.done()[0]) {
    AOA_RETURN_IF_ERROR(WriteFiles(staging, kNewFiles));
    if (sync) AOA_RETURN_IF_ERROR(staging.SyncNames());
    AOA_RETURN_IF_ERROR(journal.Append(0, 0));
  }
  return staging.Publish(force, sync);
}

// A file system that knows no more than to rename, if so.
testing::FaultPlan SimpleRename(bool simple) { return simple ? FailAll("renameat2", EINVAL) : nullptr; }

std::vector<std::string> Names(const std::string& folder) { return *ListFolder(folder); }

TEST(Staging, PublishesAFolder) {
  for (const char* name : {"out", "out/", "out///"}) {
    Scratch scratch;
    StagingFolder staging = MustCreate(scratch.At(name));
    ASSERT_TRUE(WriteFiles(staging, kNewFiles).ok());
    EXPECT_FALSE(fs::exists(scratch.At("out")));
    ASSERT_TRUE(staging.Publish(false, true).ok());
    EXPECT_EQ(Contents(scratch.At("out")), kNewFiles);
    EXPECT_EQ(Names(scratch.root()), std::vector<std::string>{"out"});
  }
}

TEST(Staging, RelativeTargets) {
  Scratch scratch;
  fs::path before = fs::current_path();
  fs::current_path(scratch.root());
  EXPECT_TRUE(Convert("out", Mode::kFresh, false, true).ok());
  fs::current_path(before);
  EXPECT_EQ(Contents(scratch.At("out")), kNewFiles);
}

TEST(Staging, ATargetThatExistsIsRefused) {
  Scratch scratch;
  scratch.Write("file", "x");
  fs::create_directory(scratch.At("empty"));
  fs::create_symlink("nowhere", scratch.At("link"));
  for (const char* name : {"file", "file/", "empty", "empty/", "link"}) {
    EXPECT_EQ(StagingFolder::CheckTarget(scratch.At(name), false).code(), StatusCode::kUsage) << name;
    EXPECT_TRUE(StagingFolder::CheckTarget(scratch.At(name), true).ok()) << name;
    Status status = Convert(scratch.At(name), Mode::kFresh, false, false);
    EXPECT_EQ(status.code(), StatusCode::kUsage) << name;
    EXPECT_EQ(status.message(), scratch.At(name) + " exists; --force replaces it");
  }
  EXPECT_EQ(testing::ReadFile(scratch.At("file")), "x");
  EXPECT_TRUE(fs::is_empty(scratch.At("empty")));
}

// Also if it appears at the last moment; and the work is not lost.
TEST(Staging, ATargetThatAppearsMeanwhileIsRefused) {
  for (bool simple_rename : {false, true}) {
    Scratch scratch;
    {
      StagingFolder staging = MustCreate(scratch.At("out"));
      ASSERT_TRUE(WriteFiles(staging, kNewFiles).ok());
      fs::create_directory(scratch.At("out"));
      ScopedFaults faults(SimpleRename(simple_rename));
      EXPECT_EQ(staging.Publish(false, false).code(), StatusCode::kUsage);
    }
    fs::remove(scratch.At("out"));
    ASSERT_TRUE(MustCreate(scratch.At("out"), Mode::kResume).Publish(false, false).ok());
    EXPECT_EQ(Contents(scratch.At("out")), kNewFiles);
  }
}

TEST(Staging, NamesThatAreNoTargets) {
  Scratch scratch;
  for (const char* name : {"", "/", "//", ".", "..", "a/.", "a/.."}) {
    EXPECT_EQ(StagingFolder::CheckTarget(name, true).code(), StatusCode::kUsage) << name;
  }
  EXPECT_EQ(StagingFolder::CheckTarget(scratch.At("no/out"), true).code(), StatusCode::kUsage);
  EXPECT_EQ(StagingFolder::Create(scratch.At("no/out"), "k", Mode::kFresh).status().message(),
            "opening " + scratch.At("no") + ", in which " + scratch.At("no/out") +
                " is to appear: no such file or directory");
}

TEST(Staging, ForceReplacesWhateverIsThere) {
  for (bool simple_rename : {false, true}) {
    Scratch scratch;
    ScopedFaults faults(SimpleRename(simple_rename));
    scratch.Write("elsewhere/kept", "kept");
    scratch.Write("file", "x");
    scratch.Write("folder/deep/er/y", "y");
    fs::create_directory(scratch.At("empty"));
    fs::create_directory_symlink("elsewhere", scratch.At("link"));
    for (const char* name : {"file", "folder/", "empty", "link", "link"}) {
      Status status = Convert(scratch.At(name), Mode::kFresh, true, true);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_FALSE(fs::is_symlink(scratch.At(name)));
      EXPECT_EQ(Contents(scratch.At(name)), kNewFiles);
    }
    EXPECT_EQ(Contents(scratch.At("elsewhere")), Files({{"kept", "kept"}}));
    EXPECT_EQ(Names(scratch.root()), std::vector<std::string>({"elsewhere", "empty", "file", "folder", "link"}));
  }
}

// While one folder takes the place of another, there is always one.
TEST(Staging, TheExchangeLeavesNoGap) {
  Scratch scratch;
  ASSERT_TRUE(Convert(scratch.At("out"), Mode::kFresh, false, false).ok());
  std::atomic<bool> stop = false;
  std::atomic<int> gaps = 0;
  std::jthread watcher([&] {
    while (!stop) gaps += ::access(scratch.At("out/a").c_str(), F_OK) != 0;
  });
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Convert(scratch.At("out"), Mode::kFresh, true, false).ok());
  stop = true;
  watcher.join();
  EXPECT_EQ(gaps, 0);
}

TEST(Staging, TwoRunsDoNotMix) {
  Scratch scratch;
  StagingFolder first = MustCreate(scratch.At("out"));
  for (Mode mode : {Mode::kFresh, Mode::kResume, Mode::kPart}) {
    auto second = StagingFolder::Create(scratch.At("out"), "k", mode);
    EXPECT_EQ(second.status().code(), StatusCode::kUsage);
    EXPECT_EQ(second.status().message(), "another run is writing " + scratch.At("out"));
  }
  ASSERT_TRUE(first.Discard().ok());
  EXPECT_TRUE(fs::is_empty(scratch.root()));
  MustCreate(scratch.At("out"));
}

TEST(Staging, WhereNothingCanBeLockedItWorksUnguarded) {
  Scratch scratch;
  ScopedFaults faults(FailAll("flock", ENOLCK));
  EXPECT_TRUE(Convert(scratch.At("out"), Mode::kFresh, false, false).ok());
}

TEST(Staging, LeftoversAreKeptOrReplaced) {
  Scratch scratch;
  { ASSERT_TRUE(WriteFiles(MustCreate(scratch.At("out")), {{"a", "left"}}).ok()); }
  { EXPECT_EQ(Contents(scratch.At(".out.aoac-k/files")), Files({{"a", "left"}})); }
  { MustCreate(scratch.At("out"), Mode::kResume); }
  { EXPECT_EQ(Contents(scratch.At(".out.aoac-k/files")), Files({{"a", "left"}})); }
  { MustCreate(scratch.At("out"), Mode::kFresh); }
  { EXPECT_EQ(Contents(scratch.At(".out.aoac-k/files")), Files()); }
}

TEST(Staging, LeftoversOfOtherKeysGoUnlessTheyAreAtWork) {
  Scratch scratch;
  { ASSERT_TRUE(WriteFiles(MustCreate(scratch.At("out"), Mode::kFresh, "dead"), kNewFiles).ok()); }
  { MustCreate(scratch.At("out.aoac-x"), Mode::kFresh, "other-target"); }
  StagingFolder at_work = MustCreate(scratch.At("out"), Mode::kResume, "live");
  StagingFolder resumed = MustCreate(scratch.At("out"), Mode::kResume, "k");
  EXPECT_TRUE(fs::exists(scratch.At(".out.aoac-dead")));
  ASSERT_TRUE(resumed.Discard().ok());
  StagingFolder fresh = MustCreate(scratch.At("out"), Mode::kFresh, "k");
  EXPECT_EQ(Names(scratch.root()),
            std::vector<std::string>({".out.aoac-k", ".out.aoac-live", ".out.aoac-x.aoac-other-target"}));
}

TEST(Staging, LongNamesFit) {
  Scratch scratch;
  const std::string target = scratch.At(std::string(250, 'x'));
  EXPECT_TRUE(Convert(target, Mode::kFresh, false, false).ok());
  EXPECT_EQ(Contents(target), kNewFiles);
}

TEST(Staging, SymlinksInItsPlaceAreNotFollowed) {
  Scratch scratch;
  scratch.Write("victim/a", "kept");
  fs::create_directory_symlink("victim", scratch.At(".out.aoac-k"));
  EXPECT_EQ(StagingFolder::Create(scratch.At("out"), "k", Mode::kFresh).status().code(), StatusCode::kSystem);
  fs::remove(scratch.At(".out.aoac-k"));
  { MustCreate(scratch.At("out")); }
  fs::create_directory_symlink("../../victim", scratch.At(".out.aoac-k/files/sub"));
  fs::create_symlink("../../victim/a", scratch.At(".out.aoac-k/files/a"));
  StagingFolder staging = MustCreate(scratch.At("out"), Mode::kResume);
  EXPECT_EQ(staging.OpenFile("a").status().code(), StatusCode::kSystem);
  EXPECT_EQ(staging.OpenFile("sub/a").status().code(), StatusCode::kSystem);
  ASSERT_TRUE(staging.Discard().ok());
  EXPECT_EQ(Contents(scratch.At("victim")), Files({{"a", "kept"}}));
}

TEST(Staging, PartsWorkTogetherAndOnePublishes) {
  Scratch scratch;
  StagingFolder first = MustCreate(scratch.At("out"), Mode::kPart);
  StagingFolder second = MustCreate(scratch.At("out"), Mode::kPart);
  EXPECT_EQ(StagingFolder::CheckTarget(scratch.At("out"), false).code(), StatusCode::kUsage);
  ASSERT_TRUE(WriteFiles(first, {{"a", "new a"}}).ok());
  ASSERT_TRUE(WriteFiles(second, {{"sub/b", "new b"}}).ok());
  ASSERT_TRUE(
      MustCreate(scratch.At("out"), Mode::kPart).Discard().ok());  // a part that fails leaves the others their work
  std::jthread other([&] { EXPECT_TRUE(second.Publish(false, false).ok()); });
  EXPECT_TRUE(first.Publish(false, false).ok());
  other.join();
  EXPECT_EQ(Contents(scratch.At("out")), kNewFiles);
  EXPECT_EQ(Names(scratch.root()), std::vector<std::string>{"out"});
}

TEST(Staging, PartsOneAfterTheOther) {
  Scratch scratch;
  { ASSERT_TRUE(WriteFiles(MustCreate(scratch.At("out"), Mode::kPart), {{"a", "new a"}}).ok()); }
  StagingFolder second = MustCreate(scratch.At("out"), Mode::kPart);
  ASSERT_TRUE(WriteFiles(second, {{"sub/b", "new b"}}).ok());
  ASSERT_TRUE(second.Publish(false, true).ok());
  EXPECT_EQ(Contents(scratch.At("out")), kNewFiles);
}

TEST(Staging, PartsBuildInTheOpen) {
  Scratch scratch;
  { ASSERT_TRUE(WriteFiles(MustCreate(scratch.At("out"), Mode::kPart), {{"a", "new a"}}).ok()); }
  EXPECT_EQ(Names(scratch.root()), std::vector<std::string>{"out"});
  EXPECT_TRUE(fs::exists(scratch.At("out/.aoac-k")));
  EXPECT_EQ(StagingFolder::CheckTarget(scratch.At("out"), false).code(), StatusCode::kUsage);
  StagingFolder other = *StagingFolder::Create(scratch.At("out"), "other", Mode::kPart);
  EXPECT_EQ(other.CheckTarget(false).code(), StatusCode::kUsage);
  ASSERT_TRUE(other.Discard().ok());
  StagingFolder second = MustCreate(scratch.At("out"), Mode::kPart);
  EXPECT_TRUE(second.CheckTarget(false).ok());
  ASSERT_TRUE(WriteFiles(second, {{"sub/b", "new b"}}).ok());
  ASSERT_TRUE(second.Publish(false, false).ok());
  EXPECT_EQ(Contents(scratch.At("out")), kNewFiles);
  EXPECT_EQ(Names(scratch.root()), std::vector<std::string>{"out"});
}

TEST(Staging, APartThatFailsAloneLeavesNothing) {
  Scratch scratch;
  StagingFolder first = MustCreate(scratch.At("out"), Mode::kPart);
  ASSERT_TRUE(first.OpenState("journal-1").ok());
  ASSERT_TRUE(first.Discard().ok());
  EXPECT_TRUE(fs::is_empty(scratch.root()));
  StagingFolder second = MustCreate(scratch.At("out"), Mode::kPart);
  ASSERT_TRUE(second.OpenState("journal-1").ok());
  StagingFolder third = MustCreate(scratch.At("out"), Mode::kPart);
  ASSERT_TRUE(third.OpenState("journal-2").ok());
  ASSERT_TRUE(third.Discard().ok());
  ASSERT_TRUE(second.Publish(false, false).ok());
}

// What power loss survives, as far as the order of calls shows it: contents before names, names before publication, and
// the new name before the old target goes.
TEST(Staging, SyncComesInTheRightOrder) {
  Scratch scratch;
  scratch.Write("out/old", "old");
  StagingFolder staging = MustCreate(scratch.At("out"));
  ASSERT_TRUE(WriteFiles(staging, kNewFiles).ok());
  std::vector<std::string> log;
  {
    ScopedFaults faults(testing::LogInto(log));
    ASSERT_TRUE(staging.Publish(true, true).ok());
  }
  auto count = [&](auto begin, auto end) { return std::count(begin, end, "fsync"); };
  auto exchange = std::find(log.begin(), log.end(), "renameat2 new");
  auto removal = std::find_if(log.begin(), log.end(), [](const auto& call) { return call.starts_with("unlinkat"); });
  ASSERT_LT(exchange, removal);
  EXPECT_EQ(count(log.begin(), exchange), 5);  // a, sub/b, sub, the folder, and that the journals count no more
  EXPECT_EQ(count(exchange, removal), 1);      // the parent
}

TEST(Staging, AFailedSyncPublishesNothing) {
  Scratch scratch;
  ScopedFaults faults(FailAll("fsync", EIO));
  EXPECT_EQ(Convert(scratch.At("out"), Mode::kFresh, false, true).code(), StatusCode::kSystem);
  EXPECT_FALSE(fs::exists(scratch.At("out")));
}

TEST(Staging, FileSystemsThatCannotSyncFoldersAreGood) {
  Scratch scratch;
  testing::Fault fault = {EINVAL, 0};
  int calls = 0;
  // The folders of the tree and the parent; files are synced first, and must be.
  ScopedFaults faults(
      [&](std::string_view call, std::string_view) { return call == "fsync" && ++calls == 2 ? &fault : nullptr; });
  StagingFolder staging = MustCreate(scratch.At("out"));
  ASSERT_TRUE(WriteFiles(staging, {{"a", "new a"}}).ok());
  EXPECT_TRUE(staging.Publish(false, true).ok());
}

// What is under the target's name before a run.
enum class Before { kNothing, kFolder, kFile };

void Arrange(const Scratch& scratch, Before before) {
  if (before == Before::kFile) scratch.Write("out", "old file");
  if (before != Before::kFolder) return;
  for (const auto& [path, content] : kOldFiles) scratch.Write(std::string("out/").append(path), content);
}

// The target is absent, or what was there, or the new one whole. Absent although something was there only where names
// cannot be exchanged.
void CheckWhole(const Scratch& scratch, Before before, bool simple_rename) {
  const std::string out = scratch.At("out");
  if (!fs::exists(out)) {
    EXPECT_TRUE(before == Before::kNothing || simple_rename);
  } else if (fs::is_regular_file(out)) {
    EXPECT_TRUE(before == Before::kFile && testing::ReadFile(out) == "old file");
  } else {
    Files found = Contents(out);
    EXPECT_TRUE(found == kNewFiles || (before == Before::kFolder && found == kOldFiles));
  }
}

// What is there before, whether names can only be renamed, whether the run syncs, and how the next run starts.
class StagingKill : public ::testing::TestWithParam<std::tuple<Before, bool, bool, Mode>> {};

void MustConvert(const std::string& target, Mode mode, bool sync) {
  Status status = Convert(target, mode, /*force=*/true, sync);
  if (!status.ok()) throw std::runtime_error(status.message());
}

void CheckPublished(const Scratch& scratch) {
  EXPECT_EQ(Contents(scratch.At("out")), kNewFiles);
  EXPECT_EQ(Names(scratch.root()), std::vector<std::string>{"out"});
}

// A run dies before its first system call, before its second, and so on until it comes through. After each death the
// target is whole, and the next run puts everything in order.
TEST_P(StagingKill, AtEveryStep) {
  const auto [before, simple_rename, sync, then] = GetParam();
  ScopedFaults faults(SimpleRename(simple_rename));
  bool through = false;
  int last = 0;
  while (!through && !HasFailure()) {
    SCOPED_TRACE(++last);
    Scratch scratch;
    Arrange(scratch, before);
    through = RunUntilCall(last, [&, sync = sync] { MustConvert(scratch.At("out"), Mode::kFresh, sync); });
    CheckWhole(scratch, before, simple_rename);
    { MustCreate(scratch.At("out"), then); }
    EXPECT_TRUE(before == Before::kNothing || fs::exists(scratch.At("out")));
    MustConvert(scratch.At("out"), then, false);
    CheckPublished(scratch);
  }
  EXPECT_GT(last, 25);
}

int CallsBeforePublication() {
  Scratch scratch;
  std::vector<std::string> log;
  ScopedFaults faults(testing::LogInto(log));
  MustConvert(scratch.At("out"), Mode::kFresh, false);
  return static_cast<int>(std::find(log.begin(), log.end(), "renameat files") - log.begin());
}

class StagingKillTwice : public StagingKill {};

// The run that was to put things in order dies as well.
TEST_P(StagingKillTwice, AtEveryStep) {
  const auto [before, simple_rename, sync, then] = GetParam();
  const int publication = CallsBeforePublication();
  ScopedFaults faults(SimpleRename(simple_rename));
  bool first_through = false;
  for (int first = publication; !first_through && !HasFailure(); ++first) {
    bool second_through = false;
    for (int second = 1; !second_through && !HasFailure(); ++second) {
      SCOPED_TRACE(std::to_string(first) + ", " + std::to_string(second));
      Scratch scratch;
      Arrange(scratch, before);
      first_through = RunUntilCall(first, [&, sync = sync] { MustConvert(scratch.At("out"), Mode::kFresh, sync); });
      second_through = RunUntilCall(second, [&, then = then] { MustConvert(scratch.At("out"), then, false); });
      CheckWhole(scratch, before, simple_rename);
      MustConvert(scratch.At("out"), then, false);
      CheckPublished(scratch);
    }
  }
}

const Before kAnything[] = {Before::kNothing, Before::kFolder, Before::kFile};

INSTANTIATE_TEST_SUITE_P(, StagingKill,
                         ::testing::Combine(::testing::ValuesIn(kAnything), ::testing::Bool(), ::testing::Bool(),
                                            ::testing::Values(Mode::kFresh, Mode::kResume, Mode::kPart)));
INSTANTIATE_TEST_SUITE_P(, StagingKillTwice,
                         ::testing::Combine(::testing::Values(Before::kNothing, Before::kFolder), ::testing::Bool(),
                                            ::testing::Values(false), ::testing::Values(Mode::kResume)));

}  // namespace
}  // namespace aoa::io
