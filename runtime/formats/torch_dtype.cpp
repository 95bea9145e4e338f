#include "runtime/formats/torch_dtype.h"

namespace aoa::formats {
namespace {

struct TorchType {
  DType type;
  std::string_view name;
  std::string_view storage;  // empty: untyped
};

constexpr TorchType kTypes[] = {
    {DType::kF64, "float64", "DoubleStorage"},
    {DType::kF32, "float32", "FloatStorage"},
    {DType::kF16, "float16", "HalfStorage"},
    {DType::kBF16, "bfloat16", "BFloat16Storage"},
    {DType::kI64, "int64", "LongStorage"},
    {DType::kI32, "int32", "IntStorage"},
    {DType::kI16, "int16", "ShortStorage"},
    {DType::kI8, "int8", "CharStorage"},
    {DType::kU8, "uint8", "ByteStorage"},
    {DType::kBool, "bool", "BoolStorage"},
    {DType::kC64, "complex64", "ComplexFloatStorage"},
    {DType::kF8E4M3, "float8_e4m3fn", ""},
    {DType::kF8E5M2, "float8_e5m2", ""},
    {DType::kF8E8M0, "float8_e8m0fnu", ""},
    {DType::kF8E4M3FNUZ, "float8_e4m3fnuz", ""},
    {DType::kF8E5M2FNUZ, "float8_e5m2fnuz", ""},
    {DType::kU64, "uint64", ""},
    {DType::kU32, "uint32", ""},
    {DType::kU16, "uint16", ""},
};

}  // namespace

std::optional<DType> TorchStorageType(std::string_view global) {
  for (std::string_view module : {"torch ", "torch.cuda "}) {
    if (!global.starts_with(module)) continue;
    for (const TorchType& t : kTypes) {
      if (!t.storage.empty() && t.storage == global.substr(module.size())) return t.type;
    }
  }
  return std::nullopt;
}

std::optional<DType> TorchDType(std::string_view global) {
  for (const TorchType& t : kTypes) {
    if (global.starts_with("torch ") && t.name == global.substr(6)) return t.type;
  }
  return std::nullopt;
}

std::string TorchStorageName(DType type) {
  for (const TorchType& t : kTypes) {
    if (t.type == type) return t.storage.empty() ? "" : "torch " + std::string(t.storage);
  }
  return "";
}

std::string TorchDTypeName(DType type) {
  for (const TorchType& t : kTypes) {
    if (t.type == type) return "torch " + std::string(t.name);
  }
  return "";
}

}  // namespace aoa::formats
