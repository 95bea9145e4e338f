// CRC-32 of ISO-HDLC (polynomial 0x04C11DB7 reflected, as in zip and PNG), in parts.
//
// The checksum is linear: that of a message is the exclusive or of what each of its stretches adds, and of the checksum
// of as many zeros. So stretches may be summed in any order, by any thread, and by another run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace aoa::io {

// Goes on from the checksum of the bytes before.
uint32_t Crc32(std::span<const std::byte> bytes, uint32_t before = 0);
// Of `length` zeros.
uint32_t Crc32OfZeros(uint64_t length);
// What a stretch adds to the checksum of a message in which `after` bytes come behind it.
uint32_t Crc32Share(std::span<const std::byte> bytes, uint64_t after);

}  // namespace aoa::io
