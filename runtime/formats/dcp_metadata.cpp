#include "runtime/formats/dcp_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <unordered_set>

#include "compiler/core/text.h"
#include "runtime/formats/pickle_writer.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_dtype.h"
#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
using pickle::Value;
using Kind = Value::Kind;

constexpr int64_t kMostElements = int64_t{1} << 56;
constexpr size_t kMostAxes = 64;

// Whether an object is of a class of this name, whatever the module: the classes have moved.
bool IsOfClass(const Value* value, std::string_view name) {
  if (!value || value->kind != Kind::kObject || !value->callable || value->callable->kind != Kind::kGlobal)
    return false;
  const std::string& global = value->callable->text;
  size_t blank = global.find(' ');
  std::string_view module = std::string_view(global).substr(0, blank);
  return std::string_view(global).substr(blank + 1) == name &&
         (module.starts_with("torch.distributed.") || module.starts_with("megatron.core.dist_checkpointing."));
}

// An attribute of an object whose state is a dictionary.
const Value* Attribute(const Value* object, std::string_view name) {
  if (!object || object->kind != Kind::kObject || !object->state) return nullptr;
  const Value* found = object->state->Find(name);
  return found && found->kind != Kind::kNone ? found : nullptr;
}

std::optional<Shape> SizeOf(const Value* value) {
  if (value && value->IsMadeBy("torch Size") && value->arguments->items.size() == 1) value = value->arguments->items[0];
  if (!value || (value->kind != Kind::kTuple && value->kind != Kind::kList) || value->items.size() > kMostAxes)
    return std::nullopt;
  Shape out;
  for (const Value* item : value->items) {
    auto number = item->AsInt();
    if (!number || *number < 0 || *number > kMostElements) return std::nullopt;
    out.push_back(*number);
  }
  return out;
}

bool IsPlainName(std::string_view name) {
  constexpr std::string_view kSeparators("/\\\0", 3);
  return !name.empty() && name != "." && name != ".." && name.find_first_of(kSeparators) == std::string_view::npos;
}

class MetadataReader {
 public:
  explicit MetadataReader(const Value& root) : root_(root) {}

  Result<DcpMetadata> Read() {
    if (!IsOfClass(&root_, "Metadata") && !IsOfClass(&root_, "MCoreMetadata"))
      return Status::Invalid("it holds no metadata of a distributed checkpoint");
    AOA_RETURN_IF_ERROR(ReadPlaces());
    const Value* entries = Attribute(&root_, "state_dict_metadata");
    if (!entries || entries->kind != Kind::kDict) return Status::Invalid("`state_dict_metadata` is missing");
    for (size_t i = 0; i + 1 < entries->entries.size(); i += 2) {
      const Value& key = *entries->entries[i];
      if (key.kind != Kind::kText || key.outside) return Status::Invalid("a name that is no text");
      if (!names_.insert(key.text).second)
        return Status::Invalid(fmt::format("there are two entries {}", Quote(key.text)));
      Status status = ReadEntry(key.text, *entries->entries[i + 1]);
      if (!status.ok()) return std::move(status).WithContext(Quote(key.text));
    }
    return std::move(out_);
  }

 private:
  using Key = std::pair<std::string, std::optional<Shape>>;  // name and place; bytes have none

  Status ReadPlaces() {
    const Value* places = Attribute(&root_, "storage_data");
    if (!places || places->kind != Kind::kDict)
      return Status::Invalid("`storage_data` is missing: the save never finished");
    for (size_t i = 0; i + 1 < places->entries.size(); i += 2) {
      const Value *key = places->entries[i], *info = places->entries[i + 1];
      const Value* name = IsOfClass(key, "MetadataIndex") ? Attribute(key, "fqn") : nullptr;
      if (!name || name->kind != Kind::kText || !IsOfClass(info, "_StorageInfo"))
        return Status::Invalid("an entry of `storage_data` that says no place");
      auto item = ReadItem(*info);
      if (!item.ok()) return std::move(item).status().WithContext(Quote(name->text));
      std::optional<Shape> at;
      if (const Value* offset = Attribute(key, "offset")) {
        at = SizeOf(offset);
        if (!at) return Status::Invalid(fmt::format("{}: a chunk at a place that is none", Quote(name->text)));
      }
      places_[{name->text, at}] = *std::move(item);
    }
    return Status();
  }

  static Result<DcpItem> ReadItem(const Value& info) {
    const Value *file = Attribute(&info, "relative_path"), *offset = Attribute(&info, "offset"),
                *length = Attribute(&info, "length"), *transform = Attribute(&info, "transform_descriptors");
    if (!file || file->kind != Kind::kText || !IsPlainName(file->text))
      return Status::Invalid(fmt::format("its file is {}, and may only be a name of a file in this folder",
                                         Quote(file ? file->text : "")));
    if (transform && !transform->items.empty()) {
      const Value& first = *transform->items[0];
      return Status::Invalid(fmt::format("its bytes are transformed by {}, which is not undone here",
                                         Quote(first.kind == Kind::kText ? first.text : "another value")));
    }
    auto begin = offset ? offset->AsInt() : std::nullopt, bytes = length ? length->AsInt() : std::nullopt;
    if (!begin || !bytes || *begin < 0 || *bytes <= 0)
      return Status::Invalid(fmt::format("its place in {} is none", Quote(file->text)));
    return DcpItem{file->text, static_cast<uint64_t>(*begin), static_cast<uint64_t>(*bytes)};
  }

  Status ReadEntry(const std::string& name, const Value& entry) {
    if (IsOfClass(&entry, "BytesStorageMetadata")) {
      auto place = places_.find({name, std::nullopt});
      if (place == places_.end()) return Status::Invalid("it has no place in any file");
      out_.bytes[name] = place->second;
      return Status();
    }
    if (!IsOfClass(&entry, "TensorStorageMetadata")) return Status::Invalid("it is neither a tensor nor bytes");
    DcpTensor tensor;
    tensor.name = name;
    const Value *properties = Attribute(&entry, "properties"), *chunks = Attribute(&entry, "chunks");
    const Value* facts = properties ? properties->state : nullptr;
    const Value* dtype = facts && facts->kind == Kind::kTuple && !facts->items.empty() ? facts->items[0]
                         : facts                                                       ? facts->Find("dtype")
                                                                                       : nullptr;
    auto type = dtype && dtype->kind == Kind::kGlobal ? TorchDType(dtype->text) : std::nullopt;
    if (!type) return Status::Invalid("its type is not known here");
    tensor.dtype = *type;
    auto shape = SizeOf(Attribute(&entry, "size"));
    if (!shape) return Status::Invalid("its size is none");
    tensor.shape = *std::move(shape);
    if (!chunks || chunks->kind != Kind::kList) return Status::Invalid("it has no list of chunks");
    for (const Value* chunk : chunks->items) AOA_RETURN_IF_ERROR(ReadChunk(*chunk, tensor));
    AOA_RETURN_IF_ERROR(CheckTiling(name, tensor.shape, tensor.chunks));
    out_.tensors.push_back(std::move(tensor));
    return Status();
  }

  Status ReadChunk(const Value& value, DcpTensor& tensor) {
    auto at = SizeOf(Attribute(&value, "offsets")), shape = SizeOf(Attribute(&value, "sizes"));
    if (!IsOfClass(&value, "ChunkStorageMetadata") || !at || !shape) return Status::Invalid("a chunk that is none");
    auto place = places_.find({tensor.name, at});
    if (place == places_.end())
      return Status::Invalid(
          fmt::format("the chunk at {} has no place in any file: the checkpoint is incomplete", ToString(*at)));
    tensor.chunks.push_back({*std::move(at), *std::move(shape), place->second});
    return Status();
  }

  const Value& root_;
  std::map<Key, DcpItem> places_;
  std::unordered_set<std::string> names_;
  DcpMetadata out_;
};

bool Overlap(const DcpChunk& a, const DcpChunk& b) {
  for (size_t i = 0; i < a.at.size(); ++i) {
    if (a.at[i] + a.shape[i] <= b.at[i] || b.at[i] + b.shape[i] <= a.at[i]) return false;
  }
  return true;
}

// The axis on which chunks begin at the most places: few of them meet in a sweep along it.
size_t MostCutAxis(size_t axes, const std::vector<DcpChunk>& chunks) {
  size_t best = 0, most = 0;
  for (size_t axis = 0; axis < axes; ++axis) {
    std::unordered_set<int64_t> places;
    for (const DcpChunk& chunk : chunks) places.insert(chunk.at[axis]);
    if (places.size() > most) best = axis;
    most = std::max(most, places.size());
  }
  return best;
}

// ---------------------------------------------------------------- writing

constexpr const char* kClasses = "torch.distributed.checkpoint.metadata ";

class MetadataWriter {
 public:
  const Value* Make(const DcpMetadata& metadata) {
    Value *entries = tree.Dict(), *paths = tree.Dict(), *places = tree.Dict();
    for (const auto& [name, item] : metadata.bytes) {
      tree.Set(entries, name, New(std::string(kClasses) + "BytesStorageMetadata"));
      AddPlace(places, name, nullptr, 0, item);
      tree.Set(paths, name, tree.Tuple({tree.Text(name)}));
    }
    for (const DcpTensor& tensor : metadata.tensors) {
      tree.Set(entries, tensor.name, Tensor(tensor));
      for (size_t i = 0; i < tensor.chunks.size(); ++i)
        AddPlace(places, tensor.name, &tensor.chunks[i].at, static_cast<int64_t>(i), tensor.chunks[i].item);
      tree.Set(paths, tensor.name, tree.Tuple({tree.Text(tensor.name)}));
    }
    Value* root = New(std::string(kClasses) + "Metadata");
    Value* state = tree.Dict();
    tree.Set(state, "state_dict_metadata", entries);
    tree.Set(state, "planner_data", metadata.paths ? paths : tree.None());
    tree.Set(state, "storage_data", places);
    tree.Set(state, "storage_meta", tree.None());
    tree.Set(state, "version", tree.Text("1.0.0"));
    root->state = state;
    return root;
  }

  pickle::Tree tree;

 private:
  Value* New(const std::string& global) {
    Value* out = tree.Call(global, {});
    out->made = Value::Made::kNew;
    return out;
  }

  const Value* Size(const Shape& shape) {
    std::vector<const Value*> items;
    for (int64_t extent : shape) items.push_back(tree.Int(extent));
    return tree.Call("torch Size", {tree.Tuple(std::move(items))});
  }

  const Value* Tensor(const DcpTensor& tensor) {
    Value* properties = New(std::string(kClasses) + "TensorProperties");
    const Value* layout = tree.Call("torch.serialization _get_layout", {tree.Text("torch.strided")});
    const Value* memory = tree.Call(std::string(kClasses) + "_MEM_FORMAT_ENCODING", {tree.Int(0)});
    properties->state =
        tree.Tuple({tree.Global(TorchDTypeName(tensor.dtype)), layout, tree.Bool(false), memory, tree.Bool(false)});
    std::vector<const Value*> chunks;
    for (const DcpChunk& chunk : tensor.chunks) {
      Value *out = New(std::string(kClasses) + "ChunkStorageMetadata"), *state = tree.Dict();
      tree.Set(state, "offsets", Size(chunk.at));
      tree.Set(state, "sizes", Size(chunk.shape));
      out->state = state;
      chunks.push_back(out);
    }
    Value *out = New(std::string(kClasses) + "TensorStorageMetadata"), *state = tree.Dict();
    tree.Set(state, "properties", properties);
    tree.Set(state, "size", Size(tensor.shape));
    tree.Set(state, "chunks", tree.List(std::move(chunks)));
    out->state = state;
    return out;
  }

  void AddPlace(Value* places, const std::string& name, const Shape* at, int64_t index, const DcpItem& item) {
    Value *key = New(std::string(kClasses) + "MetadataIndex"), *state = tree.Dict();
    tree.Set(state, "fqn", tree.Text(name));
    tree.Set(state, "offset", at ? Size(*at) : tree.None());
    tree.Set(state, "index", at ? tree.Int(index) : tree.None());
    key->state = state;
    Value *info = New("torch.distributed.checkpoint.filesystem _StorageInfo"), *place = tree.Dict();
    tree.Set(place, "relative_path", tree.Text(item.file));
    tree.Set(place, "offset", tree.Int(static_cast<int64_t>(item.offset)));
    tree.Set(place, "length", tree.Int(static_cast<int64_t>(item.length)));
    info->state = place;
    places->entries.push_back(key);
    places->entries.push_back(info);
  }
};

}  // namespace

Status CheckTiling(const std::string& name, const Shape& shape, const std::vector<DcpChunk>& chunks) {
  __int128 total = 1, held = 0;
  for (int64_t extent : shape) {
    total *= std::max<int64_t>(extent, 1);  // an empty tensor's other extents are multiplied as well
    if (total > kMostElements) return Status::Invalid(fmt::format("{} elements are too many", "2^56 or more"));
  }
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) total = 0;
  for (const DcpChunk& chunk : chunks) {
    bool inside = chunk.at.size() == shape.size() && chunk.shape.size() == shape.size();
    __int128 count = 1;
    for (size_t i = 0; inside && i < shape.size(); ++i) {
      inside = chunk.at[i] + chunk.shape[i] <= shape[i];
      count *= chunk.shape[i];
    }
    if (!inside)
      return Status::Invalid(fmt::format("the chunk {} at {} lies outside of {}", ToString(chunk.shape),
                                         ToString(chunk.at), ToString(shape)));
    held += count;
  }
  std::vector<const DcpChunk*> order;
  for (const DcpChunk& chunk : chunks) order.push_back(&chunk);
  const size_t axis = MostCutAxis(shape.size(), chunks);
  std::sort(order.begin(), order.end(),
            [&](const DcpChunk* a, const DcpChunk* b) { return shape.empty() ? false : a->at[axis] < b->at[axis]; });
  for (size_t i = 0; i < order.size(); ++i) {
    for (size_t k = i + 1; k < order.size(); ++k) {
      if (!shape.empty() && order[k]->at[axis] >= order[i]->at[axis] + order[i]->shape[axis]) break;
      if (Overlap(*order[i], *order[k]))
        return Status::Invalid(fmt::format("the chunks at {} and {} of {} overlap", ToString(order[i]->at),
                                           ToString(order[k]->at), Quote(name)));
    }
  }
  if (held != total)
    return Status::Invalid(fmt::format("its chunks hold {} of its {} elements: the checkpoint is incomplete",
                                       static_cast<int64_t>(held), static_cast<int64_t>(total)));
  return Status();
}

Result<DcpMetadata> ReadDcpMetadata(const std::string& folder) {
  const std::string path = (fs::path(folder) / kDcpMetadata).native();
  AOA_ASSIGN_OR_RETURN(io::File file, io::File::OpenForReading(path));
  AOA_ASSIGN_OR_RETURN(uint64_t size, file.Size());
  pickle::Tree tree;
  auto parsed = pickle::Read({&file, 0, size}, tree);
  if (!parsed.ok()) return std::move(parsed).status().WithContext(Printable(path));
  auto metadata = MetadataReader(*parsed->value).Read();
  if (!metadata.ok()) return std::move(metadata).status().WithContext(Printable(path));
  return metadata;
}

Result<std::string> DcpMetadataText(const DcpMetadata& metadata) {
  MetadataWriter writer;
  const Value* root = writer.Make(metadata);
  AOA_ASSIGN_OR_RETURN(pickle::Written written, pickle::Write(*root, pickle::Protocol::kFour));
  return std::move(written.bytes);
}

}  // namespace aoa::formats
