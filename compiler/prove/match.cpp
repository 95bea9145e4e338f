#include "compiler/prove/match.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/diag/suggest.h"

namespace aoa::prove {
namespace {

using bind::OperandView;
using diag::Code;

// A piece with the operand that it is of; the name's stacked variables stand first.
struct Item {
  uint32_t operand = MatchedPiece::kBlank;
  TypePiece piece;
  size_t stacked = 0;
};

std::vector<Item> Items(const std::vector<OperandView>& operands) {
  std::vector<Item> items;
  for (uint32_t o = 0; o < operands.size(); ++o) {
    if (operands[o].blank) {
      items.push_back({});
      continue;
    }
    std::vector<PieceVariable> stack = operands[o].stacked;
    int64_t stride = 1;
    for (size_t i = stack.size(); i-- > 0;) {
      stack[i].stride = stride;
      stride *= std::max<int64_t>(stack[i].extent, 0);
    }
    for (TypePiece& piece : Pieces(operands[o].type)) {
      Item item{o, std::move(piece), stack.size()};
      item.piece.variables.insert(item.piece.variables.begin(), stack.begin(), stack.end());
      items.push_back(std::move(item));
    }
  }
  return items;
}

std::string ShowName(const std::string& name) { return name.starts_with("_:") ? "_" : name; }

std::string Show(const Item& item) {
  if (item.operand == MatchedPiece::kBlank) return "_";
  std::string out = "[";
  for (size_t i = 0; i < item.piece.variables.size(); ++i) {
    const PieceVariable& v = item.piece.variables[i];
    out += i ? " " : "";
    out += (i < item.stacked ? "$" : "") + ShowName(v.name);
    if (v.extent != Axis::kUnknown) out += fmt::format(":{}", v.extent);
  }
  return out + "]";
}

std::string ShowAll(const std::vector<Item>& items) {
  std::vector<std::string> texts;
  for (const Item& item : items) texts.push_back(Show(item));
  return diag::Enumerate(texts, 12, ", ");
}

const PieceVariable* Find(const Item& item, const std::string& name) {
  for (const PieceVariable& v : item.piece.variables) {
    if (v.name == name) return &v;
  }
  return nullptr;
}

// What two pieces disagree about: variables that only one has, and extents.
struct Difference {
  std::vector<std::string> only_in, only_out, extents;
  bool any() const { return !only_in.empty() || !only_out.empty() || !extents.empty(); }
};

Difference Compare(const Item& a, const Item& b) {
  Difference out;
  for (const PieceVariable& v : a.piece.variables) {
    const PieceVariable* other = Find(b, v.name);
    if (!other)
      out.only_in.push_back(ShowName(v.name));
    else if (v.extent != Axis::kUnknown && other->extent != Axis::kUnknown && v.extent != other->extent)
      out.extents.push_back(fmt::format("`{}` is {} and {}", ShowName(v.name), v.extent, other->extent));
  }
  for (const PieceVariable& v : b.piece.variables) {
    if (!Find(a, v.name)) out.only_out.push_back(ShowName(v.name));
  }
  return out;
}

std::string Quoted(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back("`" + name + "`");
  return diag::Enumerate(quoted);
}

// Underlines an operand beside the first place of a message, and the type that its side declares.
void Mention(diag::Diagnostic& d, const OperandView& operand, const std::string& text) {
  if (operand.where && operand.where.begin != d.where.begin) d.Also(operand.where, text);
  if (operand.declared) d.Also(operand.declared, fmt::format("the type of `{}`", operand.text));
}

MatchedPiece Pair(const Item& a, const Item& b) {
  MatchedPiece piece;
  piece.in = a.operand;
  piece.out = b.operand;
  piece.in_base = a.piece.base;
  piece.out_base = b.piece.base;
  const Item& named = b.operand == MatchedPiece::kBlank ? a : b;
  for (const PieceVariable& v : named.piece.variables) {
    MatchedVariable m;
    m.name = v.name;
    m.extent = v.extent;
    for (size_t i = 0; i < a.piece.variables.size(); ++i) {
      if (a.piece.variables[i].name != v.name) continue;
      m.in = a.piece.variables[i].stride;
      m.stacked_in = i < a.stacked;
      if (m.extent == Axis::kUnknown) m.extent = a.piece.variables[i].extent;
    }
    for (size_t i = 0; i < b.piece.variables.size(); ++i) {
      if (b.piece.variables[i].name != v.name) continue;
      m.out = b.piece.variables[i].stride;
      m.stacked_out = i < b.stacked;
    }
    piece.variables.push_back(std::move(m));
  }
  return piece;
}

void ReportCount(const bind::RuleView& view, const std::vector<Item>& in, const std::vector<Item>& out,
                 SourceRange where, const char* in_name, const char* out_name, diag::Diagnostics& diagnostics) {
  auto& d = diagnostics.Error(Code::kPieceCount, where,
                              fmt::format("{} piece{} on the {}, {} on the {}", in.size(), in.size() == 1 ? "" : "s",
                                          in_name, out.size(), out_name));
  d.Found(fmt::format("{}: {}", in_name, ShowAll(in)));
  d.Found(fmt::format("{}: {}", out_name, ShowAll(out)));
  for (const auto* operands : {&view.in, &view.out}) {
    for (const OperandView& operand : *operands) {
      if (operand.declared) d.Also(operand.declared, fmt::format("the type of `{}`", operand.text));
    }
  }
  d.Note("a sum in a type is one piece per summand; tensors in a list are pieces one after the other");
}

// One variable against several that are not in its piece: perhaps it stands for them.
void HelpWithAlias(diag::Diagnostic& d, const std::vector<std::string>& one, const std::vector<std::string>& several) {
  if (one.size() != 1 || several.size() < 2) return;
  std::string product;
  for (const std::string& name : several) product += (product.empty() ? "" : " ") + name;
  d.Help(fmt::format("if `{}` stands for the product `({})`, an equation in `dims` says so: `{} = ({})`", one[0],
                     product, one[0], product));
}

// The order in which the pieces of one side match those of the other, if there is one: for each of `in` the number of
// its piece in `out`, its own where that will do.
std::vector<size_t> OrderOf(const std::vector<Item>& in, const std::vector<Item>& out) {
  auto fits = [&](size_t i, size_t j) {
    return in[i].operand == MatchedPiece::kBlank || out[j].operand == MatchedPiece::kBlank ||
           !Compare(in[i], out[j]).any();
  };
  std::vector<size_t> order(in.size(), in.size());
  std::vector<bool> taken(out.size(), false);
  for (size_t i = 0; i < in.size(); ++i) {
    if (!fits(i, i)) continue;
    order[i] = i;
    taken[i] = true;
  }
  for (size_t i = 0; i < in.size(); ++i) {
    for (size_t j = 0; j < out.size() && order[i] == in.size(); ++j) {
      if (taken[j] || !fits(i, j)) continue;
      order[i] = j;
      taken[j] = true;
    }
    if (order[i] == in.size()) return {};
  }
  return order;
}

bool HelpWithOrder(diag::Diagnostic& d, const std::vector<Item>& in, const std::vector<Item>& out,
                   const char* out_name) {
  constexpr size_t kMostPieces = 64;
  if (in.size() > kMostPieces) return false;
  std::string shown;
  for (size_t number : OrderOf(in, out)) shown += fmt::format("{}{}", shown.empty() ? "" : ", ", number + 1);
  if (!shown.empty()) d.Help(fmt::format("the pieces on the {} match in the order {}", out_name, shown));
  return !shown.empty();
}

void ReportMismatch(const bind::RuleView& view, size_t i, const std::vector<Item>& ins, const std::vector<Item>& outs,
                    const Difference& difference, SourceRange where, const char* in_name, const char* out_name,
                    diag::Diagnostics& diagnostics) {
  const Item &a = ins[i], &b = outs[i];
  const OperandView &in = view.in[a.operand], &out = view.out[b.operand];
  auto& d = diagnostics.Error(
      Code::kPieceMismatch, in.where ? in.where : where,
      fmt::format("piece {} is {} on the {} and {} on the {}", i + 1, Show(a), in_name, Show(b), out_name));
  d.Label(fmt::format("{} in `{}`", Show(a), in.text));
  Mention(d, in, "");
  Mention(d, out, fmt::format("{} in `{}`", Show(b), out.text));
  if (!difference.only_in.empty()) d.Found(fmt::format("only on the {}: {}", in_name, Quoted(difference.only_in)));
  if (!difference.only_out.empty()) d.Found(fmt::format("only on the {}: {}", out_name, Quoted(difference.only_out)));
  for (const std::string& text : difference.extents) d.Found(text);
  d.Expected("the same variables with the same extents on both sides");
  if (HelpWithOrder(d, ins, outs, out_name)) return;
  if (difference.only_in.size() == 1 && difference.only_out.size() == 1) {
    d.Help(fmt::format("if `{}` and `{}` are one dimension, give them one name", difference.only_in[0],
                       difference.only_out[0]));
  }
  HelpWithAlias(d, difference.only_in, difference.only_out);
  HelpWithAlias(d, difference.only_out, difference.only_in);
}

}  // namespace

std::optional<MatchedView> Match(const bind::RuleView& view, SourceRange where, const char* in_name,
                                 const char* out_name, diag::Diagnostics& diagnostics) {
  std::vector<Item> in = Items(view.in), out = Items(view.out);
  if (in.size() != out.size()) {
    ReportCount(view, in, out, where, in_name, out_name, diagnostics);
    return std::nullopt;
  }
  MatchedView matched;
  for (size_t i = 0; i < in.size(); ++i) {
    bool blank = in[i].operand == MatchedPiece::kBlank || out[i].operand == MatchedPiece::kBlank;
    if (!blank) {
      Difference difference = Compare(in[i], out[i]);
      if (difference.any()) {
        ReportMismatch(view, i, in, out, difference, where, in_name, out_name, diagnostics);
        return std::nullopt;
      }
    }
    matched.push_back(Pair(in[i], out[i]));
  }
  return matched;
}

std::string ShowPieces(const std::vector<OperandView>& operands) { return ShowAll(Items(operands)); }

}  // namespace aoa::prove
