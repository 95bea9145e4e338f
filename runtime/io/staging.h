// Where a target is built, and how it appears.
//
// Nobody may ever see half of a target under its name. So a target PARENT/NAME is built out of sight beside its place,
// on the same file system, and appears by one rename:
//
//   PARENT/.NAME.aoac-KEY/        found again by --resume and --part, since its name follows from the target and KEY
//   PARENT/.NAME.aoac-KEY/lock    held with flock as long as a run works here
//   PARENT/.NAME.aoac-KEY/files/  what becomes PARENT/NAME
//   PARENT/.NAME.aoac-KEY/state/  journals; never published
//   PARENT/.NAME.aoac-KEY/new     `files` in the instant of its publication
//   PARENT/.NAME.aoac-KEY/old     what --force replaces, where the file system cannot exchange two names
//   PARENT/.NAME.aoac-KEY/void    `state` when it counts no more
//
// Several parts of one run, each a process of its own, build in the open: the first of them gives the folder itself the
// target's name, if nothing has it, so that the others and the user find what there is. It holds no checkpoint then,
// but the same `files`, `state` and `lock`, and a file `.aoac-KEY` that tells it from any other. The last part takes
// the name away again before it publishes like any run.
//
// The caller makes KEY of all that determines the result: what a run with the same key has left is taken for one's own.
//
// A process that dies at any instruction leaves the target absent, or the old one, or the new one, each whole. Who
// finds `new`, `old` or `void` knows that a run died while it published or removed, and cannot know how far it came
// (`new` may be what it had made, or what it replaced): if nothing is under the target's name `old` is put back there,
// and all else is removed. The journals go first of all, in one step, so that nobody takes for done what is gone.
// Nothing here follows a symlink below PARENT, and a target that is a symlink is replaced itself, not what it points
// to.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "compiler/core/status.h"
#include "runtime/io/descriptor.h"
#include "runtime/io/file.h"

namespace aoa::io {

class StagingFolder {
 public:
  enum class Mode {
    kFresh,   // alone; removes what killed runs have left, of this key and of others
    kResume,  // alone; keeps what a killed run with the same key has left
    kPart,    // together with other parts of the same run; keeps what they have done
  };

  // `target` may end in slashes; its parent must be there. `key` is made of letters, digits, - and _. Another run that
  // works on this target with the same key is kUsage.
  static Result<StagingFolder> Create(const std::string& target, const std::string& key, Mode mode);

  // Puts right what runs that died while they published or removed have left beside a target: an old target is put
  // back, and folders that nobody can resume go. To be called before the target is looked at.
  static Status Recover(const std::string& target);

  // kUsage if something other than the folder of this run's parts is at the target and `force` is not set.
  Status CheckTarget(bool force) const;

  // kUsage if something is at `target` and `force` is not set. To be asked after Create, which may put back an old
  // target, and before hours of work; Publish asks again.
  static Status CheckTarget(const std::string& target, bool force);

  // Opens the file `path`, relative to the target, for reading and writing; makes it and its folders if they are not
  // there and keeps its content if it is.
  Result<File> OpenFile(const std::string& path) const { return OpenBelow("files", path); }
  // The same for a file that belongs to the run, not to the target.
  Result<File> OpenState(const std::string& name);

  // Puts the names of all files so far on the device. A run that is to be resumed after a power loss calls this between
  // making its files and its first record in a journal.
  Status SyncNames() const;

  // Makes the target appear, and removes the folder. With `sync` everything is on the device before the target appears,
  // and its name when this returns. Where something is under the name already, it is exchanged with `force`, else
  // kUsage. Of several parts that see the whole done, one publishes; for the others this succeeds without effect.
  Status Publish(bool force, bool sync);

  // Gives up: removes the folder and what is in it; a part leaves it to the other parts, if any has begun. Without
  // Publish and Discard it stays, for a run that resumes. After either of them this is no more than an empty shell.
  Status Discard();

 private:
  StagingFolder() = default;

  std::filesystem::path path() const { return parent_path_ / stage_name_; }
  Status Enter();
  Status TakeName();
  Status ReturnName();
  Result<bool> OthersHaveBegun() const;
  Status Lock(int operation) const;
  bool Current() const;
  Status TidyUp() const;
  Status PutBackOld() const;
  Status RemoveContents() const;
  Status RemoveLeftoversOfOtherKeys() const;
  bool Resumable() const;
  Result<std::vector<StagingFolder>> EnterOthers() const;
  Result<File> OpenBelow(const char* folder, const std::string& path) const;
  Status Rename(const char* from, const char* to) const;
  Status MoveIntoPlace(bool force, bool sync) const;
  Status GiveName(bool force) const;
  Status GiveNameInTwoSteps(bool force) const;
  Status Remove();

  std::string target_;                 // as given, for messages
  std::filesystem::path parent_path_;  // absolute
  std::string name_;                   // of the target in its parent
  std::string hidden_name_;            // of the folder in its parent, out of sight
  std::string stage_name_;             // where it is: hidden_name_, or name_ for parts in the open
  std::string mark_;                   // the file that tells a folder of parts: ".aoac-KEY"
  std::set<std::string> states_;       // what OpenState has opened
  bool shared_ = false;
  Descriptor parent_, stage_, lock_;
};

}  // namespace aoa::io
