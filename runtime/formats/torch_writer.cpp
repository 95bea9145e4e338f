#include "runtime/formats/torch_writer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <memory>
#include <numeric>

#include "compiler/core/check.h"
#include "runtime/formats/torch_dtype.h"

namespace aoa::formats {
namespace {

using pickle::Value;

// What stands before the object in a stream: a number, the version, and what the machine is like.
constexpr std::string_view kStreamStart(
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
    "\x80\x02\x4d\xe9\x03\x2e",
    21);

const Value* MachineFacts(pickle::Tree& tree) {
  Value *facts = tree.Dict(), *sizes = tree.Dict();
  tree.Set(facts, "protocol_version", tree.Int(1001));
  tree.Set(facts, "little_endian", tree.Bool(true));
  tree.Set(sizes, "short", tree.Int(2));
  tree.Set(sizes, "int", tree.Int(4));
  tree.Set(sizes, "long", tree.Int(4));
  tree.Set(facts, "type_sizes", sizes);
  return facts;
}

std::shared_ptr<const std::string> Shared(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

Result<TorchLayout> LayOutArchive(const std::string& name, std::string data, const TorchStorages& storages) {
  const std::string folder = ArchiveFolder(name) + "/";
  std::vector<ZipRecord> records = {{folder + "data.pkl", data.size(), Shared(std::move(data))},
                                    {folder + "byteorder", 6, Shared("little")}};
  const size_t first = records.size();
  for (uint32_t s = 0; s < storages.count(); ++s) {
    auto bytes = static_cast<uint64_t>(storages.elements(s)) * static_cast<uint64_t>(Width(storages.dtype(s)));
    records.push_back({folder + "data/" + std::to_string(s), bytes, storages.content(s)});
  }
  records.push_back({folder + "version", 2, Shared("3\n")});
  ZipLayout zip = LayOutZip(records);
  TorchLayout out;
  out.storages.assign(zip.offsets.begin() + static_cast<ptrdiff_t>(first),
                      zip.offsets.begin() + static_cast<ptrdiff_t>(first + storages.count()));
  out.inserts = std::move(zip.inserts);
  out.checksums = std::move(zip.checksums);
  out.size = zip.size;
  return out;
}

// The object, the keys of the storages in the order of their texts, and the storages, each behind its count.
Result<TorchLayout> LayOutStream(std::string data, const TorchStorages& storages) {
  pickle::Tree tree;
  std::vector<uint32_t> order(storages.count());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [](uint32_t a, uint32_t b) { return std::to_string(a) < std::to_string(b); });
  std::vector<const Value*> keys;
  for (uint32_t s : order) keys.push_back(tree.Text(std::to_string(s)));
  AOA_ASSIGN_OR_RETURN(pickle::Written facts, pickle::Write(*MachineFacts(tree), pickle::Protocol::kTwo));
  AOA_ASSIGN_OR_RETURN(pickle::Written list, pickle::Write(*tree.List(std::move(keys)), pickle::Protocol::kTwo));
  TorchLayout out;
  out.storages.resize(storages.count());
  std::string text = std::string(kStreamStart) + facts.bytes + data + list.bytes;
  for (uint32_t s : order) {
    static_assert(std::endian::native == std::endian::little);
    const int64_t width = Width(storages.dtype(s)),
                  count = storages.elements(s) * (!TorchStorageName(storages.dtype(s)).empty() ? 1 : width);
    char bytes[sizeof(count)];
    std::memcpy(bytes, &count, sizeof(count));
    text.append(bytes, sizeof(count));
    if (storages.content(s)) {
      out.storages[s] = out.size + text.size();
      text += *storages.content(s);
      continue;
    }
    const uint64_t size = text.size();
    out.inserts.push_back({out.size, Shared(std::move(text)), size});
    text.clear();
    out.storages[s] = out.size + size;
    out.size += size + static_cast<uint64_t>(storages.elements(s) * width);
  }
  if (!text.empty()) {
    const uint64_t size = text.size();
    out.inserts.push_back({out.size, Shared(std::move(text)), size});
    out.size += size;
  }
  return out;
}

}  // namespace

TargetFile TorchTargetFile(const std::string& path, TorchLayout layout, std::vector<PlacedTensor> tensors,
                           std::vector<Insert> inserts) {
  inserts.insert(inserts.end(), std::make_move_iterator(layout.inserts.begin()),
                 std::make_move_iterator(layout.inserts.end()));
  auto by_offset = [](const auto& a, const auto& b) { return a.offset < b.offset; };
  std::stable_sort(tensors.begin(), tensors.end(), by_offset);
  std::stable_sort(inserts.begin(), inserts.end(), by_offset);
  TargetFile file;
  file.path = path;
  file.size = layout.size;
  file.tensors = std::make_shared<const std::vector<PlacedTensor>>(std::move(tensors));
  file.inserts = std::make_shared<const std::vector<Insert>>(std::move(inserts));
  file.checksums = std::make_shared<const std::vector<Checksum>>(std::move(layout.checksums));
  return file;
}

std::string ArchiveFolder(const std::string& name) {
  std::string stem = name.substr(name.rfind('/') + 1);
  if (size_t dot = stem.rfind('.'); dot != std::string::npos && dot > 0) stem.resize(dot);
  return stem.empty() ? "archive" : stem;
}

uint32_t TorchStorages::Add(DType dtype, int64_t elements) {
  const auto number = static_cast<uint32_t>(storages_.size());
  const std::string type = TorchStorageName(dtype);
  const int64_t count = type.empty() ? elements * Width(dtype) : elements;
  // A type without storages of its own lies in one of bytes. In streams torch reads only those that have a type.
  const bool archive = container_ == TorchFile::Container::kZip;
  const std::string bytes = archive ? "torch.storage UntypedStorage" : TorchStorageName(DType::kU8);
  std::vector<const Value*> id = {tree_.Text("storage"), tree_.Global(type.empty() ? bytes : type),
                                  tree_.Text(std::to_string(number)), tree_.Text("cpu"), tree_.Int(count)};
  if (!archive) id.push_back(tree_.None());
  storages_.push_back({dtype, elements, tree_.Persistent(tree_.Tuple(std::move(id)))});
  return number;
}

uint32_t TorchStorages::AddContent(DType dtype, std::string bytes) {
  const uint32_t number = Add(dtype, static_cast<int64_t>(bytes.size()) / Width(dtype));
  storages_[number].content = Shared(std::move(bytes));
  return number;
}

const Value* TorchStorages::Tensor(uint32_t storage, const Shape& shape, int64_t first, bool trained) {
  std::vector<const Value*> size, stride(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    stride[i] = tree_.Int(step);
    step *= std::max<int64_t>(shape[i], 1);
  }
  for (int64_t extent : shape) size.push_back(tree_.Int(extent));
  const DType dtype = storages_[storage].dtype;
  std::vector<const Value*> arguments = {storages_[storage].id,        tree_.Int(first),
                                         tree_.Tuple(std::move(size)), tree_.Tuple(std::move(stride)),
                                         tree_.Bool(trained),          tree_.Call("collections OrderedDict", {})};
  if (!TorchStorageName(dtype).empty()) return tree_.Call("torch._utils _rebuild_tensor_v2", std::move(arguments));
  arguments.push_back(tree_.Global(TorchDTypeName(dtype)));
  return tree_.Call("torch._utils _rebuild_tensor_v3", std::move(arguments));
}

const Value* TorchStorages::Tensor(DType dtype, const Shape& shape) {
  return Tensor(Add(dtype, ElementCount(shape)), shape);
}

Result<TorchLayout> LayOutTorch(const std::string& name, const Value& object, const TorchStorages& storages) {
  AOA_ASSIGN_OR_RETURN(pickle::Written data, pickle::Write(object, pickle::Protocol::kTwo));
  AOA_CHECK(data.holes.empty(), "a pickle of torch with holes");
  if (storages.container() == TorchFile::Container::kZip) return LayOutArchive(name, std::move(data.bytes), storages);
  return LayOutStream(std::move(data.bytes), storages);
}

}  // namespace aoa::formats
