#include "runtime/exec/digest.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <memory>
#include <span>

#include "runtime/exec/stream.h"

namespace aoa::exec {
namespace {

class Hash {
 public:
  Hash() : state_(XXH3_createState(), XXH3_freeState) {
    if (!state_) throw std::bad_alloc();
    XXH3_128bits_reset(state_.get());
  }
  void Add(std::span<const std::byte> bytes) { XXH3_128bits_update(state_.get(), bytes.data(), bytes.size()); }
  // With its length, so that neighbouring texts do not run together.
  void Add(std::string_view text) {
    uint64_t size = text.size();
    Add(std::as_bytes(std::span(&size, 1)));
    Add(std::as_bytes(std::span(text)));
  }
  void Add(const TensorHead& head) {
    Add(Name(head.dtype));
    Add(ToString(head.shape));
  }
  std::string Text() const {
    XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

 private:
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state_;
};

}  // namespace

Result<std::string> DigestShard(const FillContext& context, const Plan::OutShard& shard, const TensorHead& head) {
  Hash hash;
  hash.Add(head);
  for (ShardStream stream(context, shard); !stream.done();) {
    AOA_ASSIGN_OR_RETURN(auto bytes, stream.Next());
    hash.Add(bytes);
  }
  return hash.Text();
}

std::string DigestScalar(uint64_t bits, const TensorHead& head) {
  Hash hash;
  hash.Add(head);
  hash.Add(std::as_bytes(std::span(&bits, 1)).first(static_cast<size_t>(Width(head.dtype))));
  return hash.Text();
}

std::string DigestEmpty(const TensorHead& head) {
  Hash hash;
  hash.Add(head);
  return hash.Text();
}

std::string DigestOf(std::vector<std::pair<std::string, std::string>> tensors) {
  std::sort(tensors.begin(), tensors.end());
  Hash hash;
  for (const auto& [name, digest] : tensors) {
    hash.Add(name);
    hash.Add(digest);
  }
  return hash.Text();
}

}  // namespace aoa::exec
