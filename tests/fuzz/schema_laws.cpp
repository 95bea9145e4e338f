#include "tests/fuzz/schema_laws.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "tests/fuzz/harness.h"

namespace aoa::fuzz {
namespace {

__extension__ using Wide = __int128;
constexpr Wide kMostElements = Wide{1} << 62;

Wide Elements(const Shape& shape) {
  Wide count = 1, nonzero = 1;
  for (int64_t extent : shape) {
    REQUIRE(extent >= 0);
    count *= extent;
    nonzero *= std::max<int64_t>(extent, 1);
    REQUIRE(nonzero <= kMostElements);
  }
  return count;
}

void CheckChunk(const Schema& schema, const StoredTensor& tensor) {
  REQUIRE(tensor.whole < schema.shapes.size() && tensor.at < schema.shapes.size());
  const Shape &shape = schema.shapes[tensor.shape], &whole = schema.shapes[tensor.whole],
              &at = schema.shapes[tensor.at];
  REQUIRE(shape.size() == whole.size() && shape.size() == at.size());
  Elements(whole);
  for (size_t i = 0; i < shape.size(); ++i) REQUIRE(at[i] >= 0 && at[i] <= whole[i] && shape[i] <= whole[i] - at[i]);
}

void CheckTensor(const Schema& schema, const SchemaFile& file, const StoredTensor& tensor) {
  REQUIRE(tensor.name < schema.names.size() && tensor.shape < schema.shapes.size());
  REQUIRE(file.data_start <= file.size && tensor.begin <= file.size - file.data_start);
  REQUIRE(tensor.bytes <= file.size - file.data_start - tensor.begin);
  const Shape& shape = schema.shapes[tensor.shape];
  const Wide count = Elements(shape);
  Wide span = count;
  if (tensor.strides != StoredTensor::kRowMajor) {
    REQUIRE(tensor.strides < schema.shapes.size());
    const Shape& strides = schema.shapes[tensor.strides];
    REQUIRE(strides.size() == shape.size());
    span = count == 0 ? 0 : 1;
    for (size_t i = 0; i < shape.size() && count > 0; ++i) {
      REQUIRE(strides[i] >= 0);
      span += Wide{shape[i] - 1} * strides[i];
    }
  }
  REQUIRE(span * Width(tensor.held.value_or(tensor.dtype)) <= static_cast<Wide>(tensor.bytes));
  if (tensor.whole != StoredTensor::kNoChunk) CheckChunk(schema, tensor);
}

// The chunks of a tensor are of one whole.
void CheckAgreement(const StoredTensor& tensor, std::map<uint32_t, const StoredTensor*>& chunked) {
  if (tensor.whole == StoredTensor::kNoChunk) return;
  const StoredTensor& first = *chunked.try_emplace(tensor.name, &tensor).first->second;
  REQUIRE(first.dtype == tensor.dtype && first.whole == tensor.whole);
}

void CheckStretches(const Schema& schema, const SchemaFile& file) {
  uint64_t end = 0;
  for (const Stretch& stretch : *file.stretches) {
    REQUIRE(stretch.begin == end && stretch.store < schema.stores.size());
    const Store& store = schema.stores[stretch.store];
    REQUIRE(stretch.offset <= store.size && stretch.bytes <= store.size - stretch.offset);
    end += stretch.bytes;
  }
  REQUIRE(end == file.size);
}

}  // namespace

void CheckSchema(const Schema& schema) {
  for (const Store& store : schema.stores) {
    if (store.content) REQUIRE(store.content->size() == store.size);
    if (!store.content) REQUIRE(std::filesystem::file_size(store.path) == store.size);
  }
  std::map<uint32_t, const StoredTensor*> chunked;  // by name
  for (const SchemaFile& file : schema.files) {
    REQUIRE(file.table < schema.tables.size());
    if (file.stretches) CheckStretches(schema, file);
    if (!file.stretches) REQUIRE(std::filesystem::file_size(file.path) == file.size);
    uint64_t last = 0;
    for (const StoredTensor& tensor : schema.tables[file.table]) {
      REQUIRE(last <= tensor.begin);
      last = tensor.begin;
      CheckTensor(schema, file, tensor);
      CheckAgreement(tensor, chunked);
    }
  }
}

}  // namespace aoa::fuzz
