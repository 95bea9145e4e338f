#include "runtime/exec/file_pool.h"

#include <utility>

namespace aoa::exec {

FilePool::Use::~Use() {
  if (!pool_) return;
  std::lock_guard lock(pool_->mutex_);
  --pool_->entries_[file_].users;
}

Result<FilePool::Use> FilePool::Get(uint32_t file) {
  std::lock_guard lock(mutex_);
  if (!failure_.ok()) return failure_;
  Entry& entry = entries_[file];
  entry.used = ++clock_;
  if (!entry.file) {
    if (count_ >= most_open_) MakeRoom();
    AOA_ASSIGN_OR_RETURN(io::File opened, open_(file));
    entry.file.emplace(std::move(opened));
    ++count_;
  }
  ++entry.users;
  return Use(*this, file);
}

void FilePool::MakeRoom() {
  Entry* oldest = nullptr;
  for (Entry& entry : entries_) {
    if (entry.file && entry.users == 0 && (!oldest || entry.used < oldest->used)) oldest = &entry;
  }
  if (oldest) Close(*oldest);
}

void FilePool::Close(Entry& entry) {
  Status status = entry.file->Close();
  if (failure_.ok()) failure_ = std::move(status);
  entry.file.reset();
  --count_;
}

Status FilePool::CloseAll() {
  std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.file) Close(entry);
  }
  return failure_;
}

}  // namespace aoa::exec
