#include "runtime/formats/megatron_buffers.h"

#include <algorithm>
#include <numeric>

namespace aoa::formats {
namespace {

// Bounds the search: steps times parameters.
constexpr size_t kMostWork = 50'000'000;
constexpr int64_t kBucketUnit = 128;

int64_t RoundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

class Filler {
 public:
  explicit Filler(const BufferRules& rules)
      : rules_(rules), unit_(std::lcm(std::max<int64_t>(rules.data_parallel, 1), kBucketUnit)) {}

  // The parameter's place in the file.
  int64_t Add(const BufferParameter& parameter) {
    int64_t begin = RoundUp(end_, rules_.alignment);
    if (parameter.alone) {
      if (rules_.even_starts && begin % std::max<int64_t>(rules_.data_parallel, 1) != 0) begin = RoundUp(begin, unit_);
      if (end_ > bucket_) Close(begin);
      begin = end_;
    }
    end_ = begin + parameter.elements;
    const int64_t place = before_ + begin - bucket_;
    if (parameter.alone) {
      Close(end_);
    } else if (rules_.bucket_size > 0 && end_ - bucket_ >= rules_.bucket_size) {
      larger_ = larger_ == 0 ? end_ - bucket_ + 1 : std::min(larger_, end_ - bucket_ + 1);
      Close(end_);
    }
    return place;
  }

  void Finish() {
    if (end_ > bucket_) Close(end_);
  }

  int64_t elements() const { return before_ + end_ - bucket_; }
  const std::vector<BufferBucket>& buckets() const { return buckets_; }
  int64_t larger() const { return larger_; }

 private:
  void Close(int64_t end) {
    const int64_t padded = RoundUp(end, unit_);
    buckets_.push_back({before_, end - bucket_, padded - bucket_});
    before_ += end - bucket_;
    bucket_ = end_ = padded;
  }

  const BufferRules& rules_;
  int64_t unit_;
  int64_t end_ = 0, bucket_ = 0;  // in the buffer: behind the last parameter; where the open bucket begins
  int64_t before_ = 0;            // elements of closed buckets in the file
  std::vector<BufferBucket> buckets_;
  int64_t larger_ = 0;
};

}  // namespace

BufferLayout LayOutBuffer(std::span<const BufferParameter> parameters, const BufferRules& rules) {
  BufferLayout layout;
  layout.begins.resize(parameters.size());
  Filler filler(rules);
  for (size_t i = parameters.size(); i-- > 0;) layout.begins[i] = filler.Add(parameters[i]);
  filler.Finish();
  layout.elements = filler.elements();
  layout.buckets = filler.buckets();
  layout.larger = filler.larger();
  return layout;
}

std::optional<BufferLayout> FindBufferLayout(std::span<const BufferParameter> parameters, int64_t data_parallel,
                                             int64_t elements) {
  std::vector<BufferParameter> together(parameters.begin(), parameters.end());
  for (BufferParameter& parameter : together) parameter.alone = false;
  std::optional<BufferLayout> found;
  size_t work = 0;
  for (int64_t alignment : {int64_t{64}, int64_t{1}}) {
    for (std::span<const BufferParameter> some : {parameters, std::span<const BufferParameter>(together)}) {
      for (int64_t bucket = 0;;) {
        BufferLayout layout = LayOutBuffer(some, {bucket, alignment, data_parallel});
        if (layout.elements == elements && found && !(*found == layout)) return std::nullopt;
        if ((work += parameters.size() + 1) > kMostWork) return std::nullopt;
        const int64_t next = bucket == 0 ? 1 : layout.larger;
        if (layout.elements == elements) found = std::move(layout);
        if (next == 0) break;
        bucket = next;
      }
    }
  }
  return found;
}

}  // namespace aoa::formats
