// Checkpoints of PaddlePaddle that are a file of weights and one of states for each rank (paddle_file.h):
//
//   model_state[.tpTT][_ppPP].pdparams                 the rank's weights, in full names
//   optimizer[.tpTT][_ppPP][_shardSS].pdopt            its states, by the framework's own names of parameters
//   rankR/model.pdmodel and rankR/model.pdopt          the same of save_group_sharded_model, for each rank
//
// A part of a name is there where its degree is greater than one. Ranks R count sharding and tensor-parallel ranks, the
// latter fastest, and do not say how many there are of each: those that have the states of the same weights are
// tensor-parallel ranks. States are called here as in a flex checkpoint,
// `WEIGHT.moment1_0` and `WEIGHT.w_0` (the master); which weight it is, the weights' file says. Sharding ranks have
// whole states, each on its owner; or windows of the flattened state one after the other, with padding behind the last
// element. Both go together without knowing how they were dealt.
//
// Source: paddlenlp/trainer, paddle/distributed/sharding, and files of Paddle 3.3.1.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/core/schema.h"
#include "compiler/core/status.h"

namespace aoa::formats {

struct PaddleRankFile {
  std::string path;
  bool states = false;
  int64_t tp = 0, pp = 0, shard = 0;
  bool folder = false;  // that of a rank: `shard` counts tensor-parallel ranks too
};

// The files of a checkpoint at a path: a folder, or one file of weights. Empty if there is none.
std::vector<PaddleRankFile> FindPaddleRanks(const std::string& path);

// Adds every rank's tensors to a schema.
Status ReadPaddleRanks(std::vector<PaddleRankFile> files, int threads, Schema& schema);

}  // namespace aoa::formats
