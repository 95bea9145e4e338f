// Trees as pickles.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/formats/pickle.h"

namespace aoa::formats::pickle {

// What torch writes and its restricted loader reads; and what Paddle and DCP's metadata have, whose bytes need no
// detour through text.
enum class Protocol : uint8_t { kTwo = 2, kFour = 4 };

// A pickle with places for bytes that come later: those of nodes that are `outside`.
struct Written {
  struct Hole {
    uint64_t at = 0;  // in `bytes`: what stands before it and is not itself a hole
    const Value* value = nullptr;
    uint64_t length = 0;
  };
  std::string bytes;
  std::vector<Hole> holes;  // ascending; only with protocol 4
};

// Nodes that are shared are written once. Refused: containers nested too deep, and tuples that hold themselves.
Result<Written> Write(const Value& value, Protocol protocol);

}  // namespace aoa::formats::pickle
