#include "runtime/formats/paddle_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

#include "compiler/core/text.h"
#include "runtime/formats/quote.h"
#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

using pickle::Value;
using Kind = Value::Kind;

constexpr int64_t kMostElements = int64_t{1} << 56;
constexpr size_t kMostAxes = 64;
constexpr std::string_view kSlices = "UnpackBigParamInfor@@";  // spelled so

struct NumpyType {
  std::string_view name;
  DType type;
};
constexpr NumpyType kTypes[] = {
    {"f8", DType::kF64}, {"f4", DType::kF32}, {"f2", DType::kF16}, {"u2", DType::kBF16},
    {"i8", DType::kI64}, {"i4", DType::kI32}, {"i2", DType::kI16}, {"i1", DType::kI8},
    {"u8", DType::kU64}, {"u4", DType::kU32}, {"u1", DType::kU8},  {"b1", DType::kBool},
};

// A function of numpy's core, whose module is called otherwise since numpy 2.
bool IsNumpyCore(const Value& value, std::string_view name) {
  if (!value.Is(Kind::kObject) || !value.callable) return false;
  for (const char* module : {"numpy.core.multiarray ", "numpy._core.multiarray "}) {
    if (value.callable->IsGlobal(std::string(module).append(name))) return true;
  }
  return false;
}

bool IsBuiltin(const Value& value, std::string_view name) {
  return value.IsMadeBy(std::string("builtins ").append(name)) ||
         value.IsMadeBy(std::string("__builtin__ ").append(name));
}

// "f4" of numpy's little-endian float32; empty for what is no plain type of that order.
std::string_view TypeName(const Value& value) {
  if (!value.IsMadeBy("numpy dtype") || value.arguments->items.empty()) return {};
  const Value& name = *value.arguments->items[0];
  if (!name.Is(Kind::kText) || name.outside) return {};
  const bool order = value.state && value.state->Is(Kind::kTuple) && value.state->items.size() > 1;
  if (order && value.state->items[1]->IsText(">")) return {};
  return name.text;
}

class Reader {
 public:
  Reader(const io::File& file, uint64_t size) : file_(file), size_(size) {}

  // The array that a value is; nothing if it is none.
  Result<std::optional<PaddleArray>> ArrayOf(const Value& value) {
    const Value* found = Unwrap(value);
    if (!found || !IsNumpyCore(*found, "_reconstruct")) return std::optional<PaddleArray>();
    const Value* state = found->state;
    if (!state || !state->Is(Kind::kTuple) || state->items.size() != 5)
      return Status::Invalid("an array without its elements");
    PaddleArray out;
    AOA_RETURN_IF_ERROR(ReadShape(*state->items[1], out.shape));
    const std::string_view name = TypeName(*state->items[2]);
    auto type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const NumpyType& t) { return t.name == name; });
    if (type == std::end(kTypes)) return Status::Invalid("its element type is not known here");
    out.dtype = type->type;
    if (state->items[3]->AsInt().value_or(0) != 0 && out.shape.size() > 1)
      return Status::Invalid("its elements lie in Fortran's order, which Paddle does not write");
    AOA_ASSIGN_OR_RETURN(PaddleArray::Piece piece, PieceOf(*state->items[4]));
    const auto needed = static_cast<uint64_t>(ElementCount(out.shape) * Width(out.dtype));
    if (piece.bytes != needed)
      return Status::Invalid(fmt::format("{} has {} bytes, not {}", ToString(out.shape), piece.bytes, needed));
    out.pieces.push_back(std::move(piece));
    return std::optional<PaddleArray>(std::move(out));
  }

  static Status ReadShape(const Value& value, Shape& shape) {
    if ((!value.Is(Kind::kTuple) && !value.Is(Kind::kList)) || value.items.size() > kMostAxes)
      return Status::Invalid("its shape is none");
    __int128 count = 1;
    for (const Value* item : value.items) {
      auto extent = PaddleInt(*item);
      if (!extent || *extent < 0 || *extent > kMostElements) return Status::Invalid("its shape is none");
      shape.push_back(*extent);
      count *= std::max<int64_t>(*extent, 1);
      if (count > kMostElements) return Status::Invalid("its shape has too many elements");
    }
    return Status();
  }

 private:
  // What stands in the pairs and calls that Paddle has put around arrays.
  static const Value* Unwrap(const Value& value) {
    const Value* at = &value;
    if (at->IsMadeBy("paddle.framework.io_utils _reconstruct_dense_tensor_data") && at->arguments->items.size() == 1)
      return at->arguments->items[0];
    if (IsBuiltin(*at, "eval") && at->arguments->items.size() == 2 && at->arguments->items[0]->IsText("data"))
      return at->arguments->items[1]->Find("data");
    if (IsBuiltin(*at, "tuple") && at->arguments->items.size() == 1) at = at->arguments->items[0];
    const bool pair = at->Is(Kind::kTuple) && at->items.size() == 2 && at->items[0]->Is(Kind::kText);
    return pair ? at->items[1] : at;
  }

  Result<PaddleArray::Piece> PieceOf(const Value& value) {
    if (value.Is(Kind::kBytes))
      return PaddleArray::Piece{value.offset, value.outside ? static_cast<uint64_t>(value.integer) : value.text.size(),
                                nullptr};
    if (IsBuiltin(value, "bytes") && value.arguments->items.empty()) return PaddleArray::Piece{};
    const bool encoded = value.IsMadeBy("_codecs encode") && value.arguments->items.size() == 2 &&
                         value.arguments->items[0]->Is(Kind::kText) && value.arguments->items[1]->IsText("latin1");
    if (!encoded) return Status::Invalid("its elements are no bytes");
    auto& decoded = decoded_[value.arguments->items[0]];
    if (!decoded) {
      AOA_ASSIGN_OR_RETURN(std::string text, TextOf(*value.arguments->items[0]));
      AOA_RETURN_IF_ERROR(FromLatin1(text));
      decoded = std::make_shared<const std::string>(std::move(text));
    }
    return PaddleArray::Piece{0, decoded->size(), decoded};
  }

  Result<std::string> TextOf(const Value& value) {
    if (!value.outside) return value.text;
    const auto bytes = static_cast<uint64_t>(value.integer);
    if (value.offset > size_ || bytes > size_ - value.offset) return Status::Invalid("its text ends behind the file");
    std::string text(static_cast<size_t>(bytes), '\0');
    AOA_RETURN_IF_ERROR(file_.ReadAt(value.offset, std::as_writable_bytes(std::span(text))));
    return text;
  }

  // From UTF-8 to the bytes of the same code points, in place.
  static Status FromLatin1(std::string& text) {
    size_t to = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      auto byte = static_cast<uint8_t>(text[i]);
      if (byte >= 0x80) {
        if ((byte != 0xC2 && byte != 0xC3) || i + 1 == text.size())
          return Status::Invalid("its text has characters beyond Latin-1");
        byte = static_cast<uint8_t>((byte & 3) << 6 | (static_cast<uint8_t>(text[++i]) & 0x3F));
      }
      text[to++] = static_cast<char>(byte);
    }
    text.resize(to);
    return Status();
  }

  const io::File& file_;
  uint64_t size_;
  std::map<const Value*, std::shared_ptr<const std::string>> decoded_;  // arrays may share a text
};

Status ReadArrays(const Value& dictionary, Reader& reader, std::map<std::string, PaddleArray>& out) {
  for (size_t i = 0; i + 1 < dictionary.entries.size(); i += 2) {
    const Value& key = *dictionary.entries[i];
    if (!key.Is(Kind::kText) || key.outside) continue;
    auto array = reader.ArrayOf(*dictionary.entries[i + 1]);
    if (!array.ok()) return std::move(array).status().WithContext(Quote(key.text));
    if (*array && !out.emplace(key.text, **std::move(array)).second)
      return Status::Invalid(fmt::format("there are two entries {}", Quote(key.text)));
  }
  return Status();
}

// Joins the slices of large arrays, which protocols 2 and 3 could not hold.
Status JoinSlices(const Value& slices, std::map<std::string, PaddleArray>& arrays) {
  for (size_t i = 0; i + 1 < slices.entries.size(); i += 2) {
    const Value &key = *slices.entries[i], &info = *slices.entries[i + 1];
    const Value *shape = info.Find("OriginShape"), *names = info.Find("slices");
    if (!key.Is(Kind::kText) || !shape || !names)
      return Status::Invalid(fmt::format("{} does not say what it should", Quote(kSlices)));
    PaddleArray whole;
    AOA_RETURN_IF_ERROR(Reader::ReadShape(*shape, whole.shape).WithContext(Quote(key.text)));
    int64_t count = 0;
    for (const Value* name : names->items) {
      auto slice = arrays.find(name->text);
      if (slice == arrays.end())
        return Status::Invalid(fmt::format("{}: the slice {} is not there", Quote(key.text), Quote(name->text)));
      if (name != names->items.front() && slice->second.dtype != whole.dtype)
        return Status::Invalid(fmt::format("{}: its slices are of {} and of {}", Quote(key.text), Name(whole.dtype),
                                           Name(slice->second.dtype)));
      whole.dtype = slice->second.dtype;
      count += ElementCount(slice->second.shape);
      for (PaddleArray::Piece& piece : slice->second.pieces) whole.pieces.push_back(std::move(piece));
      arrays.erase(slice);
    }
    if (count != ElementCount(whole.shape))
      return Status::Invalid(
          fmt::format("{}: its slices have {} elements, not {}", Quote(key.text), count, ElementCount(whole.shape)));
    arrays[key.text] = std::move(whole);
  }
  return Status();
}

}  // namespace

std::string_view PaddleTypeName(DType dtype) {
  auto type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const NumpyType& t) { return t.type == dtype; });
  return type == std::end(kTypes) ? std::string_view() : type->name;
}

std::optional<int64_t> PaddleInt(const Value& value) {
  if (auto number = value.AsInt()) return number;
  if (!IsNumpyCore(value, "scalar") || value.arguments->items.size() != 2) return std::nullopt;
  const Value& bytes = *value.arguments->items[1];
  int64_t number = 0;
  if (TypeName(*value.arguments->items[0]) != "i8" || !bytes.Is(Kind::kBytes) || bytes.text.size() != sizeof(number))
    return std::nullopt;
  std::memcpy(&number, bytes.text.data(), sizeof(number));
  return number;
}

Result<const Value*> ReadPaddlePickle(const std::string& path, pickle::Tree& tree) {
  AOA_ASSIGN_OR_RETURN(io::File file, io::File::OpenForReading(path));
  AOA_ASSIGN_OR_RETURN(uint64_t size, file.Size());
  auto parsed = pickle::Read({&file, 0, size}, tree);
  if (!parsed.ok()) return std::move(parsed).status().WithContext(Printable(path));
  return parsed->value;
}

Result<PaddleFile> ReadPaddleFile(const std::string& path) {
  PaddleFile out;
  out.path = path;
  AOA_ASSIGN_OR_RETURN(io::File file, io::File::OpenForReading(path));
  AOA_ASSIGN_OR_RETURN(out.size, file.Size());
  pickle::Tree tree;
  auto read = [&]() -> Status {
    AOA_ASSIGN_OR_RETURN(pickle::Parsed parsed, pickle::Read({&file, 0, out.size}, tree));
    const Value& root = *parsed.value;
    if (!root.Is(Kind::kDict) && !root.IsMadeBy("collections OrderedDict"))
      return Status::Invalid("it holds no dictionary of tensors");
    Reader reader(file, out.size);
    AOA_RETURN_IF_ERROR(ReadArrays(root, reader, out.arrays));
    if (const Value* slices = root.Find(kSlices)) AOA_RETURN_IF_ERROR(JoinSlices(*slices, out.arrays));
    if (const Value* masters = root.Find(kPaddleMasters))
      AOA_RETURN_IF_ERROR(ReadArrays(*masters, reader, out.masters).WithContext(Quote(kPaddleMasters)));
    const Value* names = root.Find(kPaddleParameterNames);
    for (size_t i = 0; names && i + 1 < names->entries.size(); i += 2) {
      if (names->entries[i]->Is(Kind::kText) && names->entries[i + 1]->Is(Kind::kText))
        out.parameters[names->entries[i]->text] = names->entries[i + 1]->text;
    }
    return Status();
  };
  Status status = read();
  if (!status.ok()) return std::move(status).WithContext(Printable(path));
  return out;
}

}  // namespace aoa::formats
