#include "runtime/io/crc32.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace aoa::io {
namespace {

std::vector<std::byte> Numbers(size_t count) {
  std::vector<std::byte> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<std::byte>(i * 37 + i / 7);
  return out;
}

TEST(Crc32, OfTheUsualText) {
  constexpr std::string_view text = "123456789";
  EXPECT_EQ(Crc32(std::as_bytes(std::span(text))), 0xCBF43926u);  // the check value of the catalogue of CRCs
}

TEST(Crc32, OfZeros) {
  for (size_t length : {0, 1, 7, 64, 4097}) {
    EXPECT_EQ(Crc32OfZeros(length), Crc32(std::vector<std::byte>(length))) << length;
  }
}

TEST(Crc32, SharesAddUpInAnyOrder) {
  std::vector<std::byte> message = Numbers(1000);
  uint32_t sum = Crc32OfZeros(message.size());
  for (auto [begin, end] : {std::pair(500, 1000), std::pair(0, 1), std::pair(1, 500)}) {
    auto part = std::span(message).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    sum ^= Crc32Share(part, message.size() - static_cast<size_t>(end));
  }
  EXPECT_EQ(sum, Crc32(message));
}

}  // namespace
}  // namespace aoa::io
