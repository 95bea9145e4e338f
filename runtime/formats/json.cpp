#include "runtime/formats/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_set>

#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

using Json = nlohmann::json;

Status NoJson(size_t byte) { return Status::Invalid(fmt::format("byte {}: the text is no JSON", byte)); }

// The library calls this for each token. A call that answers false ends the walk; status_ says why.
class Walker : public nlohmann::json_sax<Json> {
 public:
  explicit Walker(const JsonCallback& on_value) : on_value_(on_value) {}

  Status status() && { return std::move(status_); }

  bool null() override { return Value(JsonKind::kOther, ""); }
  bool boolean(bool) override { return Value(JsonKind::kOther, ""); }
  bool number_integer(number_integer_t) override { return Value(JsonKind::kOther, ""); }
  bool number_unsigned(number_unsigned_t) override { return Value(JsonKind::kOther, ""); }
  bool number_float(number_float_t, const string_t&) override { return Value(JsonKind::kOther, ""); }
  bool string(string_t& text) override { return Value(JsonKind::kText, text); }
  bool binary(binary_t&) override { return Value(JsonKind::kOther, ""); }
  bool start_object(size_t) override { return Value(JsonKind::kObject, "") && Open(false); }
  bool start_array(size_t) override { return Value(JsonKind::kArray, "") && Open(true); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& key) override {
    if (!levels_.back().seen.insert(key).second)
      return Fail(Status::Invalid(fmt::format("key {} stands twice", Quote(key))));
    keys_.back() = key;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return Fail(NoJson(position));
  }

 private:
  static constexpr size_t kDeepest = 64;

  struct Level {
    bool array = false;
    std::unordered_set<std::string> seen;
  };

  bool Value(JsonKind kind, const std::string& text) {
    if (levels_.empty() && kind != JsonKind::kObject) return Fail(Status::Invalid("the text is no JSON object"));
    if (arrays_ > 0) return true;
    Status status = on_value_(keys_, kind, text);
    return status.ok() || Fail(std::move(status));
  }

  bool Open(bool array) {
    if (levels_.size() == kDeepest)
      return Fail(Status::Invalid(fmt::format("values stand more than {} levels deep", kDeepest)));
    levels_.push_back({array, {}});
    arrays_ += array ? 1 : 0;
    keys_.emplace_back();
    return true;
  }

  bool Close() {
    arrays_ -= levels_.back().array ? 1 : 0;
    levels_.pop_back();
    keys_.pop_back();
    return true;
  }

  bool Fail(Status status) {
    status_ = std::move(status);
    return false;
  }

  const JsonCallback& on_value_;
  std::vector<Level> levels_;
  std::vector<std::string> keys_;  // one per level
  size_t arrays_ = 0;              // how many levels are arrays
  Status status_;
};

}  // namespace

Status WalkJsonObject(std::string_view text, const JsonCallback& on_value) {
  // The library would take a NUL for the end of the text, and pass over a byte order mark.
  if (size_t nul = text.find('\0'); nul != text.npos) return NoJson(nul);
  if (text.starts_with("\xef\xbb\xbf")) return NoJson(0);
  Walker walker(on_value);
  Json::sax_parse(text, &walker);
  return std::move(walker).status();
}

}  // namespace aoa::formats
