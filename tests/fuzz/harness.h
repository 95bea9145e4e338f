// What a fuzz harness provides: its target, which libFuzzer calls too, and what standalone.cpp mutates seeds with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace aoa::fuzz {

// Pieces of the language of the inputs, which mutations of bytes seldom hit upon.
const std::vector<std::string>& Words();

}  // namespace aoa::fuzz
