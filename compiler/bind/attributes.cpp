#include "compiler/bind/attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "compiler/diag/suggest.h"

namespace aoa::bind {
namespace {

using diag::Code;
using AttributeKind = ast::Attribute::Value;

// Paddle's names of the element types that it casts to.
const std::vector<std::pair<std::string, DType>>& PaddleTypes() {
  static const std::vector<std::pair<std::string, DType>> types = {
      {"float16", DType::kF16}, {"bfloat16", DType::kBF16}, {"float32", DType::kF32}};
  return types;
}

class AttributeReader {
 public:
  AttributeReader(const ast::Statement& statement, diag::Diagnostics& diagnostics) : diagnostics_(diagnostics) {
    out_.statement = &statement;
  }

  Attributes Read() {
    using Reader = void (AttributeReader::*)(const ast::Attribute&);
    static const std::map<std::string_view, Reader> readers = {
        {"copy", &AttributeReader::Copy},
        {"optional", &AttributeReader::Optional},
        {"fused_qkv", &AttributeReader::FusedQkv},
        {"fused_qkv_old", &AttributeReader::FusedQkvOld},
        {"fused_ffn", &AttributeReader::FusedFfn},
        {"fill", &AttributeReader::Fill},
        {"scale", &AttributeReader::Scale},
        {"offset", &AttributeReader::Offset},
        {"normalize", &AttributeReader::Normalize},
        {"cast", &AttributeReader::Cast},
        {"axis", &AttributeReader::Axis},
        {"permute", &AttributeReader::Permute},
        {"dtype", &AttributeReader::Type},
        {"src_dtype", &AttributeReader::SourceType},
        {"dst_dtype", &AttributeReader::Type},
        {"reshape", &AttributeReader::Reshape},
        {"num_heads", &AttributeReader::Heads},
        {"num_key_value_groups", &AttributeReader::KvHeads},
        {"num_kv_heads", &AttributeReader::KvHeads},
    };
    std::map<std::string, const ast::Attribute*> seen;
    for (const ast::Attribute& a : out_.statement->attributes) {
      auto [it, added] = seen.emplace(a.key.text, &a);
      if (!added) {
        diagnostics_.Error(Code::kDeclaredTwice, a.where, fmt::format("`{}` is given twice", a.key.text))
            .Also(it->second->where, "the first one");
        continue;
      }
      if (auto reader = readers.find(a.key.text); reader != readers.end()) (this->*reader->second)(a);
    }
    CheckCombinations();
    return out_;
  }

 private:
  diag::Diagnostic& Wrong(const ast::Attribute& a, const std::string& expected) {
    return diagnostics_
        .Error(Code::kAttribute, a.value_where ? a.value_where : a.where,
               fmt::format("`{}` has the value `{}`", a.key.text, diag::Printable(a.text)))
        .Expected(expected);
  }
  void Copy(const ast::Attribute&) { out_.copy = true; }
  void Optional(const ast::Attribute&) { out_.optional = true; }
  void FusedQkv(const ast::Attribute& a) { Fuse(a, Fused::kQkv); }
  void FusedQkvOld(const ast::Attribute& a) { Fuse(a, Fused::kQkvOld); }
  void FusedFfn(const ast::Attribute& a) { Fuse(a, Fused::kFfn); }
  void Fuse(const ast::Attribute& a, Fused fused) {
    if (out_.fused != Fused::kNone)
      diagnostics_.Error(Code::kAttributeUse, a.where, "a statement has two fused layouts");
    out_.fused = fused;
  }
  void Fill(const ast::Attribute& a) {
    if (a.kind == AttributeKind::kNumber)
      out_.fill = a.number;
    else if (a.kind == AttributeKind::kWord && a.text == "last")
      out_.fill_last = true;
    else
      Wrong(a, "a number, or `last` (repeat the last real row)");
  }
  bool Number(const ast::Attribute& a, std::optional<double>& value) {
    if (a.kind != AttributeKind::kNumber || !std::isfinite(static_cast<float>(a.number)))
      return Wrong(a, "a number of float32"), false;
    value = a.number;
    return true;
  }
  void Scale(const ast::Attribute& a) {
    if (Number(a, out_.scale) && static_cast<float>(a.number) == 0)
      Wrong(a, "a number other than 0: nothing would be left of the tensor");
  }
  void Offset(const ast::Attribute& a) { Number(a, out_.offset); }
  void Normalize(const ast::Attribute& a) {
    if (a.kind == AttributeKind::kWord)
      out_.normalize = a.text;
    else
      Wrong(a, "a variable of the type");
  }
  void Cast(const ast::Attribute& a) {
    if (a.text == "error")
      out_.overflow = Overflow::kError;
    else if (a.text == "saturate")
      out_.overflow = Overflow::kSaturate;
    else if (a.text == "inf")
      out_.overflow = Overflow::kInfinity;
    else
      Wrong(a, "`error`, `saturate` or `inf`");
  }
  bool Whole(const ast::Attribute& a, int64_t least, int64_t& value) {
    if (a.kind == AttributeKind::kNumber && a.integer && *a.integer >= least) return value = *a.integer, true;
    Wrong(a, least == 0 ? "a whole number" : "a positive whole number");
    return false;
  }
  void Axis(const ast::Attribute& a) {
    int64_t value = 0;
    if (Whole(a, 0, value)) out_.axis = value;
  }
  void Heads(const ast::Attribute& a) { Whole(a, 1, out_.heads); }
  void KvHeads(const ast::Attribute& a) { Whole(a, 1, out_.kv_heads); }

  // '[2, 0, 1]'
  std::optional<std::vector<int64_t>> List(const ast::Attribute& a) {
    std::string text = a.text;
    std::erase_if(text, [](char c) { return c == ' ' || c == '\t'; });
    std::vector<int64_t> out;
    bool ok = a.kind == AttributeKind::kString && text.size() >= 2 && text.front() == '[' && text.back() == ']';
    for (size_t at = 1; ok && at + 1 < text.size();) {
      int64_t value = 0;
      auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size() - 1, value);
      at = static_cast<size_t>(end - text.data());
      ok = error == std::errc() && value >= 0 &&
           (at + 1 == text.size() || text[at] == ',');  // '[1,0,]' too, as in Python
      out.push_back(value);
      ++at;
    }
    if (ok) return out;
    Wrong(a, "a list of axes in quotes: '[2, 0, 1]'");
    return std::nullopt;
  }
  void Permute(const ast::Attribute& a) {
    auto list = List(a);
    if (!list) return;
    std::vector<int64_t> sorted = *list;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < sorted.size(); ++i) {
      if (sorted[i] == static_cast<int64_t>(i)) continue;
      Wrong(a, fmt::format("each of the axes 0 to {} once", sorted.size() - 1));
      return;
    }
    out_.permute = std::move(list);
  }
  void Reshape(const ast::Attribute& a) {
    auto list = List(a);
    if (list && list->size() < 3)
      Wrong(a, "the shape with all axes, of which there are at least three");
    else if (list)
      out_.reshape = std::move(list);
  }
  std::optional<DType> PaddleType(const ast::Attribute& a) {
    std::vector<std::string> names;
    for (const auto& [name, type] : PaddleTypes()) {
      if (a.text == name) return type;
      names.push_back(name);
    }
    auto& d = diagnostics_.Error(Code::kDType, a.value_where ? a.value_where : a.where,
                                 fmt::format("`{}` is no type that Paddle casts to", diag::Printable(a.text)));
    if (auto near = diag::Nearest(a.text, names))
      d.Help(fmt::format("there is `{}`", *near));
    else
      d.Help(
          fmt::format("they are {}; other types are written in the tensor's type: `b : f64`", diag::Enumerate(names)));
    return std::nullopt;
  }
  void Type(const ast::Attribute& a) { out_.dtype = PaddleType(a); }
  void SourceType(const ast::Attribute& a) { out_.src_dtype = PaddleType(a); }

  // ------------------------------------------------------------ combinations

  void Clash(std::string_view key, const std::string& beside, const std::string& why) {
    const ast::Attribute* a = out_.Find(key);
    if (!a) return;
    diagnostics_.Error(Code::kAttributeUse, a->where, fmt::format("`{}` stands beside `{}`", key, beside)).Note(why);
  }

  void CheckCombinations() {
    if (out_.fused != Fused::kNone) CheckFused();
    bool pair = out_.Find("src_dtype") || out_.Find("dst_dtype");
    if (pair && !(out_.Find("src_dtype") && out_.Find("dst_dtype"))) {
      diagnostics_.Error(Code::kAttributeUse, out_.Where(out_.Find("src_dtype") ? "src_dtype" : "dst_dtype"),
                         "`src_dtype` and `dst_dtype` stand together");
    }
    if (pair) Clash("dtype", "src_dtype", "the pair says both types");
    if (out_.permute) {
      Clash("axis", "permute", "one statement moves axes, another joins or splits");
      Clash("reshape", "permute", "one statement for each");
      Clash("copy", "permute", "one statement for each");
    }
    if (out_.reshape) Clash("axis", "reshape", "one statement for each");
    if (out_.copy) Clash("axis", "copy", "`copy` gives every target the whole of its source, `axis` a part");
    if (out_.fused == Fused::kNone) {
      for (const char* key : {"num_heads", "num_key_value_groups", "num_kv_heads"}) {
        if (const ast::Attribute* a = out_.Find(key))
          diagnostics_.Error(Code::kAttributeUse, a->where, fmt::format("`{}` stands without `fused_qkv`", key));
      }
    }
    if (out_.Find("num_key_value_groups"))
      Clash("num_kv_heads", "num_key_value_groups", "both are the number of key/value heads");
  }

  void CheckFused() {
    std::string name = out_.fused == Fused::kQkv      ? "fused_qkv"
                       : out_.fused == Fused::kQkvOld ? "fused_qkv_old"
                                                      : "fused_ffn";
    for (const char* key :
         {"dtype", "src_dtype", "dst_dtype", "permute", "reshape", "copy", "scale", "offset", "normalize", "cast"}) {
      Clash(key, name, "Paddle drops it without a word; a second statement does what it asks");
    }
    if (out_.fused == Fused::kFfn) return;
    if (!out_.Find("num_heads")) {
      diagnostics_
          .Error(Code::kAttributeUse, out_.Where(name), fmt::format("`{}` does not say the number of heads", name))
          .Help("`num_heads=32, num_kv_heads=8`");
      return;
    }
    if (out_.kv_heads == 0) out_.kv_heads = out_.heads;
    if (out_.kv_heads > 0 && out_.heads % out_.kv_heads != 0) {
      diagnostics_
          .Error(Code::kAttributeUse, out_.Where("num_heads"),
                 fmt::format("{} heads do not divide into {} groups", out_.heads, out_.kv_heads))
          .Found(fmt::format("{} = {} * {} + {}", out_.heads, out_.kv_heads, out_.heads / out_.kv_heads,
                             out_.heads % out_.kv_heads))
          .Note("`num_kv_heads`, in Paddle `num_key_value_groups`, is the number of key/value heads");
      out_.kv_heads = 0;
    }
  }

  Attributes out_;
  diag::Diagnostics& diagnostics_;
};

}  // namespace

const ast::Attribute* Attributes::Find(std::string_view key) const {
  for (const ast::Attribute& a : statement->attributes) {
    if (a.key.text == key) return &a;
  }
  return nullptr;
}

SourceRange Attributes::Where(std::string_view key) const {
  const ast::Attribute* a = Find(key);
  return a ? a->where : statement->where;
}

bool Attributes::Positional() const {
  auto transposed = [](const ast::Operand& o) { return o.transposed; };
  return permute || reshape || axis || fused != Fused::kNone ||
         std::any_of(statement->left.begin(), statement->left.end(), transposed) ||
         std::any_of(statement->right.begin(), statement->right.end(), transposed);
}

Attributes ReadAttributes(const ast::Statement& statement, diag::Diagnostics& diagnostics) {
  return AttributeReader(statement, diagnostics).Read();
}

}  // namespace aoa::bind
