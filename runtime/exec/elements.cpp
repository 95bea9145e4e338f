#include "runtime/exec/elements.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "compiler/core/convert.h"

namespace aoa::exec {
namespace {

// The NaN of a sum is the first operand that is one, else positive: processors do not agree on it.
double Plus(double a, double b) {
  if (std::isnan(a)) return a;
  if (std::isnan(b)) return b;
  double sum = a + b;
  return std::isnan(sum) ? std::numeric_limits<double>::quiet_NaN() : sum;
}

}  // namespace

Result<uint64_t> ElementReader::Bits(const Plan::InShard& shard, uint64_t offset, int width) {
  uint64_t at = shard.offset + offset;
  auto holds = [&](const Window& w) {
    return w.file == shard.file && at >= w.begin && at + static_cast<uint64_t>(width) <= w.begin + w.bytes.size();
  };
  auto it = std::find_if(windows_.begin(), windows_.end(), holds);
  if (it == windows_.end()) {
    if (windows_.size() < 16) windows_.emplace_back();
    Window& window = windows_[next_++ % windows_.size()];
    window.file = shard.file;
    window.begin = at;
    uint64_t size = std::min(kWindow, sources_.size(shard.file) - at);
    window.bytes.resize(static_cast<size_t>(std::max<uint64_t>(size, static_cast<uint64_t>(width))));
    Status status = sources_.Read(shard.file, at, window.bytes);
    if (!status.ok()) {
      window.file = 0xFFFFFFFF;
      return status;
    }
    it = windows_.begin() + (&window - windows_.data());
  }
  uint64_t bits = 0;
  std::memcpy(&bits, it->bytes.data() + (at - it->begin), static_cast<size_t>(width));
  return bits;
}

Result<uint64_t> ElementReader::Value(std::span<const Plan::InShard> replicas, DType type, uint64_t offset,
                                      const ValueChain& chain, double norm, uint32_t& flags) {
  AOA_ASSIGN_OR_RETURN(uint64_t bits, Bits(replicas[0], offset, Width(type)));
  if (chain.empty() || chain[0].kind != ValueStep::Kind::kMean) return Apply(chain, type, bits, norm, flags);
  double sum = Decode(type, bits);
  for (size_t i = 1; i < replicas.size(); ++i) {
    AOA_ASSIGN_OR_RETURN(uint64_t more, Bits(replicas[i], offset, Width(type)));
    sum = Plus(sum, Decode(type, more));
  }
  return ApplyToValue(std::span(chain).subspan(1), sum / static_cast<double>(replicas.size()), norm, flags);
}

std::string Show(double value) {
  char text[64];
  auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end);
}

double NumberOf(DType type, uint64_t bits) {
  switch (type) {
    case DType::kI64:
      return static_cast<double>(static_cast<int64_t>(bits));
    case DType::kI32:
      return static_cast<int32_t>(bits);
    case DType::kI16:
      return static_cast<int16_t>(bits);
    case DType::kI8:
      return static_cast<int8_t>(bits);
    default:
      return IsFloat(type) ? Decode(type, bits) : static_cast<double>(bits);
  }
}

namespace {

Result<std::vector<double>> ReadNorm(const Plan& plan, const Plan::Norm& norm, Sources& sources) {
  const Plan::BlockProgram& program = plan.programs[norm.program];
  std::vector<double> sums(static_cast<size_t>(norm.size), 0.0);
  std::vector<const Plan::Move*> moves;
  for (uint32_t m = 0; m < program.moves; ++m) moves.push_back(&plan.moves[program.first_move + m]);
  std::stable_sort(moves.begin(), moves.end(),
                   [](const Plan::Move* a, const Plan::Move* b) { return a->out_base < b->out_base; });
  ElementReader reader(sources);
  for (const Plan::Move* move : moves) {
    if (move->how == Plan::How::kFill) continue;
    std::span<const Plan::InShard> shard(&plan.in_shards[plan.slots[norm.first_slot + move->slot] + move->block], 1);
    // Digits by falling out stride: for equal rows of the table the normalised axis rises.
    std::vector<int64_t> position(move->digits, 0);
    auto width = static_cast<int64_t>(Width(move->in));
    const ValueChain& chain = plan.chains[move->chain];
    DType type = chain.empty() ? move->in : chain.back().to;
    for (bool more = true; more;) {
      int64_t in = move->in_base, row = move->table_base;
      for (uint32_t d = 0; d < move->digits; ++d) {
        in += position[d] * plan.digits[move->first_digit + d].in;
        row += position[d] * plan.digits[move->first_digit + d].table;
      }
      uint32_t flags = 0;
      AOA_ASSIGN_OR_RETURN(uint64_t bits,
                           reader.Value(shard, move->in, static_cast<uint64_t>(in * width), chain, 1, flags));
      double value = Decode(type, bits);
      sums[static_cast<size_t>(row)] += value * value;
      more = false;
      for (size_t d = move->digits; d-- > 0;) {
        if (++position[d] < plan.digits[move->first_digit + d].extent) {
          more = true;
          break;
        }
        position[d] = 0;
      }
    }
  }
  for (double& sum : sums) sum = std::sqrt(sum);
  return sums;
}

}  // namespace

Result<std::vector<std::vector<double>>> ReadNorms(const Plan& plan, Sources& sources) {
  std::vector<std::vector<double>> norms;
  for (const Plan::Norm& norm : plan.norms) {
    AOA_ASSIGN_OR_RETURN(auto table, ReadNorm(plan, norm, sources));
    norms.push_back(std::move(table));
  }
  return norms;
}

}  // namespace aoa::exec
