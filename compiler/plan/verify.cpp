// The laws of a plan, checked from the plan alone.
#include <fmt/format.h>

#include <map>
#include <set>

#include "compiler/core/coverage.h"
#include "compiler/plan/build_plan.h"
#include "compiler/plan/jobs.h"

namespace aoa::plan {
namespace {

class Verifier {
 public:
  explicit Verifier(const Plan& plan) : plan_(plan) {}

  std::string Run() {
    for (const Plan::OutShard& shard : plan_.out_shards) {
      std::string broken = CheckProgram(shard.program);
      if (broken.empty()) broken = CheckReads(shard);
      if (!broken.empty()) return fmt::format("target {}: {}", shard.target, broken);
    }
    for (uint32_t file = 0; file < plan_.out_files.size(); ++file) {
      std::string broken = CheckFile(file);
      if (!broken.empty()) return plan_.out_files[file].path + ": " + broken;
    }
    return CheckJobs();
  }

 private:
  // Moves fill every element of the block once.
  std::string CheckProgram(uint32_t number) {
    if (!checked_.insert(number).second) return "";
    const Plan::BlockProgram& program = plan_.programs[number];
    Coverage filled;
    for (uint32_t m = 0; m < program.moves; ++m) {
      const Plan::Move& move = plan_.moves[program.first_move + m];
      std::vector<FormDigit> digits;
      for (uint32_t d = 0; d < move.digits; ++d) {
        const Plan::Digit& digit = plan_.digits[move.first_digit + d];
        digits.push_back({digit.extent, digit.out});
      }
      filled.Add(move.out_base, std::move(digits));
    }
    std::string broken = filled.CheckTiles(program.elements);
    return broken.empty() ? "" : fmt::format("program {} of {} elements: {}", number, program.elements, broken);
  }

  std::string CheckReads(const Plan::OutShard& shard) const {
    const Plan::BlockProgram& program = plan_.programs[shard.program];
    for (uint32_t m = 0; m < program.moves; ++m) {
      const Plan::Move& move = plan_.moves[program.first_move + m];
      if (move.how == Plan::How::kFill) continue;
      const Plan::InShard& block = plan_.in_shards[plan_.slots[shard.first_slot + move.slot] + move.block];
      if (block.file >= plan_.in_files.size()) return fmt::format("move {} reads a block that no file holds", m);
      int64_t last = move.in_base;
      for (uint32_t d = 0; d < move.digits; ++d) {
        const Plan::Digit& digit = plan_.digits[move.first_digit + d];
        last += (digit.extent - 1) * digit.in;
      }
      uint64_t end = block.offset + (static_cast<uint64_t>(last) + 1) * static_cast<uint64_t>(Width(move.in));
      if (move.in_base < 0 || end > plan_.in_files[block.file].size)
        return fmt::format("move {} reads up to byte {}", m, end);
    }
    return "";
  }

  // Head and tensors fill the file: no hole, no overlap.
  std::string CheckFile(uint32_t number) const {
    const Plan::OutFile& file = plan_.out_files[number];
    uint64_t head = 0;
    for (const auto& part : file.head) head += part->size();
    if (head != file.data_start) return fmt::format("a head of {} bytes before byte {}", head, file.data_start);
    Coverage bytes;
    if (head > 0) bytes.Add(Span{0, static_cast<int64_t>(head) - 1});
    auto add = [&](uint64_t offset, uint64_t size) {
      if (size > 0) bytes.Add(Span{static_cast<int64_t>(offset), static_cast<int64_t>(offset + size) - 1});
    };
    for (uint64_t s = file.first_shard; s < file.first_shard + file.shards; ++s) {
      add(plan_.out_shards[s].offset, BytesOf(plan_.out_shards[s]));
    }
    for (const Plan::ScalarShard& shard : plan_.scalar_shards) {
      if (shard.file == number) add(shard.offset, static_cast<uint64_t>(Width(plan_.scalars[shard.scalar].dtype)));
    }
    return bytes.CheckTiles(static_cast<int64_t>(file.size));
  }

  // Every byte of a shard is in one job: in a range, or in one tile of a move.
  std::string CheckJobs() const {
    std::map<uint32_t, Coverage> ranges;
    std::map<std::pair<uint64_t, uint32_t>, Coverage> tiles;  // by shard and move
    for (const Plan::Job& job : plan_.jobs) {
      Span span{static_cast<int64_t>(job.lo), static_cast<int64_t>(job.hi) - 1};
      if (job.tile)
        tiles[{job.first_shard, job.move}].Add(span);
      else
        ranges[job.file].Add(span);
    }
    for (uint32_t number = 0; number < plan_.out_files.size(); ++number) {
      Coverage wanted;
      const Plan::OutFile& file = plan_.out_files[number];
      for (uint64_t s = file.first_shard; s < file.first_shard + file.shards; ++s) {
        const Plan::OutShard& shard = plan_.out_shards[s];
        if (plan_.programs[shard.program].tiled) {
          if (std::string broken = CheckTiles(s, tiles); !broken.empty()) return broken;
        } else if (BytesOf(shard) > 0) {
          wanted.Add(Span{static_cast<int64_t>(shard.offset), static_cast<int64_t>(shard.offset + BytesOf(shard)) - 1});
        }
      }
      std::string broken = ranges[number].CheckSame(wanted);
      if (!broken.empty()) return fmt::format("the jobs of {}: {}", file.path, broken);
    }
    return tiles.empty() ? "" : "there are tiles of a shard that has none";
  }

  // All tiles of all moves of a shard, which are taken out of `tiles`.
  std::string CheckTiles(uint64_t shard, std::map<std::pair<uint64_t, uint32_t>, Coverage>& tiles) const {
    const Plan::BlockProgram& program = plan_.programs[plan_.out_shards[shard].program];
    for (uint32_t m = program.first_move; m < program.first_move + program.moves; ++m) {
      std::string broken = tiles[{shard, m}].CheckTiles(TileCount(plan_, plan_.moves[m]));
      tiles.erase({shard, m});
      if (!broken.empty()) return fmt::format("the tiles of move {}: {}", m, broken);
    }
    return "";
  }

  uint64_t BytesOf(const Plan::OutShard& shard) const {
    const Plan::BlockProgram& program = plan_.programs[shard.program];
    return static_cast<uint64_t>(program.elements) * static_cast<uint64_t>(program.width);
  }

  const Plan& plan_;
  std::set<uint32_t> checked_;
};

}  // namespace

std::string Verify(const Plan& plan) { return Verifier(plan).Run(); }

}  // namespace aoa::plan
