// Flex checkpoints, which paddle.distributed.save_state_dict writes: `{uid}.metadata` says of every tensor which boxes
// of it there are, and in which file each lies; `{rank}_{uid}.distcp` (paddle_file.h) and, in newer releases,
// `{rank}_{uid}.safetensors` hold them. A box may be cut further, into windows of its row-major elements, by optimizers
// that share out their states. Of several saves in a folder the last, by uid, counts.
//
// Source: paddle/distributed/flex_checkpoint/dcp, and folders of Paddle 3.3.1.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"

namespace aoa::formats {

// The folders of a checkpoint below a path: the path itself, or those of weights, master weights and states. Empty if
// there is none.
std::vector<std::string> FindPaddleFlex(const std::string& path);

// Adds the boxes of all folders to a schema: each as the tensor of a rank, or as chunks where the boxes are not
// those of tensor parallelism. Says whether the tensors lie in safetensors.
Result<bool> ReadPaddleFlex(const std::vector<std::string>& paths, int threads, Schema& schema);

}  // namespace aoa::formats
