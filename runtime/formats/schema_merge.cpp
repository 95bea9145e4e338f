#include "runtime/formats/schema_merge.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>

namespace aoa::formats {
namespace {

uint64_t HashTable(const SchemaTable& table) {
  uint64_t hash = table.size();
  for (const StoredTensor& tensor : table) {
    std::array<uint64_t, 5> facts = {(uint64_t{tensor.name} << 32) | tensor.shape, tensor.begin,
                                     (tensor.bytes << 8) | static_cast<uint64_t>(tensor.dtype), tensor.strides,
                                     (uint64_t{tensor.whole} << 32) | tensor.at};
    hash = XXH3_64bits_withSeed(facts.data(), sizeof(facts), hash);
  }
  return hash;
}

}  // namespace

uint32_t SchemaMerger::Add(const Header& header) {
  std::vector<uint32_t> shape_ids;
  for (const Shape& shape : header.shapes) shape_ids.push_back(shapes_.Intern(shape));
  SchemaTable table;
  table.reserve(header.tensors.size());
  uint32_t guess = 0;
  for (const HeaderTensor& tensor : header.tensors) {
    StoredTensor& stored = table.emplace_back();
    stored.name = InternName(header.Name(tensor), guess);
    stored.shape = shape_ids[tensor.shape];
    stored.dtype = tensor.dtype;
    stored.begin = tensor.begin;
    stored.bytes = tensor.end - tensor.begin;
    guess = stored.name + 1;
  }
  return Add(std::move(table));
}

// Tables mostly list the same names in the same order, so after one name comes the one that was numbered after it.
uint32_t SchemaMerger::InternName(std::string_view name, uint32_t guess) {
  if (guess < schema_.names.size() && schema_.names[guess] == name) return guess;
  return schema_.names.Intern(name);
}

uint32_t SchemaMerger::Add(SchemaTable table) {
  const uint64_t hash = HashTable(table);
  for (auto [it, end] = tables_.equal_range(hash); it != end; ++it) {
    if (schema_.tables[it->second] == table) return it->second;
  }
  auto id = static_cast<uint32_t>(schema_.tables.size());
  schema_.tables.push_back(std::move(table));
  tables_.emplace(hash, id);
  return id;
}

}  // namespace aoa::formats
