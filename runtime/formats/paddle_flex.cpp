#include "runtime/formats/paddle_flex.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "compiler/core/text.h"
#include "runtime/formats/composite.h"
#include "runtime/formats/dcp_metadata.h"
#include "runtime/formats/paddle_file.h"
#include "runtime/formats/parallel.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_reader.h"
#include "runtime/io/folder.h"

namespace aoa::formats {
namespace {

namespace fs = std::filesystem;
using pickle::Value;
using Kind = Value::Kind;

constexpr std::string_view kMetadata = ".metadata", kSafetensors = ".safetensors";

using Range = std::pair<int64_t, int64_t>;
// Name, place, and the window of a box that is cut.
using Key = std::tuple<std::string, Shape, std::optional<Range>>;

struct Piece {
  std::string file;
  std::optional<Range> range;
};

struct Box {
  Shape shape;
  std::vector<Piece> pieces;
};

struct Tensor {
  std::string dtype;
  std::optional<DType> stored;  // of all boxes, as the files have them
  Shape whole;
  std::map<Shape, Box> boxes;  // by place
};

struct Folder {
  std::string path;
  std::map<std::string, Tensor> tensors;
  std::map<std::string, PaddleFile> files;  // by name
};

// The metadata of the last save.
std::optional<std::string> LastMetadata(const std::string& folder) {
  std::optional<std::pair<uint64_t, std::string>> last;
  auto names = io::ListFolder(folder);
  if (!names.ok()) return std::nullopt;
  for (const std::string& name : *names) {
    if (!name.ends_with(kMetadata)) continue;
    uint64_t uid = 0;
    const char* end = name.data() + name.size() - kMetadata.size();
    auto [stop, error] = std::from_chars(name.data(), end, uid);
    if (error == std::errc() && stop == end && (!last || uid > last->first)) last = {uid, name};
  }
  if (!last) return std::nullopt;
  return (fs::path(folder) / last->second).native();
}

const Value* Attribute(const Value& object, std::string_view name) {
  if (!object.Is(Kind::kObject) || !object.state) return nullptr;
  const Value* found = object.state->Find(name);
  return found && !found->Is(Kind::kNone) ? found : nullptr;
}

bool IsOfClass(const Value& value, std::string_view name) {
  if (!value.Is(Kind::kObject) || !value.callable || !value.callable->Is(Kind::kGlobal)) return false;
  const std::string& global = value.callable->text;
  return global.starts_with("paddle.distributed.") && global.substr(global.find(' ') + 1) == name;
}

std::optional<Shape> NumbersOf(const Value* value) {
  if (!value || (!value->Is(Kind::kTuple) && !value->Is(Kind::kList))) return std::nullopt;
  Shape out;
  for (const Value* item : value->items) {
    auto number = PaddleInt(*item);
    if (!number || *number < 0 || *number > (int64_t{1} << 56)) return std::nullopt;
    out.push_back(*number);
  }
  return out;
}

// The window of a box; the inner optional is empty where it is whole.
Result<std::optional<Range>> RangeOf(const Value& value) {
  const Value *flat = Attribute(value, "is_flattened"), *range = Attribute(value, "flattened_range");
  if (!flat || flat->AsInt().value_or(0) == 0) return std::optional<Range>();
  auto bounds = NumbersOf(range);
  if (!bounds || bounds->size() != 2 || (*bounds)[0] > (*bounds)[1]) return Status::Invalid("its window has no bounds");
  return std::optional<Range>({(*bounds)[0], (*bounds)[1]});
}

bool IsPlainName(std::string_view name) {
  constexpr std::string_view kSeparators("/\\\0", 3);
  return !name.empty() && name != "." && name != ".." && name.find_first_of(kSeparators) == std::string_view::npos;
}

Result<std::map<Key, std::string>> ReadPlaces(const Value& root) {
  const Value* places = Attribute(root, "storage_metadata");
  if (!places || !places->Is(Kind::kDict)) return Status::Invalid("`storage_metadata` is missing");
  std::map<Key, std::string> out;
  for (size_t i = 0; i + 1 < places->entries.size(); i += 2) {
    const Value &index = *places->entries[i], &file = *places->entries[i + 1];
    const Value* name = IsOfClass(index, "LocalTensorIndex") ? Attribute(index, "tensor_key") : nullptr;
    auto at = NumbersOf(Attribute(index, "global_offset"));
    if (!name || !name->Is(Kind::kText) || !at || !file.Is(Kind::kText))
      return Status::Invalid("an entry of `storage_metadata` that says no place");
    if (!IsPlainName(file.text))
      return Status::Invalid(fmt::format("{}: its file is {}, and may only be a name of a file in this folder",
                                         Quote(name->text), Quote(file.text)));
    auto range = RangeOf(index);
    if (!range.ok()) return std::move(range).status().WithContext(Quote(name->text));
    out.try_emplace({name->text, *std::move(at), *range}, file.text);
  }
  return out;
}

Status AddBox(const std::string& name, const Value& value, const std::map<Key, std::string>& places, Tensor& tensor) {
  const Value* dtype = Attribute(value, "dtype");
  auto at = NumbersOf(Attribute(value, "global_offset")), shape = NumbersOf(Attribute(value, "local_shape"));
  if (!IsOfClass(value, "LocalTensorMetadata") || !at || !shape || at->size() != shape->size())
    return Status::Invalid("a box that is none");
  if (dtype && dtype->Is(Kind::kText)) tensor.dtype = dtype->text;
  AOA_ASSIGN_OR_RETURN(std::optional<Range> range, RangeOf(value));
  auto place = places.find({name, *at, range});
  if (place == places.end())
    return Status::Invalid(
        fmt::format("the box at {} has no place in any file: the checkpoint is incomplete", ToString(*at)));
  if (auto whole = NumbersOf(Attribute(value, "global_shape"))) tensor.whole = *std::move(whole);
  Box& box = tensor.boxes[*at];
  if (box.pieces.empty()) box.shape = *shape;
  if (box.shape != *shape)
    return Status::Invalid(
        fmt::format("the box at {} is {} and {}", ToString(*at), ToString(box.shape), ToString(*shape)));
  if (!range && !box.pieces.empty()) return Status();  // a replica
  box.pieces.push_back({place->second, range});
  return Status();
}

// Releases before 3.0 do not say how large a tensor is: its boxes do.
void MeasureWhole(Tensor& tensor) {
  if (!tensor.whole.empty() || tensor.boxes.empty()) return;
  tensor.whole.assign(tensor.boxes.begin()->first.size(), 0);
  for (const auto& [at, box] : tensor.boxes) {
    for (size_t i = 0; i < std::min(at.size(), tensor.whole.size()); ++i)
      tensor.whole[i] = std::max(tensor.whole[i], at[i] + box.shape[i]);
  }
}

Status ReadMetadata(const std::string& path, Folder& folder) {
  pickle::Tree tree;
  AOA_ASSIGN_OR_RETURN(const Value* root, ReadPaddlePickle(path, tree));
  const Value* entries = IsOfClass(*root, "Metadata") ? Attribute(*root, "state_dict_metadata") : nullptr;
  if (!entries || !entries->Is(Kind::kDict)) return Status::Invalid("it holds no metadata of a flex checkpoint");
  AOA_ASSIGN_OR_RETURN(auto places, ReadPlaces(*root));
  for (size_t i = 0; i + 1 < entries->entries.size(); i += 2) {
    const Value& name = *entries->entries[i];
    if (!name.Is(Kind::kText) || !IsUtf8(name.text)) return Status::Invalid("a name that is no text");
    Tensor& tensor = folder.tensors[name.text];
    for (const Value* box : entries->entries[i + 1]->items)
      AOA_RETURN_IF_ERROR(AddBox(name.text, *box, places, tensor).WithContext(Quote(name.text)));
    MeasureWhole(tensor);
    std::vector<DcpChunk> chunks;
    for (const auto& [at, box] : tensor.boxes) chunks.push_back({at, box.shape, {}});
    AOA_RETURN_IF_ERROR(CheckTiling(name.text, tensor.whole, chunks).WithContext(Quote(name.text)));
  }
  return Status();
}

// What a file of safetensors holds, as if it were Paddle's own.
Result<PaddleFile> ReadSafetensors(const std::string& path) {
  Schema schema;
  AOA_RETURN_IF_ERROR(ReadHeaders({path}, 1, schema).status());
  const SchemaFile& file = schema.files[0];
  PaddleFile out;
  out.path = path;
  out.size = file.size;
  for (const StoredTensor& stored : schema.tables[file.table]) {
    PaddleArray& array = out.arrays[schema.names[stored.name]];
    array.dtype = stored.dtype == DType::kU16 ? DType::kBF16 : stored.dtype;
    array.shape = schema.shapes[stored.shape];
    array.pieces.push_back({file.data_start + stored.begin, stored.bytes, nullptr});
  }
  return out;
}

Status ReadFiles(int threads, Folder& folder) {
  for (const auto& [name, tensor] : folder.tensors) {
    for (const auto& [at, box] : tensor.boxes) {
      for (const Piece& piece : box.pieces) folder.files.try_emplace(piece.file);
    }
  }
  std::vector<std::pair<const std::string, PaddleFile>*> order;
  for (auto& entry : folder.files) order.push_back(&entry);
  std::vector<std::optional<Status>> read(order.size());
  ParallelFor(order.size(), threads, [&](size_t i) {
    const std::string path = (fs::path(folder.path) / order[i]->first).native();
    auto file = path.ends_with(kSafetensors) ? ReadSafetensors(path) : ReadPaddleFile(path);
    read[i] = file.ok() ? Status() : std::move(file).status();
    if (file.ok()) order[i]->second = *std::move(file);
  });
  for (auto& status : read) AOA_RETURN_IF_ERROR(std::move(*status));
  return Status();
}

// Where the elements of a box lie, row-major. Windows must follow one another from the first element to the last.
Result<std::vector<StoredPart>> PartsOf(const std::string& name, Box& box, Folder& folder, CompositeSchema& out,
                                        std::optional<DType>& dtype) {
  std::stable_sort(box.pieces.begin(), box.pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.range < b.range; });
  std::vector<StoredPart> parts;
  int64_t next = 0;
  for (const Piece& piece : box.pieces) {
    const PaddleFile& file = folder.files.at(piece.file);
    auto array = file.arrays.find(name);
    if (array == file.arrays.end()) return Status::Invalid(fmt::format("{} does not hold it", Printable(file.path)));
    if (piece.range && piece.range->first == piece.range->second) continue;
    if (piece.range && piece.range->first != next)
      return Status::Invalid(fmt::format("{}: its window begins at element {}, where {} is expected",
                                         Printable(file.path), piece.range->first, next));
    const Shape shape = piece.range ? Shape{piece.range->second - piece.range->first} : box.shape;
    if (array->second.shape != shape)
      return Status::Invalid(fmt::format("{}: it is {}, the metadata say {}", Printable(file.path),
                                         ToString(array->second.shape), ToString(shape)));
    next += ElementCount(shape);
    if (dtype.value_or(array->second.dtype) != array->second.dtype)
      return Status::Invalid(fmt::format("{}: it is {} here, and {} in another box", Printable(file.path),
                                         Name(array->second.dtype), Name(*dtype)));
    dtype = array->second.dtype;
    for (const PaddleArray::Piece& bytes : array->second.pieces) {
      const uint32_t store = bytes.content ? out.StoreOf(file.path, bytes.content) : out.StoreOf(file.path, file.size);
      parts.push_back({store, bytes.offset, bytes.bytes});
    }
  }
  if (next != ElementCount(box.shape))
    return Status::Invalid(
        fmt::format("there are {} of its {} elements: the checkpoint is incomplete", next, ElementCount(box.shape)));
  return parts;
}

// Adds the k-th box of a tensor, as a chunk or as a rank's tensor.
Status AddBox(const std::string& name, Tensor& tensor, size_t k, bool chunk, Folder& folder, CompositeSchema& out) {
  auto& [at, box] = *std::next(tensor.boxes.begin(), static_cast<std::ptrdiff_t>(k));
  auto parts = PartsOf(name, box, folder, out, tensor.stored);
  if (!parts.ok())
    return std::move(parts).status().WithContext(fmt::format("the box at {} of {}", ToString(at), Quote(name)));
  const DType dtype = tensor.stored.value_or(DType::kF32);  // of a box without elements
  return chunk ? out.AddChunk(name, dtype, box.shape, *parts, tensor.whole, at)
               : out.Add(name, dtype, box.shape, *parts);
}

size_t MostBoxes(const std::vector<Folder>& folders) {
  size_t most = 1;
  for (const Folder& folder : folders) {
    for (const auto& [name, tensor] : folder.tensors) most = std::max(most, tensor.boxes.size());
  }
  return most;
}

// Nothing but tensor parallelism makes boxes, so the boxes of a tensor are its blocks on the tensor-parallel ranks, in
// their order; a tensor of one box lies on all of them. (As chunks they would be joined as they lie, and ranks' parts
// of fused tensors must not be.)
bool BoxesAreRanks(const std::vector<Folder>& folders, size_t most) {
  for (const Folder& folder : folders) {
    for (const auto& [name, tensor] : folder.tensors) {
      if (tensor.boxes.size() != 1 && tensor.boxes.size() != most) return false;
    }
  }
  return true;
}

// A composite file for the first box of every tensor, one for the second, and so on.
Status AddFolders(std::vector<Folder>& folders, size_t most, bool ranks, CompositeSchema& out) {
  for (size_t k = 0; k < most; ++k) {
    out.Begin(folders[0].path, ranks ? static_cast<int64_t>(k) : 0);
    for (Folder& folder : folders) {
      for (auto& [name, tensor] : folder.tensors) {
        const bool replica = ranks && tensor.boxes.size() == 1;
        if (k >= tensor.boxes.size() && !replica) continue;
        AOA_RETURN_IF_ERROR(AddBox(name, tensor, replica ? 0 : k, !ranks, folder, out));
      }
    }
    out.End();
  }
  return Status();
}

}  // namespace

std::vector<std::string> FindPaddleFlex(const std::string& path) {
  if (LastMetadata(path)) return {path};
  std::vector<std::string> out;
  for (const char* name : {"model_state", "master_weight", "optimizer_state"}) {
    const std::string folder = (fs::path(path) / name).native();
    if (LastMetadata(folder)) out.push_back(folder);
  }
  return out;
}

Result<bool> ReadPaddleFlex(const std::vector<std::string>& paths, int threads, Schema& schema) {
  bool safetensors = false;
  std::vector<Folder> read(paths.size());
  for (size_t i = 0; i < paths.size(); ++i) {
    Folder& folder = read[i];
    folder.path = paths[i];
    const std::string metadata = LastMetadata(paths[i]).value_or("");
    AOA_RETURN_IF_ERROR(ReadMetadata(metadata, folder).WithContext(Printable(metadata)));
    AOA_RETURN_IF_ERROR(ReadFiles(threads, folder));
    for (const auto& [name, file] : folder.files) safetensors |= name.ends_with(kSafetensors);
  }
  const size_t most = MostBoxes(read);
  const bool ranks = BoxesAreRanks(read, most);
  CompositeSchema composite(schema);
  AOA_RETURN_IF_ERROR(AddFolders(read, most, ranks, composite));
  schema.has_mesh = ranks;
  if (ranks) schema.mesh = {{"dp", 1}, {"pp", 1}, {"sharding", 1}, {"tp", static_cast<int64_t>(most)}};
  return safetensors;
}

}  // namespace aoa::formats
