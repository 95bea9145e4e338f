#include "runtime/exec/stream.h"

#include <algorithm>

namespace aoa::exec {

Result<std::span<const std::byte>> ShardStream::Next() {
  int64_t end = std::min(at_ + program_.chunk, program_.elements);
  auto bytes = static_cast<size_t>((end - at_) * program_.width);
  buffer_.Reserve(bytes);
  AOA_RETURN_IF_ERROR(filler_.Elements(shard_, at_, end, buffer_.First(bytes)));
  at_ = end;
  return std::span<const std::byte>(buffer_.First(bytes));
}

}  // namespace aoa::exec
