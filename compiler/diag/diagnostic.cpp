#include "compiler/diag/diagnostic.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace aoa::diag {

std::string CodeText(Code code) {
  char text[16];
  std::snprintf(text, sizeof text, "AOA%04d", static_cast<int>(code));
  return text;
}

Diagnostic& Diagnostics::Add(Code code, Severity severity, SourceRange where, std::string message) {
  for (const Diagnostic& d : all_) {
    if (d.code == code && d.where == where && d.message == message) {
      duplicate_ = Diagnostic{};  // takes the labels, and is never shown
      return duplicate_;
    }
  }
  errors_ += severity == Severity::kError;
  Diagnostic d{};
  d.code = code;
  d.severity = severity;
  d.where = where;
  d.message = std::move(message);
  return all_.emplace_back(std::move(d));
}

void Diagnostics::Append(const Diagnostics& others) {
  Append(others, [](const Diagnostic&) { return true; });
}

void Diagnostics::Append(const Diagnostics& others, const std::function<bool(const Diagnostic&)>& keep) {
  for (const Diagnostic& d : others.all_) {
    if (keep(d)) Add(d.code, d.severity, d.where, d.message) = d;
  }
}

Diagnostic* Diagnostics::FirstError(const std::vector<Code>& codes) {
  for (Diagnostic& d : all_) {
    if (d.severity == Severity::kError && std::find(codes.begin(), codes.end(), d.code) != codes.end()) return &d;
  }
  return nullptr;
}

Diagnostic* Diagnostics::LastError(Code code) {
  const Diagnostic* last = nullptr;
  for (const Diagnostic* d : Sorted()) {
    if (d->severity == Severity::kError && d->code == code) last = d;
  }
  return last ? &all_[static_cast<size_t>(last - all_.data())] : nullptr;
}

std::vector<const Diagnostic*> Diagnostics::Sorted() const {
  std::map<const SourceFile*, size_t> order;
  for (const Diagnostic& d : all_) {
    if (d.where) order.emplace(d.where.file, order.size());
  }
  std::vector<const Diagnostic*> out;
  for (const Diagnostic& d : all_) out.push_back(&d);
  std::stable_sort(out.begin(), out.end(), [&](const Diagnostic* a, const Diagnostic* b) {
    if (!a->where || !b->where) return bool(a->where) && !b->where;
    if (a->where.file != b->where.file) return order[a->where.file] < order[b->where.file];
    return a->where.begin < b->where.begin;
  });
  return out;
}

}  // namespace aoa::diag
