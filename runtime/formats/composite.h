// Rank files that do not exist as such: tensors that lie in stretches of several files (flat optimizer partitions,
// chunks, slices of large tensors), put together into one line of bytes for the schema.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/schema_merge.h"

namespace aoa::formats {

// Where bytes of a tensor lie.
struct StoredPart {
  uint32_t store = 0;  // CompositeSchema::StoreOf
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

// Adds composite files to a schema. Files that say the same share a table.
class CompositeSchema {
 public:
  explicit CompositeSchema(Schema& schema) : schema_(schema), merger_(schema) {}

  // The number of a file among the stores; `size` is what it had when its header was read.
  uint32_t StoreOf(const std::string& path, uint64_t size);
  // The number of a store that is these bytes, which a header gave; `path` is for messages.
  uint32_t StoreOf(const std::string& path, std::shared_ptr<const std::string> content);

  // Begins the file of a rank. `label` stands for it in messages: the path of the file or folder that holds most of it.
  void Begin(std::string label, int64_t rank);

  // A tensor whose row-major elements are these parts, one after the other. They must add up to its bytes (in `held`,
  // if that is given: see StoredTensor).
  Status Add(std::string_view name, DType dtype, const Shape& shape, std::span<const StoredPart> parts,
             std::optional<DType> held = {});
  // A chunk: `shape` of a whole tensor, from `at` on (see StoredTensor). A file may have several of one tensor.
  Status AddChunk(std::string_view name, DType dtype, const Shape& shape, std::span<const StoredPart> parts,
                  const Shape& whole, const Shape& at);
  // A tensor in one part, of which only the elements at these strides are its own.
  Status AddStrided(std::string_view name, DType dtype, const Shape& shape, const Shape& strides,
                    const StoredPart& part, std::optional<DType> held = {});
  // A scalar that a header gives: `bits` little-endian.
  Status AddNumber(std::string_view name, DType dtype, uint64_t bits);

  // Ends the file and adds it to the schema.
  void End();

 private:
  Result<StoredTensor*> AddTensor(std::string_view name, DType dtype, const Shape& shape, std::optional<DType> held,
                                  bool chunk);
  Status AddParts(std::string_view name, DType dtype, const Shape& shape, std::span<const StoredPart> parts,
                  std::optional<DType> held, bool chunk);
  Status AddPart(const StoredPart& part, std::string_view name);

  Schema& schema_;
  SchemaMerger merger_;
  std::map<std::string, uint32_t> stores_;
  SchemaFile file_;
  SchemaTable table_;
  std::vector<Stretch> stretches_;
  std::unordered_set<uint32_t> names_;    // of this file
  std::vector<size_t> number_stretches_;  // those that lie in `numbers_`
  std::string numbers_;                   // the bytes of AddNumber
};

}  // namespace aoa::formats
