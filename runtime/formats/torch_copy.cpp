#include "runtime/formats/torch_copy.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace aoa::formats {

using pickle::Value;
using Kind = Value::Kind;

namespace {

constexpr int kDeepest = 900;  // as for the writer of pickles

}  // namespace

Result<std::string> TorchCopier::ReadBytes(uint64_t offset, uint64_t bytes) {
  if (!opened_) {
    AOA_ASSIGN_OR_RETURN(io::File file, io::File::OpenForReading(file_.path()));
    opened_ = std::move(file);
  }
  std::string text(static_cast<size_t>(bytes), '\0');
  AOA_RETURN_IF_ERROR(opened_->ReadAt(offset, std::as_writable_bytes(std::span(text))));
  left_ -= bytes;
  return text;
}

Result<const Value*> TorchCopier::CopyTensor(const TorchTensor& tensor) {
  if (!tensor.row_major || tensor.bytes > left_) return nullptr;
  AOA_ASSIGN_OR_RETURN(std::string bytes, ReadBytes(tensor.offset, tensor.bytes));
  return storages_.Tensor(storages_.AddContent(tensor.dtype, std::move(bytes)), tensor.shape);
}

Result<const Value*> TorchCopier::Copy(const Value& value, int depth) {
  if (depth > kDeepest) return Status::Invalid("values are nested too deep");
  if (auto it = copies_.find(&value); it != copies_.end()) return it->second;
  AOA_ASSIGN_OR_RETURN(auto tensor, file_.TensorOf(value, "a value beside the model"));
  if (tensor) {
    AOA_ASSIGN_OR_RETURN(const Value* made, CopyTensor(*tensor));
    return copies_[&value] = made;
  }
  if (value.outside && value.kind != Kind::kInt) {
    if (static_cast<uint64_t>(value.integer) > left_) return nullptr;
    Value* out = tree_.New(value.kind);
    AOA_ASSIGN_OR_RETURN(out->text, ReadBytes(value.offset, static_cast<uint64_t>(value.integer)));
    return copies_[&value] = out;
  }
  switch (value.kind) {
    case Kind::kTuple:
    case Kind::kList:
    case Kind::kDict:
    case Kind::kSet:
    case Kind::kFrozenSet:
    case Kind::kObject:
      return CopyContainer(value, depth);
    case Kind::kPersistent:
      return nullptr;
    default:
      return &value;
  }
}

Result<const Value*> TorchCopier::CopyContainer(const Value& value, int depth) {
  Value* out = tree_.New(value.kind);
  copies_[&value] = out;
  out->made = value.made;
  bool whole = true;
  auto copy = [&](const Value* from) -> Result<const Value*> {
    if (!from) return nullptr;
    AOA_ASSIGN_OR_RETURN(const Value* made, Copy(*from, depth + 1));
    whole &= made != nullptr;
    return made;
  };
  for (auto part : {&Value::callable, &Value::arguments, &Value::keywords, &Value::state}) {
    AOA_ASSIGN_OR_RETURN(out->*part, copy(value.*part));
  }
  for (auto list : {&Value::items, &Value::entries}) {
    for (const Value* item : value.*list) {
      AOA_ASSIGN_OR_RETURN(const Value* made, copy(item));
      (out->*list).push_back(made);
    }
  }
  if (!whole) copies_[&value] = nullptr;
  return copies_[&value];
}

}  // namespace aoa::formats
