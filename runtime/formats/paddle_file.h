// Files of paddle.save: one bare pickle, without a magic number, whose tensors are numpy's arrays.
//
//   {"linear.weight": ndarray, ..., "StructuredToParameterName@@": {"linear.weight": "linear_0.w_0"}}
//
// Beside arrays there are pairs (name, array), which older and nested dictionaries have, and large arrays cut into
// slices. Numpy has no bfloat16: an array of uint16 is one. Protocol 2 has no bytes, so what it saves as text is
// decoded here and held in memory; of all other protocols the bytes stay in the file.
//
// Source: paddle/framework/io.py and io_utils.py, and files of Paddle 3.3.1.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/dtype.h"
#include "compiler/core/schema.h"
#include "compiler/core/status.h"
#include "runtime/formats/pickle.h"

namespace aoa::formats {

struct PaddleArray {
  struct Piece {
    uint64_t offset = 0, bytes = 0;              // in the file
    std::shared_ptr<const std::string> content;  // the bytes themselves, where the file has them as text; or null
  };

  DType dtype = DType::kF32;
  Shape shape;
  std::vector<Piece> pieces;  // row-major, one after the other
};

struct PaddleFile {
  std::string path;
  uint64_t size = 0;
  std::map<std::string, PaddleArray> arrays;      // at the top, by key
  std::map<std::string, PaddleArray> masters;     // below `master_weights`
  std::map<std::string, std::string> parameters;  // what the framework calls a key's parameter
};

inline constexpr std::string_view kPaddleParameterNames = "StructuredToParameterName@@";
// Of a file of states: the dictionary of masters, what the names of states have where there is a master, and what a
// master is called elsewhere.
inline constexpr std::string_view kPaddleMasters = "master_weights", kPaddleMasterOf = "_fp32_master_0",
                                  kPaddleMaster = "w_0";
inline constexpr std::string_view kPaddleSlice = "slice@";  // in front of what sharding stage 3 has cut

// Executes nothing.
Result<PaddleFile> ReadPaddleFile(const std::string& path);

// The pickle at a path, for files that hold other things than arrays.
Result<const pickle::Value*> ReadPaddlePickle(const std::string& path, pickle::Tree& tree);

// numpy's name of the type that carries another, "f4"; empty if there is none.
std::string_view PaddleTypeName(DType dtype);

// An int, or numpy's scalar of one. Nothing for other values.
std::optional<int64_t> PaddleInt(const pickle::Value& value);

}  // namespace aoa::formats
