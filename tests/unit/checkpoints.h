// Reads checkpoints that tests have made.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "runtime/formats/format.h"

namespace aoa::testing {

inline Result<Schema> Read(const std::string& path, const char* format = "safetensors", int threads = 2) {
  return formats::FindFormat(format)->Read(path, {threads});
}

inline Schema MustRead(const std::string& path, const char* format = "safetensors", int threads = 2) {
  auto schema = Read(path, format, threads);
  EXPECT_TRUE(schema.ok()) << schema.status().message();
  return schema.ok() ? *std::move(schema) : Schema();
}

// Why it cannot be read: kInvalid, unless said otherwise.
inline std::string Reason(const std::string& path, const char* format = "safetensors") {
  auto schema = Read(path, format);
  EXPECT_FALSE(schema.ok()) << path;
  EXPECT_EQ(schema.status().code(), StatusCode::kInvalid) << schema.status().message();
  return schema.status().message();
}

}  // namespace aoa::testing
