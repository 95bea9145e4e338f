#include "runtime/formats/composite.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <memory>
#include <utility>

#include "compiler/core/check.h"
#include "compiler/core/text.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

constexpr uint32_t kNoStore = 0xFFFFFFFF;

}  // namespace

uint32_t CompositeSchema::StoreOf(const std::string& path, uint64_t size) {
  auto [it, added] = stores_.try_emplace(path, static_cast<uint32_t>(schema_.stores.size()));
  if (added) schema_.stores.push_back({path, size, nullptr});
  return it->second;
}

uint32_t CompositeSchema::StoreOf(const std::string& path, std::shared_ptr<const std::string> content) {
  const uint64_t size = content->size();
  schema_.stores.push_back({path, size, std::move(content)});
  return static_cast<uint32_t>(schema_.stores.size() - 1);
}

void CompositeSchema::Begin(std::string label, int64_t rank) {
  file_ = {};
  file_.path = std::move(label);
  file_.rank = rank;
  table_.clear();
  stretches_.clear();
  names_.clear();
  number_stretches_.clear();
  numbers_.clear();
}

Result<StoredTensor*> CompositeSchema::AddTensor(std::string_view name, DType dtype, const Shape& shape,
                                                 std::optional<DType> held, bool chunk) {
  StoredTensor stored;
  stored.name = schema_.names.Intern(name);
  if (!names_.insert(stored.name).second && !chunk)
    return Status::Invalid(fmt::format("{}: there are two tensors {}", Printable(file_.path), Quote(name)));
  stored.shape = merger_.InternShape(shape);
  stored.dtype = dtype;
  stored.begin = file_.size;
  if (held && *held != dtype) stored.held = held;
  return &table_.emplace_back(stored);
}

Status CompositeSchema::AddPart(const StoredPart& part, std::string_view name) {
  const Store& store = schema_.stores[part.store];
  if (part.offset > store.size || part.bytes > store.size - part.offset) {
    return Status::Invalid(fmt::format("{}: {} would lie at bytes {} to {} of {}", Printable(store.path), Quote(name),
                                       part.offset, part.offset + part.bytes, store.size));
  }
  if (part.bytes == 0) return Status();
  Stretch* last = stretches_.empty() ? nullptr : &stretches_.back();
  if (last && last->store == part.store && last->offset + last->bytes == part.offset) {
    last->bytes += part.bytes;
  } else {
    stretches_.push_back({file_.size, part.bytes, part.store, part.offset});
  }
  file_.size += part.bytes;
  return Status();
}

Status CompositeSchema::AddParts(std::string_view name, DType dtype, const Shape& shape,
                                 std::span<const StoredPart> parts, std::optional<DType> held, bool chunk) {
  AOA_ASSIGN_OR_RETURN(StoredTensor * stored, AddTensor(name, dtype, shape, held, chunk));
  for (const StoredPart& part : parts) AOA_RETURN_IF_ERROR(AddPart(part, name));
  stored->bytes = file_.size - stored->begin;
  auto needed = static_cast<uint64_t>(ElementCount(shape)) * static_cast<uint64_t>(Width(held.value_or(dtype)));
  if (stored->bytes == needed) return Status();
  return Status::Invalid(fmt::format("{}: {} {} has {} bytes, not {}", Printable(file_.path), Quote(name),
                                     aoa::ToString(shape), stored->bytes, needed));
}

Status CompositeSchema::Add(std::string_view name, DType dtype, const Shape& shape, std::span<const StoredPart> parts,
                            std::optional<DType> held) {
  return AddParts(name, dtype, shape, parts, held, false);
}

Status CompositeSchema::AddChunk(std::string_view name, DType dtype, const Shape& shape,
                                 std::span<const StoredPart> parts, const Shape& whole, const Shape& at) {
  AOA_RETURN_IF_ERROR(AddParts(name, dtype, shape, parts, std::nullopt, true));
  table_.back().whole = merger_.InternShape(whole);
  table_.back().at = merger_.InternShape(at);
  return Status();
}

Status CompositeSchema::AddStrided(std::string_view name, DType dtype, const Shape& shape, const Shape& strides,
                                   const StoredPart& part, std::optional<DType> held) {
  AOA_ASSIGN_OR_RETURN(StoredTensor * stored, AddTensor(name, dtype, shape, held, false));
  AOA_RETURN_IF_ERROR(AddPart(part, name));
  stored->bytes = file_.size - stored->begin;
  stored->strides = merger_.InternShape(strides);
  return Status();
}

Status CompositeSchema::AddNumber(std::string_view name, DType dtype, uint64_t bits) {
  static_assert(std::endian::native == std::endian::little);
  AOA_ASSIGN_OR_RETURN(StoredTensor * stored, AddTensor(name, dtype, {}, std::nullopt, false));
  stored->bytes = static_cast<uint64_t>(Width(dtype));
  number_stretches_.push_back(stretches_.size());
  stretches_.push_back({file_.size, stored->bytes, kNoStore, numbers_.size()});  // its store is made at the end
  file_.size += stored->bytes;
  char bytes[sizeof(bits)];
  std::memcpy(bytes, &bits, sizeof(bits));
  numbers_.append(bytes, static_cast<size_t>(stored->bytes));
  return Status();
}

void CompositeSchema::End() {
  if (!numbers_.empty()) {
    for (size_t i : number_stretches_) stretches_[i].store = static_cast<uint32_t>(schema_.stores.size());
    const uint64_t size = numbers_.size();
    schema_.stores.push_back({file_.path, size, std::make_shared<const std::string>(std::move(numbers_))});
  }
  file_.table = merger_.Add(std::move(table_));
  file_.stretches = std::make_shared<const std::vector<Stretch>>(std::move(stretches_));
  schema_.files.push_back(std::move(file_));
  table_ = {};
  stretches_ = {};
}

}  // namespace aoa::formats
