#include "compiler/core/index_map.h"

#include <algorithm>
#include <cstddef>
#include <tuple>

namespace aoa {
namespace {

using internal::CeilDiv;
using internal::FloorDiv;

// Joins two boxes over a common space. `A` digits carry (m = stride in the common space, in), `B` digits (m, out); both
// lists fall by m. Invariant of Join: the boxes agree so far, and what is left must satisfy
//     delta + sum A.m * x = sum B.m * y.
class Joiner {
 public:
  struct Term {
    int64_t extent, m, other, table;
  };

  Joiner(std::vector<Piece>& result, size_t limit) : result_(result), limit_(limit) {}

  bool Run(std::vector<Term> a, std::vector<Term> b, int64_t delta, Piece start) {
    box_ = std::move(start);
    return Join(a, b, delta);
  }

 private:
  using Terms = std::vector<Term>;

  static int64_t Reach(const Terms& terms, size_t from) {
    int64_t sum = 0;
    for (size_t i = from; i < terms.size(); ++i) sum += (terms[i].extent - 1) * terms[i].m;
    return sum;
  }
  static Terms Tail(const Terms& terms) { return Terms(terms.begin() + 1, terms.end()); }

  bool Join(const Terms& a, const Terms& b, int64_t delta) {
    int64_t reach_a = Reach(a, 0), reach_b = Reach(b, 0);
    if (delta > reach_b || delta + reach_a < 0) return true;
    if (a.empty() && b.empty()) {
      if (result_.size() >= limit_) return false;
      result_.push_back(box_);
      return true;
    }
    if (b.empty() || (!a.empty() && a[0].m > b[0].m)) return Coarser(a, b, delta, true);
    if (a.empty() || b[0].m > a[0].m) return Coarser(a, b, delta, false);
    return Aligned(a, b, delta);
  }

  // Equal strides: y = x + shift for each shift that the rests allow, which is one or two values if the strides nest.
  bool Aligned(const Terms& a, const Terms& b, int64_t delta) {
    int64_t m = a[0].m;
    Terms rest_a = Tail(a), rest_b = Tail(b);
    int64_t first = CeilDiv(delta - Reach(b, 1), m), last = FloorDiv(delta + Reach(a, 1), m);
    for (int64_t shift = first; shift <= last; ++shift) {
      int64_t begin = std::max<int64_t>(0, -shift), end = std::min(a[0].extent, b[0].extent - shift);
      if (begin >= end) continue;
      Piece saved = box_;
      box_.in_base += begin * a[0].other;
      box_.out_base += (begin + shift) * b[0].other;
      box_.table_base += begin * a[0].table + (begin + shift) * b[0].table;
      box_.digits.push_back({end - begin, b[0].other, a[0].other, a[0].table + b[0].table});
      if (!Join(rest_a, rest_b, delta - shift * m)) return false;
      box_ = std::move(saved);
    }
    return true;
  }

  // One side's first digit has the larger stride. If the other side's first digit spans several of its steps and
  // divides it, that one is split in two digits; else the coarse digit takes its few possible values one by one.
  bool Coarser(const Terms& a, const Terms& b, int64_t delta, bool a_is_coarser) {
    const Terms& coarse = a_is_coarser ? a : b;
    const Terms& fine = a_is_coarser ? b : a;
    if (!fine.empty() && coarse[0].m % fine[0].m == 0) {
      int64_t ratio = coarse[0].m / fine[0].m;
      if (fine[0].extent > ratio) return SplitFine(a, b, delta, a_is_coarser, ratio);
    }
    int64_t m = coarse[0].m;
    // What the coarse digit's term must be for the rests to meet.
    int64_t low = a_is_coarser ? -delta - Reach(a, 1) : delta - Reach(b, 1);
    int64_t high = a_is_coarser ? Reach(b, 0) - delta : delta + Reach(a, 0);
    int64_t first = std::max<int64_t>(0, CeilDiv(low, m)), last = std::min(coarse[0].extent - 1, FloorDiv(high, m));
    Terms rest = Tail(coarse);
    for (int64_t x = first; x <= last; ++x) {
      Piece saved = box_;
      (a_is_coarser ? box_.in_base : box_.out_base) += x * coarse[0].other;
      box_.table_base += x * coarse[0].table;
      bool ok = a_is_coarser ? Join(rest, b, delta + x * m) : Join(a, rest, delta - x * m);
      if (!ok) return false;
      box_ = std::move(saved);
    }
    return true;
  }

  // fine[0] of extent k becomes (k / ratio) steps of the coarse stride times `ratio`, and a tail of k % ratio.
  bool SplitFine(const Terms& a, const Terms& b, int64_t delta, bool a_is_coarser, int64_t ratio) {
    const Terms& fine = a_is_coarser ? b : a;
    Term digit = fine[0];
    int64_t steps = digit.extent / ratio, tail = digit.extent % ratio;
    Terms split = {{steps, digit.m * ratio, digit.other * ratio, digit.table * ratio},
                   {ratio, digit.m, digit.other, digit.table}};
    split.insert(split.end(), fine.begin() + 1, fine.end());
    if (!(a_is_coarser ? Join(a, split, delta) : Join(split, b, delta))) return false;
    if (tail == 0) return true;
    Terms end = {{tail, digit.m, digit.other, digit.table}};
    end.insert(end.end(), fine.begin() + 1, fine.end());
    Piece saved = box_;
    int64_t skipped = steps * ratio;
    (a_is_coarser ? box_.out_base : box_.in_base) += skipped * digit.other;
    box_.table_base += skipped * digit.table;
    int64_t moved = skipped * digit.m;
    bool ok = a_is_coarser ? Join(a, end, delta - moved) : Join(end, b, delta + moved);
    box_ = std::move(saved);
    return ok;
  }

  Piece box_;
  std::vector<Piece>& result_;
  size_t limit_;
};

// `a` is one step before a digit of `b`.
bool Prepend(Piece& a, const Piece& b, const Digit& step) {
  for (size_t i = 0; i < b.digits.size(); ++i) {
    if (step.out != b.digits[i].out || step.in != b.digits[i].in || step.table != b.digits[i].table) continue;
    std::vector<Digit> rest = b.digits;
    rest.erase(rest.begin() + static_cast<ptrdiff_t>(i));
    if (rest != a.digits) continue;
    a.digits = b.digits;
    ++a.digits[i].extent;
    Canonicalize(a);
    return true;
  }
  return false;
}

// Whether `b` continues `a`: the same box, further along one digit (or along a new one, if `a` and `b` are alike).
bool Extend(Piece& a, const Piece& b) {
  if (a.source != b.source || a.chain != b.chain) return false;
  Digit step{2, b.out_base - a.out_base, b.in_base - a.in_base, b.table_base - a.table_base};
  if (a.source == Piece::kConstant && step.in != 0) return false;
  if (step.out <= 0 || step.in < 0 || step.table < 0) return false;
  if (a.digits == b.digits) {
    a.digits.push_back(step);
    Canonicalize(a);
    return true;
  }
  if (a.digits.size() + 1 == b.digits.size()) return Prepend(a, b, step);
  if (a.digits.size() != b.digits.size() && a.digits.size() != b.digits.size() + 1) return false;
  // b is one step, or several, of a digit of a.
  for (size_t i = 0; i < a.digits.size(); ++i) {
    const Digit& digit = a.digits[i];
    if (step.out != digit.out * digit.extent || step.in != digit.in * digit.extent ||
        step.table != digit.table * digit.extent)
      continue;
    std::vector<Digit> one = a.digits, more = b.digits;
    one.erase(one.begin() + static_cast<ptrdiff_t>(i));
    int64_t steps = 1;
    if (more.size() == a.digits.size()) {
      if (more[i].out != digit.out || more[i].in != digit.in || more[i].table != digit.table) continue;
      steps = more[i].extent;
      more.erase(more.begin() + static_cast<ptrdiff_t>(i));
    }
    if (one != more) continue;
    a.digits[i].extent += steps;
    Canonicalize(a);
    return true;
  }
  return false;
}

}  // namespace

int64_t ElementCount(const Piece& piece) {
  int64_t count = 1;
  for (const Digit& digit : piece.digits) count *= digit.extent;
  return count;
}

int64_t ElementCount(const Relation& relation) {
  int64_t count = 0;
  for (const Piece& piece : relation) count += ElementCount(piece);
  return count;
}

void Canonicalize(Piece& piece) {
  std::erase_if(piece.digits, [](const Digit& digit) { return digit.extent == 1; });
  std::sort(piece.digits.begin(), piece.digits.end(), [](const Digit& a, const Digit& b) {
    return std::tie(b.out, b.in, b.table, b.extent) < std::tie(a.out, a.in, a.table, a.extent);
  });
  size_t kept = 0;
  for (size_t i = 0; i < piece.digits.size(); ++i) {
    Digit digit = piece.digits[i];
    if (kept > 0) {
      Digit& outer = piece.digits[kept - 1];
      if (outer.out == digit.out * digit.extent && outer.in == digit.in * digit.extent &&
          outer.table == digit.table * digit.extent) {
        outer = {outer.extent * digit.extent, digit.out, digit.in, digit.table};
        continue;
      }
    }
    piece.digits[kept++] = digit;
  }
  piece.digits.resize(kept);
}

void Canonicalize(Relation& relation) {
  std::erase_if(relation, [](const Piece& piece) { return ElementCount(piece) == 0; });
  for (Piece& piece : relation) Canonicalize(piece);
  std::stable_sort(relation.begin(), relation.end(),
                   [](const Piece& a, const Piece& b) { return a.out_base < b.out_base; });
  Relation joined;
  for (Piece& piece : relation) {
    if (joined.empty() || !Extend(joined.back(), piece)) joined.push_back(std::move(piece));
  }
  relation = std::move(joined);
}

Piece Invert(const Piece& piece) {
  Piece out = piece;
  std::swap(out.out_base, out.in_base);
  for (Digit& digit : out.digits) std::swap(digit.out, digit.in);
  return out;
}

Relation Invert(const Relation& relation) {
  Relation out;
  for (const Piece& piece : relation) out.push_back(Invert(piece));
  return out;
}

std::vector<Piece> RestrictOut(const Piece& piece, int64_t lo, int64_t hi) {
  std::vector<Digit> digits = piece.digits;
  std::stable_sort(digits.begin(), digits.end(), [](const Digit& a, const Digit& b) { return a.out > b.out; });
  std::vector<FormDigit> form;
  for (const Digit& digit : digits) form.push_back({digit.extent, digit.out});
  std::vector<Piece> result;
  SplitInterval(form, lo - piece.out_base, hi - piece.out_base,
                [&](const std::vector<int64_t>& first, const std::vector<int64_t>& count) {
                  Piece box = piece;
                  box.digits.clear();
                  for (size_t i = 0; i < digits.size(); ++i) {
                    box.out_base += first[i] * digits[i].out;
                    box.in_base += first[i] * digits[i].in;
                    box.table_base += first[i] * digits[i].table;
                    if (count[i] > 1) box.digits.push_back({count[i], digits[i].out, digits[i].in, digits[i].table});
                  }
                  result.push_back(std::move(box));
                });
  return result;
}

bool Compose(const Piece& a, const Piece& b, std::vector<Piece>& result, size_t limit) {
  if (ElementCount(a) == 0 || ElementCount(b) == 0) return true;
  std::vector<Joiner::Term> first, second;
  Piece start;
  start.out_base = b.out_base;
  start.in_base = a.in_base;
  start.table_base = a.table_base + b.table_base;
  for (const Digit& digit : a.digits) {
    if (digit.extent > 1) first.push_back({digit.extent, digit.out, digit.in, digit.table});
  }
  for (const Digit& digit : b.digits) {
    if (digit.extent == 1) continue;
    if (digit.in == 0) {
      start.digits.push_back({digit.extent, digit.out, 0, digit.table});  // every value reads the same number
    } else {
      second.push_back({digit.extent, digit.in, digit.out, digit.table});
    }
  }
  auto falling = [](const Joiner::Term& x, const Joiner::Term& y) { return x.m > y.m; };
  std::stable_sort(first.begin(), first.end(), falling);
  std::stable_sort(second.begin(), second.end(), falling);
  return Joiner(result, limit).Run(std::move(first), std::move(second), a.out_base - b.in_base, std::move(start));
}

Span OutSpan(const Piece& piece) {
  Span span{piece.out_base, piece.out_base};
  for (const Digit& digit : piece.digits) span.last += (digit.extent - 1) * digit.out;
  return span;
}

Span InSpan(const Piece& piece) {
  Span span{piece.in_base, piece.in_base};
  for (const Digit& digit : piece.digits) span.last += (digit.extent - 1) * digit.in;
  return span;
}

std::string ToString(const Piece& piece) {
  std::string out = std::to_string(piece.out_base), in = std::to_string(piece.in_base);
  for (const Digit& digit : piece.digits) {
    out += " + " + std::to_string(digit.extent) + "*" + std::to_string(digit.out);
    in += " + " + std::to_string(digit.extent) + "*" + std::to_string(digit.in);
  }
  if (piece.source == Piece::kConstant) return out + " <- constant " + std::to_string(piece.in_base);
  std::string text = out + " <- #" + std::to_string(piece.source) + " " + in;
  if (piece.chain) text += " chain " + std::to_string(piece.chain);
  return text;
}

}  // namespace aoa
