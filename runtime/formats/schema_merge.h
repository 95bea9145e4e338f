// Headers of single files into the one schema of a checkpoint: names, shapes and tables that are there already are used
// again.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "compiler/core/schema.h"
#include "runtime/formats/safetensors_header.h"
#include "runtime/formats/shape_set.h"

namespace aoa::formats {

class SchemaMerger {
 public:
  explicit SchemaMerger(Schema& schema) : schema_(schema), shapes_(schema.shapes) {}

  // The number of the table in Schema::tables.
  uint32_t Add(const Header& header);
  uint32_t Add(SchemaTable table);
  uint32_t InternShape(const Shape& shape) { return shapes_.Intern(shape); }

 private:
  uint32_t InternName(std::string_view name, uint32_t guess);

  Schema& schema_;
  ShapeSet shapes_;
  std::unordered_multimap<uint64_t, uint32_t> tables_;  // by hash
};

}  // namespace aoa::formats
