#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/formats/pickle.h"
#include "runtime/formats/pickle_writer.h"
#include "tests/unit/pickle_text.h"

namespace aoa::formats::pickle {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;
using testing::PickleText;
using testing::ReadFile;
using testing::ReadPickle;
using testing::TextOf;

using Kind = Value::Kind;

const std::string kData = AOA_TEST_DATA "/pickle/";

TEST(PickleReader, Numbers) {
  EXPECT_EQ(TextOf("K\xFF."s), "255");
  EXPECT_EQ(TextOf("M\x01\x02."s), "513");
  EXPECT_EQ(TextOf("J\xFE\xFF\xFF\xFF."s), "-2");
  EXPECT_EQ(TextOf("\x8A\x00."s), "0");
  EXPECT_EQ(TextOf("\x8A\x05\x00\x00\x00\x80\x00."s), "2147483648");
  EXPECT_EQ(TextOf("\x8A\x01\x80."s), "-128");
  EXPECT_EQ(TextOf("\x8B\x01\x00\x00\x00\x7F."s), "127");
  EXPECT_EQ(TextOf("G\x3F\xF8\x00\x00\x00\x00\x00\x00."s), "1.5");
  EXPECT_EQ(TextOf("(NI01\nI00\nI-7\nL12L\nF-2.5\n\x88\x89t."s), "(None, True, False, -7, 12, -2.5, True, False)");
}

// Beyond 64 bits they are kept as bytes; shorter ones that are padded are not.
TEST(PickleReader, LongNumbers) {
  ReadPickle large("\x8A\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01."s);
  EXPECT_EQ(large.text(), "int of 9 bytes");
  EXPECT_EQ(large.value->AsInt(), std::nullopt);
  EXPECT_EQ(TextOf("\x8A\x09\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\x00."s), "9223372036854775807");
  EXPECT_EQ(TextOf("\x8A\x0A\x00\x00\x00\x00\x00\x00\x00\x80\xFF\xFF."s), "-9223372036854775808");
  EXPECT_EQ(TextOf("\x8B\xFF\xFF\xFF\xFF."s), "byte 0: a negative length");
  EXPECT_THAT(TextOf("I99999999999999999999\n."), HasSubstr("no number that fits its place"));
}

TEST(PickleReader, TextsAndBytes) {
  EXPECT_EQ(TextOf("X\x02\x00\x00\x00hi."s), "'hi'");
  EXPECT_EQ(TextOf("\x8C\x02hi."s), "'hi'");
  EXPECT_EQ(TextOf("\x8D\x02\x00\x00\x00\x00\x00\x00\x00hi."s), "'hi'");
  EXPECT_EQ(TextOf("Va\\u00e9\xE9\\U0001f600\\n\n."s), "'a\xC3\xA9\xC3\xA9\xF0\x9F\x98\x80\\n'");
  EXPECT_EQ(TextOf("B\x02\x00\x00\x00\x01\x02."s), "b'\\x01\\x02'");
  EXPECT_EQ(TextOf("C\x01z."s), "b'z'");
  EXPECT_EQ(TextOf("\x96\x01\x00\x00\x00\x00\x00\x00\x00z."s), "bytearray('z')");
}

// Strings of Python 2 are texts where that makes no difference.
TEST(PickleReader, StringsOfPython2) {
  EXPECT_EQ(TextOf("U\x02hi."s), "'hi'");
  EXPECT_EQ(TextOf("T\x01\x00\x00\x00\xFF."s), "b'\\xff'");
  EXPECT_EQ(TextOf("S'a\\'\\x41\\n'\n."s), "'a'A\\x0a'");
  EXPECT_EQ(TextOf("S'\\xff'\n."s), "b'\\xff'");
  EXPECT_THAT(TextOf("S'\\q'\n."s), HasSubstr("a broken escape `\\q` in a string"));
  EXPECT_THAT(TextOf("Shi\n."s), HasSubstr("a string without quotes"));
  EXPECT_EQ(TextOf("c__builtin__\nset\n."), "builtins set");
}

TEST(PickleReader, Containers) {
  EXPECT_EQ(TextOf("(K\x01K\x02l."s), "[1, 2]");
  EXPECT_EQ(TextOf("](K\x01K\x02\x65K\x03\x61."s), "[1, 2, 3]");
  EXPECT_EQ(TextOf("}U\x01\x61K\x01s(U\x01\x62K\x02U\x01\x63Nu."s), "{'a': 1, 'b': 2, 'c': None}");
  EXPECT_EQ(TextOf("(U\x01\x61K\x01\x64."s), "{'a': 1}");
  EXPECT_EQ(TextOf(")\x85K\x01K\x02\x86(K\x03K\x04K\x05K\x06t\x87."s), "((()), (1, 2), (3, 4, 5, 6))");
  EXPECT_EQ(TextOf("\x8F(K\x01K\x02\x90."s), "{1, 2}");
  EXPECT_EQ(TextOf("(K\x01\x91."s), "frozenset(1)");
  // Keys are any values.
  EXPECT_EQ(TextOf("}NK\x01K\x02\x86\x86s."s), "byte 8: the stack holds 2 of 3 values");
  EXPECT_EQ(TextOf("}K\x01K\x02\x86Ns."s), "{(1, 2): None}");
}

TEST(PickleReader, TheMemo) {
  EXPECT_EQ(TextOf("]q\x00h\x00\x61."s), "[...]");
  EXPECT_EQ(TextOf("(K\x01r\xFF\xFF\xFF\xFFj\xFF\xFF\xFF\xFFt."s), "(1, 1)");
  EXPECT_EQ(TextOf("(U\x01\x61\x94U\x01\x62\x94h\x00h\x01t."s), "('a', 'b', 'a', 'b')");
  EXPECT_EQ(TextOf("(K\x01p7\n0g7\nt."s), "(1)");
  // The later value counts.
  EXPECT_EQ(TextOf("(K\x01q\x00K\x02q\x00h\x00t."s), "(1, 2, 2)");
  EXPECT_EQ(TextOf("h\x05."s), "byte 0: nothing was put into place 5 of the memo");
}

TEST(PickleReader, ObjectsAreNotMade) {
  EXPECT_EQ(TextOf("cposix\nsystem\nU\x02id\x85R."s), "posix system('id')");
  EXPECT_EQ(TextOf("cm\nC\n)\x81}U\x01\x61K\x01sb."s), "m C() state {'a': 1}");
  EXPECT_EQ(TextOf("cm\nC\n)}\x92."s), "m C() with {}");
  EXPECT_EQ(TextOf("(K\x01im\nC\n."s), "m C(1)");
  EXPECT_EQ(TextOf("(cm\nC\nK\x01o."s), "m C(1)");
  EXPECT_EQ(TextOf("\x8C\x01m\x8C\x01\x43\x93)R(K\x01\x65(K\x02K\x03u."s), "m C()[1]{2: 3}");
  EXPECT_EQ(TextOf("K\x07Q."s), "persistent 7");
  EXPECT_EQ(TextOf("Pkey\n."), "persistent 'key'");
  EXPECT_EQ(TextOf("K\x01)b."s), "byte 3: a state for what is no object");
  EXPECT_EQ(TextOf("cm\nC\nNR."), "byte 6: a call whose arguments are no tuple");
}

TEST(PickleReader, WhatIsWrongIsSaidWithItsPlace) {
  EXPECT_EQ(TextOf(""), "byte 0: the pickle ends without STOP");
  EXPECT_EQ(TextOf("NN."), "byte 2: STOP with 2 values and 0 marks on the stack");
  EXPECT_EQ(TextOf("N(."), "byte 2: STOP with 1 values and 1 marks on the stack");
  EXPECT_EQ(TextOf("t."), "byte 0: there is no mark on the stack");
  EXPECT_EQ(TextOf("](K\x01s."s), "byte 4: the stack holds 1 of 3 values");
  EXPECT_EQ(TextOf("](K\x01u."s), "byte 4: an item is set in what is no dictionary");
  EXPECT_EQ(TextOf("}(K\x01u."s), "byte 4: a key without a value");
  EXPECT_EQ(TextOf("NNa."), "byte 2: something is appended to what is no list");
  EXPECT_EQ(TextOf("X\x09\x00\x00\x00hi."s), "byte 0: 9 bytes are announced, 3 are left");
  EXPECT_EQ(TextOf("X\x01\x00\x00\x00\xFF."s), "byte 0: the text `\\xff` is not UTF-8");
  EXPECT_EQ(TextOf("T\xFF\xFF\xFF\xFF."s), "byte 0: a negative length, -1");
  EXPECT_EQ(TextOf("\x80\x06."s), "byte 0: protocol 6 is not known");
  EXPECT_EQ(TextOf("\x95\xFF\x00\x00\x00\x00\x00\x00\x00N."s), "byte 0: a frame of 255 bytes, 2 are left");
  EXPECT_EQ(TextOf("\x82\x01."s), "byte 0: opcode 0x82 stands in no checkpoint's pickle");
  EXPECT_EQ(TextOf("\x8C\x01m\x8C\x02\x43\n\x93."s), "byte 7: a global whose name holds a line break");
  EXPECT_EQ(TextOf("M\x01"s), "byte 0: 2 bytes are announced, 1 are left");
}

// A paddle state dict: numpy arrays as the pickle has them.
TEST(PickleReader, RealFiles) {
  ReadPickle paddle(ReadFile(kData + "paddle.pkl"));
  ASSERT_TRUE(paddle.value) << paddle.status.message();
  const Value* weight = paddle.value->Find("linear.weight");
  ASSERT_TRUE(weight && weight->IsMadeBy("numpy.core.multiarray _reconstruct"));
  EXPECT_EQ(PickleText().Show(*weight->state->items[1]), "(2, 3)");
  EXPECT_EQ(weight->state->items[4]->text.size(), 24u);
  EXPECT_EQ(PickleText().Show(*paddle.value->Find("StructuredToParameterName@@")),
            "{'linear.weight': 'linear_0.w_0', 'linear.bias': 'linear_0.b_0'}");
  for (const char* name : {"dcp_metadata", "objects_p2", "objects_p5"}) {
    ReadPickle read(ReadFile(kData + name + ".pkl"));
    EXPECT_TRUE(read.value) << name << ": " << read.status.message();
  }
}

// Gigabytes of arrays in a pickle are not loaded: their place is said.
TEST(PickleReader, LongBytesStayInTheFile) {
  const uint32_t length = kLongestInside + 1;
  std::string bytes = "(B";
  bytes.append(reinterpret_cast<const char*>(&length), sizeof(length)).append(length, 'z');
  EXPECT_EQ(TextOf(bytes + "K\x07t."s), "(b'65537 bytes at 6', 7)");
  EXPECT_EQ(TextOf(bytes), "byte 65543: the pickle ends without STOP");
}

// Sixty-four lists, each holding the one before twice: 2^63 paths, and few nodes.
TEST(PickleReader, ManyPathsAreFewNodes) {
  std::string bytes = "]";
  for (int i = 0; i < 63; ++i)
    bytes += "q"s + static_cast<char>(i) + "0](h"s + static_cast<char>(i) + "h"s + static_cast<char>(i) + "e"s;
  ReadPickle read(bytes + ".");
  ASSERT_TRUE(read.value) << read.status.message();
  EXPECT_EQ(read.tree.size(), 64u);
  auto written = Write(*read.value, Protocol::kTwo);
  ASSERT_TRUE(written.ok());
  EXPECT_LT(written->bytes.size(), 1000u);
}

// ---------------------------------------------------------------- writing

std::string Rewritten(std::string_view bytes, Protocol protocol) {
  ReadPickle read(bytes);
  if (!read.value) return read.status.message();
  auto written = Write(*read.value, protocol);
  return written.ok() ? written->bytes : written.status().message();
}

// What is written reads the same, shared nodes are shared, and to write it again gives the same bytes.
TEST(PickleWriter, WhatIsReadIsWrittenAsItWas) {
  for (const char* name : {"paddle", "dcp_metadata", "objects_p2", "objects_p5"}) {
    const std::string bytes = ReadFile(kData + name + ".pkl");
    const std::string once = Rewritten(bytes, Protocol::kFour);
    EXPECT_EQ(Rewritten(once, Protocol::kFour), once) << name;
    const std::string two = Rewritten(bytes, Protocol::kTwo);
    EXPECT_EQ(Rewritten(two, Protocol::kTwo), two) << name;
  }
  const std::string bytes = ReadFile(kData + "paddle.pkl");
  EXPECT_EQ(TextOf(Rewritten(bytes, Protocol::kFour)), TextOf(bytes));
}

TEST(PickleWriter, OpcodesOfProtocol2) {
  Tree tree;
  Value* dict = tree.Dict();
  tree.Set(dict, "n", tree.List({tree.Int(255), tree.Int(65535), tree.Int(-1), tree.Int(1ll << 31), tree.Float(1.5)}));
  tree.Set(dict, "o", tree.Call("collections OrderedDict", {}));
  auto written = Write(*dict, Protocol::kTwo);
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(written->bytes,
            "\x80\x02}(X\x01\x00\x00\x00n](K\xFFM\xFF\xFFJ\xFF\xFF\xFF\xFF\x8A\x05\x00\x00\x00\x80\x00"
            "G\x3F\xF8\x00\x00\x00\x00\x00\x00\x65X\x01\x00\x00\x00occollections\nOrderedDict\n)Ru."s);
}

TEST(PickleWriter, SharedNodesAndCycles) {
  Tree tree;
  const Value* text = tree.Text("shared");
  Value* list = tree.New(Kind::kList);
  list->items = {text, text, list};
  EXPECT_EQ(TextOf(Write(*list, Protocol::kTwo)->bytes), "['shared', 'shared', ...]");
  Value* tuple = tree.New(Kind::kTuple);
  tuple->items = {tuple};
  EXPECT_EQ(Write(*tuple, Protocol::kTwo).status().message(), "a tuple that holds itself");
}

TEST(PickleWriter, BytesAreTextsInProtocol2) {
  Tree tree;
  Value* bytes = tree.New(Kind::kBytes);
  bytes->text = "\x00\x80"s;
  EXPECT_EQ(TextOf(Write(*bytes, Protocol::kTwo)->bytes), "_codecs encode('\\x00\\xc2\\x80', 'latin1')");
  bytes->kind = Kind::kByteArray;
  EXPECT_EQ(TextOf(Write(*bytes, Protocol::kTwo)->bytes),
            "builtins bytearray(_codecs encode('\\x00\\xc2\\x80', 'latin1'))");
  EXPECT_EQ(TextOf(Write(*bytes, Protocol::kFour)->bytes), "bytearray('\\x00\\x80')");
}

// Where bytes come later, the place for them is said.
TEST(PickleWriter, Holes) {
  Tree tree;
  Value* bytes = tree.New(Kind::kBytes);
  bytes->outside = true;
  bytes->integer = 3;
  auto written = Write(*tree.List({tree.Int(1), bytes, tree.Int(2)}), Protocol::kFour);
  ASSERT_TRUE(written.ok());
  ASSERT_EQ(written->holes.size(), 1u);
  EXPECT_EQ(written->holes[0].value, bytes);
  std::string whole = written->bytes;
  whole.insert(written->holes[0].at, "abc");
  EXPECT_EQ(TextOf(whole), "[1, b'abc', 2]");
  EXPECT_EQ(Write(*bytes, Protocol::kTwo).status().message(), "long bytes in a pickle of protocol 2");
}

TEST(PickleWriter, LongNumbersAndManyItems) {
  const std::string number = "\x8B\x2C\x01\x00\x00"s + std::string(299, 'z') + "\x01.";
  EXPECT_EQ(TextOf(Rewritten(number, Protocol::kTwo)), "int of 300 bytes");
  Tree tree;
  std::vector<const Value*> items(2500, tree.Int(7));
  ReadPickle read(Write(*tree.List(items), Protocol::kTwo)->bytes);
  ASSERT_TRUE(read.value);
  EXPECT_EQ(read.value->items.size(), 2500u);
}

TEST(PickleWriter, DeepValuesAreRefused) {
  Tree tree;
  const Value* value = tree.None();
  for (int i = 0; i < 100000; ++i) value = tree.List({value});
  EXPECT_EQ(Write(*value, Protocol::kTwo).status().message(), "values are nested too deep");
}

}  // namespace
}  // namespace aoa::formats::pickle
