// Casts against arithmetic that knows nothing of bits: the values of a format counted up one by one, and the distance
// to them; f32 against the hardware.
#include "compiler/core/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace aoa {
namespace {

constexpr DType kNarrow[] = {DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kF8E5M2};
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// All finite values from 0 up, by adding the distance between neighbours, which doubles with every binade but the
// first. One more than the format has: where the next value would be.
std::vector<double> Magnitudes(DType type) {
  FloatFormat format = FormatOf(type);
  int binade = 1 << format.mantissa_bits, codes = 1 << (format.mantissa_bits + format.exponent_bits);
  int finite = format.has_infinity ? codes - binade : codes - 1;
  double step = std::exp2(1 - format.bias() - format.mantissa_bits), value = 0;
  std::vector<double> values;
  for (int code = 0; code <= finite; ++code) {
    values.push_back(value);
    if (code >= 2 * binade && code % binade == 0) step *= 2;
    value += step;
  }
  return values;
}

uint64_t SignOf(DType type) { return 1ull << (8 * Width(type) - 1); }
uint64_t InfinityOf(DType type) {
  return Magnitudes(type).size() - 1;
}  // where there is one: the code after the largest
uint64_t NanOf(DType type) {
  FloatFormat format = FormatOf(type);
  return format.has_infinity ? InfinityOf(type) | 1ull << (format.mantissa_bits - 1) : SignOf(type) - 1;
}

struct Encoded {
  uint64_t bits;
  uint32_t flags;
  bool operator==(const Encoded&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Encoded& e) {
  return out << std::hex << e.bits << " flags " << e.flags;
}

Encoded Cast(DType type, double value, Overflow overflow = Overflow::kError) {
  Encoded result{0, 0};
  result.bits = Encode(type, value, overflow, result.flags);
  return result;
}

Encoded Chain(const ValueChain& chain, DType in, uint64_t bits, double norm = 0) {
  Encoded result{0, 0};
  result.bits = Apply(chain, in, bits, norm, result.flags);
  return result;
}

TEST(ConvertTest, DecodesEveryValueOfNarrowTypes) {
  for (DType type : kNarrow) {
    std::vector<double> values = Magnitudes(type);
    for (size_t code = 0; code + 1 < values.size(); ++code) {
      ASSERT_EQ(Decode(type, code), values[code]) << Name(type) << " " << code;
      double negative = Decode(type, code | SignOf(type));
      ASSERT_EQ(negative, -values[code]) << Name(type) << " " << code;
      ASSERT_TRUE(std::signbit(negative));
    }
    for (size_t code = values.size() - 1; code < SignOf(type); ++code) {
      double value = Decode(type, code), negative = Decode(type, code | SignOf(type));
      bool infinite = FormatOf(type).has_infinity && code == values.size() - 1;
      EXPECT_TRUE(infinite ? value == kInfinity : std::isnan(value)) << Name(type) << " " << code;
      EXPECT_TRUE(infinite ? negative == -kInfinity : std::isnan(negative)) << Name(type) << " " << code;
      EXPECT_FALSE(std::signbit(value));
      EXPECT_TRUE(std::signbit(negative));
    }
  }
}

TEST(ConvertTest, EncodesToTheNearestWithTiesToEven) {
  for (DType type : kNarrow) {
    std::vector<double> values = Magnitudes(type);
    for (uint64_t code = 0; code + 2 < values.size(); ++code) {
      double middle = (values[code] + values[code + 1]) / 2;
      for (uint64_t sign : {uint64_t{0}, SignOf(type)}) {
        double s = sign ? -1 : 1;
        ASSERT_EQ(Cast(type, s * values[code]), (Encoded{sign | code, 0})) << Name(type);
        ASSERT_EQ(Cast(type, s * std::nextafter(middle, 0)), (Encoded{sign | code, 0})) << Name(type);
        ASSERT_EQ(Cast(type, s * middle), (Encoded{sign | (code + code % 2), 0})) << Name(type);
        ASSERT_EQ(Cast(type, s * std::nextafter(middle, kInfinity)), (Encoded{sign | (code + 1), 0})) << Name(type);
      }
    }
    EXPECT_EQ(Cast(type, std::numeric_limits<double>::denorm_min()), (Encoded{0, 0}));
    EXPECT_EQ(Cast(type, -std::numeric_limits<double>::min()), (Encoded{SignOf(type), 0}));
  }
}

// Too large is what rounds beyond the largest finite value, were there another one.
TEST(ConvertTest, OverflowFollowsThePolicy) {
  for (DType type : kNarrow) {
    std::vector<double> values = Magnitudes(type);
    uint64_t largest = values.size() - 2;
    bool has_infinity = FormatOf(type).has_infinity;
    double limit = (values[largest] + values[largest + 1]) / 2;
    double beyond = std::nextafter(limit, kInfinity);
    double first_too_large = largest % 2 ? limit : beyond;
    for (auto overflow : {Overflow::kError, Overflow::kSaturate, Overflow::kInfinity}) {
      for (uint64_t sign : {uint64_t{0}, SignOf(type)}) {
        double s = sign ? -1 : 1;
        EXPECT_EQ(Cast(type, s * std::nextafter(first_too_large, 0), overflow), (Encoded{sign | largest, 0}));
        Encoded expected{sign | largest, overflow == Overflow::kSaturate ? 0 : kKernelOverflow};
        if (overflow == Overflow::kInfinity && has_infinity) expected = {sign | InfinityOf(type), 0};
        for (double value : {first_too_large, beyond, values[largest + 1], std::numeric_limits<double>::max()}) {
          EXPECT_EQ(Cast(type, s * value, overflow), expected) << Name(type) << " " << value;
        }
        expected = {sign | largest, overflow == Overflow::kSaturate ? 0 : kKernelInfinity};
        if (has_infinity) expected = {sign | InfinityOf(type), 0};
        EXPECT_EQ(Cast(type, s * kInfinity, overflow), expected) << Name(type);
        EXPECT_EQ(Cast(type, std::copysign(kNan, s), overflow), (Encoded{sign | NanOf(type), 0})) << Name(type);
      }
    }
  }
}

TEST(ConvertTest, KnownConstants) {
  EXPECT_EQ(Cast(DType::kF8E4M3, 448), (Encoded{0x7e, 0}));
  EXPECT_EQ(Cast(DType::kF8E4M3, 464), (Encoded{0x7e, 0}));  // halfway to 480, which is the NaN
  EXPECT_EQ(Cast(DType::kF8E4M3, kNan), (Encoded{0x7f, 0}));
  EXPECT_EQ(Cast(DType::kF8E5M2, 57344), (Encoded{0x7b, 0}));
  EXPECT_EQ(Cast(DType::kF16, 65504), (Encoded{0x7bff, 0}));
  EXPECT_EQ(Cast(DType::kF16, 65520), (Encoded{0x7bff, kKernelOverflow}));
  EXPECT_EQ(Cast(DType::kF16, -kNan), (Encoded{0xfe00, 0}));
  EXPECT_EQ(Cast(DType::kBF16, 3.38953138925153547590e38), (Encoded{0x7f7f, 0}));
  EXPECT_EQ(Cast(DType::kBF16, -kInfinity), (Encoded{0xff80, 0}));
}

// Near every limit of f32 a cast is what the processor's is.
TEST(ConvertTest, EncodesF32LikeTheHardware) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 400000; ++i) {
    uint64_t exponent = 1023 + random() % 300 - 160;
    uint64_t bits = random() % 2 << 63 | exponent << 52 | (random() & ((1ull << 52) - 1));
    if (i % 3 == 0) bits &= ~((1ull << 28) - 1);  // ties
    if (i % 3 == 1) bits &= ~((1ull << 29) - 1);  // exact
    double value = std::bit_cast<double>(bits);
    float expected = static_cast<float>(value);
    Encoded cast = Cast(DType::kF32, value, Overflow::kInfinity);
    ASSERT_EQ(cast, (Encoded{std::bit_cast<uint32_t>(expected), 0})) << std::hexfloat << value;
    EXPECT_EQ(Decode(DType::kF32, cast.bits), expected);
    ASSERT_EQ(Cast(DType::kF32, value).flags, std::isinf(expected) ? kKernelOverflow : 0) << std::hexfloat << value;
  }
}

TEST(ConvertTest, WideTypesKeepTheirBits) {
  for (uint64_t bits : {0ull, 1ull, 0x8000000000000000ull, 0x000fffffffffffffull, 0x7fefffffffffffffull,
                        0x7ff0000000000000ull, 0xfff0000000000000ull}) {
    EXPECT_EQ(Cast(DType::kF64, Decode(DType::kF64, bits)), (Encoded{bits, 0}));
  }
  // A NaN loses its payload, keeps its sign and becomes quiet.
  EXPECT_EQ(Cast(DType::kF64, Decode(DType::kF64, 0xfff0000000000001ull)), (Encoded{0xfff8000000000000ull, 0}));
  EXPECT_EQ(Cast(DType::kF64, Decode(DType::kF32, 0xffa00001)), (Encoded{0xfff8000000000000ull, 0}));
  EXPECT_EQ(Cast(DType::kF32, Decode(DType::kF32, 0x7f800001)), (Encoded{0x7fc00000, 0}));
}

ValueChain AffineTo(DType to, float scale, float offset, bool inverse, Overflow overflow = Overflow::kError) {
  ValueStep affine{
      .kind = ValueStep::Kind::kAffine, .overflow = overflow, .inverse = inverse, .scale = scale, .offset = offset};
  return {affine, {.kind = ValueStep::Kind::kCast, .to = to, .overflow = overflow}};
}

// An operation on two f32 computed in f64 and rounded is the operation in f32: 53 >= 2 * 24 + 2 bits.
TEST(ConvertTest, AffineRoundsTwice) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 100000; ++i) {
    auto any = [&] { return std::bit_cast<float>(static_cast<uint32_t>(random())); };
    auto tame = [&] { return std::ldexp(1 + static_cast<float>(random() % 8388608) / 8388608, random() % 20 - 10); };
    float x = i % 2 ? any() : tame(), scale = tame(), offset = tame();
    if (std::isnan(x)) continue;
    for (bool inverse : {false, true}) {
      float first = inverse ? static_cast<float>(double(x) - offset) : static_cast<float>(double(x) * scale);
      float second = inverse ? static_cast<float>(double(first) / scale) : static_cast<float>(double(first) + offset);
      ASSERT_EQ(Chain(AffineTo(DType::kF32, scale, offset, inverse, Overflow::kInfinity), DType::kF32,
                      std::bit_cast<uint32_t>(x)),
                (Encoded{std::bit_cast<uint32_t>(second), 0}))
          << std::hexfloat << x << " " << scale << " " << offset;
    }
  }
}

TEST(ConvertTest, AffineOverflow) {
  uint32_t large = std::bit_cast<uint32_t>(3e38f);
  auto run = [&](Overflow overflow, uint64_t x) {
    return Chain(AffineTo(DType::kF32, -4, 0, false, overflow), DType::kF32, x);
  };
  EXPECT_EQ(run(Overflow::kError, large).flags, kKernelOverflow);
  EXPECT_EQ(run(Overflow::kSaturate, large), (Encoded{0xff7fffff, 0}));
  EXPECT_EQ(run(Overflow::kInfinity, large), (Encoded{0xff800000, 0}));
  EXPECT_EQ(run(Overflow::kError, 0x7f800000), (Encoded{0xff800000, 0}));  // was infinite before
  // An f64 beyond f32 is too large as well.
  uint64_t huge = std::bit_cast<uint64_t>(1e300);
  EXPECT_EQ(Chain(AffineTo(DType::kF32, 0.5, 0, false), DType::kF64, huge).flags, kKernelOverflow);
}

// No result depends on which NaN the hardware likes to return.
TEST(ConvertTest, NansAreTheSameEverywhere) {
  for (float scale : {1.0f, -1.0f, 0.0f}) {
    for (bool inverse : {false, true}) {
      ValueChain chain = AffineTo(DType::kF32, scale, 1, inverse);
      EXPECT_EQ(Chain(chain, DType::kF32, 0x7fc00001), (Encoded{0x7fc00000, 0})) << scale;
      EXPECT_EQ(Chain(chain, DType::kF32, 0xff800001), (Encoded{0xffc00000, 0})) << scale;
    }
  }
  EXPECT_EQ(Chain(AffineTo(DType::kF32, 0, 1, false), DType::kF32, 0x7f800000), (Encoded{0x7fc00000, 0}));  // inf * 0
  EXPECT_EQ(Chain(AffineTo(DType::kF32, 0, 1, true), DType::kF32, 0x3f800000), (Encoded{0x7fc00000, 0}));   // 0 / 0
  ValueChain normalize = {{.kind = ValueStep::Kind::kNormalize}, {.kind = ValueStep::Kind::kCast, .to = DType::kF32}};
  EXPECT_EQ(Chain(normalize, DType::kF32, 0x7f800000, kInfinity), (Encoded{0x7fc00000, 0}));
  EXPECT_EQ(Chain(normalize, DType::kF32, 0x3f800000, -kNan), (Encoded{0x7fc00000, 0}));
  EXPECT_EQ(Chain(normalize, DType::kF32, 0xffc00000, kNan), (Encoded{0xffc00000, 0}));
}

TEST(ConvertTest, NormalizeDividesInF64) {
  ValueChain chain = {{.kind = ValueStep::Kind::kNormalize}, {.kind = ValueStep::Kind::kCast, .to = DType::kF64}};
  uint32_t x = std::bit_cast<uint32_t>(2.0f);
  EXPECT_EQ(Chain(chain, DType::kF32, x, 3), (Encoded{std::bit_cast<uint64_t>(2.0 / 3.0), 0}));
  EXPECT_EQ(Chain(chain, DType::kF32, x, 0), (Encoded{std::bit_cast<uint64_t>(2.0), 0}));  // no norm: it stays
}

// 1 + 2^-11 + 2^-30 lies above the middle of two f16; by way of f32 it would be the middle, and go down to even.
TEST(ConvertTest, F64RoundsOnceToNarrowTypes) {
  double value = 1 + std::exp2(-11) + std::exp2(-30);
  ValueChain direct = {{.kind = ValueStep::Kind::kCast, .to = DType::kF16}};
  EXPECT_EQ(Chain(direct, DType::kF64, std::bit_cast<uint64_t>(value)), (Encoded{0x3c01, 0}));
  ValueChain by_f32 = {{.kind = ValueStep::Kind::kCast, .to = DType::kF32},
                       {.kind = ValueStep::Kind::kCast, .to = DType::kF16}};
  EXPECT_EQ(Chain(by_f32, DType::kF64, std::bit_cast<uint64_t>(value)), (Encoded{0x3c00, 0}));
}

}  // namespace
}  // namespace aoa
