// Failures of the outside world: files, memory, hardware. The author's mistakes are `diag::Diagnostic`s, and our own
// bugs are `AOA_CHECK`s (check.h); the three never mix.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace aoa {

enum class StatusCode {
  kOk,
  kInvalid,       // a file is not what it should be
  kValue,         // a value does not fit its target
  kDisagreement,  // copies that should be equal are not
  kUsage,         // what was asked cannot be: a target that exists
  kSystem,        // the machine failed: I/O error, disk full, out of memory
};

// A success, or a failure with a text that is ready to be shown. Contexts are put in front: "reading x: header: ...".
class [[nodiscard]] Status {
 public:
  Status() = default;
  static Status Invalid(std::string message) { return Status(StatusCode::kInvalid, std::move(message)); }
  static Status Value(std::string message) { return Status(StatusCode::kValue, std::move(message)); }
  static Status Disagreement(std::string message) { return Status(StatusCode::kDisagreement, std::move(message)); }
  static Status Usage(std::string message) { return Status(StatusCode::kUsage, std::move(message)); }
  static Status System(std::string message) { return Status(StatusCode::kSystem, std::move(message)); }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // What a failure is about, as a number whose meaning its function states: the target that a value does not fit.
  std::optional<uint32_t> subject() const { return subject_; }
  Status About(uint32_t subject) && {
    subject_ = subject;
    return std::move(*this);
  }

  // The same failure with `context` and a colon before its text; a success stays one.
  Status WithContext(const std::string& context) && {
    if (!ok()) message_ = context + ": " + message_;
    return std::move(*this);
  }

 private:
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
  std::optional<uint32_t> subject_;
};

// A value, or the failure in place of it.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: implicit on purpose
  // What becomes a T by itself: nullopt, a value for an optional one.
  template <class U>
  requires(std::is_convertible_v<U, T> && !std::is_same_v<std::remove_cvref_t<U>, Result<T>> &&
           !std::is_same_v<std::remove_cvref_t<U>, Status> && !std::is_same_v<std::remove_cvref_t<U>, T>)
      Result(U&& value)
      : value_(T(std::forward<U>(value))) {}                                     // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) { assert(!status_.ok()); }  // NOLINT: implicit on purpose

  bool ok() const { return value_.has_value(); }
  const Status& status() const& { return status_; }
  Status status() && { return std::move(status_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

#define AOA_CONCAT_INNER(a, b) a##b
#define AOA_CONCAT(a, b) AOA_CONCAT_INNER(a, b)

// Leaves the function with the failure of `expr`, if it is one.
#define AOA_RETURN_IF_ERROR(expr)                                               \
  do {                                                                          \
    if (::aoa::Status aoa_status = (expr); !aoa_status.ok()) return aoa_status; \
  } while (false)

// `AOA_ASSIGN_OR_RETURN(auto x, F());` declares x with the value of F(), or leaves the function with its failure.
#define AOA_ASSIGN_OR_RETURN(lhs, expr) AOA_ASSIGN_OR_RETURN_INNER(AOA_CONCAT(aoa_result_, __LINE__), lhs, expr)
#define AOA_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                               \
  if (!tmp.ok()) return std::move(tmp).status();   \
  lhs = *std::move(tmp)

}  // namespace aoa
