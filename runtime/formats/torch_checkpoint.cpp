#include "runtime/formats/torch_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_set>
#include <utility>

#include "compiler/core/text.h"
#include "runtime/formats/parallel.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/schema_merge.h"
#include "runtime/formats/torch_dtype.h"
#include "runtime/formats/torch_files.h"
#include "runtime/formats/torch_surroundings.h"
#include "runtime/formats/torch_writer.h"
#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

using Kind = pickle::Value::Kind;

// Under this key of a file's dictionary trainers keep the model's own.
constexpr std::string_view kModelKey = "state_dict";

struct NamedTensor {
  std::string name;
  TorchTensor tensor;
};

struct OneFile {
  TorchFile file;
  std::vector<NamedTensor> tensors;
  bool only_tensors = true;
};

bool IsDictionary(const pickle::Value& value) {
  return value.Is(Kind::kDict) || value.IsMadeBy("collections OrderedDict");
}

// What a message says of a value of a class or function that is not known here; empty for other values.
std::string Describe(const std::string& name, const pickle::Value& value) {
  const pickle::Value* global = value.Is(Kind::kGlobal) ? &value : value.callable;
  if (!global || IsDictionary(value)) return "";
  std::string called = global->Is(Kind::kGlobal) ? global->text : "another object";
  std::replace(called.begin(), called.end(), ' ', '.');
  return fmt::format("{} {} {}", name.empty() ? "what it holds" : Quote(name),
                     value.Is(Kind::kGlobal) ? "is" : "is made by", Quote(called));
}

Result<OneFile> ReadOne(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(TorchFile file, TorchFile::Open(path));
  OneFile out{std::move(file), {}, true};
  std::string object;
  Status status = EachLeaf(out.file.root(), [&](const std::string& name, const pickle::Value& value) -> Status {
    AOA_ASSIGN_OR_RETURN(auto tensor, out.file.TensorOf(value, name));
    if (!tensor) {
      out.only_tensors &= IsDictionary(value);
      if (object.empty()) object = Describe(name, value);
      return Status();
    }
    if (!IsUtf8(name)) return Status::Invalid(fmt::format("the name {} is not UTF-8", Quote(name)));
    out.tensors.push_back({name, *std::move(tensor)});
    return Status();
  });
  if (status.ok() && out.tensors.empty() && !object.empty())
    status = Status::Invalid(fmt::format("it holds no tensor: {}", object));
  if (!status.ok()) return std::move(status).WithContext(Printable(path));
  return out;
}

Result<uint32_t> AddTable(const std::string& path, const OneFile& file, SchemaMerger& merger, Schema& schema) {
  SchemaTable table;
  std::unordered_set<uint32_t> seen;
  for (const auto& [name, tensor] : file.tensors) {
    StoredTensor stored;
    stored.name = schema.names.Intern(name);
    if (!seen.insert(stored.name).second)
      return Status::Invalid(fmt::format("{}: there are two tensors {}", Printable(path), Quote(name)));
    stored.shape = merger.InternShape(tensor.shape);
    stored.dtype = tensor.dtype;
    stored.begin = tensor.offset;
    stored.bytes = tensor.bytes;
    if (!tensor.row_major) stored.strides = merger.InternShape(tensor.strides);
    table.push_back(stored);
  }
  std::stable_sort(table.begin(), table.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  return merger.Add(std::move(table));
}

using NamedValues = std::vector<std::pair<std::string, const pickle::Value*>>;

// An ordered dictionary of tensors; in another one, if all their names begin with the key of the model's own.
const pickle::Value* DictionaryOf(const NamedValues& values, pickle::Tree& tree) {
  const std::string model = std::string(kModelKey) + ".";
  const bool nested = !values.empty() && std::all_of(values.begin(), values.end(),
                                                     [&](const auto& value) { return value.first.starts_with(model); });
  pickle::Value* inner = tree.Call("collections OrderedDict", {});
  for (const auto& [name, value] : values) tree.Set(inner, nested ? name.substr(model.size()) : name, value);
  if (!nested) return inner;
  pickle::Value* outer = tree.Dict();
  tree.Set(outer, kModelKey, inner);
  return outer;
}

}  // namespace

Status ReadTorchFiles(const std::vector<std::string>& paths, int threads, Schema& schema,
                      TorchFile::Container& container) {
  std::vector<std::optional<Result<OneFile>>> read(paths.size());
  ParallelFor(paths.size(), threads, [&](size_t i) { read[i] = ReadOne(paths[i]); });
  SchemaMerger merger(schema);
  auto surroundings = std::make_shared<TorchSurroundings>();
  bool only_tensors = true;
  for (size_t i = 0; i < paths.size(); ++i) {
    if (!read[i]->ok()) return std::move(*read[i]).status();
    OneFile& one = **read[i];
    if (i == 0) container = one.file.container();
    AOA_ASSIGN_OR_RETURN(uint32_t table, AddTable(paths[i], one, merger, schema));
    schema.files.push_back({paths[i], one.file.size(), 0, table, 0, false, nullptr});
    NoteSuspicions(one.file, schema);
    only_tensors &= one.only_tensors;
    surroundings->files.push_back(std::move(one.file));
    read[i].reset();
  }
  if (!only_tensors) schema.preserved = std::move(surroundings);
  return Status();
}

Result<TargetFile> LayOutTorchFile(const std::string& path, const std::vector<TargetTensor>& table,
                                   const std::vector<uint32_t>& members, TorchFile::Container container,
                                   const TorchFile* like) {
  pickle::Tree tree;
  TorchStorages storages(container, tree);
  NamedValues values;
  for (uint32_t member : members) {
    const TargetTensor& tensor = table[member];
    if (TorchDTypeName(tensor.dtype).empty())
      return Status::Invalid(fmt::format("tensor {}: torch has no type {}", Quote(tensor.name), Name(tensor.dtype)));
    values.emplace_back(tensor.name, storages.Tensor(tensor.dtype, tensor.shape));
  }
  const pickle::Value* object = nullptr;
  if (like) {
    AOA_ASSIGN_OR_RETURN(object, Surround(*like, TensorValues(values.begin(), values.end()), tree));
  }
  if (!object) object = DictionaryOf(values, tree);
  AOA_ASSIGN_OR_RETURN(TorchLayout layout, LayOutTorch(path, *object, storages));
  std::vector<PlacedTensor> placed;
  for (size_t i = 0; i < members.size(); ++i) placed.push_back({members[i], layout.storages[i]});
  return TorchTargetFile(path, std::move(layout), std::move(placed));
}

bool LooksLikeTorch(const std::string& path) {
  auto file = io::File::OpenForReading(path);
  std::array<char, 8> first{};
  if (!file.ok() || !file->ReadAt(0, std::as_writable_bytes(std::span(first))).ok()) return false;
  std::string_view start(first.data(), first.size());
  return start.starts_with("PK\x03\x04") || start.starts_with("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46");
}

}  // namespace aoa::formats
