// Headers of single files into the one schema of a checkpoint: names, shapes and tables that are there already are used again.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "compiler/core/schema.h"
#include "runtime/formats/safetensors_header.h"

namespace aoa::formats {

class SchemaMerger {
 public:
  explicit SchemaMerger(Schema& schema) : schema_(schema) {}

  // The number of the table in Schema::tables.
  uint32_t Add(const Header& header);

 private:
  struct ShapeHash {
    size_t operator()(const Shape& shape) const;
  };

  uint32_t InternName(std::string_view name, uint32_t guess);
  uint32_t InternShape(const Shape& shape);
  uint32_t InternTable(SchemaTable table);

  Schema& schema_;
  std::unordered_map<Shape, uint32_t, ShapeHash> shapes_;
  std::unordered_multimap<uint64_t, uint32_t> tables_;  // by hash
};

}  // namespace aoa::formats
