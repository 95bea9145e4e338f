// The files of an InternEvo checkpoint, numbers never padded:
//
//   model_tpT_ppP.pt, optimizer_tpT_ppP_zoZ.pt             tensor parallelism (mtp, msp, fsp): variant `tp`
//   model_tpT_wpW_ppP.pt, optimizer_tpT_wpW_ppP_dpD.pt     weight parallelism (isp), until 2024: variant `tp_wp`
//   model_wpW_ppP.pt, optimizer_wpW_ppP_zoZ.pt             the same of later releases: variant `wp`
//   topo_tpT_ppP.json and so on                            of each file of weights, in spite of its name by torch.save:
//                                                          which modules are cut along another axis than usual
//   gpus-N_wp-W_tp-T_dp-D_pp-P_zo-Z.pt                     a rank's plan of the partition; its name says the mesh
//   context.pt, schedulder.pt, sampler.pt, model_config.pt run state, so spelled; STEP.step is written last
//
// A rank is (pp, dp, tp), tp fastest. Weight parallelism counts the ranks of a stage anew: rank = wdp * wp + w. Of
// these, blocks of zo share the optimizer.
//
// Source: internlm/checkpoint and internlm/solver/optimizer of InternEvo, v0.2.3dev20240201 to v0.3.3dev20240315.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/core/status.h"

namespace aoa::formats {

struct InternEvoMesh {
  int64_t pp = 1, dp = 1, tp = 1, wp = 1, zo = 1;
  int64_t vpp = 1;  // virtual stages
  std::string variant = "tp";

  bool operator==(const InternEvoMesh&) const = default;

  bool weight_parallel() const { return variant != "tp"; }
  int64_t stage_ranks() const { return dp * tp; }
  // How many ranks of a stage hold the model once.
  int64_t model_ranks() const;
  // How many of a stage's ranks, the first, have files of the optimizer.
  int64_t optimizer_ranks() const { return variant == "tp_wp" ? stage_ranks() : stride() * zo; }
  // Ranks that follow each other in one group of the optimizer are so far apart.
  int64_t stride() const { return weight_parallel() ? wp : tp; }
  // Of rank `r` of stage `p`.
  std::string ModelName(int64_t p, int64_t r) const;
  std::string TopologyName(int64_t p, int64_t r) const;
  std::string OptimizerName(int64_t p, int64_t r) const;
  std::string PlanName(int64_t p, int64_t r) const;
};

struct InternEvoFiles {
  InternEvoMesh mesh;
  bool optimizer = false;           // there are files of it
  std::vector<std::string> around;  // names of the files with the run's state
};

// What the folder holds; every file that the mesh asks for is there, or the message lists the missing ones.
Result<InternEvoFiles> FindInternEvoFiles(const std::string& folder);

// Whether there is a file of weights with such a name.
bool LooksLikeInternEvo(const std::string& folder);

}  // namespace aoa::formats
