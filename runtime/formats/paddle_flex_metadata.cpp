#include "runtime/formats/paddle_flex_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>

#include "runtime/formats/pickle.h"
#include "runtime/formats/pickle_writer.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

using pickle::Value;

constexpr std::string_view kModule = "paddle.distributed.flex_checkpoint.dcp.metadata ";

struct TypeName {
  DType type;
  std::string_view name;
};
constexpr TypeName kTypes[] = {
    {DType::kF64, "float64"}, {DType::kF32, "float32"}, {DType::kF16, "float16"}, {DType::kBF16, "bfloat16"},
    {DType::kI64, "int64"},   {DType::kI32, "int32"},   {DType::kI16, "int16"},   {DType::kI8, "int8"},
    {DType::kU8, "uint8"},    {DType::kBool, "bool"},
};

class MetadataPickle {
 public:
  Result<std::string> Make(const std::vector<PaddleFlexBlock>& blocks) {
    Value *tensors = tree_.Dict(), *places = tree_.Dict(), *mapping = tree_.Dict();
    std::unordered_map<std::string_view, Value*> lists;
    for (const PaddleFlexBlock& block : blocks) {
      const Value* name = Text(block.name);
      Value*& list = lists[block.name];
      if (!list) {
        list = tree_.New(Value::Kind::kList);
        Set(tensors, name, list);
        Set(mapping, name, tree_.Tuple({name}));
      }
      AOA_ASSIGN_OR_RETURN(const Value* box, Box(block));
      list->items.push_back(box);
      Set(places, Index(block, name), Text(block.file));
    }
    Value* state = tree_.Dict();
    Set(state, Text("state_dict_metadata"), tensors);
    Set(state, Text("storage_metadata"), places);
    Set(state, Text("flat_mapping"), mapping);
    AOA_ASSIGN_OR_RETURN(pickle::Written written, pickle::Write(*Instance("Metadata", state), pickle::Protocol::kFour));
    return std::move(written.bytes);
  }

 private:
  // Texts that stand several times are one node, which is written once.
  const Value* Text(std::string_view text) {
    const Value*& node = texts_[std::string(text)];
    return node ? node : node = tree_.Text(text);
  }

  static void Set(Value* dict, const Value* key, const Value* value) {
    dict->entries.push_back(key);
    dict->entries.push_back(value);
  }

  const Value* Instance(std::string_view name, const Value* state) {
    const Value*& global = globals_[std::string(name)];
    if (!global) global = tree_.Global(std::string(kModule).append(name));
    if (!nothing_) nothing_ = tree_.Tuple({});
    Value* out = tree_.New(Value::Kind::kObject);
    out->made = Value::Made::kNew;
    out->callable = global;
    out->arguments = nothing_;
    out->state = state;
    return out;
  }

  const Value* Numbers(const Shape& numbers) {
    std::vector<const Value*> items;
    for (int64_t number : numbers) items.push_back(tree_.Int(number));
    return tree_.Tuple(std::move(items));
  }

  void SetRange(Value* state, const PaddleFlexBlock& block) {
    Set(state, Text("is_flattened"), tree_.Bool(block.range.has_value()));
    Set(state, Text("flattened_range"),
        block.range ? Numbers({block.range->first, block.range->second}) : tree_.None());
  }

  Result<const Value*> Box(const PaddleFlexBlock& block) {
    auto type =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeName& t) { return t.type == block.dtype; });
    if (type == std::end(kTypes))
      return Status::Invalid(fmt::format("tensor {}: Paddle has no type {}", Quote(block.name), Name(block.dtype)));
    Value* state = tree_.Dict();
    Set(state, Text("global_offset"), Numbers(block.at));
    Set(state, Text("local_shape"), Numbers(block.shape));
    Set(state, Text("dtype"), Text(type->name));
    Set(state, Text("global_shape"), Numbers(block.whole));
    SetRange(state, block);
    return Instance("LocalTensorMetadata", state);
  }

  const Value* Index(const PaddleFlexBlock& block, const Value* name) {
    Value* state = tree_.Dict();
    Set(state, Text("tensor_key"), name);
    Set(state, Text("global_offset"), Numbers(block.at));
    SetRange(state, block);
    Set(state, Text("replica_id"), tree_.None());
    Set(state, Text("local_shape"), Numbers(block.shape));
    return Instance("LocalTensorIndex", state);
  }

  pickle::Tree tree_;
  std::unordered_map<std::string, const Value*> texts_, globals_;
  const Value* nothing_ = nullptr;
};

}  // namespace

Result<std::string> PaddleFlexMetadata(const std::vector<PaddleFlexBlock>& blocks) {
  return MetadataPickle().Make(blocks);
}

}  // namespace aoa::formats
