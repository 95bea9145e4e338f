#include "runtime/formats/torch_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "compiler/core/text.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/torch_dtype.h"

namespace aoa::formats {
namespace {

using pickle::Value;
using Kind = Value::Kind;

constexpr uint64_t kSmallRecord = 64 << 10;      // whose CRC-32 is checked when headers are read,
constexpr uint64_t kSmallRecords = 256 << 10;    // as long as all of them together are no longer than this
constexpr uint64_t kLargestPickle = 2ull << 30;  // of data.pkl
constexpr size_t kMostAxes = 64;                 // torch itself allows as many
constexpr int64_t kMostElements = int64_t{1} << 56;
constexpr uint64_t kCopies = 64;  // an expanded view may be so many times as large as what is stored, beyond 1 MiB

// The pickled number that a stream of torch.save begins with: 0x1950A86A20F9469CFC6C.
constexpr std::string_view kMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15);

std::string Show(const Value* value) {
  if (!value) return "nothing";
  if (value->kind == Kind::kGlobal) {
    std::string name = value->text;
    std::replace(name.begin(), name.end(), ' ', '.');
    return Quote(name);
  }
  if (value->kind == Kind::kObject) return "an object of " + Show(value->callable);
  return "another value";
}

// The size of a tensor: a tuple, or torch.Size of one.
Result<Shape> Extents(const Value* value, std::string_view what) {
  if (value && value->IsMadeBy("torch Size") && value->arguments->items.size() == 1) value = value->arguments->items[0];
  if (!value || value->kind != Kind::kTuple) return Status::Invalid(fmt::format("its {} is no tuple", what));
  if (value->items.size() > kMostAxes)
    return Status::Invalid(fmt::format("its {} has {} axes", what, value->items.size()));
  Shape out;
  for (const Value* item : value->items) {
    auto number = item->kind == Kind::kInt ? item->AsInt() : std::nullopt;
    if (!number || *number < 0)
      return Status::Invalid(
          fmt::format("its {} holds {}", what, number ? "a negative number" : "what is no number of 64 bits"));
    out.push_back(*number);
  }
  return out;
}

bool LiesRowMajor(const Shape& shape, const Shape& strides) {
  int64_t expected = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

}  // namespace

Result<TorchFile> TorchFile::Open(const std::string& path) { return OpenPart(path, 0, UINT64_MAX); }

Result<TorchFile> TorchFile::OpenPart(const std::string& path, uint64_t begin, uint64_t end) {
  TorchFile out;
  out.path_ = path;
  AOA_ASSIGN_OR_RETURN(io::File file, io::File::OpenForReading(path));
  AOA_ASSIGN_OR_RETURN(out.size_, file.Size());
  out.file_ = std::make_shared<const io::File>(std::move(file));
  Status status = out.Read(begin, std::min(end, out.size_));
  out.file_.reset();
  if (!status.ok()) return std::move(status).WithContext(Printable(path));
  return out;
}

Status TorchFile::Read(uint64_t begin, uint64_t end) {
  std::array<char, 512> first{};
  const uint64_t length = std::min<uint64_t>(first.size(), end - begin);
  AOA_RETURN_IF_ERROR(file_->ReadAt(begin, std::as_writable_bytes(std::span(first)).first(length)));
  const std::string_view start(first.data(), length);
  if (start.starts_with("PK\x03\x04")) return ReadArchive(begin, end);
  if (start.starts_with(kMagic)) return ReadStream(begin, end);
  if (start.starts_with("version https://git-lfs"))
    return Status::Invalid("this is a pointer of Git LFS, not the file itself");
  if (start.starts_with("PYTORCH1"))
    return Status::Invalid("a container of a preview of torch, which torch itself cannot read");
  constexpr size_t kTarMagic = 257;
  if (start.size() > kTarMagic && start.substr(kTarMagic).starts_with("ustar"))
    return Status::Invalid("a tar archive, as torch wrote before version 0.2: not read here");
  return Status::Invalid(fmt::format("byte {}: neither a zip archive nor a stream of torch.save", begin));
}

// ---------------------------------------------------------------- archives

Status TorchFile::ReadArchive(uint64_t begin, uint64_t end) {
  AOA_ASSIGN_OR_RETURN(auto entries, ReadZip(*file_, begin, end));
  if (entries.empty()) return Status::Invalid("an archive without records");
  const std::string& first = entries.front().name;
  if (first.find('/') == std::string::npos)
    return Status::Invalid(fmt::format("the record {} lies in no folder", Quote(first)));
  const std::string root = first.substr(0, first.find('/') + 1);
  std::map<std::string, ZipEntry> records;
  for (ZipEntry& entry : entries) {
    bool safe = entry.name.starts_with(root) && entry.name.find("..") == std::string::npos &&
                entry.name.find('\0') == std::string::npos && entry.name.find('\\') == std::string::npos;
    if (!safe || root.size() == 1)
      return Status::Invalid(
          fmt::format("byte {}: the record {} lies outside of {}", entry.directory_at, Quote(entry.name), Quote(root)));
    records[entry.name.substr(root.size())] = std::move(entry);
  }
  AOA_RETURN_IF_ERROR(CheckRecords(records));
  const ZipEntry& data = records.at("data.pkl");
  if (data.size > kLargestPickle) return Status::Invalid(fmt::format("a pickle of {} bytes", data.size));
  AOA_RETURN_IF_ERROR(CheckZipEntry(*file_, data));
  auto parsed = pickle::Read({file_.get(), data.offset, data.offset + data.size}, tree_);
  if (!parsed.ok()) return std::move(parsed).status().WithContext("data.pkl");
  if (parsed->end != data.offset + data.size)
    return Status::Invalid(fmt::format("data.pkl: byte {}: bytes behind the end of the pickle", parsed->end));
  root_ = parsed->value;
  return FindStorages(records);
}

Status TorchFile::CheckRecords(const std::map<std::string, ZipEntry>& records) const {
  bool script = records.contains("constants.pkl") ||
                std::any_of(records.begin(), records.end(), [](const auto& r) { return r.first.starts_with("code/"); });
  if (script) return Status::Invalid("a TorchScript archive: it holds a program, no checkpoint");
  if (!records.contains("data.pkl")) return Status::Invalid("the archive has no record `data.pkl`");
  uint64_t checked = 0;
  for (const auto& [name, entry] : records) {
    if (entry.size > kSmallRecord || checked + entry.size > kSmallRecords) continue;
    checked += entry.size;
    AOA_RETURN_IF_ERROR(CheckZipEntry(*file_, entry));
  }
  if (auto it = records.find("byteorder"); it != records.end()) {
    AOA_ASSIGN_OR_RETURN(std::string order, ReadZipEntry(*file_, it->second, kSmallRecord));
    if (order == "big") return Status::Invalid("its numbers are big-endian");
    if (order != "little")
      return Status::Invalid(fmt::format("byte {}: the byte order is {}", it->second.offset, Quote(order)));
  }
  auto version = records.find("version");
  if (version == records.end()) version = records.find(".data/version");
  if (version == records.end()) return Status::Invalid("the archive has no record `version`");
  AOA_ASSIGN_OR_RETURN(std::string text, ReadZipEntry(*file_, version->second, kSmallRecord));
  char* end = nullptr;
  long number = std::strtol(text.c_str(), &end, 10);
  if (number < 1 || number > 10 || (*end && *end != '\n'))
    return Status::Invalid(fmt::format("byte {}: version {} is not known", version->second.offset, Quote(text)));
  return Status();
}

// Every persistent id of the pickle names a storage: ('storage', type, key, location, count).
Status TorchFile::FindStorages(const std::map<std::string, ZipEntry>& records) {
  for (const Value& node : tree_.nodes()) {
    if (node.kind != Kind::kPersistent) continue;
    std::string key;
    Storage storage;
    auto in_pickle = [&](Status status) { return std::move(status).WithContext(fmt::format("byte {}", node.offset)); };
    AOA_RETURN_IF_ERROR(in_pickle(ReadStorage(*node.items[0], key, storage)));
    auto [it, added] = storages_.try_emplace(key, storage);
    if (!added) {
      const Storage& known = it->second;
      if (known.dtype != storage.dtype || known.untyped != storage.untyped || known.bytes != storage.bytes)
        return in_pickle(Status::Invalid(fmt::format("storage {} has two types or sizes", Quote(key))));
      continue;
    }
    if (container_ == Container::kLegacy) continue;
    auto record = records.find("data/" + key);
    if (record == records.end())
      return in_pickle(Status::Invalid(fmt::format("there is no record {}", Quote("data/" + key))));
    if (record->second.size != storage.bytes)
      return in_pickle(Status::Invalid(fmt::format("the record {} has {} bytes, its storage {}", Quote("data/" + key),
                                                   record->second.size, storage.bytes)));
    it->second.offset = record->second.offset;
  }
  return Status();
}

Status TorchFile::ReadStorage(const Value& id, std::string& key, Storage& storage) const {
  const size_t parts = container_ == Container::kZip ? 5 : 6;
  if (id.kind != Kind::kTuple || id.items.size() != parts || !id.items[0]->IsText("storage"))
    return Status::Invalid("a persistent id that names no storage");
  const Value &type = *id.items[1], &name = *id.items[2], &location = *id.items[3], &count = *id.items[4];
  if (name.kind != Kind::kText || name.outside || name.text.empty() ||
      !std::all_of(name.text.begin(), name.text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return Status::Invalid(fmt::format("a storage key {} that is no number", Quote(name.text)));
  key = name.text;
  if (location.IsText("meta"))
    return Status::Invalid(fmt::format("storage {} is on `meta`, where tensors have no bytes", key));
  storage.untyped = type.IsGlobal("torch.storage UntypedStorage");
  auto dtype = storage.untyped ? DType::kU8 : type.kind == Kind::kGlobal ? TorchStorageType(type.text) : std::nullopt;
  if (!dtype)
    return Status::Invalid(fmt::format("storage {} is of {}, a type that is not known here", key, Show(&type)));
  storage.dtype = *dtype;
  auto elements = count.kind == Kind::kInt ? count.AsInt() : std::nullopt;
  if (!elements || *elements < 0 || *elements > kMostElements)
    return Status::Invalid(fmt::format("storage {} has no sensible number of elements", key));
  storage.bytes = static_cast<uint64_t>(*elements) * static_cast<uint64_t>(Width(storage.dtype));
  return Status();
}

// ---------------------------------------------------------------- streams

// A number, a version, what the machine was, the object, the keys of its storages, and these.
Status TorchFile::ReadStream(uint64_t begin, uint64_t end) {
  container_ = Container::kLegacy;
  pickle::Tree side;
  uint64_t at = begin;
  auto next = [&](pickle::Tree& tree) -> Result<const Value*> {
    auto parsed = pickle::Read({file_.get(), at, end}, tree);
    if (!parsed.ok()) return std::move(parsed).status();
    at = parsed->end;
    return parsed->value;
  };
  AOA_RETURN_IF_ERROR(next(side).status());
  AOA_ASSIGN_OR_RETURN(const Value* version, next(side));
  if (version->AsInt() != 1001) return Status::Invalid(fmt::format("byte {}: an unknown version of the stream", begin));
  AOA_ASSIGN_OR_RETURN(const Value* machine, next(side));
  if (const Value* little = machine->Find("little_endian"); little && little->AsInt() == 0)
    return Status::Invalid("its numbers are big-endian");
  AOA_ASSIGN_OR_RETURN(root_, next(tree_));
  AOA_RETURN_IF_ERROR(FindStorages({}));
  AOA_ASSIGN_OR_RETURN(const Value* keys, next(side));
  return PlaceStorages(*keys, at, end);
}

Status TorchFile::PlaceStorages(const Value& keys, uint64_t at, uint64_t end) {
  if (keys.kind != Kind::kList)
    return Status::Invalid(fmt::format("byte {}: the keys of the storages are no list", at));
  std::map<std::string, bool> placed;
  for (const Value* key : keys.items) {
    auto it = key->kind == Kind::kText ? storages_.find(key->text) : storages_.end();
    if (it == storages_.end() || !placed.emplace(it->first, true).second)
      return Status::Invalid(fmt::format("byte {}: a storage {} that no tensor has", at, Quote(key->text)));
    Storage& storage = it->second;
    int64_t count = 0;
    if (end - at < sizeof(count)) return Status::Invalid(fmt::format("byte {}: the stream is truncated", at));
    AOA_RETURN_IF_ERROR(file_->ReadAt(at, std::as_writable_bytes(std::span(&count, 1))));
    if (count != static_cast<int64_t>(storage.bytes) / Width(storage.dtype))
      return Status::Invalid(fmt::format("byte {}: storage {} has {} elements here, and another number in its tensors",
                                         at, it->first, count));
    at += sizeof(count);
    if (end - at < storage.bytes)
      return Status::Invalid(
          fmt::format("byte {}: storage {} has {} bytes, {} are left", at, it->first, storage.bytes, end - at));
    storage.offset = at;
    at += storage.bytes;
  }
  for (const auto& [key, storage] : storages_) {
    if (!placed.contains(key)) return Status::Invalid(fmt::format("byte {}: storage {} is not there", at, key));
  }
  if (at != end) return Status::Invalid(fmt::format("byte {}: {} bytes behind the last storage", at, end - at));
  return Status();
}

// Modules of Python whose functions no checkpoint has a use for, and such functions of modules that it has.
std::vector<std::string> TorchFile::Suspicions() const {
  constexpr std::string_view kModules[] = {"os ",     "posix ",  "nt ",         "sys ",       "subprocess ",
                                           "socket ", "shutil ", "runpy ",      "importlib ", "pty ",
                                           "ctypes ", "pickle ", "webbrowser ", "commands "};
  constexpr std::string_view kFunctions[] = {"builtins eval",    "builtins exec", "builtins execfile",
                                             "builtins compile", "builtins open", "builtins __import__"};
  std::vector<std::string> out;
  for (const Value& node : tree_.nodes()) {
    if (node.kind != Kind::kObject || node.callable->kind != Kind::kGlobal) continue;
    const std::string_view called = node.callable->text;
    bool suspicious = std::find(std::begin(kFunctions), std::end(kFunctions), called) != std::end(kFunctions) ||
                      std::any_of(std::begin(kModules), std::end(kModules),
                                  [&](std::string_view module) { return called.starts_with(module); });
    if (suspicious)
      out.push_back(fmt::format("byte {}: loaded by torch, it would call {}", node.offset, Show(node.callable)));
  }
  return out;
}

// ---------------------------------------------------------------- tensors

Result<std::optional<TorchTensor>> TorchFile::TensorOf(const Value& value, std::string_view name) const {
  if (value.kind != Kind::kObject || !value.callable || value.callable->kind != Kind::kGlobal) return std::nullopt;
  auto tensor = Rebuild(value.callable->text, *value.arguments, name, 0);
  if (!tensor.ok()) return std::move(tensor).status().WithContext(fmt::format("byte {}", value.offset));
  return tensor;
}

// Of a call of one of the functions that torch writes for tensors.
Result<std::optional<TorchTensor>> TorchFile::Rebuild(std::string_view callable, const Value& arguments,
                                                      std::string_view name, int depth) const {
  const auto& items = arguments.items;
  auto broken = [&](const std::string& why) { return Status::Invalid(fmt::format("tensor {}: {}", Quote(name), why)); };
  auto inner = [&](const Value* value) -> Result<std::optional<TorchTensor>> {
    if (depth > 4 || !value || value->kind != Kind::kObject || value->callable->kind != Kind::kGlobal)
      return broken(fmt::format("it is made of {}", Show(value)));
    AOA_ASSIGN_OR_RETURN(auto tensor, Rebuild(value->callable->text, *value->arguments, name, depth + 1));
    if (!tensor) return broken(fmt::format("it is made by {}, which is not known here", Show(value->callable)));
    return tensor;
  };
  if (callable == "torch._utils _rebuild_tensor_v2" || callable == "torch._utils _rebuild_tensor" ||
      callable == "torch._utils _rebuild_tensor_v3") {
    auto tensor = Strided(arguments, callable.ends_with("v3"));
    if (!tensor.ok()) return broken(tensor.status().message());
    return std::optional(*std::move(tensor));
  }
  if (callable == "torch._utils _rebuild_parameter" || callable == "torch._utils _rebuild_parameter_with_state")
    return inner(items.empty() ? nullptr : items[0]);
  if (callable == "torch._tensor _rebuild_from_type_v2") {
    if (items.size() < 3 || items[0]->kind != Kind::kGlobal || items[2]->kind != Kind::kTuple)
      return broken("a broken call of _rebuild_from_type_v2");
    AOA_ASSIGN_OR_RETURN(auto tensor, Rebuild(items[0]->text, *items[2], name, depth + 1));
    if (!tensor) return broken(fmt::format("it is made by {}, which is not known here", Show(items[0])));
    return tensor;
  }
  if (callable.starts_with("torch._utils _rebuild_"))
    return broken(fmt::format("it is made by `{}`, which is not read here", callable.substr(13)));
  return std::nullopt;
}

Result<TorchTensor> TorchFile::Strided(const Value& arguments, bool typed_by_argument) const {
  const auto& items = arguments.items;
  if (items.size() < (typed_by_argument ? 7 : 4)) return Status::Invalid("too few arguments");
  if (items[0]->kind != Kind::kPersistent) return Status::Invalid(fmt::format("its storage is {}", Show(items[0])));
  TorchTensor out;
  Storage storage;
  AOA_RETURN_IF_ERROR(ReadStorage(*items[0]->items[0], out.storage, storage));
  storage = storages_.find(out.storage)->second;
  out.dtype = storage.dtype;
  if (typed_by_argument) {
    auto dtype = items[6]->kind == Kind::kGlobal ? TorchDType(items[6]->text) : std::nullopt;
    if (!dtype) return Status::Invalid(fmt::format("its type is {}, which is not known here", Show(items[6])));
    out.dtype = *dtype;
  } else if (storage.untyped) {
    return Status::Invalid("its storage has no type");
  }
  const size_t metadata = typed_by_argument ? 7 : 6;
  if (items.size() > metadata && (items[metadata]->Find("conj") || items[metadata]->Find("neg")))
    return Status::Invalid("its values are to be conjugated or negated when it is loaded");
  AOA_ASSIGN_OR_RETURN(out.shape, Extents(items[2], "size"));
  AOA_ASSIGN_OR_RETURN(out.strides, Extents(items[3], "stride"));
  if (out.shape.size() != out.strides.size())
    return Status::Invalid(fmt::format("its size has {} axes, its stride {}", out.shape.size(), out.strides.size()));
  auto first = items[1]->kind == Kind::kInt ? items[1]->AsInt() : std::nullopt;
  if (!first || *first < 0) return Status::Invalid("its offset is no number of its storage");
  int64_t begin = *first;
  if (container_ == Container::kLegacy && items[0]->items[0]->items[5]->kind == Kind::kTuple) {
    const auto& view = items[0]->items[0]->items[5]->items;
    auto shift = view.size() == 3 ? view[1]->AsInt() : std::nullopt;
    if (!shift || *shift < 0) return Status::Invalid("its storage is a broken view");
    if (__builtin_add_overflow(begin, *shift, &begin)) return Status::Invalid("its offset lies beyond its storage");
  }
  const auto width = static_cast<int64_t>(Width(out.dtype));
  const int64_t held = static_cast<int64_t>(storage.bytes) / width;
  __int128 last = begin, count = 1;  // without extents of 0
  for (size_t i = 0; i < out.shape.size(); ++i) {
    count = std::min<__int128>(count * std::max<int64_t>(out.shape[i], 1), kMostElements);
    last += std::max<__int128>(out.shape[i] - 1, 0) * out.strides[i];
    if (count >= kMostElements || last >= kMostElements) return Status::Invalid("its elements lie beyond its storage");
  }
  if (std::find(out.shape.begin(), out.shape.end(), 0) != out.shape.end()) count = 0;
  if (count > 0 && last >= held)
    return Status::Invalid(fmt::format("its elements reach to number {} of {} of storage {}",
                                       static_cast<int64_t>(last), held, out.storage));
  if (count * width > (1 << 20) && static_cast<__int128>(storage.bytes) * kCopies < count * width)
    return Status::Invalid("it repeats its elements too often to be stored");
  out.first = begin;
  out.offset = storage.offset + (count > 0 ? static_cast<uint64_t>(begin * width) : 0);
  out.bytes = count > 0 ? static_cast<uint64_t>((static_cast<int64_t>(last) - begin + 1) * width) : 0;
  out.row_major = count == 0 || LiesRowMajor(out.shape, out.strides);
  return out;
}

}  // namespace aoa::formats
