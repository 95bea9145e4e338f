#include "runtime/formats/torch_surroundings.h"

#include <fmt/format.h>

#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

using pickle::Value;
using Kind = Value::Kind;

constexpr int kDeepest = 900;  // as for the writer of pickles

// Copies the object from container to container, in the order in which EachLeaf names its tensors: a container has the
// path on which it is met first.
class Copier {
 public:
  Copier(const TorchFile& file, const TensorValues& tensors, pickle::Tree& tree)
      : file_(file), tensors_(tensors), tree_(tree) {}

  // Null for what is left out.
  Result<const Value*> Copy(const Value& value, const std::string& path, int depth) {
    if (depth > kDeepest) return Status::Invalid("values are nested too deep");
    if (auto it = copies_.find(&value); it != copies_.end()) return it->second;
    AOA_ASSIGN_OR_RETURN(auto tensor, file_.TensorOf(value, path));
    if (tensor) {
      auto it = HasPlace(path, depth) ? tensors_.find(path) : tensors_.end();
      return it == tensors_.end() ? nullptr : it->second;
    }
    if (value.outside && value.kind != Kind::kInt) return Load(value);
    switch (value.kind) {
      case Kind::kTuple:
      case Kind::kList:
      case Kind::kDict:
      case Kind::kSet:
      case Kind::kFrozenSet:
      case Kind::kObject:
        return CopyContainer(value, path, depth);
      case Kind::kPersistent:
        return nullptr;
      default:
        return &value;
    }
  }

 private:
  // Long bytes, which the reader has left in the file.
  Result<const Value*> Load(const Value& value) {
    if (!opened_) {
      AOA_ASSIGN_OR_RETURN(io::File file, io::File::OpenForReading(file_.path()));
      opened_ = std::move(file);
    }
    Value* out = tree_.New(value.kind);
    out->text.resize(static_cast<size_t>(value.integer));
    AOA_RETURN_IF_ERROR(opened_->ReadAt(value.offset, std::as_writable_bytes(std::span(out->text))));
    return out;
  }

  // Whether a value is one that EachLeaf names. Others (keys, arguments of calls) have the empty path.
  static bool HasPlace(const std::string& path, int depth) { return depth == 0 || !path.empty(); }

  static std::string Below(const std::string& path, const std::string& part) {
    return path.empty() ? part : path + "." + part;
  }

  Result<const Value*> CopyContainer(const Value& value, const std::string& path, int depth) {
    Value* out = tree_.New(value.kind);
    copies_[&value] = out;
    const bool named = HasPlace(path, depth);
    out->made = value.made;
    out->callable = value.callable;
    out->offset = value.offset;
    bool whole = true;
    for (auto part : {&Value::arguments, &Value::keywords}) {
      if (value.*part) AOA_RETURN_IF_ERROR(CopyPart(*(value.*part), "", depth, out->*part, whole));
    }
    for (size_t i = 0; i + 1 < value.entries.size(); i += 2) {
      AOA_ASSIGN_OR_RETURN(const Value* key, Copy(*value.entries[i], "", depth + 1));
      const std::string part = named ? PathPart(*value.entries[i]) : "";
      AOA_ASSIGN_OR_RETURN(const Value* item,
                           Copy(*value.entries[i + 1], part.empty() ? "" : Below(path, part), depth + 1));
      if (key && item) out->entries.insert(out->entries.end(), {key, item});
    }
    for (size_t i = 0; i < value.items.size(); ++i) {
      AOA_ASSIGN_OR_RETURN(const Value* item,
                           Copy(*value.items[i], named ? Below(path, std::to_string(i)) : "", depth + 1));
      whole &= item || named;
      out->items.push_back(item ? item : tree_.None());  // the places of the others stay theirs
    }
    const std::string inside = HoldsAttributes(value) ? path : "";
    if (value.state) AOA_RETURN_IF_ERROR(CopyPart(*value.state, inside, depth, out->state, whole));
    if (!whole) copies_[&value] = nullptr;
    return copies_[&value];
  }

  Status CopyPart(const Value& value, const std::string& path, int depth, const Value*& out, bool& whole) {
    AOA_ASSIGN_OR_RETURN(out, Copy(value, path, depth + 1));
    whole &= out != nullptr;
    return Status();
  }

  const TorchFile& file_;
  const TensorValues& tensors_;
  pickle::Tree& tree_;
  std::optional<io::File> opened_;
  std::unordered_map<const Value*, const Value*> copies_;
};

}  // namespace

Result<const Value*> Surround(const TorchFile& file, const TensorValues& tensors, pickle::Tree& tree) {
  size_t found = 0;
  AOA_RETURN_IF_ERROR(EachLeaf(file.root(), [&](const std::string& path, const Value& value) -> Status {
    AOA_ASSIGN_OR_RETURN(auto tensor, file.TensorOf(value, path));
    found += tensor && tensors.contains(path);
    return Status();
  }));
  if (found != tensors.size()) return nullptr;
  return Copier(file, tensors, tree).Copy(file.root(), "", 0);
}

Result<const Value*> WithoutTensors(const TorchFile& file, const Value& value, pickle::Tree& tree) {
  const TensorValues none;
  return Copier(file, none, tree).Copy(value, "", 0);
}

}  // namespace aoa::formats
