#include "compiler/core/schema.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace aoa {
namespace {

uint32_t HashOf(std::string_view text) { return static_cast<uint32_t>(std::hash<std::string_view>{}(text)); }

}  // namespace

int64_t ElementCount(const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

std::string ToString(const Shape& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

// The slot of `text`, or the free one where it belongs.
size_t Names::SlotOf(std::string_view text, uint32_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (!slots_[at].free() && (slots_[at].hash != hash || texts_[slots_[at].id] != text)) at = (at + 1) & mask;
  return at;
}

void Names::Grow() {
  std::vector<Slot> old(std::max<size_t>(16, slots_.size() * 2));
  std::swap(old, slots_);
  const size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.free()) continue;
    size_t at = slot.hash & mask;
    while (!slots_[at].free()) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

uint32_t Names::Intern(std::string_view text) {
  if (texts_.size() >= slots_.size() / 8 * 7) Grow();
  const uint32_t hash = HashOf(text);
  Slot& slot = slots_[SlotOf(text, hash)];
  if (slot.free()) {
    slot = {hash, static_cast<uint32_t>(texts_.size())};
    texts_.emplace_back(text);
  }
  return slot.id;
}

std::optional<uint32_t> Names::Find(std::string_view text) const {
  if (slots_.empty()) return std::nullopt;
  const Slot& slot = slots_[SlotOf(text, HashOf(text))];
  return slot.free() ? std::nullopt : std::optional(slot.id);
}

}  // namespace aoa
