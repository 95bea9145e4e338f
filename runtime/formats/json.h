// JSON texts of small files, read strictly: one value, UTF-8, no key twice at any level, nesting bounded.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/core/status.h"

namespace aoa::formats {

enum class JsonKind { kObject, kArray, kText, kOther };

// A value that stands under keys only, not in an array: the keys that lead to it, and its text if it is one.
using JsonCallback =
    std::function<Status(const std::vector<std::string>& keys, JsonKind kind, const std::string& text)>;

// Calls `on_value` for every value in order, the outermost first, until it fails. The outermost value must be an
// object. Failures say where: a byte of the text, or a key.
Status WalkJsonObject(std::string_view text, const JsonCallback& on_value);

}  // namespace aoa::formats
