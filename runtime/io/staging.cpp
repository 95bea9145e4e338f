#include "runtime/io/staging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "compiler/core/check.h"
#include "compiler/core/text.h"
#include "runtime/io/folder.h"

namespace aoa::io {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLock = "lock";
constexpr const char* kFiles = "files";
constexpr const char* kState = "state";
constexpr const char* kNew = "new";
constexpr const char* kOld = "old";
constexpr const char* kVoid = "void";

struct Place {
  std::string parent;
  std::string name;
};

Result<Place> PlaceOf(const std::string& target) {
  std::string path = target.substr(0, target.find_last_not_of('/') + 1);
  size_t slash = path.rfind('/');
  Place place;
  place.parent = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  place.name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (place.name.empty() || place.name == "." || place.name == "..") {
    return Status::Usage(fmt::format("the target {} has no name of its own in a folder", Printable(target)));
  }
  return place;
}

Result<Descriptor> OpenParent(const std::string& target, const Place& place) {
  Descriptor fd(Retry([&] { return open(place.parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (fd.open()) return fd;
  bool absent = errno == ENOENT || errno == ENOTDIR;
  std::string message = fmt::format("opening {}, in which {} is to appear: {}", Printable(place.parent),
                                    Printable(target), ErrorText(errno));
  return absent ? Status::Usage(message) : Status::System(message);
}

bool IsKey(std::string_view text) {
  constexpr std::string_view kKeyCharacters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
  return !text.empty() && text.find_first_not_of(kKeyCharacters) == std::string_view::npos;
}

// A name may be as long as the file system allows, and what is added to it must fit too. Two targets whose names agree
// as far as this share a prefix; at worst they exclude each other.
std::string StagePrefix(const std::string& name) {
  constexpr size_t kLongest = 160;
  return fmt::format(".{}.aoac-", name.substr(0, kLongest));
}

bool Exists(int folder, const std::string& name) {
  struct stat info;
  return fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

bool IsNamed(int fd, int folder, const std::string& name) {
  struct stat by_name, by_fd;
  return fstatat(folder, name.c_str(), &by_name, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &by_fd) == 0 &&
         by_name.st_ino == by_fd.st_ino && by_name.st_dev == by_fd.st_dev;
}

Descriptor OpenFolderAt(int folder, const std::string& name) {
  return Descriptor(
      Retry([&] { return openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }));
}

Descriptor OpenFileAt(int folder, const std::string& name, mode_t mode) {
  return Descriptor(
      Retry([&] { return openat(folder, name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode); }));
}

bool MakeFolderAt(int folder, const std::string& name, mode_t mode) {
  return mkdirat(folder, name.c_str(), mode) == 0 || errno == EEXIST;
}

Status PathFailure(const char* verb, const fs::path& path, int error) {
  return SystemFailure(fmt::format("{} {}", verb, Printable(path.native())), error);
}

// The file system lacks what was asked of it, as opposed to refusing this use of it.
bool IsUnsupported(int error) { return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == ENOLCK; }

Status Occupied(const std::string& target) {
  return Status::Usage(fmt::format("{} exists; --force replaces it", Printable(target)));
}

}  // namespace

Status StagingFolder::CheckTarget(bool force) const {
  return !force && stage_name_ != name_ && Exists(parent_.get(), name_) ? Occupied(target_) : Status();
}

Status StagingFolder::CheckTarget(const std::string& target, bool force) {
  AOA_ASSIGN_OR_RETURN(Place place, PlaceOf(target));
  AOA_ASSIGN_OR_RETURN(Descriptor parent, OpenParent(target, place));
  return !force && Exists(parent.get(), place.name) ? Occupied(target) : Status();
}

Result<StagingFolder> StagingFolder::Create(const std::string& target, const std::string& key, Mode mode) {
  AOA_CHECK(IsKey(key), key);
  AOA_ASSIGN_OR_RETURN(Place place, PlaceOf(target));
  StagingFolder staging;
  AOA_ASSIGN_OR_RETURN(staging.parent_, OpenParent(target, place));
  staging.target_ = target;
  staging.parent_path_ = fs::absolute(place.parent);
  staging.name_ = place.name;
  staging.hidden_name_ = StagePrefix(place.name) + key;
  staging.mark_ = ".aoac-" + key;
  staging.shared_ = mode == Mode::kPart;
  do {
    AOA_RETURN_IF_ERROR(staging.Enter());
    AOA_RETURN_IF_ERROR(staging.TidyUp());
    if (staging.shared_) AOA_RETURN_IF_ERROR(staging.TakeName());
  } while (!staging.Current());
  if (mode == Mode::kFresh) {
    AOA_RETURN_IF_ERROR(staging.RemoveContents());
    AOA_RETURN_IF_ERROR(staging.RemoveLeftoversOfOtherKeys());
  }
  for (const char* folder : {kFiles, kState}) {
    if (!MakeFolderAt(staging.stage_.get(), folder, 0777)) return PathFailure("making", staging.path() / folder, errno);
  }
  return staging;
}

// Makes the folder if need be, and locks it. Between the two another run may have finished and removed it, so what is
// locked is compared with what has the name then. A part waits a moment for another that takes or returns the name.
Status StagingFolder::Enter() {
  constexpr int kAttempts = 100;
  constexpr useconds_t kPause = 20'000;  // microseconds
  Status busy;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    bool open = shared_ && Exists(parent_.get(), name_ + "/" + mark_);
    stage_name_ = open ? name_ : hidden_name_;
    if (!open && !MakeFolderAt(parent_.get(), stage_name_, 0700)) return PathFailure("making", path(), errno);
    stage_ = OpenFolderAt(parent_.get(), stage_name_);
    if (!stage_.open() && errno == ENOENT) continue;
    if (!stage_.open()) return PathFailure("opening", path(), errno);
    if (open && !Exists(stage_.get(), mark_)) continue;  // the target meanwhile
    lock_ = OpenFileAt(stage_.get(), kLock, 0600);
    if (!lock_.open() && errno == ENOENT) continue;
    if (!lock_.open()) return PathFailure("opening", path() / kLock, errno);
    busy = Lock(LOCK_NB | (shared_ ? LOCK_SH : LOCK_EX));
    if (busy.ok() && Current()) return {};
    if (busy.ok()) continue;
    if (!shared_ || busy.code() != StatusCode::kUsage) return busy;
    usleep(kPause);
  }
  if (!busy.ok()) return busy;
  return Status::System(fmt::format("other runs make and remove {} all the time", Printable(path().native())));
}

Status StagingFolder::Lock(int operation) const {
  if (Retry([&] { return flock(lock_.get(), operation); }) == 0) return {};
  if (errno == EWOULDBLOCK) return Status::Usage(fmt::format("another run is writing {}", Printable(target_)));
  // Parallel file systems can be mounted without locks. To work there unguarded is better than not at all.
  if (IsUnsupported(errno)) return {};
  return PathFailure("locking", path() / kLock, errno);
}

// The first part gives the folder the target's name. Where others are at work in it already, or the name is taken, or
// the file system cannot do it safely, the folder stays where it is. Afterwards it may be another's: the lock was let
// go.
Status StagingFolder::TakeName() {
  if (stage_name_ == name_ || Exists(parent_.get(), name_)) return {};
  if (Lock(LOCK_EX | LOCK_NB).ok() && Current()) {
    if (!OpenFileAt(stage_.get(), mark_, 0600).open()) return PathFailure("making", path() / mark_, errno);
    if (renameat2(parent_.get(), hidden_name_.c_str(), parent_.get(), name_.c_str(), RENAME_NOREPLACE) == 0)
      stage_name_ = name_;
  }
  return Lock(LOCK_SH);
}

Status StagingFolder::ReturnName() {
  if (stage_name_ == hidden_name_) return {};
  if (renameat2(parent_.get(), name_.c_str(), parent_.get(), hidden_name_.c_str(), RENAME_NOREPLACE) != 0) {
    return PathFailure("renaming", path(), errno);
  }
  stage_name_ = hidden_name_;
  return {};
}

bool StagingFolder::Current() const {
  return IsNamed(stage_.get(), parent_.get(), stage_name_) && IsNamed(lock_.get(), stage_.get(), kLock);
}

// After a run that died while it published or removed.
Status StagingFolder::TidyUp() const {
  if (!Exists(stage_.get(), kNew) && !Exists(stage_.get(), kOld) && !Exists(stage_.get(), kVoid)) return {};
  if (shared_) AOA_RETURN_IF_ERROR(Lock(LOCK_EX | LOCK_NB));
  AOA_RETURN_IF_ERROR(PutBackOld());
  AOA_RETURN_IF_ERROR(RemoveContents());
  return shared_ ? Lock(LOCK_SH | LOCK_NB) : Status();
}

Status StagingFolder::PutBackOld() const {
  if (!Exists(stage_.get(), kOld) || Exists(parent_.get(), name_)) return {};
  if (renameat(stage_.get(), kOld, parent_.get(), name_.c_str()) == 0) return {};
  return SystemFailure(fmt::format("putting {} back", Printable(target_)), errno);
}

Status StagingFolder::Rename(const char* from, const char* to) const {
  if (renameat(stage_.get(), from, stage_.get(), to) == 0) return {};
  return PathFailure("renaming", path() / from, errno);
}

// All but the lock: whoever waits for it must find it.
Status StagingFolder::RemoveContents() const {
  AOA_RETURN_IF_ERROR(RemoveAll(path() / kVoid));
  if (Exists(stage_.get(), kState)) AOA_RETURN_IF_ERROR(Rename(kState, kVoid));
  AOA_ASSIGN_OR_RETURN(auto names, ListFolder(path()));
  for (const std::string& name : names) {
    if (name != kLock) AOA_RETURN_IF_ERROR(RemoveAll(path() / name));
  }
  return {};
}

// A killed run whose rules or options have been changed since is not resumed by anybody, and may hold terabytes.
Status StagingFolder::RemoveLeftoversOfOtherKeys() const {
  AOA_ASSIGN_OR_RETURN(auto others, EnterOthers());
  for (StagingFolder& other : others) {
    AOA_RETURN_IF_ERROR(other.PutBackOld());
    AOA_RETURN_IF_ERROR(other.Remove());
  }
  return {};
}

Status StagingFolder::Recover(const std::string& target) {
  AOA_ASSIGN_OR_RETURN(Place place, PlaceOf(target));
  StagingFolder none;
  AOA_ASSIGN_OR_RETURN(none.parent_, OpenParent(target, place));
  none.target_ = target;
  none.parent_path_ = fs::absolute(place.parent);
  none.name_ = place.name;
  AOA_ASSIGN_OR_RETURN(auto others, none.EnterOthers());
  for (StagingFolder& other : others) {
    if (other.Resumable()) continue;
    AOA_RETURN_IF_ERROR(other.PutBackOld());
    AOA_RETURN_IF_ERROR(other.Remove());
  }
  return {};
}

// Publication takes `files` away first, and removal `state`.
bool StagingFolder::Resumable() const { return Exists(stage_.get(), kFiles) && !Exists(stage_.get(), kVoid); }

// The folders beside this one where runs to the same target were at work, and are no more.
Result<std::vector<StagingFolder>> StagingFolder::EnterOthers() const {
  std::vector<StagingFolder> others;
  const std::string prefix = StagePrefix(name_);
  AOA_ASSIGN_OR_RETURN(auto names, ListFolder(parent_path_));
  for (const std::string& name : names) {
    if (name == stage_name_ || !name.starts_with(prefix) || !IsKey(std::string_view(name).substr(prefix.size())))
      continue;
    StagingFolder other;
    other.target_ = target_;
    other.parent_path_ = parent_path_;
    other.name_ = name_;
    other.hidden_name_ = name;
    other.parent_ = Descriptor(fcntl(parent_.get(), F_DUPFD_CLOEXEC, 0));
    if (other.Enter().ok()) others.push_back(std::move(other));  // else at work, or not ours
  }
  return others;
}

Result<File> StagingFolder::OpenBelow(const char* folder, const std::string& path_below) const {
  const fs::path whole = path() / folder / path_below;
  Descriptor at = OpenFolderAt(stage_.get(), folder);
  for (const fs::path& part : fs::path(path_below).parent_path()) {
    AOA_CHECK(part != ".." && part != "/", path_below);
    if (!at.open() || !MakeFolderAt(at.get(), part, 0777)) return PathFailure("making a folder for", whole, errno);
    at = OpenFolderAt(at.get(), part);
  }
  if (!at.open()) return PathFailure("opening the folder of", whole, errno);
  Descriptor fd = OpenFileAt(at.get(), whole.filename(), 0666);
  if (!fd.open()) return PathFailure("opening", whole, errno);
  return File(std::move(fd), whole);
}

Result<File> StagingFolder::OpenState(const std::string& name) {
  states_.insert(name);
  return OpenBelow(kState, name);
}

Status StagingFolder::SyncNames() const {
  AOA_RETURN_IF_ERROR(SyncFolder(path(), SyncWhat::kNames));
  return SyncOpenFolder(parent_.get(), parent_path_);
}

Status StagingFolder::Publish(bool force, bool sync) {
  if (shared_) AOA_RETURN_IF_ERROR(Lock(LOCK_EX));
  if (shared_ && !Current()) {
    if (Exists(parent_.get(), name_)) return {};  // another part has published while this one waited
    return Status::System(fmt::format("another run has removed {}", Printable(path().native())));
  }
  if (sync) AOA_RETURN_IF_ERROR(SyncFolder(path() / kFiles, SyncWhat::kNamesAndContents));
  AOA_RETURN_IF_ERROR(ReturnName());
  AOA_RETURN_IF_ERROR(MoveIntoPlace(force, sync));
  if (sync) AOA_RETURN_IF_ERROR(SyncOpenFolder(parent_.get(), parent_path_));
  return Remove().WithContext(fmt::format("{} is complete, but what it was made in stays", Printable(target_)));
}

Status StagingFolder::Discard() {
  if (!shared_) return Remove();
  if (Lock(LOCK_EX | LOCK_NB).ok() && Current()) {
    AOA_ASSIGN_OR_RETURN(bool others, OthersHaveBegun());
    if (!others) return Remove();
  }
  lock_ = Descriptor();
  return {};
}

Result<bool> StagingFolder::OthersHaveBegun() const {
  AOA_ASSIGN_OR_RETURN(auto names, ListFolder(path() / kState));
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return !states_.contains(name); });
}

Status StagingFolder::MoveIntoPlace(bool force, bool sync) const {
  if (!force && Exists(parent_.get(), name_)) return Occupied(target_);
  AOA_RETURN_IF_ERROR(Rename(kFiles, kNew));
  AOA_RETURN_IF_ERROR(Rename(kState, kVoid));
  if (sync) AOA_RETURN_IF_ERROR(SyncOpenFolder(stage_.get(), path()));
  Status status = GiveName(force);
  if (status.ok()) return status;
  AOA_RETURN_IF_ERROR(Rename(kVoid, kState).WithContext(status.message()));
  AOA_RETURN_IF_ERROR(Rename(kNew, kFiles).WithContext(status.message()));
  return status;
}

// At no moment is nothing under the name, if something was.
Status StagingFolder::GiveName(bool force) const {
  auto rename = [&](unsigned flags) { return renameat2(stage_.get(), kNew, parent_.get(), name_.c_str(), flags); };
  if (rename(RENAME_NOREPLACE) == 0) return {};
  if (errno == EEXIST && !force) return Occupied(target_);
  if (errno == EEXIST && rename(RENAME_EXCHANGE) == 0) return {};
  if (IsUnsupported(errno)) return GiveNameInTwoSteps(force);
  return SystemFailure(fmt::format("publishing {}", Printable(target_)), errno);
}

// For file systems that know only the plain rename. That would replace an empty folder without a word, so it is asked
// first.
Status StagingFolder::GiveNameInTwoSteps(bool force) const {
  bool occupied = Exists(parent_.get(), name_);
  if (occupied && !force) return Occupied(target_);
  if (occupied && renameat(parent_.get(), name_.c_str(), stage_.get(), kOld) != 0) {
    return SystemFailure(fmt::format("replacing {}", Printable(target_)), errno);
  }
  if (renameat(stage_.get(), kNew, parent_.get(), name_.c_str()) == 0) return {};
  Status failure = SystemFailure(fmt::format("publishing {}", Printable(target_)), errno);
  Status put_back = PutBackOld();
  return put_back.ok() ? failure : std::move(put_back).WithContext(failure.message());
}

Status StagingFolder::Remove() {
  AOA_RETURN_IF_ERROR(RemoveContents());
  if (unlinkat(stage_.get(), kLock, 0) != 0) return PathFailure("removing", path() / kLock, errno);
  lock_ = Descriptor();
  // Another run may enter from here on, with a lock file of its own; the folder is its then.
  if (unlinkat(parent_.get(), stage_name_.c_str(), AT_REMOVEDIR) == 0 || errno == ENOTEMPTY) return {};
  return PathFailure("removing", path(), errno);
}

}  // namespace aoa::io
