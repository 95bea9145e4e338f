// What the attributes of statements are, and which values they can have.
#include <algorithm>

#include "compiler/diag/suggest.h"
#include "compiler/parse/builder.h"
#include "compiler/parse/words.h"

namespace aoa::parse {
namespace {

using diag::Code;
using Value = ast::Attribute::Value;

// What a value may be; `words` of a Known are allowed besides.
enum : unsigned { kNothing = 0, kNumber = 1, kInteger = 2, kString = 4, kAnyWord = 8 };

struct Known {
  std::string_view key;
  unsigned values;
  std::string_view words[3];
  std::string_view due;  // for the message
};

constexpr Known kKnown[] = {
    {"fill", kNumber, {"last"}, "a number, or `last`"},
    {"scale", kNumber, {}, "a number"},
    {"offset", kNumber, {}, "a number"},
    {"normalize", kAnyWord, {}, "the name of an axis"},
    {"cast", kNothing, {"error", "saturate", "inf"}, "`error`, `saturate` or `inf`"},
    {"axis", kInteger, {}, "a whole number"},
    {"permute", kString, {}, "a quoted list: `permute='[1, 0]'`"},
    {"dtype", kString | kAnyWord, {}, "an element type"},
    {"src_dtype", kString | kAnyWord, {}, "an element type"},
    {"dst_dtype", kString | kAnyWord, {}, "an element type"},
    {"reshape", kString, {}, "a quoted list: `reshape='[2, 3, 4]'`"},
    {"num_heads", kInteger, {}, "a whole number"},
    {"num_key_value_groups", kInteger, {}, "a whole number"},
    {"num_kv_heads", kInteger, {}, "a whole number"},
};

bool Fits(const Known& known, const ast::Attribute& attribute) {
  switch (attribute.kind) {
    case Value::kFlag:
      return false;
    case Value::kNumber:
      return (known.values & kNumber) || ((known.values & kInteger) && attribute.integer);
    case Value::kString:
      return known.values & kString;
    case Value::kWord:
      return (known.values & kAnyWord) || Contains(known.words, attribute.text);
  }
  return false;
}

}  // namespace

std::vector<std::string> Keys() {
  std::vector<std::string> keys;
  for (const Known& known : kKnown) keys.emplace_back(known.key);
  return keys;
}

void Builder::Check(const ast::Attribute& attribute) {
  if (attribute.kind == Value::kFlag) return;
  const std::string& key = attribute.key.text;
  auto known = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& k) { return k.key == key; });
  if (known == std::end(kKnown)) {
    std::vector<std::string> keys;
    for (const Known& k : kKnown) keys.emplace_back(k.key);
    auto& d = Error(Code::kAttribute, attribute.key.where, "unknown attribute " + Quote(key));
    if (auto near = diag::Nearest(key, keys))
      d.Help("an attribute with a near name is " + Quote(*near));
    else if (Contains(Flags(), key))
      d.Help("`" + key + "` has no value");
    else
      d.Note("the attributes are " + List(keys));
    return;
  }
  if (Fits(*known, attribute)) return;
  auto& d =
      Error(Code::kAttribute, attribute.value_where, Quote(key) + " cannot be " + Quote(attribute.value_where.text()));
  d.Expected(std::string(known->due));
  if (attribute.kind != Value::kWord) return;
  std::vector<std::string> words;
  for (std::string_view word : known->words) {
    if (!word.empty()) words.emplace_back(word);
  }
  if (auto near = diag::Nearest(attribute.text, words)) d.Help("a value with a near name is " + Quote(*near));
}

}  // namespace aoa::parse
