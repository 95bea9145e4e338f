// The stack of the pickle machine with the marks on it, and the memo, where values are put by number.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "compiler/core/status.h"
#include "runtime/formats/pickle.h"

namespace aoa::formats::pickle {

class Stack {
 public:
  size_t size() const { return values_.size(); }
  size_t marks() const { return marks_.size(); }
  bool AtMark() const { return !marks_.empty() && marks_.back() == values_.size(); }

  void Push(Value* value) { values_.push_back(value); }
  void Mark() { marks_.push_back(values_.size()); }
  void DropMark() { marks_.pop_back(); }

  // Fails unless so many values lie above the last mark.
  Status Need(size_t count) const {
    const size_t depth = values_.size() - (marks_.empty() ? 0 : marks_.back());
    if (depth >= count) return Status();
    return Status::Invalid(fmt::format("the stack holds {} of {} values", depth, count));
  }

  // To be called behind Need.
  Value& Top() const { return *values_.back(); }
  Value* Take() {
    Value* top = values_.back();
    values_.pop_back();
    return top;
  }
  void Take(size_t count, std::vector<const Value*>& out) {
    out.assign(values_.end() - static_cast<ptrdiff_t>(count), values_.end());
    values_.resize(values_.size() - count);
  }

  // All values above the last mark, and the mark.
  Status TakeMark(std::vector<const Value*>& out) {
    if (marks_.empty()) return Status::Invalid("there is no mark on the stack");
    Take(values_.size() - marks_.back(), out);
    marks_.pop_back();
    return Status();
  }

 private:
  std::vector<Value*> values_;
  std::vector<size_t> marks_;  // sizes of the stack
};

// A map, not an array: a pickle may put its only value into place 2^32 - 1.
class Memo {
 public:
  void Put(uint32_t place, Value* value) { values_[place] = value; }
  uint32_t next() const { return static_cast<uint32_t>(values_.size()); }

  Result<Value*> Get(uint32_t place) const {
    auto it = values_.find(place);
    if (it == values_.end()) return Status::Invalid(fmt::format("nothing was put into place {} of the memo", place));
    return it->second;
  }

 private:
  std::unordered_map<uint32_t, Value*> values_;
};

}  // namespace aoa::formats::pickle
