#include "runtime/formats/deepspeed_states.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "compiler/core/convert.h"
#include "compiler/core/text.h"
#include "runtime/formats/deepspeed_partition.h"
#include "runtime/formats/quote.h"
#include "runtime/io/file.h"

namespace aoa::formats {
namespace {

using pickle::Value;
using Kind = Value::Kind;

constexpr std::string_view kMaster = "fp32";
constexpr int64_t kLongestPart = int64_t{1} << 40;

struct FlatTensor {
  std::string role;
  TorchTensor tensor;
  int64_t length() const { return ElementCount(tensor.shape); }
};

// What one rank's file has of one group (ZeRO-3: sub-group), flattened.
struct FlatGroup {
  std::vector<FlatTensor> tensors;  // the master first
  std::optional<double> step;
  const FlatTensor* Find(const std::string& role) const {
    auto it = std::find_if(tensors.begin(), tensors.end(), [&](const FlatTensor& t) { return t.role == role; });
    return it == tensors.end() ? nullptr : &*it;
  }
};

Status Broken(const TorchFile& file, const std::string& what) {
  return Status::Invalid(fmt::format("{}: {}", Printable(file.path()), what));
}

const Value* Optimizer(const TorchFile& file) { return file.root().Find("optimizer_state_dict"); }

// The moments and the step of the state of one flat parameter.
Status AddMoments(const TorchFile& file, const Value& state, FlatGroup& group) {
  for (const auto& [key, value] : MembersOf(state)) {
    if (key.empty() || !IsUtf8(key)) continue;
    if (key == "step" && value->Is(Kind::kInt) && value->AsInt()) group.step = static_cast<double>(*value->AsInt());
    auto tensor = file.TensorOf(*value, key);
    if (!tensor.ok()) return Broken(file, tensor.status().message());
    if (!*tensor) continue;
    if (key == "step" && ElementCount((*tensor)->shape) == 1) {
      AOA_ASSIGN_OR_RETURN(group.step, ReadNumber(file, **tensor));
    } else if ((*tensor)->shape.size() == 1 && (*tensor)->row_major && key != kMaster) {
      group.tensors.push_back({key, **tensor});
    }
  }
  return Status();
}

// The keys of the first `most` flat parameters in the inner optimizer's state, in the order of the groups.
std::vector<int64_t> KeysOf(const Value* param_groups, size_t most) {
  std::vector<int64_t> keys;
  if (!param_groups) return keys;
  for (const Value* group : param_groups->items) {
    const Value* params = group->Find("params");
    if (!params) continue;
    for (const Value* key : params->items) {
      if (keys.size() == most) return keys;
      keys.push_back(key->AsInt().value_or(-1));
    }
  }
  return keys;
}

Result<std::vector<FlatGroup>> ReadGroups(const TorchFile& file) {
  const Value* optimizer = Optimizer(file);
  if (!optimizer) return Broken(file, "there is no `optimizer_state_dict`");
  const bool third = ZeroStageOf(file) == 3;
  const char* key = third ? "fp32_flat_groups" : "single_partition_of_fp32_groups";
  const Value* masters = optimizer->Find(key);
  if (!masters || !masters->Is(Kind::kList)) return Broken(file, fmt::format("there is no list `{}`", key));
  std::vector<FlatGroup> groups;
  for (size_t g = 0; g < masters->items.size(); ++g) {
    auto tensor = file.TensorOf(*masters->items[g], key);
    if (!tensor.ok()) return Broken(file, tensor.status().message());
    if (!*tensor || (*tensor)->shape.size() != 1 || !(*tensor)->row_major)
      return Broken(file, fmt::format("`{}.{}` is no flat tensor", key, g));
    groups.emplace_back().tensors.push_back({std::string(kMaster), **tensor});
  }
  const Value* base = optimizer->Find(third ? "optimizer_state_dict" : "base_optimizer_state");
  if (!base) return groups;
  const Value *states = base->Find("state"), *param_groups = base->Find("param_groups");
  const Value* common = optimizer->Find("base_optimizer_state_step");
  const std::vector<int64_t> keys = KeysOf(param_groups, groups.size());
  for (size_t g = 0; g < groups.size(); ++g) {
    const Value* state = nullptr;
    if (base->Is(Kind::kList)) {  // elastic checkpoints have a list, without padding
      state = g < base->items.size() ? base->items[g] : nullptr;
    } else if (states) {
      state = FindNumber(*states, g < keys.size() ? keys[g] : static_cast<int64_t>(g));
    }
    if (state) AOA_RETURN_IF_ERROR(AddMoments(file, *state, groups[g]));
    const Value* step = common;
    if (!step && param_groups && g < param_groups->items.size()) step = param_groups->items[g]->Find("step");
    if (!groups[g].step && step && step->AsInt()) groups[g].step = static_cast<double>(*step->AsInt());
  }
  return groups;
}

class StateReader {
 public:
  StateReader(const std::vector<std::vector<NamedShape>>& groups, const std::vector<ZeroRank>& ranks,
              std::vector<std::string>& notes)
      : groups_(groups), ranks_(ranks), notes_(notes) {}

  Result<std::vector<ZeroParameter>> Read() {
    for (const ZeroRank& rank : ranks_) {
      AOA_ASSIGN_OR_RETURN(auto flat, ReadGroups(*rank.file));
      flat_.push_back(std::move(flat));
    }
    AOA_RETURN_IF_ERROR(CheckAlike());
    for (const auto& group : groups_) {
      for (const NamedShape& parameter : group) out_.push_back({parameter.name, parameter.shape, {}, {}});
    }
    AOA_RETURN_IF_ERROR(ZeroStageOf(*ranks_[0].file) == 3 ? ReadEach() : ReadFlat());
    return std::move(out_);
  }

 private:
  int64_t count() const { return static_cast<int64_t>(ranks_.size()); }

  // Every rank has the groups of the first, with the same roles and the same number of steps.
  Status CheckAlike() const {
    for (size_t r = 0; r < flat_.size(); ++r) {
      const TorchFile& file = *ranks_[r].file;
      if (ZeroStageOf(file) != ZeroStageOf(*ranks_[0].file) || flat_[r].size() != flat_[0].size())
        return Broken(file, fmt::format("it is not of the same run as {}", Printable(ranks_[0].file->path())));
      for (size_t g = 0; g < flat_[r].size(); ++g) {
        const FlatGroup &first = flat_[0][g], &group = flat_[r][g];
        for (const FlatTensor& tensor : first.tensors) {
          const FlatTensor* other = group.Find(tensor.role);
          if (!other || other->tensor.dtype != tensor.tensor.dtype)
            return Broken(file, fmt::format("group {} has no {} like that of {}", g, Quote(tensor.role),
                                            Printable(ranks_[0].file->path())));
        }
        if (group.step != first.step) {
          return Broken(file,
                        fmt::format("it is of step {}, and {} is of step {}: two steps in one folder",
                                    group.step.value_or(0), Printable(ranks_[0].file->path()), first.step.value_or(0)));
        }
      }
    }
    return Status();
  }

  void AddState(ZeroParameter& parameter, size_t g, const FlatTensor& like,
                const std::vector<std::pair<size_t, ZeroWindow>>& windows) {
    ZeroState state{like.role, like.tensor.dtype, {}};
    const auto width = static_cast<uint64_t>(Width(like.tensor.dtype));
    for (const auto& [rank, window] : windows) {
      const TorchTensor& tensor = flat_[rank][g].Find(like.role)->tensor;
      state.parts.push_back({ranks_[rank].store, tensor.offset + static_cast<uint64_t>(window.at) * width,
                             static_cast<uint64_t>(window.count) * width});
    }
    parameter.states.push_back(std::move(state));
  }

  // ---------------------------------------------------------------- ZeRO-1 and 2

  std::vector<ZeroItem> ItemsOf(size_t g) const {
    std::vector<ZeroItem> items;
    const Value* gaps = FindPath(ranks_[0].file->root(), {"optimizer_state_dict", "param_alignment_paddings"});
    gaps = gaps && g < gaps->items.size() ? gaps->items[g] : nullptr;
    for (size_t i = 0; i < groups_[g].size(); ++i) {
      int64_t gap = gaps && i < gaps->items.size() ? gaps->items[i]->AsInt().value_or(0) : 0;
      items.push_back({ElementCount(groups_[g][i].shape), std::clamp<int64_t>(gap, 0, 1 << 20)});
    }
    return items;
  }

  Status ReadFlat() {
    if (flat_[0].size() != groups_.size()) {
      return Broken(*ranks_[0].file, fmt::format("it has {} groups of parameters, `param_shapes` has {}",
                                                 flat_[0].size(), groups_.size()));
    }
    size_t before = 0;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const FlatGroup& first = flat_[0][g];
      int64_t part = 0;
      for (const FlatTensor& tensor : first.tensors) part = std::max(part, tensor.length());
      if (part > kLongestPart) return Broken(*ranks_[0].file, "a partition is too long");
      const ZeroPartition partition = PartitionFlat(ItemsOf(g), count(), part);
      AOA_RETURN_IF_ERROR(CheckLengths(g, partition));
      std::vector<std::vector<std::pair<size_t, ZeroWindow>>> windows(groups_[g].size());
      for (size_t r = 0; r < ranks_.size(); ++r) {
        for (const ZeroWindow& window : partition.ranks[r]) windows[window.item].emplace_back(r, window);
        CheckMappings(r, g, partition);
      }
      for (size_t i = 0; i < groups_[g].size(); ++i) {
        ZeroParameter& parameter = out_[before + i];
        parameter.step = first.step;
        for (const FlatTensor& tensor : first.tensors) AddState(parameter, g, tensor, windows[i]);
      }
      before += groups_[g].size();
    }
    return Status();
  }

  // Partitions are stored whole, or without the padding at their end: releases and optimizers differ.
  Status CheckLengths(size_t g, const ZeroPartition& partition) const {
    for (size_t r = 0; r < ranks_.size(); ++r) {
      const int64_t stripped = partition.part - partition.Padding(static_cast<int64_t>(r));
      for (const FlatTensor& tensor : flat_[r][g].tensors) {
        if (tensor.length() == partition.part || tensor.length() == stripped) continue;
        return Broken(
            *ranks_[r].file,
            fmt::format("{} of group {} has {} elements: of {} over {} ranks it would be {}, or {} padded",
                        Quote(tensor.role), g, tensor.length(), partition.total, count(), stripped, partition.part));
      }
    }
    return Status();
  }

  // The windows that the file itself lists: they are wrong in some releases, so that the shapes are followed.
  void CheckMappings(size_t r, size_t g, const ZeroPartition& partition) {
    const Value* lists = FindPath(ranks_[r].file->root(), {"optimizer_state_dict", "param_slice_mappings"});
    if (!lists || g >= lists->items.size()) return;
    size_t wrong = 0;
    for (const ZeroWindow& window : partition.ranks[r]) {
      const Value* address = lists->items[g]->Find(groups_[g][window.item].name);
      if (!address || !address->state) continue;
      wrong += NumberIn(address->state->Find("start")) != window.at ||
               NumberIn(address->state->Find("numel")) != window.count;
    }
    if (wrong > 0) {
      notes_.push_back(
          fmt::format("{}: {} windows of `param_slice_mappings` are not those of `param_shapes`, which are right",
                      Printable(ranks_[r].file->path()), wrong));
    }
  }

  // ---------------------------------------------------------------- ZeRO-3

  // Sub-groups cut the list of parameters, and nothing else: their tensors are walked one after the other.
  Status ReadEach() {
    for (size_t r = 0; r < ranks_.size(); ++r) {
      for (size_t g = 0; g < flat_[0].size(); ++g) {
        for (const FlatTensor& tensor : flat_[r][g].tensors) {
          if (tensor.length() == flat_[0][g].tensors[0].length()) continue;
          return Broken(*ranks_[r].file,
                        fmt::format("{} of sub-group {} has {} elements, {} would be right", Quote(tensor.role), g,
                                    tensor.length(), flat_[0][g].tensors[0].length()));
        }
      }
    }
    size_t g = 0;
    int64_t at = 0;
    for (ZeroParameter& parameter : out_) {
      const ZeroItem item{ElementCount(parameter.shape), 0};
      const ZeroPartition partition = PartitionEach(std::span(&item, 1), count());
      while (g < flat_[0].size() && at == flat_[0][g].tensors[0].length()) {
        ++g;
        at = 0;
      }
      if (g == flat_[0].size() || partition.part > flat_[0][g].tensors[0].length() - at) {
        if (partition.part == 0) continue;
        return Broken(*ranks_[0].file, fmt::format("the partitions end before {} {}", Quote(parameter.name),
                                                   aoa::ToString(parameter.shape)));
      }
      std::vector<std::pair<size_t, ZeroWindow>> windows;
      for (size_t r = 0; r < ranks_.size(); ++r) {
        for (ZeroWindow window : partition.ranks[r]) {
          window.at = at;
          windows.emplace_back(r, window);
        }
      }
      parameter.step = flat_[0][g].step;
      for (const FlatTensor& tensor : flat_[0][g].tensors) AddState(parameter, g, tensor, windows);
      at += partition.part;
    }
    for (; g < flat_[0].size(); ++g, at = 0) {
      if (at == flat_[0][g].tensors[0].length()) continue;
      return Broken(*ranks_[0].file, fmt::format("sub-group {} has {} elements that are no parameter's", g,
                                                 flat_[0][g].tensors[0].length() - at));
    }
    return Status();
  }

  const std::vector<std::vector<NamedShape>>& groups_;
  const std::vector<ZeroRank>& ranks_;
  std::vector<std::string>& notes_;
  std::vector<std::vector<FlatGroup>> flat_;  // by rank
  std::vector<ZeroParameter> out_;
};

}  // namespace

int64_t ZeroStageOf(const TorchFile& file) {
  const Value* optimizer = Optimizer(file);
  if (!optimizer) return 1;
  if (auto stage = NumberIn(optimizer->Find("zero_stage")); stage && *stage >= 1 && *stage <= 3) return *stage;
  return optimizer->Find("fp32_flat_groups") ? 3 : 1;  // the first bf16 optimizer says nothing
}

Result<std::vector<ZeroParameter>> ReadZeroStates(const std::vector<std::vector<NamedShape>>& groups,
                                                  const std::vector<ZeroRank>& ranks, std::vector<std::string>& notes) {
  return StateReader(groups, ranks, notes).Read();
}

Result<double> ReadNumber(const TorchFile& file, const TorchTensor& tensor) {
  uint64_t bits = 0;
  AOA_ASSIGN_OR_RETURN(io::File opened, io::File::OpenForReading(file.path()));
  auto width = static_cast<size_t>(Width(tensor.dtype));
  if (width > sizeof(bits)) return Broken(file, "a number of more than 8 bytes");
  AOA_RETURN_IF_ERROR(opened.ReadAt(tensor.offset, std::as_writable_bytes(std::span(&bits, 1)).first(width)));
  return IsFloat(tensor.dtype) ? Decode(tensor.dtype, bits) : static_cast<double>(static_cast<int64_t>(bits));
}

}  // namespace aoa::formats
