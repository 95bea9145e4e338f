#include "runtime/formats/megatron_states.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <span>
#include <utility>

#include "compiler/core/text.h"
#include "runtime/formats/megatron_buffers.h"
#include "runtime/formats/quote.h"

namespace aoa::formats {
namespace {

using pickle::Value;
using Kind = Value::Kind;

constexpr const char* kMoments[] = {"exp_avg", "exp_avg_sq"};

// Checkpoints before version 2 have the rows of fused queries, keys and values in other orders: [3, heads, d] in
// version 0, [heads, d, 3] in version 1, where later ones have [heads, 3, d].
struct HeadRows {
  double version = 0;
  int64_t heads = 0, size = 0;  // of this rank; rows of a head

  // The row of the file that is row `row` of the later order.
  int64_t FileRow(int64_t row) const {
    const int64_t head = row / (3 * size), part = row / size % 3, at = row % size;
    return version < 1 ? (part * heads + head) * size + at : (head * size + at) * 3 + part;
  }
};

class Adder {
 public:
  Adder(const MegatronRank& rank, CompositeSchema& out, std::vector<std::string>& notes)
      : rank_(rank), out_(out), notes_(notes), store_(out.StoreOf(rank.file.path(), rank.file.size())) {}

  Status Add() {
    for (const MegatronWeight& weight : rank_.weights) AOA_RETURN_IF_ERROR(AddTensor(weight.name, weight.tensor));
    if (rank_.buffers) AOA_RETURN_IF_ERROR(AddBuffers());
    const Value* optimizer = rank_.file.root().Find("optimizer");
    if (!optimizer) return Status();
    if (optimizer->kind == Kind::kList) return Leave("several optimizers");
    const Value* inner = optimizer->Find("optimizer");
    return AddOptimizer(*optimizer, inner ? *inner : *optimizer);
  }

 private:
  Status Leave(std::string_view what) {
    notes_.push_back(fmt::format("{}: {}: states of weights are left behind", Printable(rank_.file.path()), what));
    return Status();
  }

  // ---------------------------------------------------------------- tensors

  Status AddTensor(const std::string& name, const TorchTensor& tensor) {
    const StoredPart part{store_, tensor.offset, tensor.bytes};
    if (tensor.row_major) return AddRun(name, tensor.dtype, tensor.shape, part);
    if (NeedsReorder(name)) return Status::Invalid(OldOrder(name));
    return out_.AddStrided(name, tensor.dtype, tensor.shape, tensor.strides, part);
  }

  Status AddRun(const std::string& name, DType dtype, const Shape& shape, const StoredPart& part) {
    if (!NeedsReorder(name)) return out_.Add(name, dtype, shape, std::span(&part, part.bytes > 0 ? 1 : 0));
    AOA_ASSIGN_OR_RETURN(HeadRows rows, RowsOf(name, shape));
    std::vector<StoredPart> parts;
    const uint64_t width = part.bytes / static_cast<uint64_t>(shape[0]);
    for (int64_t row = 0; row < shape[0]; ++row)
      parts.push_back({part.store, part.offset + static_cast<uint64_t>(rows.FileRow(row)) * width, width});
    return out_.Add(name, dtype, shape, parts);
  }

  bool NeedsReorder(const std::string& name) const {
    return rank_.version < 2 && name.find("query_key_value.") != std::string::npos;
  }

  std::string OldOrder(const std::string& name) const {
    return fmt::format("{} of checkpoint version {} has its rows in an old order, and `args` do not say how many heads",
                       Quote(name), rank_.version);
  }

  Result<HeadRows> RowsOf(const std::string& name, const Shape& shape) const {
    HeadRows rows{rank_.version, 0, 0};
    if (rank_.arguments.is_object()) {
      auto number = [&](const char* key) {
        auto it = rank_.arguments.find(key);
        return it != rank_.arguments.end() && it->is_number_integer() ? it->get<int64_t>() : int64_t{0};
      };
      rows.heads = number("num_attention_heads") / rank_.mesh.tp;
      if (rows.heads > 0 && !shape.empty() && shape[0] % (3 * rows.heads) == 0) rows.size = shape[0] / 3 / rows.heads;
    }
    if (rows.size > 0) return rows;
    return Status::Invalid(OldOrder(name));
  }

  Status AddState(const MegatronWeight& weight, std::string_view ending, const Value& value) {
    const std::string name = fmt::format("{}.{}", weight.name, ending);
    AOA_ASSIGN_OR_RETURN(auto tensor, rank_.file.TensorOf(value, name));
    if (!tensor) return Status::Invalid(fmt::format("{} is no tensor", Quote(name)));
    if (tensor->shape == weight.tensor.shape) return AddTensor(name, *tensor);
    return Status::Invalid(fmt::format("{} is {}, its weight {}", Quote(name), aoa::ToString(tensor->shape),
                                       aoa::ToString(weight.tensor.shape)));
  }

  // A step is a number, or a tensor of one.
  Status AddStep(const MegatronWeight& weight, const Value& value) {
    const std::string name = fmt::format("{}.{}", weight.name, kStep);
    if (auto number = NumberOf(&value))
      return out_.AddNumber(name, DType::kF32, std::bit_cast<uint32_t>(static_cast<float>(*number)));
    AOA_ASSIGN_OR_RETURN(auto tensor, rank_.file.TensorOf(value, name));
    if (!tensor || ElementCount(tensor->shape) != 1)
      return Status::Invalid(fmt::format("{} is no number", Quote(name)));
    const StoredPart part{store_, tensor->offset, tensor->bytes};
    return out_.Add(name, tensor->dtype, {}, std::span(&part, 1));
  }

  // ---------------------------------------------------------------- states per parameter

  Status AddOptimizer(const Value& outer, const Value& inner) {
    const Value *groups = inner.Find("param_groups"), *states = inner.Find("state");
    if (!groups || groups->kind != Kind::kList) return Leave("an optimizer without `param_groups`");
    const Value* masters = outer.Find("fp32_from_fp16_params");
    for (size_t g = 0; g < groups->items.size(); ++g) {
      const Value& group = *groups->items[g];
      const Value* numbers = group.Find("params");
      auto members = MembersOfGroup(group, numbers ? std::optional(numbers->items.size()) : std::nullopt);
      if (!members) return Leave(fmt::format("group {} of the optimizer has {} weights", g, numbers->items.size()));
      const Value* own = masters && g < masters->items.size() ? masters->items[g] : nullptr;
      if (own && own->items.size() != members->size()) return Leave("masters of other weights");
      for (size_t i = 0; i < members->size(); ++i) {
        const MegatronWeight& weight = rank_.weights[(*members)[i]];
        if (own) AOA_RETURN_IF_ERROR(AddState(weight, kMaster, *own->items[i]));
        auto number = numbers ? numbers->items[i]->AsInt() : std::nullopt;
        const Value* state = states && number ? FindKey(*states, *number) : nullptr;
        AOA_RETURN_IF_ERROR(AddStates(weight, state, group));
      }
    }
    return Status();
  }

  Status AddStates(const MegatronWeight& weight, const Value* state, const Value& group) {
    for (const char* moment : kMoments) {
      if (const Value* value = state ? state->Find(moment) : nullptr)
        AOA_RETURN_IF_ERROR(AddState(weight, moment, *value));
    }
    const Value* step = state ? state->Find(kStep) : nullptr;
    if (!step) step = group.Find(kStep);
    return step ? AddStep(weight, *step) : Status();
  }

  // The weights of a group, in the order of the model: those whose size decays or the others, or all where that is how
  // many there are.
  std::optional<std::vector<size_t>> MembersOfGroup(const Value& group, std::optional<size_t> count) const {
    std::vector<size_t> decaying, others, all;
    for (size_t i = 0; i < rank_.weights.size(); ++i) {
      const MegatronWeight& weight = rank_.weights[i];
      (DecaysInMegatron(weight.name, weight.tensor.shape) ? decaying : others).push_back(i);
      all.push_back(i);
    }
    auto factor = NumberOf(group.Find("wd_mult"));
    std::vector<std::vector<size_t>*> candidates = {&decaying, &others, &all};
    if (factor) candidates = {*factor == 0 ? &others : &decaying, &all};
    for (std::vector<size_t>* candidate : candidates) {
      if (!count || candidate->size() == *count) return std::move(*candidate);
    }
    return std::nullopt;
  }

  // ---------------------------------------------------------------- the distributed optimizer

  Status AddBuffers() {
    Status status = ReadBuffers();
    return status.ok() ? status : std::move(status).WithContext(Printable(rank_.buffers->path()));
  }

  Status ReadBuffers() {
    const Value& root = rank_.buffers->root();
    if (!root.Find("buckets_coalesced")) return Leave("a distributed optimizer in the form of Core 0.6 or of experts");
    for (size_t chunk = 0; chunk < rank_.chunks; ++chunk) {
      const Value* buffer = FindKey(root, static_cast<int64_t>(chunk));
      if (!buffer || buffer->entries.size() != 2) return Leave("buffers of several element types");
      AOA_RETURN_IF_ERROR(ReadBuffer(*buffer->entries[1], chunk));
    }
    return Status();
  }

  Status ReadBuffer(const Value& buffer, size_t chunk) {
    std::vector<const MegatronWeight*> weights;
    std::vector<BufferParameter> parameters;
    for (const MegatronWeight& weight : rank_.weights) {
      if (weight.chunk != chunk) continue;
      weights.push_back(&weight);
      parameters.push_back({ElementCount(weight.tensor.shape), IsMegatronEmbedding(weight.name)});
    }
    const Value* count = buffer.Find("numel_unpadded");
    auto elements = count ? count->AsInt() : std::nullopt;
    if (!elements) return Status::Invalid("a buffer without `numel_unpadded`");
    auto layout = FindBufferLayout(parameters, rank_.mesh.dp * ContextRanks(), *elements);
    if (!layout) return Leave(fmt::format("no one division into buckets gives {} elements", *elements));
    AOA_RETURN_IF_ERROR(AddFlat(buffer, "param", kMaster, weights, *layout));
    for (const char* moment : kMoments) AOA_RETURN_IF_ERROR(AddFlat(buffer, moment, moment, weights, *layout));
    return Status();
  }

  Status AddFlat(const Value& buffer, const char* key, std::string_view ending,
                 const std::vector<const MegatronWeight*>& weights, const BufferLayout& layout) {
    const Value* value = buffer.Find(key);
    if (!value) return Status();
    AOA_ASSIGN_OR_RETURN(auto flat, rank_.buffers->TensorOf(*value, key));
    if (!flat || flat->shape != Shape{layout.elements} || !flat->row_major)
      return Status::Invalid(fmt::format("{} is no tensor of {} elements", Quote(key), layout.elements));
    const uint32_t store = out_.StoreOf(rank_.buffers->path(), rank_.buffers->size());
    const auto width = static_cast<uint64_t>(Width(flat->dtype));
    for (size_t i = 0; i < weights.size(); ++i) {
      const TorchTensor& weight = weights[i]->tensor;
      if (ending == kMaster && weight.dtype == flat->dtype) continue;  // the weight itself, once more
      const StoredPart part{store, flat->offset + static_cast<uint64_t>(layout.begins[i]) * width,
                            static_cast<uint64_t>(ElementCount(weight.shape)) * width};
      AOA_RETURN_IF_ERROR(AddRun(fmt::format("{}.{}", weights[i]->name, ending), flat->dtype, weight.shape, part));
    }
    return Status();
  }

  // Optimizers are shared out over these ranks too.
  int64_t ContextRanks() const {
    if (!rank_.arguments.is_object()) return 1;
    auto it = rank_.arguments.find("context_parallel_size");
    const bool says = it != rank_.arguments.end() && it->is_number_integer();
    return says ? std::clamp<int64_t>(it->get<int64_t>(), 1, 1'000'000) : 1;
  }

  const MegatronRank& rank_;
  CompositeSchema& out_;
  std::vector<std::string>& notes_;
  uint32_t store_;
};

}  // namespace

Status AddMegatronTensors(const MegatronRank& rank, CompositeSchema& out, std::vector<std::string>& notes) {
  Status status = Adder(rank, out, notes).Add();
  return status.ok() ? status : std::move(status).WithContext(Printable(rank.file.path()));
}

}  // namespace aoa::formats
