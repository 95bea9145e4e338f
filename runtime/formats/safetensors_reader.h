// The headers of many safetensors files, side by side, into one schema.
//
// Files of different ranks often differ in the metadata at the front of their headers only. Such headers are parsed
// once: first all files are looked at, and what stands behind the metadata is hashed; then of each group with equal
// hashes one file is parsed, and the others are compared with it byte by byte as they are read once more (from memory,
// as a rule). So sharing never rests on a hash, and no more than one header per thread is held.
#pragma once

#include <string>
#include <vector>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/safetensors_header.h"

namespace aoa::formats {

// Appends a SchemaFile of rank 0 for each of `paths` to `schema.files`, in this order, with the tables that they need.
// Answers the metadata of each file. Deterministic: the number of threads changes nothing, also of several failures
// which one.
Result<std::vector<Metadata>> ReadHeaders(const std::vector<std::string>& paths, int threads, Schema& schema);

}  // namespace aoa::formats
