#include "runtime/formats/mindspore_ckpt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <unordered_set>

#include "compiler/core/text.h"
#include "runtime/formats/quote.h"
#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

constexpr std::string_view kCrcMark = "crc_num";
constexpr uint64_t kCrcBytes = 17;
constexpr uint64_t kLongestName = 1 << 16;  // of tensors and of types
constexpr size_t kMostAxes = 64;
constexpr int64_t kMostElements = int64_t{1} << 60;

enum Wire : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct TypeName {
  std::string_view name;
  DType dtype;
};
constexpr TypeName kTypes[] = {{"Int8", DType::kI8},       {"UInt8", DType::kU8},      {"Int16", DType::kI16},
                               {"UInt16", DType::kU16},    {"Int32", DType::kI32},     {"UInt32", DType::kU32},
                               {"Int64", DType::kI64},     {"UInt64", DType::kU64},    {"Float16", DType::kF16},
                               {"Float32", DType::kF32},   {"Float64", DType::kF64},   {"Bool", DType::kBool},
                               {"BFloat16", DType::kBF16}, {"Complex64", DType::kC64}, {"Uint8", DType::kU8}};
// What no tensor is.
constexpr std::string_view kNoTensors[] = {"str", "random_op"};

// Reads numbers and short texts at ascending places, by way of a window.
class Scanner {
 public:
  Scanner(const io::File& file, uint64_t end) : file_(file), end_(end) {}

  uint64_t at() const { return at_; }
  void Skip(uint64_t to) { at_ = to; }

  // A varint that ends before `end`.
  Result<uint64_t> Number(uint64_t end) {
    uint64_t value = 0;
    const uint64_t begin = at_;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ >= end) return Failure(begin, "a number runs beyond its message");
      AOA_ASSIGN_OR_RETURN(uint8_t byte, Byte());
      if (shift == 63 && byte > 1) return Failure(begin, "a number has more than 64 bits");
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    return Failure(begin, "a number has more than ten bytes");
  }

  // The end of a message or text whose length stands here; it lies before `end`.
  Result<uint64_t> Length(uint64_t end) {
    const uint64_t begin = at_;
    AOA_ASSIGN_OR_RETURN(uint64_t length, Number(end));
    if (length > end - at_)
      return Failure(begin, fmt::format("a length of {} bytes, where {} are left", length, end - at_));
    return at_ + length;
  }

  Result<std::string> Text(uint64_t end) {
    const uint64_t begin = at_;
    AOA_ASSIGN_OR_RETURN(uint64_t until, Length(end));
    if (until - at_ > kLongestName) return Failure(begin, fmt::format("a name of {} bytes", until - at_));
    std::string text(static_cast<size_t>(until - at_), '\0');
    AOA_RETURN_IF_ERROR(file_.ReadAt(at_, std::as_writable_bytes(std::span(text))));
    at_ = until;
    if (!IsUtf8(text)) return Failure(begin, fmt::format("the text {} is not UTF-8", Quote(text)));
    return text;
  }

  // Passes over a field that is not known here.
  Status SkipField(uint64_t wire, uint64_t end) {
    const uint64_t begin = at_;
    uint64_t until = 0;
    if (wire == kVarint) return Number(end).status();
    if (wire == kBytes) {
      AOA_ASSIGN_OR_RETURN(until, Length(end));
    } else if (wire == kFixed64 || wire == kFixed32) {
      until = at_ + (wire == kFixed64 ? 8 : 4);
    } else {
      return Failure(begin, fmt::format("a field of wire type {}, which the format has not", wire));
    }
    if (until > end) return Failure(begin, "a field runs beyond its message");
    at_ = until;
    return Status();
  }

  Status Failure(uint64_t at, const std::string& what) const {
    return Status::Invalid(fmt::format("{}: byte {}: {}", Printable(file_.path()), at, what));
  }

 private:
  Result<uint8_t> Byte() {
    if (at_ < window_begin_ || at_ >= window_begin_ + window_size_) {
      window_begin_ = at_;
      window_size_ = std::min<uint64_t>(window_.size(), end_ - at_);
      AOA_RETURN_IF_ERROR(
          file_.ReadAt(at_, std::as_writable_bytes(std::span(window_)).first(static_cast<size_t>(window_size_))));
    }
    return window_[static_cast<size_t>(at_++ - window_begin_)];
  }

  const io::File& file_;
  uint64_t end_ = 0, at_ = 0;
  std::array<uint8_t, 512> window_;
  uint64_t window_begin_ = 0, window_size_ = 0;
};

class CkptReader {
 public:
  CkptReader(Scanner& scanner, uint64_t end) : scanner_(scanner), end_(end) {}

  Result<std::vector<CkptEntry>> Read() {
    while (scanner_.at() < end_) {
      const uint64_t begin = scanner_.at();
      AOA_ASSIGN_OR_RETURN(uint64_t key, scanner_.Number(end_));
      if (key != (1 << 3 | kBytes))
        return scanner_.Failure(begin, fmt::format("a field with the key {}, where a value should begin", key));
      AOA_ASSIGN_OR_RETURN(uint64_t until, scanner_.Length(end_));
      AOA_ASSIGN_OR_RETURN(CkptEntry entry, ReadValue(begin, until));
      AOA_RETURN_IF_ERROR(Take(begin, std::move(entry)));
    }
    AOA_RETURN_IF_ERROR(Complete());
    return std::move(entries_);
  }

 private:
  Result<CkptEntry> ReadValue(uint64_t begin, uint64_t end) {
    CkptEntry entry;
    bool named = false, filled = false;
    while (scanner_.at() < end) {
      const uint64_t field = scanner_.at();
      AOA_ASSIGN_OR_RETURN(uint64_t key, scanner_.Number(end));
      if (key == (1 << 3 | kBytes) && !named) {
        AOA_ASSIGN_OR_RETURN(entry.name, scanner_.Text(end));
        named = true;
      } else if (key == (2 << 3 | kBytes) && !filled) {
        AOA_ASSIGN_OR_RETURN(uint64_t until, scanner_.Length(end));
        AOA_RETURN_IF_ERROR(ReadTensor(field, until, entry));
        filled = true;
      } else if (key == (3 << 3 | kBytes)) {
        return scanner_.Failure(field, fmt::format("{} is a map tensor, which is not supported", Quote(entry.name)));
      } else if (key >> 3 == 1 || key >> 3 == 2) {
        return scanner_.Failure(field, "a value with two names or two tensors");
      } else {
        AOA_RETURN_IF_ERROR(scanner_.SkipField(key & 7, end));
      }
    }
    if (!named || !filled)
      return scanner_.Failure(begin, fmt::format("a value without a {}", named ? "tensor" : "name"));
    return entry;
  }

  Status ReadTensor(uint64_t begin, uint64_t end, CkptEntry& entry) {
    bool typed = false;
    while (scanner_.at() < end) {
      const uint64_t field = scanner_.at();
      AOA_ASSIGN_OR_RETURN(uint64_t key, scanner_.Number(end));
      if (key == (1 << 3 | kVarint)) {
        AOA_RETURN_IF_ERROR(ReadAxis(end, entry));
      } else if (key == (1 << 3 | kBytes)) {  // packed
        AOA_ASSIGN_OR_RETURN(uint64_t until, scanner_.Length(end));
        while (scanner_.at() < until) AOA_RETURN_IF_ERROR(ReadAxis(until, entry));
      } else if (key == (2 << 3 | kBytes) && !typed) {
        AOA_ASSIGN_OR_RETURN(entry.type, scanner_.Text(end));
        typed = true;
      } else if (key == (3 << 3 | kBytes) && entry.parts.empty()) {
        AOA_ASSIGN_OR_RETURN(uint64_t until, scanner_.Length(end));
        entry.parts.push_back({scanner_.at(), until - scanner_.at()});
        entry.bytes = until - scanner_.at();
        scanner_.Skip(until);
      } else if (key >> 3 >= 1 && key >> 3 <= 3) {
        return scanner_.Failure(field, "a tensor with two types or two contents");
      } else {
        AOA_RETURN_IF_ERROR(scanner_.SkipField(key & 7, end));
      }
    }
    if (!typed || entry.parts.empty())
      return scanner_.Failure(begin, fmt::format("a tensor without a {}", typed ? "content" : "type"));
    return Status();
  }

  Status ReadAxis(uint64_t end, CkptEntry& entry) {
    const uint64_t begin = scanner_.at();
    AOA_ASSIGN_OR_RETURN(uint64_t extent, scanner_.Number(end));
    if (extent > static_cast<uint64_t>(kMostElements) || entry.dims.size() == kMostAxes)
      return scanner_.Failure(begin, "no tensor has such dims");
    entry.dims.push_back(static_cast<int64_t>(extent));
    return Status();
  }

  // Puts a value behind the others, or behind the part of its tensor that came before.
  Status Take(uint64_t begin, CkptEntry entry) {
    CkptEntry* last = entries_.empty() ? nullptr : &entries_.back();
    if (last && last->name == entry.name) {
      if (last->type != entry.type || last->dims != entry.dims)
        return scanner_.Failure(begin, fmt::format("the parts of {} differ in type or dims", Quote(entry.name)));
      last->parts.push_back(entry.parts[0]);
      last->bytes += entry.bytes;
      return Status();
    }
    AOA_RETURN_IF_ERROR(Complete());
    if (!names_.insert(entry.name).second)
      return scanner_.Failure(begin, fmt::format("there are two tensors {}", Quote(entry.name)));
    last_begin_ = begin;
    entries_.push_back(std::move(entry));
    return Status();
  }

  // Checks the last entry, all parts of which have come.
  Status Complete() {
    if (entries_.empty()) return Status();
    CkptEntry& entry = entries_.back();
    if (std::find(std::begin(kNoTensors), std::end(kNoTensors), entry.type) != std::end(kNoTensors)) return Status();
    entry.dtype = CkptTypeNamed(entry.type);
    if (!entry.dtype)
      return scanner_.Failure(last_begin_, fmt::format("{} is of the type {}, which is not supported",
                                                       Quote(entry.name), Quote(entry.type)));
    const auto width = static_cast<uint64_t>(Width(*entry.dtype));
    if (entry.dims == Shape{0} && entry.bytes == width) entry.dims.clear();  // old writers' scalars
    int64_t elements = 1;
    bool empty = std::find(entry.dims.begin(), entry.dims.end(), 0) != entry.dims.end();
    for (int64_t extent : entry.dims) {
      if (!empty && extent > kMostElements / elements)
        return scanner_.Failure(last_begin_, fmt::format("{} {} has more elements than any tensor", Quote(entry.name),
                                                         aoa::ToString(entry.dims)));
      elements = empty ? 0 : elements * extent;
    }
    if (entry.bytes == static_cast<uint64_t>(elements) * width) return Status();
    return scanner_.Failure(
        last_begin_, fmt::format("{} {} of {} has {} bytes, not {}", Quote(entry.name), aoa::ToString(entry.dims),
                                 entry.type, entry.bytes, static_cast<uint64_t>(elements) * width));
  }

  Scanner& scanner_;
  uint64_t end_ = 0, last_begin_ = 0;
  std::vector<CkptEntry> entries_;
  std::unordered_set<std::string> names_;
};

// ---------------------------------------------------------------- writing

void AppendNumber(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

uint64_t NumberSize(uint64_t value) {
  uint64_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// What stands before the content of a value.
std::string ValueHead(const std::string& name, std::string_view type, const Shape& dims, uint64_t content) {
  std::string tensor;
  for (int64_t extent : dims) {
    tensor += '\x08';
    AppendNumber(tensor, static_cast<uint64_t>(extent));
  }
  tensor += '\x12';
  AppendNumber(tensor, type.size());
  tensor += type;
  tensor += '\x1a';
  AppendNumber(tensor, content);
  const uint64_t tensor_size = tensor.size() + content;
  std::string out = "\x0a";
  AppendNumber(out, 1 + NumberSize(name.size()) + name.size() + 1 + NumberSize(tensor_size) + tensor_size);
  out += '\x0a';
  AppendNumber(out, name.size());
  out += name + '\x12';
  AppendNumber(out, tensor_size);
  return out + tensor;
}

void Add(CkptLayout& layout, std::string text) {
  const uint64_t size = text.size();
  layout.inserts.push_back({layout.size, std::make_shared<const std::string>(std::move(text)), size});
  layout.size += size;
}

}  // namespace

std::string_view CkptTypeName(DType dtype) {
  for (const TypeName& type : kTypes) {
    if (type.dtype == dtype) return type.name;
  }
  return {};
}

std::optional<DType> CkptTypeNamed(std::string_view name) {
  for (const TypeName& type : kTypes) {
    if (type.name == name) return type.dtype;
  }
  return std::nullopt;
}

Result<CkptFile> ScanCkpt(const std::string& path) {
  AOA_ASSIGN_OR_RETURN(io::File file, io::File::OpenForReading(path));
  CkptFile out;
  AOA_ASSIGN_OR_RETURN(out.size, file.Size());
  uint64_t end = out.size;
  if (out.size >= kCrcBytes) {
    std::array<char, kCrcBytes> tail{};
    AOA_RETURN_IF_ERROR(file.ReadAt(out.size - kCrcBytes, std::as_writable_bytes(std::span(tail))));
    if (std::string_view(tail.data(), kCrcMark.size()) == kCrcMark) {
      uint64_t crc = 0;
      for (size_t i = kCrcMark.size(); i < kCrcBytes; ++i) {
        if (crc >> 24 != 0)
          return Status::Invalid(
              fmt::format("{}: byte {}: the CRC has more than 32 bits", Printable(path), out.size - kCrcBytes));
        crc = crc << 8 | static_cast<uint8_t>(tail[i]);
      }
      out.crc = static_cast<uint32_t>(crc);
      end -= kCrcBytes;
    }
  }
  if (end == 0) return Status::Invalid(fmt::format("{} holds nothing", Printable(path)));
  Scanner scanner(file, end);
  AOA_ASSIGN_OR_RETURN(out.entries, CkptReader(scanner, end).Read());
  return out;
}

bool LooksLikeCkpt(const std::string& path) {
  auto file = io::File::OpenForReading(path);
  if (!file.ok()) return false;
  auto size = file->Size();
  if (!size.ok()) return false;
  Scanner scanner(*file, *size);
  auto key = scanner.Number(*size);
  if (!key.ok() || *key != (1 << 3 | kBytes)) return false;
  auto length = scanner.Length(*size);
  if (!length.ok()) return false;
  key = scanner.Number(*length);
  return key.ok() && *key == (1 << 3 | kBytes) && scanner.Text(*length).ok();
}

Result<CkptLayout> LayOutCkpt(const std::vector<TargetTensor>& table, const std::vector<CkptText>& texts,
                              uint64_t slice) {
  CkptLayout layout;
  for (uint32_t i = 0; i < table.size(); ++i) {
    const TargetTensor& tensor = table[i];
    const std::string_view type = CkptTypeName(tensor.dtype);
    if (type.empty() || tensor.name.empty() || tensor.name.size() > kLongestName)
      return Status::Invalid(
          type.empty() ? fmt::format("tensor {}: MindSpore has no type {}", Quote(tensor.name), Name(tensor.dtype))
                       : fmt::format("tensor {}: such a name cannot stand in a .ckpt", Quote(tensor.name)));
    const auto width = static_cast<uint64_t>(Width(tensor.dtype));
    uint64_t at = 0;
    do {
      const uint64_t bytes = std::min(slice, tensor.bytes - at);
      Add(layout, ValueHead(tensor.name, type, tensor.shape, bytes));
      PlacedTensor placed{i, layout.size};
      if (bytes != tensor.bytes) {
        placed.first = static_cast<int64_t>(at / width);
        placed.count = static_cast<int64_t>(bytes / width);
      }
      layout.tensors.push_back(placed);
      layout.size += bytes;
      at += bytes;
    } while (at < tensor.bytes);
  }
  for (const CkptText& text : texts)
    Add(layout, ValueHead(text.name, text.type, text.dims, text.content.size()) + text.content);
  return layout;
}

}  // namespace aoa::formats
