// A plan as text: `--emit=plan`.
#include <fmt/format.h>

#include "compiler/core/text.h"
#include "compiler/plan/build_plan.h"

namespace aoa::plan {
namespace {

std::string DumpMove(const Plan& plan, const Plan::Move& move) {
  std::string digits;
  for (uint32_t d = 0; d < move.digits; ++d) {
    const Plan::Digit& digit = plan.digits[move.first_digit + d];
    digits += fmt::format(" {}({}->{})", digit.extent, digit.in, digit.out);
    if (digit.tile != digit.extent) digits += fmt::format("/{}", digit.tile);
  }
  if (move.how == Plan::How::kFill) return fmt::format("fill {:#x} at {}:{}", move.constant, move.out_base, digits);
  std::string how = move.how == Plan::How::kRead     ? "read"
                    : move.how == Plan::How::kScalar ? "scalar"
                                                     : fmt::format("kernel {}", move.kernel);
  return fmt::format("{} slot {} block {} at {} to {}:{}", how, move.slot, move.block, move.in_base, move.out_base,
                     digits);
}

}  // namespace

std::string Dump(const Plan& plan) {
  std::string out;
  for (size_t k = 0; k < plan.kernels.size(); ++k) out += fmt::format("kernel {}: {}\n", k, ToString(plan.kernels[k]));
  for (size_t p = 0; p < plan.programs.size(); ++p) {
    const Plan::BlockProgram& program = plan.programs[p];
    out += fmt::format("program {}: {} x {} B, unit {}, chunk {}{}, staging {} B\n", p, program.elements, program.width,
                       program.unit, program.chunk, program.tiled ? ", tiled" : "", program.staging);
    for (uint32_t m = 0; m < program.moves; ++m)
      out += "  " + DumpMove(plan, plan.moves[program.first_move + m]) + "\n";
  }
  for (size_t f = 0; f < plan.out_files.size(); ++f) {
    const Plan::OutFile& file = plan.out_files[f];
    out += fmt::format("file {}: {} B, data at {}\n", Printable(file.path), file.size, file.data_start);
    for (uint64_t s = file.first_shard; s < file.first_shard + file.shards; ++s) {
      const Plan::OutShard& shard = plan.out_shards[s];
      out += fmt::format("  {} program {} slots {}..\n", shard.offset, shard.program, shard.first_slot);
    }
  }
  for (size_t s = 0; s < plan.slots.size(); ++s) {
    const Plan::InShard& shard = plan.in_shards[plan.slots[s]];
    if (shard.file < plan.in_files.size())
      out += fmt::format("slot {}: {} at {}\n", s, Printable(plan.in_files[shard.file].path), shard.offset);
  }
  for (size_t j = 0; j < plan.jobs.size(); ++j) {
    const Plan::Job& job = plan.jobs[j];
    if (job.tile)
      out +=
          fmt::format("job {}: {} tile {} of move {}\n", j, Printable(plan.out_files[job.file].path), job.lo, job.move);
    else
      out += fmt::format("job {}: {} [{}, {})\n", j, Printable(plan.out_files[job.file].path), job.lo, job.hi);
  }
  return out;
}

}  // namespace aoa::plan
