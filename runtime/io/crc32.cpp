#include "runtime/io/crc32.h"

#include <libdeflate.h>
#include <zlib.h>

namespace aoa::io {
namespace {

// The checksum's register after `length` more zero bytes.
uint32_t Shift(uint32_t crc, uint64_t length) {
  static_assert(sizeof(z_off_t) == sizeof(int64_t));
  return static_cast<uint32_t>(crc32_combine(crc, 0, static_cast<z_off_t>(length)));
}

}  // namespace

uint32_t Crc32(std::span<const std::byte> bytes, uint32_t before) {
  return libdeflate_crc32(before, bytes.data(), bytes.size());
}

uint32_t Crc32OfZeros(uint64_t length) { return ~Shift(0xFFFFFFFF, length); }

uint32_t Crc32Share(std::span<const std::byte> bytes, uint64_t after) {
  return Shift(Crc32(bytes) ^ Crc32OfZeros(bytes.size()), after);
}

}  // namespace aoa::io
