#include "runtime/formats/safetensors_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/safetensors_files.h"

namespace aoa::formats {
namespace {

using ::testing::HasSubstr;
using namespace std::string_literals;
using testing::Entry;

Result<Header> Parse(const std::string& text) { return HeaderParser().Parse(HeaderText(text)); }

std::string Reason(const std::string& text) {
  auto header = Parse(text);
  EXPECT_FALSE(header.ok()) << text;
  EXPECT_EQ(header.status().code(), StatusCode::kInvalid);
  return header.status().message();
}

std::string OneTensor(const std::string& fields) { return "{\"w\":{" + fields + "}}"; }

TEST(SafetensorsHeader, WhatItSays) {
  auto header =
      Parse(R"({"__metadata__":{"format":"pt","k":""},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
            R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]}}  )");
  ASSERT_TRUE(header.ok()) << header.status().message();
  EXPECT_EQ(header->metadata, Metadata({{"format", "pt"}, {"k", ""}}));
  ASSERT_EQ(header->tensors.size(), 2u);
  EXPECT_EQ(header->Name(header->tensors[0]), "w");
  EXPECT_EQ(header->shapes[header->tensors[0].shape], Shape({2, 3}));
  EXPECT_EQ(header->tensors[1].dtype, DType::kBF16);
  EXPECT_EQ(header->tensors[1].begin, 24u);
  EXPECT_EQ(header->data_bytes(), 28u);
  EXPECT_TRUE(CheckDataBytes(*header, 28).ok());
  EXPECT_TRUE(Parse("{}").ok());
  EXPECT_TRUE(Parse(R"({"__metadata__":{}})").ok());
}

// Offsets decide, not the order of the text; fields come in any order, blanks anywhere, names in any spelling.
TEST(SafetensorsHeader, EverySpellingThatIsLegal) {
  auto header = Parse(
      "{ \"b\\u0062\" : {\"data_offsets\":[ 8 , 12 ],\"shape\":[],\"dtype\":\"\\u0046\\u0033\\u0032\"},\n" +
      Entry("a", 0, 2) +
      ",\"\":{\"dtype\":\"U8\",\"shape\":[0,5],\"data_offsets\":[12,12]},\"__metadata__\":{\"x\":\"\\ud83d\\ude00\"}}");
  ASSERT_TRUE(header.ok()) << header.status().message();
  EXPECT_EQ(header->Name(header->tensors[0]), "a");
  EXPECT_EQ(header->Name(header->tensors[1]), "bb");
  EXPECT_EQ(header->Name(header->tensors[2]), "");
  EXPECT_EQ(header->shapes[header->tensors[1].shape], Shape());
  EXPECT_EQ(header->metadata[0].second, "😀");
}

// Two names that agree up to a NUL are two.
TEST(SafetensorsHeader, NamesAreNotCutAtNul) {
  auto header = Parse("{" + Entry("a\\u0000b", 0, 1) + "," + Entry("a\\u0000c", 4, 1) + "," + Entry("a", 8, 1) + "}");
  ASSERT_TRUE(header.ok()) << header.status().message();
  EXPECT_EQ(header->Name(header->tensors[1]), "a\0c"s);
}

TEST(SafetensorsHeader, EmptyTensorsMayShareAPlace) {
  EXPECT_TRUE(
      Parse("{" + Entry("a", 0, 1) + "," + Entry("b", 4, 0) + "," + Entry("c", 4, 0) + "," + Entry("d", 4, 1) + "}")
          .ok());
  EXPECT_THAT(Reason("{" + Entry("a", 0, 2) + "," + Entry("b", 4, 0) + "}"),
              HasSubstr("`b` begins at offset 4, before tensor `a` ends at 8"));
}

TEST(SafetensorsHeader, NoJson) {
  for (const std::string& text :
       {""s, "{"s, "{]"s, "{\"a\"}"s, "{\"a\":}"s, "{,}"s, "{\"a\":{},}"s, "{} {}"s, "{}x"s, "{}\0"s, "{'a':1}"s, "[]"s,
        "\xef\xbb\xbf{}"s, " {}"s, "null"s, "{\"w\":null}"s, "{\"w\":[]}"s, "{\"\x01\":{}}"s}) {
    EXPECT_THAT(Reason(text), ::testing::AnyOf(HasSubstr("byte "), HasSubstr("tensor "))) << text;
  }
  EXPECT_THAT(Reason("{" + Entry("a", 0, 1) + "," + Entry("b", 4, 1) + "]"), HasSubstr("the header is no JSON object"));
  EXPECT_THAT(Reason("{" + Entry("a", 0, 1) + Entry("b", 4, 1) + "}"), HasSubstr("the header is no JSON object"));
}

TEST(SafetensorsHeader, NoUtf8SaysWhere) {
  EXPECT_EQ(Reason("{\"ab\xff\":{}}"), "byte 12: the header is not UTF-8 from here on");
  EXPECT_THAT(Reason("{\"\xc0\x80\":{}}"), HasSubstr("byte 10"));
  EXPECT_THAT(Reason(R"({"\ud800":{}})"), HasSubstr("byte 10"));
  EXPECT_THAT(Reason(R"({"\udc00x":{}})"), HasSubstr("byte 10"));
  EXPECT_THAT(Reason(R"({"\ud800\u0041":{}})"), HasSubstr("byte 10"));
}

TEST(SafetensorsHeader, FieldsThatAreMissingTwiceOrUnknown) {
  const std::string dtype = R"("dtype":"F32")", shape = R"("shape":[2])", offsets = R"("data_offsets":[0,8])";
  EXPECT_EQ(Reason(OneTensor(shape + "," + offsets)), "tensor `w` at byte 10: its dtype is missing");
  EXPECT_THAT(Reason(OneTensor(dtype + "," + offsets)), HasSubstr("its shape is missing"));
  EXPECT_THAT(Reason(OneTensor(dtype + "," + shape)), HasSubstr("its data_offsets are missing"));
  EXPECT_THAT(Reason(OneTensor(dtype + "," + shape + "," + offsets + "," + shape)),
              HasSubstr("its field `shape` stands twice"));
  EXPECT_THAT(Reason(OneTensor(dtype + "," + shape + "," + offsets + R"(,"strides":[1])")),
              HasSubstr("its field `strides` is unknown"));
  EXPECT_THAT(Reason("{" + Entry("a", 0, 1) + "," + Entry("\\u0061", 4, 1) + "}"),
              HasSubstr("tensor `a` stands twice"));
  EXPECT_THAT(Reason(R"({"__metadata__":{},"__metadata__":{}})"), HasSubstr("`__metadata__` stands twice"));
  EXPECT_THAT(Reason(R"({"__metadata__":{"a":"1","a":"2"}})"), HasSubstr("metadata `a` stands twice"));
  EXPECT_THAT(Reason(R"({"__metadata__":{"a":null}})"), HasSubstr("metadata `a` is no text"));
  EXPECT_THAT(Reason(R"({"__metadata__":[]})"), HasSubstr("`__metadata__` is no object"));
}

TEST(SafetensorsHeader, NumbersThatAreNoSizes) {
  for (const char* number :
       {"-1", "1.0", "1e2", "NaN", "true", "\"1\"", "01", "18446744073709551616", "[1]", "null", "1x", "+1", "0x1"}) {
    EXPECT_THAT(Reason(OneTensor(R"("dtype":"U8","shape":[)"s + number + R"(],"data_offsets":[0,1])")),
                HasSubstr("in its shape, `"))
        << number;
    EXPECT_THAT(Reason(OneTensor(R"("dtype":"U8","shape":[1],"data_offsets":[0,)"s + number + "]")),
                HasSubstr("in its data_offsets, `"))
        << number;
  }
  EXPECT_THAT(Reason(OneTensor(R"("dtype":"U8","shape":1,"data_offsets":[0,1])")), HasSubstr("its shape is no list"));
  EXPECT_THAT(Reason(OneTensor(R"("dtype":"U8","shape":[1],"data_offsets":[0])")), HasSubstr("fewer than two"));
  EXPECT_THAT(Reason(OneTensor(R"("dtype":"U8","shape":[1],"data_offsets":[0,1,2])")), HasSubstr("more than two"));
  EXPECT_THAT(Reason(OneTensor(R"("dtype":"U8","shape":[1],"data_offsets":[1,0])")),
              HasSubstr("end at 0, before they begin at 1"));
}

// Whatever is multiplied, in whatever order, fits 62 bits, also beside an extent of 0.
TEST(SafetensorsHeader, ShapesBeyondMemory) {
  EXPECT_THAT(Reason(OneTensor(R"("dtype":"U8","shape":[4611686018427387905],"data_offsets":[0,1])")),
              HasSubstr("beyond all memory"));
  EXPECT_THAT(Reason(OneTensor(R"("dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0])")),
              HasSubstr("beyond all memory"));
  EXPECT_THAT(Reason(OneTensor(R"("dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0])")),
              HasSubstr("takes 36893488147419103232 bytes, its data_offsets give 0"));
  EXPECT_TRUE(Parse(OneTensor(R"("dtype":"F64","shape":[4611686018427387904,0],"data_offsets":[0,0])")).ok());
}

TEST(SafetensorsHeader, NoMoreAxesThanFrameworksHave) {
  std::string axes = "1";
  for (int i = 1; i < 64; ++i) axes += ",1";
  EXPECT_TRUE(Parse(OneTensor(R"("dtype":"U8","shape":[)" + axes + R"(],"data_offsets":[0,1])")).ok());
  EXPECT_THAT(Reason(OneTensor(R"("dtype":"U8","shape":[)" + axes + R"(,1],"data_offsets":[0,1])")),
              HasSubstr("its axes are more than 64"));
}

TEST(SafetensorsHeader, TypesThatCannotBeMoved) {
  EXPECT_THAT(Reason(OneTensor(R"("dtype":"F33","shape":[],"data_offsets":[0,4])")),
              HasSubstr("dtype `F33` is unknown"));
  EXPECT_THAT(Reason(OneTensor(R"("dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3])")),
              HasSubstr("dtype F6_E2M3 packs several elements"));
  EXPECT_THAT(Reason(OneTensor(R"("dtype":"f32\u001b","shape":[],"data_offsets":[0,4])")),
              HasSubstr("dtype `f32\\x1b` is unknown"));
}

TEST(SafetensorsHeader, MessagesAreShortAndPrintable) {
  EXPECT_THAT(Reason(R"({"\u001b[31m\n":{}})"), HasSubstr("tensor `\\x1b[31m\\x0a` at byte 10"));
  EXPECT_LT(Reason("{\"" + std::string(100000, 'x') + "\":{}}").size(), 500u);
}

TEST(SafetensorsHeader, DataThatDoNotFit) {
  auto header = Parse("{" + Entry("a", 0, 1) + "," + Entry("b", 4, 2) + "}");
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(CheckDataBytes(*header, 15).message(), "3 bytes follow behind the last tensor");
  EXPECT_EQ(CheckDataBytes(*header, 8).message(),
            "the file is truncated: 8 bytes follow its header, the tensors take 12; the first one cut is `b`");
}

std::string SplitOff(const std::string& text) {
  HeaderSplit split = SplitHeader(text);
  return text.substr(split.metadata_begin, split.metadata_end - split.metadata_begin);
}

TEST(SafetensorsHeader, MetadataInFrontAreSplitOff) {
  EXPECT_EQ(SplitOff(R"({"__metadata__":{"a":"b"},"w":{}})"), R"({"a":"b"})");
  EXPECT_EQ(SplitOff(R"({"__metadata__" : {"a":"}\"}{"},"w":{}})"), R"({"a":"}\"}{"})");
  EXPECT_EQ(SplitOff(R"({"__metadata__":{}})"), "{}");
  for (const char* text : {R"({"w":{},"__metadata__":{}})", R"({"__metadata__":{"a":{}}})",
                           R"({"__metadata__":{"a":["x"]}})", R"({"__metadata__":{"a")", R"({"__metadata__":)",
                           R"({"__metadata__")", R"({"__metadata__":"x"})", R"({"__metadata__":{"a\)", "{", ""}) {
    EXPECT_EQ(SplitOff(text), "") << text;
  }
}

}  // namespace
}  // namespace aoa::formats
